package main

import (
	"io"

	"golang.org/x/sys/unix"
)

// output is standard output or standard error, by its descriptor. Package os ends the process by
// SIGPIPE when nobody reads these any more (os/signal, "SIGPIPE"): one warning to a log that is
// gone would keep COMMAND from starting. Here that is an error like others.
type output int

// writeTimeout is how long a write waits for a reader of a stream that does not block, in
// milliseconds.
const writeTimeout = 1000

func (fd output) Write(b []byte) (int, error) {
	for done := 0; ; {
		n, err := unix.Write(int(fd), b[done:])
		done += max(n, 0)
		switch {
		case err == unix.EINTR, err == nil && n > 0 && done < len(b):
		case err == unix.EAGAIN:
			ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
			if n, err := unix.Poll(ready, writeTimeout); n == 0 || err != nil && err != unix.EINTR {
				return done, unix.EAGAIN
			}
		case err == nil && done < len(b):
			return done, io.ErrShortWrite
		default:
			return done, err
		}
	}
}

// deliver prints what was asked for, and returns the exit status: the one given, unless that says
// that all is well and nobody can have read it. A reader that has gone away, as head(1) does, is
// nothing to tell: then it is the status of a program that SIGPIPE ended.
func deliver(stdout io.Writer, text string, status int, log *logger) int {
	_, err := io.WriteString(stdout, text)
	switch {
	case err == unix.EPIPE && status == exitOK:
		return 128 + int(unix.SIGPIPE)
	case err != nil && err != unix.EPIPE:
		log.error("write to standard output: " + err.Error())
		return exitFailed
	}
	return status
}
