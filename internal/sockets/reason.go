package sockets

import "fmt"

// A Reason says why something is not held. It fits the byte that goes over a gate; the zero
// Reason says that nothing stands against it.
type Reason uint8

const (
	// None: nothing stands against it.
	None Reason = iota

	// What [Trap] finds out: nothing of the generation can be held.

	// NoKernel: the kernel is older than 5.9, or is not Linux but plays it (gVisor).
	NoKernel
	// Denied: a seccomp profile refuses seccomp(2).
	Denied
	// Nested: another seccomp listener is there already; the kernel allows one (EBUSY).
	Nested
	// Architecture: neither amd64 nor arm64.
	Architecture

	// What is found out about a socket that listens.

	// Unreadable: /proc/TID/fd cannot be read. The program changed its user without execve, is
	// not dumpable, or /proc is not there.
	Unreadable
	// UnixSocket: it is a Unix socket. When two generations use one path, each unlinks the other's.
	UnixSocket
	// Protocol: it listens by another protocol than TCP.
	Protocol
	// Given: it was bound or listening before, as by socket activation.
	Given
	// Shared: before its bind(2) it was in an epoll set or had a second number. Another socket
	// in its place would not be in that set, nor under that number.
	Shared
	// Namespace: it belongs to another network namespace.
	Namespace
	// TooMany: the program makes more sockets, or faster, than are followed.
	TooMany
)

var reasons = [...]string{
	None:         "held",
	NoKernel:     "the kernel cannot hold sockets (it is older than Linux 5.9, or gVisor)",
	Denied:       "the container's seccomp profile refuses seccomp(2)",
	Nested:       "another seccomp listener is there already, and the kernel allows one",
	Architecture: "sockets are held on amd64 and arm64 only",
	Unreadable:   "its descriptors cannot be read (it changed its user without an execve)",
	UnixSocket:   "it listens on a Unix socket",
	Protocol:     "it listens by another protocol than TCP",
	Given:        "it listens on a socket that it was given",
	Shared:       "its socket was in an epoll set, or was duplicated, before bind(2)",
	Namespace:    "it listens in another network namespace",
	TooMany:      "it makes too many sockets",
}

// String is a clause in plain English.
func (r Reason) String() string {
	if int(r) < len(reasons) {
		return reasons[r]
	}
	return "unknown"
}

// A NotHeld is something that listens and is not held: the next generation cannot listen beside
// it, or cannot be told from it.
type NotHeld struct {
	Reason Reason
	What   string // the path of a Unix socket, or the protocol's name in the kernel; or empty
}

// Error is the reason, and what it is about.
func (n NotHeld) Error() string {
	if n.What == "" {
		return n.Reason.String()
	}
	return fmt.Sprintf("%v (%s)", n.Reason, n.What)
}
