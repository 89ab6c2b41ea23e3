//go:build linux

package sockets

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

// interpret runs a classic BPF program as the kernel does; load gives what it loads.
func interpret(t *testing.T, program []unix.SockFilter, load func(size uint16, at uint32) uint32) uint32 {
	t.Helper()
	var a uint32
	for pc := 0; pc < len(program); pc++ {
		in := program[pc]
		branch := func(taken bool) {
			if taken {
				pc += int(in.Jt)
			} else {
				pc += int(in.Jf)
			}
		}
		switch in.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, unix.BPF_LD | unix.BPF_B | unix.BPF_ABS:
			a = load(in.Code&(unix.BPF_H|unix.BPF_B), in.K)
		case unix.BPF_ALU | unix.BPF_RSH | unix.BPF_K:
			a >>= in.K
		case unix.BPF_ALU | unix.BPF_MOD | unix.BPF_K:
			a %= in.K
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			branch(a == in.K)
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			branch(a >= in.K)
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(in.K)
		case unix.BPF_RET | unix.BPF_K:
			return in.K
		default:
			t.Fatalf("instruction %d: %#x", pc, in.Code)
		}
	}
	t.Fatal("the program has no end")
	return 0
}

// Which calls stop.
func TestFilter(t *testing.T) {
	const other = 0xc000_00f3 // riscv64
	for _, test := range []struct {
		name   string
		arch   uint32
		number int
		args   [6]uint64
		stops  bool
	}{
		{"listen", auditArch, unix.SYS_LISTEN, [6]uint64{3, 128}, true},
		{"listen of another architecture", other, unix.SYS_LISTEN, [6]uint64{3, 128}, false},
		{"listen of x32", auditArch, unix.SYS_LISTEN | 0x4000_0000, [6]uint64{3, 128}, false},
		{"bind of IPv4", auditArch, unix.SYS_BIND, [6]uint64{3, 1 << 40, 16}, true},
		{"bind of IPv6", auditArch, unix.SYS_BIND, [6]uint64{3, 1 << 40, 28}, true},
		{"bind with a huge length", auditArch, unix.SYS_BIND, [6]uint64{3, 0, 1<<64 - 1}, true},
		{"bind of netlink", auditArch, unix.SYS_BIND, [6]uint64{3, 0, 12}, false},
		{"bind of netlink, rubbish above the int", auditArch, unix.SYS_BIND, [6]uint64{3, 0, 1<<32 | 12}, false},
		{"bind of another architecture", other, unix.SYS_BIND, [6]uint64{3, 0, 16}, false},
		{"SO_REUSEADDR", auditArch, unix.SYS_SETSOCKOPT, [6]uint64{3, 1, 2}, true},
		{"SO_REUSEPORT", auditArch, unix.SYS_SETSOCKOPT, [6]uint64{3, 1, 15}, true},
		{"SO_KEEPALIVE", auditArch, unix.SYS_SETSOCKOPT, [6]uint64{3, 1, 9}, false},
		{"SOL_SOCKET 26", auditArch, unix.SYS_SETSOCKOPT, [6]uint64{3, 1, 26}, false},
		{"IPV6_V6ONLY", auditArch, unix.SYS_SETSOCKOPT, [6]uint64{3, 41, 26}, true},
		{"IPPROTO_IPV6 2", auditArch, unix.SYS_SETSOCKOPT, [6]uint64{3, 41, 2}, false},
		{"SO_BINDTODEVICE", auditArch, unix.SYS_SETSOCKOPT, [6]uint64{3, 1, 25}, true},
		{"SO_BINDTOIFINDEX", auditArch, unix.SYS_SETSOCKOPT, [6]uint64{3, 1, 62}, true},
		{"SO_KEEPALIVE", auditArch, unix.SYS_SETSOCKOPT, [6]uint64{3, 1, 9}, false},
		{"IPV6_TRANSPARENT", auditArch, unix.SYS_SETSOCKOPT, [6]uint64{3, 41, 75}, true},
		{"IPV6_FREEBIND", auditArch, unix.SYS_SETSOCKOPT, [6]uint64{3, 41, 78}, true},
		{"IPPROTO_IPV6 15", auditArch, unix.SYS_SETSOCKOPT, [6]uint64{3, 41, 15}, false},
		{"IP_FREEBIND", auditArch, unix.SYS_SETSOCKOPT, [6]uint64{3, 0, 15}, true},
		{"IP_TRANSPARENT", auditArch, unix.SYS_SETSOCKOPT, [6]uint64{3, 0, 19}, true},
		{"IP_TTL", auditArch, unix.SYS_SETSOCKOPT, [6]uint64{3, 0, 2}, false},
		{"IP_MULTICAST_IF", auditArch, unix.SYS_SETSOCKOPT, [6]uint64{3, 0, 32}, false},
		{"TCP_NODELAY", auditArch, unix.SYS_SETSOCKOPT, [6]uint64{3, 6, 1}, false},
		{"TCP 2", auditArch, unix.SYS_SETSOCKOPT, [6]uint64{3, 6, 2}, false},
		{"connect", auditArch, unix.SYS_CONNECT, [6]uint64{3, 1, 16}, false},
		{"execve", auditArch, unix.SYS_EXECVE, [6]uint64{1, 1, 26}, false},
		{"sendmsg", auditArch, unix.SYS_SENDMSG, [6]uint64{3, 1, 16}, false},
		{"getsockopt", auditArch, unix.SYS_GETSOCKOPT, [6]uint64{3, 1, 2}, false},
	} {
		data := make([]byte, 64)
		binary.NativeEndian.PutUint32(data, uint32(test.number))
		binary.NativeEndian.PutUint32(data[4:], test.arch)
		for i, arg := range test.args {
			binary.NativeEndian.PutUint64(data[16+8*i:], arg)
		}
		got := interpret(t, filter(), func(_ uint16, at uint32) uint32 {
			return binary.NativeEndian.Uint32(data[at:])
		})
		want := uint32(unix.SECCOMP_RET_ALLOW)
		if test.stops {
			want = unix.SECCOMP_RET_USER_NOTIF
		}
		if got != want {
			t.Errorf("%s: %#x", test.name, got)
		}
	}
}

// packet is the IP header and the ports of a connection from a source.
func packet(source endpoint, v6 bool) []byte {
	b := make([]byte, 60)
	at := 20
	if v6 {
		b[0] = 0x6f
		copy(b[8:], source.ip[:])
		at = 40
	} else {
		b[0] = 0x45
		copy(b[12:], source.ip[12:])
	}
	binary.BigEndian.PutUint16(b[at:], source.port)
	return b
}

func TestChoice(t *testing.T) {
	v4 := endpoint{mapped(127, 0, 0, 1), 40000}
	v6 := endpoint{[16]byte{15: 1}, 40000}
	many := make([]int, 300)
	for i := range many {
		many[i] = 1000 + i
	}
	for _, test := range []struct {
		name    string
		targets []int
		source  *endpoint
		proven  []int
		from    endpoint
		v6      bool
		random  uint32
		want    uint32
	}{
		{"one", []int{3}, nil, nil, v4, false, 7, 3},
		{"the first of some", []int{3, 5, 9}, nil, nil, v4, false, 6, 3},
		{"the last of some", []int{3, 5, 9}, nil, nil, v4, false, 8, 9},
		{"a client", []int{0}, &v4, []int{1}, endpoint{v4.ip, 40001}, false, 0, 0},
		{"a client at the probe's port", []int{0}, &v4, []int{1}, endpoint{mapped(127, 0, 0, 2), 40000}, false, 0, 0},
		{"the probe", []int{0}, &v4, []int{1}, v4, false, 0, 1},
		{"the probe, many", many, &v4, many[100:], v4, false, 199, 1299},
		{"a client, many", many, &v4, many[100:], v6, true, 299, 1299},
		{"IPv6: the probe", []int{0}, &v6, []int{1, 2}, v6, true, 1, 2},
		{"IPv6: a client", []int{0}, &v6, []int{1}, endpoint{[16]byte{0: 0xfd, 15: 1}, 40000}, true, 0, 0},
		{"IPv6: a client at loopback", []int{0}, &v6, []int{1}, endpoint{v6.ip, 40001}, true, 0, 0},
		{"IPv6: a client of IPv4", []int{0}, &v6, []int{1}, v4, false, 0, 0},
		{"nothing to prove", []int{4}, &v4, nil, v4, false, 0, 4},
	} {
		b := packet(test.from, test.v6)
		program := choice(test.targets, test.source, test.proven)
		if len(program) > 4096 {
			t.Errorf("%s: %d instructions", test.name, len(program))
		}
		got := interpret(t, program, func(size uint16, at uint32) uint32 {
			switch {
			case at == skfRandom:
				return test.random
			case at < skfNet || at > skfNet+56:
				t.Fatalf("%s: loads %#x", test.name, at)
			case size == unix.BPF_B:
				return uint32(b[at-skfNet])
			case size == unix.BPF_H:
				return uint32(binary.BigEndian.Uint16(b[at-skfNet:]))
			}
			return binary.BigEndian.Uint32(b[at-skfNet:])
		})
		if got != test.want {
			t.Errorf("%s: %d, not %d", test.name, got, test.want)
		}
	}
	huge := make([]int, 5000)
	if n := len(choice(huge, &v6, huge)); n > 4096 {
		t.Errorf("%d instructions", n)
	}
}

// What leaves a group, and what the kernel moves then.
func TestMembers(t *testing.T) {
	a, b, c := new(Generation), new(Generation), new(Generation)
	g := &group{}
	for _, of := range []*Generation{a, a, b, b, b} {
		g.members = append(g.members, &socket{generation: of})
	}
	check := func(what string, chosen *Generation, want ...int) {
		t.Helper()
		got := g.targets(chosen)
		if len(got) != len(want) {
			t.Fatalf("%s: %v, not %v", what, got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: %v, not %v", what, got, want)
			}
		}
	}
	check("the first", a, 0, 1)
	check("the second", b, 2, 3, 4)
	check("one that does not listen here", c, 0, 1, 2, 3, 4)
	a.released = true
	check("one that does not listen here, beside one that is over", c, 2, 3, 4)
	g.remove(0)
	check("the last takes the place", b, 0, 2, 3)
	g.remove(3)
	check("the last goes", b, 0, 2)
	b.released = true
	check("all are over", c, 0, 1, 2)
}
