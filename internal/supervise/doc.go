// Package supervise starts one command and stays with it: it forwards signals, reaps orphans, and replaces the command by
// a next generation of it when told that something may have changed. It never has a secret in its memory.
package supervise
