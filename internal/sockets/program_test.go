//go:build linux

package sockets

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/leash"
)

// The tests start real processes: this test binary again, as a candidate that traps itself and
// then becomes a puppet, a program that makes the system calls that it is told to, one a line.

const role = "SOCKETS_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "candidate":
		candidate()
	case "puppet":
		if os.Getenv(firstEnds) != "" {
			withoutFirst(func() { puppet(os.Stdin, os.Stdout) })
		}
		puppet(os.Stdin, os.Stdout)
	case "holder":
		holder()
	case "refused":
		refused()
	default:
		leash.Hold()
		os.Exit(m.Run())
	}
	os.Exit(0)
}

// firstEnds has a puppet end its first thread, and go on by others.
const firstEnds = "SOCKETS_TEST_FIRST_ENDS"

func init() {
	if os.Getenv(firstEnds) != "" {
		runtime.LockOSThread() // main has the first thread
	}
}

// withoutFirst ends the first thread. The others end the process when f returns.
func withoutFirst(f func()) {
	go func() {
		f()
		os.Exit(0)
	}()
	syscall.Syscall(syscall.SYS_EXIT, 0, 0, 0)
}

// candidate does what the real one does at its end: trap, send, wait for the word, execve.
func candidate() {
	runtime.LockOSThread()
	const gate = 3
	unix.CloseOnExec(gate)
	if os.Getenv("SOCKETS_TEST_CONTAINER") != "" {
		unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYS_PTRACE, 0, 0, 0)
	}
	listener, reason := Trap()
	if err := Send(gate, byte(reason), listener); err != nil {
		panic(err)
	}
	unix.Close(listener)
	if _, err := unix.Read(gate, make([]byte, 1)); err != nil {
		panic(err)
	}
	os.Setenv(role, "puppet")
	argv := []string{"/proc/self/exe"}
	if program := os.Getenv("SOCKETS_TEST_PROGRAM"); program != "" {
		argv = strings.Split(program, "\n")
	}
	panic(syscall.Exec(argv[0], argv, os.Environ()))
}

// A program is a trapped process and the generation that it is.
type program struct {
	t       testing.TB
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	g       *Generation
	stopped bool

	// Without a holder, what it was to get.
	listener int
}

// start starts a puppet as the next generation.
func start(t testing.TB, h *Holder, env ...string) *program {
	t.Helper()
	ours, theirs := newGate(t)
	defer unix.Close(ours)
	p := launch(t, []*os.File{theirs}, append([]string{role + "=candidate"}, env...)...)
	theirs.Close()

	mark, listener, err := Receive(ours)
	if err != nil {
		t.Fatal(err)
	}
	if reason := Reason(mark); reason != None {
		t.Fatal(reason)
	}
	if p.listener = listener; h != nil {
		if p.g, err = h.Adopt(listener, p.cmd.Process.Pid); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := unix.Write(ours, []byte{'g'}); err != nil {
		t.Fatal(err)
	}
	return p
}

// newGate makes two connected sockets: the caller closes the first, and hands the other on.
func newGate(t testing.TB) (ours int, theirs *os.File) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return pair[0], os.NewFile(uintptr(pair[1]), "gate")
}

// launch starts this test binary, in the role that its environment gives it.
func launch(t testing.TB, files []*os.File, env ...string) *program {
	t.Helper()
	p := &program{t: t, cmd: exec.Command("/proc/self/exe")}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.ExtraFiles = files
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

func (p *program) kill() {
	if !p.stopped {
		p.stopped = true
		p.cmd.Process.Kill()
		p.cmd.Wait()
	}
}

// send tells the puppet to do something, and does not wait for it.
func (p *program) send(words ...any) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, strings.TrimSuffix(fmt.Sprintln(words...), "\n")+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

// result is what the next of the things told has given.
func (p *program) result() (string, error) {
	p.t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("the program is gone: %v", err)
	}
	line = strings.TrimSuffix(line, "\n")
	if message, failed := strings.CutPrefix(line, "error "); failed {
		if n, err := strconv.Atoi(message); err == nil {
			return "", unix.Errno(n)
		}
		return "", errors.New(message)
	}
	return line, nil
}

func (p *program) try(words ...any) (string, error) {
	p.t.Helper()
	p.send(words...)
	return p.result()
}

// do wants it to work.
func (p *program) do(words ...any) string {
	p.t.Helper()
	result, err := p.try(words...)
	if err != nil {
		p.t.Fatalf("%v: %v", words, err)
	}
	return result
}

func (p *program) number(words ...any) int {
	p.t.Helper()
	n, err := strconv.Atoi(p.do(words...))
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// serve makes it listen at an address, as most servers do, and returns the descriptor.
func (p *program) serve(address string) int {
	p.t.Helper()
	family := "inet"
	if strings.HasPrefix(address, "[") {
		family = "inet6"
	}
	fd := p.number("socket", family)
	p.do("set", fd, "reuseaddr", 1)
	p.do("bind", fd, address)
	p.do("listen", fd, 64)
	return fd
}

// puppet makes the calls that it reads.
func puppet(in io.Reader, out io.Writer) {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		result, err := act(words)
		var errno syscall.Errno
		switch {
		case errors.As(err, &errno):
			fmt.Fprintf(out, "error %d\n", int(errno))
		case err != nil:
			fmt.Fprintf(out, "error %v\n", err)
		default:
			fmt.Fprintln(out, result)
		}
	}
}

// children are the puppet's own puppets.
var children = map[int]struct {
	in  io.Writer
	out *bufio.Reader
}{}

func act(words []string) (any, error) {
	n := func(i int) int {
		v, err := strconv.Atoi(words[i])
		if err != nil {
			panic(err)
		}
		return v
	}
	switch words[0] {
	case "socket":
		family, kind, protocol := unix.AF_INET, unix.SOCK_STREAM, 0
		for _, w := range words[1:] {
			switch w {
			case "inet6":
				family = unix.AF_INET6
			case "unix":
				family = unix.AF_UNIX
			case "udp":
				kind = unix.SOCK_DGRAM
			case "nonblock":
				kind |= unix.SOCK_NONBLOCK
			case "cloexec":
				kind |= unix.SOCK_CLOEXEC
			case "mptcp":
				protocol = 262
			}
		}
		return first(unix.Socket(family, kind, protocol))
	case "set":
		level, name := optionNamed(words[2])
		return 0, unix.SetsockoptInt(n(1), level, name, n(3))
	case "get":
		level, name := optionNamed(words[2])
		return first(unix.GetsockoptInt(n(1), level, name))
	case "bind", "connect":
		number := uintptr(unix.SYS_BIND)
		if words[0] == "connect" {
			number = unix.SYS_CONNECT
		}
		if strings.HasPrefix(words[2], "/") {
			return 0, unix.Bind(n(1), &unix.SockaddrUnix{Name: words[2]})
		}
		e, v6 := endpointOf(words[2])
		return 0, call(number, n(1), e, v6)
	case "listen":
		return 0, unix.Listen(n(1), n(2))
	case "shutdown":
		return 0, unix.Shutdown(n(1), n(2))
	case "accept":
		fd, _, err := unix.Accept(n(1))
		return fd, err
	case "name":
		e, ok := name(n(1))
		if !ok {
			return 0, unix.EBADF
		}
		return e.address(), nil
	case "flags":
		status, err := unix.FcntlInt(uintptr(n(1)), unix.F_GETFL, 0)
		descriptor, _ := unix.FcntlInt(uintptr(n(1)), unix.F_GETFD, 0)
		return fmt.Sprint(status&unix.O_NONBLOCK != 0, descriptor&unix.FD_CLOEXEC != 0), err
	case "read":
		b := make([]byte, 4096)
		got, err := unix.Read(n(1), b)
		return strconv.Quote(string(b[:max(got, 0)])), err
	case "write":
		text, err := strconv.Unquote(strings.Join(words[2:], " "))
		if err != nil {
			return 0, err
		}
		return first(unix.Write(n(1), []byte(text)))
	case "close":
		return 0, unix.Close(n(1))
	case "dup":
		return first(unix.Dup(n(1)))
	case "epoll":
		set, err := unix.EpollCreate1(0)
		if err == nil {
			event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(n(1))}
			err = unix.EpollCtl(set, unix.EPOLL_CTL_ADD, n(1), &event)
		}
		return set, err
	case "wait":
		events := make([]unix.EpollEvent, 4)
		for {
			got, err := unix.EpollWait(n(1), events, n(2))
			if err != unix.EINTR {
				return got, err
			}
		}
	case "setuid":
		if err := syscall.Setgid(n(1)); err != nil {
			return 0, err
		}
		return 0, syscall.Setuid(n(1))
	case "trap":
		_, reason := Trap()
		return int(reason), nil
	case "raw":
		var args [6]uintptr
		for i := range words[1:] {
			v, err := strconv.ParseUint(words[i+1], 0, 64)
			if err != nil {
				return 0, err
			}
			args[i] = uintptr(v)
		}
		_, _, errno := unix.Syscall6(args[0], args[1], args[2], args[3], args[4], args[5], 0)
		if errno != 0 {
			return 0, errno
		}
		return 0, nil
	case "clients":
		return 0, clients(n(1), words[2])
	case "hammer":
		return hammer(time.Duration(n(1)) * time.Millisecond)
	case "spawn":
		return spawn(words[1:])
	case "child":
		c := children[n(1)]
		fmt.Fprintln(c.in, strings.Join(words[2:], " "))
		line, err := c.out.ReadString('\n')
		line = strings.TrimSuffix(line, "\n")
		if message, failed := strings.CutPrefix(line, "error "); failed {
			if n, err := strconv.Atoi(message); err == nil {
				return 0, unix.Errno(n)
			}
			return 0, errors.New(message)
		}
		return line, err
	case "time":
		return clock(n(1))
	case "storm":
		return 0, storm(n(1))
	}
	return 0, errors.New("what?")
}

func first(n int, err error) (any, error) { return n, err }

// spawn starts another puppet, as a forking server starts its workers.
func spawn(words []string) (any, error) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if len(words) > 0 {
		id, _ := strconv.Atoi(words[0])
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(id), Gid: uint32(id)}
	}
	runtime.LockOSThread() // of the thread's death the child would die
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	children[cmd.Process.Pid] = struct {
		in  io.Writer
		out *bufio.Reader
	}{in, bufio.NewReader(out)}
	return cmd.Process.Pid, nil
}

// clients makes connections as the JVM does, with IPV6_V6ONLY set, and closes each.
func clients(count int, address string) error {
	e, _ := endpointOf(address)
	for range count {
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0); err != nil {
			return err
		}
		if err := call(unix.SYS_CONNECT, fd, e, true); err != nil {
			return err
		}
		if _, err := unix.Write(fd, []byte("x")); err != nil {
			return err
		}
		unix.Close(fd)
	}
	return nil
}

// hammer binds UDP sockets under a storm of signals, and says what went wrong.
func hammer(d time.Duration) (any, error) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGALRM)
	defer signal.Stop(signals)
	interval := unix.Itimerval{
		Interval: unix.Timeval{Usec: 200}, Value: unix.Timeval{Usec: 200},
	}
	if _, err := unix.Setitimer(unix.ITIMER_REAL, interval); err != nil {
		return 0, err
	}
	defer unix.Setitimer(unix.ITIMER_REAL, unix.Itimerval{})
	count := 0
	for begin := time.Now(); time.Since(begin) < d; count++ {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return 0, err
		}
		e, _ := endpointOf("127.0.0.1:0")
		if err := call(unix.SYS_BIND, fd, e, false); err != nil && err != unix.EINTR {
			return 0, err
		}
		unix.Close(fd)
	}
	return count, nil
}

func optionNamed(word string) (level, name int) {
	switch word {
	case "reuseaddr":
		return unix.SOL_SOCKET, unix.SO_REUSEADDR
	case "reuseport":
		return unix.SOL_SOCKET, unix.SO_REUSEPORT
	case "keepalive":
		return unix.SOL_SOCKET, unix.SO_KEEPALIVE
	case "ifindex":
		return unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX
	case "freebind":
		return unix.IPPROTO_IP, unix.IP_FREEBIND
	case "freebind6":
		return unix.IPPROTO_IPV6, unix.IPV6_FREEBIND
	case "v6only":
		return unix.IPPROTO_IPV6, unix.IPV6_V6ONLY
	case "nodelay":
		return unix.IPPROTO_TCP, unix.TCP_NODELAY
	case "defer":
		return unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT
	case "domain":
		return unix.SOL_SOCKET, unix.SO_DOMAIN
	case "protocol":
		return unix.SOL_SOCKET, unix.SO_PROTOCOL
	}
	panic(word)
}

// endpointOf reads 127.0.0.1:80, [::]:80 and [::1]:80.
func endpointOf(text string) (e endpoint, v6 bool) {
	i := strings.LastIndexByte(text, ':')
	port, err := strconv.ParseUint(text[i+1:], 10, 16)
	if err != nil {
		panic(err)
	}
	e.port = uint16(port)
	switch host := text[:i]; host {
	case "[::]":
		return e, true
	case "[::1]":
		e.ip[15] = 1
		return e, true
	case "[::ffff:127.0.0.1]":
		e.ip = mapped(127, 0, 0, 1)
		return e, true
	default:
		var octets [4]byte
		if _, err := fmt.Sscanf(host, "%d.%d.%d.%d", &octets[0], &octets[1], &octets[2], &octets[3]); err != nil {
			panic(err)
		}
		e.ip = mapped(octets[0], octets[1], octets[2], octets[3])
		return e, false
	}
}

// storm makes, uses and closes sockets from several threads, under numbers that they share.
func storm(count int) error {
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			e, _ := endpointOf("127.0.0.1:0")
			for i := range count / 8 {
				fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
				if err != nil {
					continue
				}
				switch (i + worker) % 4 {
				case 0:
					unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
				case 1:
					call(unix.SYS_BIND, fd, e, false)
				case 2:
					unix.Listen(fd, 1)
				case 3:
					unix.Listen(fd+1, 1)
					unix.Close(fd + 1)
				}
				unix.Close(fd)
			}
		})
	}
	all.Wait()
	return nil
}

// startFree starts a puppet that is not trapped.
func startFree(t testing.TB) *program {
	t.Helper()
	return launch(t, nil, role+"=puppet")
}

// clock makes servers' sockets, and says what the calls cost: medians.
func clock(count int) (any, error) {
	var costs [3][]time.Duration
	e, _ := endpointOf("127.0.0.1:0")
	for range max(count, 20) {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return 0, err
		}
		for i, f := range []func() error{
			func() error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) },
			func() error { return call(unix.SYS_BIND, fd, e, false) },
			func() error { return unix.Listen(fd, 5) },
		} {
			begin := time.Now()
			if err := f(); err != nil {
				return 0, err
			}
			costs[i] = append(costs[i], time.Since(begin))
		}
		defer unix.Close(fd)
	}
	var medians []any
	for _, all := range costs {
		slices.Sort(all)
		medians = append(medians, all[len(all)/2].Nanoseconds())
	}
	return strings.TrimSpace(fmt.Sprintln(medians...)), nil
}

// refused traps itself where seccomp(2) fails, and prints the reason.
func refused() {
	runtime.LockOSThread()
	errno, err := strconv.Atoi(os.Getenv("SOCKETS_TEST_ERRNO"))
	if err != nil {
		panic(err)
	}
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offsetNumber},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_SECCOMP, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	fprog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	err = unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&fprog)), 0, 0)
	if err != nil {
		panic(err)
	}
	listener, reason := Trap()
	if listener != -1 {
		panic("a listener")
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err == nil {
		err = unix.Listen(fd, 5)
	}
	if err != nil {
		panic(err)
	}
	fmt.Print(reason)
}

// holder is a supervisor that is a process of its own. It ends with its standard input.
func holder() {
	const gate = 3
	_, listener, err := Receive(gate)
	if err != nil {
		panic(err)
	}
	h, err := NewHolder(func(err error) { panic(err) })
	if err != nil {
		panic(err)
	}
	if _, err := h.Adopt(listener, 0); err != nil {
		panic(err)
	}
	if err := Send(gate, 'a', -1); err != nil {
		panic(err)
	}
	io.Copy(io.Discard, os.Stdin)
}
