//go:build linux

package supervise

import (
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// catchSignals takes over every signal that can be caught, each to be forwarded, and SIGCHLD on a channel of
// its own, where one that waits stands for all. Left alone are those that were ignored when this
// program was started, as by nohup: they stay ignored, here and in the command; and SIGURG, which the Go
// runtime sends to itself. SIGPROF is the runtime's as well, and signals 32 to 34 belong to the C libraries'
// threads (signal(7), golang.org/issue/42494): a Go program cannot catch them.
func catchSignals() (signals, children <-chan os.Signal) {
	ignored := ignoredSignals()
	all := make(chan os.Signal, 128)
	for sig := unix.Signal(1); sig <= 64; sig++ {
		switch {
		case sig == unix.SIGKILL, sig == unix.SIGSTOP, sig == unix.SIGCHLD, sig == unix.SIGURG:
		case ignored&(1<<(sig-1)) != 0:
		default:
			signal.Notify(all, sig)
		}
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	return all, ended
}

// ignoredSignals are the signals this process ignores, a bit for each: SigIgn of proc_pid_status(5).
func ignoredSignals() uint64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(status), "\nSigIgn:\t")
	mask, _, _ := strings.Cut(after, "\n")
	ignored, _ := strconv.ParseUint(mask, 16, 64)
	return ignored
}

// signal forwards a signal to the command. SIGTERM and the stop signal are also the end of
// everything: no generation is started any more. So are SIGINT and SIGQUIT, when there is
// no command that could make of them what it likes.
func (s *supervisor) signal(sig unix.Signal) {
	steady := s.state == running || s.state == delaying || s.state == checking
	final := sig == unix.SIGTERM || sig == s.StopSignal || !steady && (sig == unix.SIGINT || sig == unix.SIGQUIT)
	switch {
	case sig == unix.SIGPIPE:
		return // our own, from a log that nobody reads any more
	case final:
		s.ending = true
	case sig == unix.SIGTSTP, sig == unix.SIGTTIN, sig == unix.SIGTTOU:
		s.stopAsked = true
	case sig == unix.SIGCONT:
		s.stopAsked = false
	}
	switch s.state {
	case starting:
		if final {
			s.end(128 + int(sig))
			return
		}
		s.waiting = append(s.waiting, sig)
	case running, delaying, checking:
		s.deliver(sig)
		if s.ending {
			s.cancel()
			s.run()
		}
	case stopping, killing:
		s.deliver(sig)
		if s.ending {
			s.cancel()
		}
	case sweeping:
		if s.ending {
			s.end(s.command.status)
			return
		}
		s.waiting = append(s.waiting, sig)
	case committing:
		s.waiting = append(s.waiting, sig)
		if final {
			s.timer.Reset(max(s.StopTimeout, time.Nanosecond))
		}
	}
}

// deliver sends a signal to the command or, if so configured, its process group. It reports false, and
// logs why, if that is not allowed.
func (s *supervisor) deliver(sig unix.Signal) bool {
	if s.command.gone {
		return true
	}
	whole := s.Group
	switch sig {
	case unix.SIGINT, unix.SIGQUIT, unix.SIGTSTP: // typed, when the shell has put us in the foreground meanwhile
		whole = whole || s.terminal.resume(s.command.pid)
	case unix.SIGCONT:
		s.terminal.resume(s.command.pid)
		whole = whole || s.terminal != nil // as Ctrl-Z stopped it, and as a shell continues its jobs
	}
	to := s.command.pid
	if group, err := unix.Getpgid(to); whole && err == nil && group != unix.Getpgrp() {
		to = -group // which need not be the one it started in
	}
	err := unix.Kill(to, sig)
	if err == nil || err == unix.ESRCH {
		return true
	}
	s.say(Warn, "send "+signalName(sig)+" to the command: "+err.Error())
	return false
}

// signalName is "HUP", or for the real-time signals "RTMIN+3", as the C library counts them.
func signalName(sig unix.Signal) string {
	const rtmin = 34
	switch name := unix.SignalName(sig); {
	case name != "":
		return name[len("SIG"):]
	case sig == rtmin:
		return "RTMIN"
	case sig > rtmin:
		return "RTMIN+" + strconv.Itoa(int(sig)-rtmin)
	}
	return strconv.Itoa(int(sig))
}

// withoutSignal runs f while the thread blocks a signal. For SIGTTOU that lets f write to the terminal, and
// change it, from the background (termios(3), tcsetpgrp(3)).
func withoutSignal(sig unix.Signal, f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var set, before unix.Sigset_t
	const bits = 8 * int(unsafe.Sizeof(set.Val[0]))
	set.Val[(int(sig)-1)/bits] |= 1 << ((int(sig) - 1) % bits)
	if unix.PthreadSigmask(unix.SIG_BLOCK, &set, &before) == nil {
		defer unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
	}
	f()
}
