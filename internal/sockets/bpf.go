//go:build linux

package sockets

import (
	"encoding/binary"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Where classic BPF finds what is not in the packet's data, which here begins behind the TCP
// header (linux/filter.h).
const (
	skfNet    = 0xfff00000 // SKF_NET_OFF: the IP header
	skfRandom = 0xfffff000 + 56
)

// maxTargets bounds the program, which may have 4,096 instructions.
const maxTargets = 512

// choice is the program that gives one of proven to connections from source, and one of targets
// to all others, each with the same probability. Without a source, only targets count. The
// source's packets have no IP options.
func choice(targets []int, source *endpoint, proven []int) []unix.SockFilter {
	if source == nil || len(proven) == 0 {
		return pick(targets)
	}
	const (
		loadByte = unix.BPF_LD | unix.BPF_B | unix.BPF_ABS
		loadHalf = unix.BPF_LD | unix.BPF_H | unix.BPF_ABS
		load     = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		shift    = unix.BPF_ALU | unix.BPF_RSH | unix.BPF_K
		equal    = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		jump     = unix.BPF_JMP | unix.BPF_JA
	)

	// compares is pairs of a load and the value that it must find.
	version, address, port := uint32(4), uint32(12), uint32(20)
	ip := source.ip[12:]
	if source.ip != mapped(ip[0], ip[1], ip[2], ip[3]) {
		version, address, port = 6, 8, 40
		ip = source.ip[:]
	}

	program := []unix.SockFilter{
		{Code: loadByte, K: skfNet},
		{Code: shift, K: 4},
		{Code: equal, K: version},
	}

	for ; len(ip) > 0; ip = ip[4:] {
		program = append(program,
			unix.SockFilter{Code: load, K: skfNet + address},
			unix.SockFilter{Code: equal, K: binary.BigEndian.Uint32(ip)})
		address += 4
	}

	program = append(program,
		unix.SockFilter{Code: loadHalf, K: skfNet + port},
		unix.SockFilter{Code: equal, K: uint32(source.port)})

	// Conditional jumps reach 255 instructions: a mismatch goes to a jump that reaches any.
	forProven := pick(proven)

	for i := range program {
		if program[i].Code == equal {
			program[i].Jf = uint8(len(program) + 1 - (i + 1))
		}
	}

	program = append(program,
		unix.SockFilter{Code: jump, K: 1},
		unix.SockFilter{Code: jump, K: uint32(len(forProven))})
	program = append(program, forProven...)
	return append(program, pick(targets)...)
}

// pick returns one of the indices.
func pick(indices []int) []unix.SockFilter {
	indices = indices[:min(len(indices), maxTargets)]
	const (
		load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		mod   = unix.BPF_ALU | unix.BPF_MOD | unix.BPF_K
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		ret   = unix.BPF_RET | unix.BPF_K
	)
	if len(indices) == 1 {
		return []unix.SockFilter{{Code: ret, K: uint32(indices[0])}}
	}

	program := []unix.SockFilter{
		{Code: load, K: skfRandom},
		{Code: mod, K: uint32(max(len(indices), 1))},
	}

	for n, index := range indices {
		program = append(program,
			unix.SockFilter{Code: equal, K: uint32(n), Jf: 1},
			unix.SockFilter{Code: ret, K: uint32(index)})
	}
	return append(program, unix.SockFilter{Code: ret, K: 0}) // not reached
}

// attach gives a socket's group its program (SO_ATTACH_REUSEPORT_CBPF in socket(7)), which needs
// no privilege.
func attach(fd int, program []unix.SockFilter) error {
	fprog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	_, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_SOCKET,
		unix.SO_ATTACH_REUSEPORT_CBPF, uintptr(unsafe.Pointer(&fprog)), unsafe.Sizeof(fprog), 0)
	runtime.KeepAlive(program)
	if errno != 0 {
		return os.NewSyscallError("setsockopt", errno)
	}
	return nil
}
