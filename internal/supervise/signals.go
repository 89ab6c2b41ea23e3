//go:build linux

package supervise

import (
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// catchSignals takes over every signal that can be caught, each to be forwarded, and SIGCHLD on a
// channel of its own, where one that waits stands for all. Left alone are those that were ignored
// when this program was started, as by nohup: they stay ignored, here and in the command; and
// SIGURG, which the Go runtime sends to itself. SIGPROF is the runtime's as well, and signals 32 to
// 34 belong to the C libraries' threads (signal(7), golang.org/issue/42494): a Go program cannot
// catch them.
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

// ignoredSignals are the signals this process ignores, a bit for each: SigIgn of
// proc_pid_status(5).
func ignoredSignals() uint64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	return mask(string(status), "SigIgn")
}

// mask is a set of signals, a bit for each, from a process's status (proc_pid_status(5)).
func mask(status, field string) uint64 {
	_, after, _ := strings.Cut(status, "\n"+field+":\t")
	digits, _, _ := strings.Cut(after, "\n")
	set, _ := strconv.ParseUint(digits, 16, 64)
	return set
}

// signal acts on a signal that came. SIGTERM and the stop signal are also the end of everything: no
// generation is started any more. So are SIGINT and SIGQUIT, when there is no command that could
// make of them what it likes. SIGTERM, which orchestrators send where neither the image nor the
// service names another, is forwarded as the stop signal.
func (s *supervisor) signal(sig unix.Signal) {
	e := event{kind: signalled, signal: sig, status: 128 + int(sig)}
	switch sig {
	case unix.SIGPIPE:
		return // our own, from a log that nobody reads any more
	case unix.SIGTERM, s.StopSignal:
		e.kind, e.signal = terminated, s.StopSignal
	case unix.SIGINT, unix.SIGQUIT:
		e.kind = interrupted
	}

	s.job.note(e.signal)
	s.happen(e)
}

// deliver sends a signal that came, or that stops, to the command or, if so configured, its process
// group. It reports false, and logs why, if that is not allowed.
func (s *supervisor) deliver(sig unix.Signal) bool {
	return s.deliverTo(s.command, sig)
}

// deliverTo is deliver for any generation; only the command can have the terminal.
func (s *supervisor) deliverTo(g *generation, sig unix.Signal) bool {
	if !g.runs() {
		return true
	}
	whole := g == s.command && s.job.whole(sig, g.pid)
	return s.send(g.target(whole || s.Group), sig)
}

// target is the process of a generation or its process group, as kill(2) has it.
func (g *generation) target(whole bool) int {
	to := g.pid
	if group, err := unix.Getpgid(to); whole && err == nil && group != unix.Getpgrp() {
		return -group // which need not be the one it started in
	}
	return to
}

func (s *supervisor) send(to int, sig unix.Signal) bool {
	err := unix.Kill(to, sig)
	if err == nil || err == unix.ESRCH {
		return true
	}
	s.sayf(Warn, "send %s to the command: %v", signalName(sig), err)
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

// withoutSignal runs f while the thread blocks a signal, and forgets one that f has caused. For
// SIGTTOU that lets f write to the terminal, and change it, from the background (termios(3),
// tcsetpgrp(3)).
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

	// sigtimedwait(2): what others send goes to another thread, which does not block it.
	var now unix.Timespec
	unix.RawSyscall6(unix.SYS_RT_SIGTIMEDWAIT, uintptr(unsafe.Pointer(&set)), 0,
		uintptr(unsafe.Pointer(&now)), unsafe.Sizeof(set.Val[0])*uintptr(64/bits), 0, 0)
}
