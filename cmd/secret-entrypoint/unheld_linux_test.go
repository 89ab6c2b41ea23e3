package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Where sockets can't be held replace is restart, which is told once, with the reason, and all else is as ever; and
// where it might be thought that they can't be, they are.
func TestReplaceWithoutSupport(t *testing.T) {
	const root = "needs root, to be another user"
	setpriv := []string{"setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"}
	unixSocket := filepath.Join(t.TempDir(), "socket")
	for _, c := range []struct {
		name    string
		needs   string
		before  []string // the program is started by this
		options []string
		words   []string // of the worker
		told    string   // "": it is replaced
	}{
		{name: "a profile refuses seccomp", before: []string{named(t, "refusing"), strconv.Itoa(int(unix.EPERM))}, told: "seccomp"},
		{name: "a profile does not know seccomp", before: []string{named(t, "refusing"), strconv.Itoa(int(unix.ENOSYS))}, told: "seccomp"},
		{name: "an old kernel", before: []string{named(t, "refusing"), strconv.Itoa(int(unix.EINVAL))}, told: "kernel"},
		{name: "behind itself", before: []string{shim(t), "--dir=", "--on-change", "replace", "--"}, told: "another"},
		{name: "a Unix socket", words: []string{"listen=" + unixSocket}, told: "Unix socket"},
		{name: "another user without exec", needs: root, before: setpriv, words: []string{"drop"}, told: "not replaced: "},
		{name: "--user", needs: root, before: setpriv, options: []string{"--user", "65534:65534"}},
		{
			name: "another user by exec", needs: root, before: setpriv,
			options: []string{"--", "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.needs != "" && os.Geteuid() != 0 {
				t.Skip(c.needs)
			}
			program := append(slices.Clone(c.before), shim(t))
			openToAll(t, filepath.Dir(program[len(program)-1]))
			v := newVolume(t)
			v.set("0")
			address := ownAddress()
			options := append([]string{"--on-change", "replace"}, c.options...)
			if slices.Contains(c.options, "--") { // which is there once more, for whoever becomes the worker
				options = append(options, "env")
			}
			words := append(slices.Clone(c.words), "listen="+address)
			s := serveProgram(t, false, program, v, options, words...)
			s.reports.await(t, 1, "start 0 0")
			for n, done := range []string{"1", "2"} {
				v.set(done)
				how := "replaced after"
				if c.told != "" {
					how = "restarted after"
				}
				s.log.await(t, n+1, how)
				s.reports.await(t, 1, "start "+done+" "+done)
			}
			asking := beginClients(t, address, 1)
			asking.served(1)
			if got := asking.answer(); got != "2" {
				t.Errorf("%q is served", got)
			}
			asking.end()
			s.signal(syscall.SIGHUP)
			s.reports.await(t, 1, "got SIGHUP")
			s.signal(syscall.SIGTERM)
			s.ends(0)
			<-s.log.done
			var warnings []string
			for _, line := range s.log.list() {
				if strings.Contains(line, "warn: ") {
					warnings = append(warnings, line)
				}
			}
			wanted := 0
			if c.told != "" {
				wanted = 1
			}
			if len(warnings) != wanted || wanted == 1 && !strings.Contains(warnings[0], c.told) {
				t.Errorf("told %q, want %q", warnings, c.told)
			}
		})
	}
}

// refusing becomes the program that its further words name, in which seccomp(2) fails with the errno that the first says.
func refusing() {
	runtime.LockOSThread()
	errno, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	const load, equal, ret = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	program := []unix.SockFilter{
		{Code: load}, // the number of the call
		{Code: equal, K: unix.SYS_SECCOMP, Jf: 1},
		{Code: ret, K: 0x00050000 | uint32(errno)}, // SECCOMP_RET_ERRNO
		{Code: ret, K: 0x7fff0000},                 // SECCOMP_RET_ALLOW
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&filter)), 0, 0); err != nil {
		panic(err)
	}
	panic(fmt.Sprint(os.Args[2], syscall.Exec(os.Args[2], os.Args[2:], os.Environ())))
}
