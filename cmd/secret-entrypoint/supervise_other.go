//go:build !linux

package main

import "io"

// candidate exists on Linux only.
type candidate struct{}

func inherited(*[]string) (*candidate, error) { return nil, nil }

func (*candidate) execCommand(*options, []string, *logger) int { return exitFailed }

func stay(_ *options, _, _ []string, log *logger) int {
	log.error("--on-change and --init need Linux")
	return exitFailed
}

func validPath(string) bool { return true }

func (*options) replaceNotes() []string { return nil }

func noExec(string) bool { return false }

func (*options) showStatus(_ io.Writer, log *logger) int {
	log.error("--status needs Linux")
	return exitFailed
}

func (*options) runProbe(log *logger) int {
	log.error("--probe needs Linux")
	return exitFailed
}
