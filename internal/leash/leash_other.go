//go:build !linux

package leash

// Hold does nothing here.
func Hold(...func()) {}

// Reap does nothing here.
func Reap() {}
