//go:build linux

package supervise

import (
	"runtime"
	"sync"
)

// threads is how many this process may come to need beside those that it starts with, as seen: for
// goroutines that are in system calls at the same time, and the collector.
const threads = 2

// threadsToReplace are those that hold sockets, prove and drain.
const threadsToReplace = 3

// startThreads makes threads now, which the runtime keeps. Later, with a command that has used up
// all that the container's pids limit allows, it could not make one, and would die of that
// (newosproc in Go's runtime/os_linux.go).
func startThreads(n int) {
	var up, down sync.WaitGroup
	up.Add(n)
	down.Add(1)

	for range n {
		go func() {
			runtime.LockOSThread()
			up.Done()
			down.Wait()
			runtime.UnlockOSThread()
		}()
	}

	up.Wait()
	down.Done()
}
