package sockets

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/internal/processes"
)

// The texts of /proc that are read here. A program can choose some of what is in them (its name,
// how many lines there are), and other kernels write other lines: what is not understood is
// passed over.

// status is what proc_pid_status(5) says of a thread.
type status struct {
	tgid       int
	uid, gid   int // effective
	noNewPrivs bool
	zombie     bool
}

// parseStatus wants the first three; no_new_privs came with Linux 4.10. The first line holds the
// name, which the program chooses; the kernel writes no newline of it.
func parseStatus(text []byte) (s status, ok bool) {
	found, privs := 0, 0
	for line := range bytes.Lines(text) {
		name, rest, _ := bytes.Cut(line, []byte(":"))
		at := 0
		var to *int
		switch string(name) {
		case "Tgid":
			to = &s.tgid
		case "Uid":
			to, at = &s.uid, 1
		case "Gid":
			to, at = &s.gid, 1
		case "NoNewPrivs":
			to = &privs
		case "State":
			state, _ := cutWord(rest)
			s.zombie = string(state) == "Z" || string(state) == "X"
			continue
		default:
			continue
		}

		word, rest := cutWord(rest)
		if at == 1 {
			word, _ = cutWord(rest)
		}
		n, err := strconv.ParseUint(string(word), 10, 32)
		if err != nil {
			return status{}, false
		}

		if *to = int(n); to != &privs {
			found++
		}
	}

	s.noNewPrivs = privs == 1
	return s, found == 3
}

// ending says by proc_pid_stat(5) whether the first thread of a process is ending (PF_EXITING), or
// has ended before others: a process with nothing but that is over.
func ending(stat []byte) bool {
	const state, flags, threads = 0, 6, 17
	fields := processes.StatFields(stat)
	if len(fields) <= threads {
		return false
	}

	const exiting = 0x4
	f, err := strconv.ParseUint(fields[flags], 10, 32)
	over := strings.Contains("ZX", fields[state]) && fields[threads] <= "1"
	return err == nil && f&exiting != 0 && !over
}

// parseFlags takes the open flags from proc_pid_fdinfo(5), where they are octal.
func parseFlags(text []byte) (flags int, ok bool) {
	for line := range bytes.Lines(text) {
		if rest, is := bytes.CutPrefix(line, []byte("flags:")); is {
			n, err := strconv.ParseUint(string(bytes.TrimSpace(rest)), 8, 31)
			return int(n), err == nil
		}
	}
	return 0, false
}

// watched says whether a line of an epoll set's fdinfo is about the file with this inode:
//
//	tfd:        5 events:       19 data: 5  pos:0 ino:4d2 sdev:8
func watched(line []byte, inode uint64) bool {
	if !bytes.HasPrefix(line, []byte("tfd:")) {
		return false
	}
	_, rest, _ := bytes.Cut(line, []byte(" ino:"))
	word, _ := cutWord(rest)
	n, err := strconv.ParseUint(string(word), 16, 64)
	return err == nil && n == inode
}

// socketInode takes the inode from what a descriptor's link in /proc says, "socket:[4711]". No file
// can have such a name there: the kernel writes files with their path, which begins with a slash.
func socketInode(link string) (inode uint64, ok bool) {
	number, is := strings.CutPrefix(link, "socket:[")
	if !is || !strings.HasSuffix(number, "]") {
		return 0, false
	}
	inode, err := strconv.ParseUint(number[:len(number)-1], 10, 64)
	return inode, err == nil && inode != 0
}

// An endpoint is an address and a port; IPv4 is mapped.
type endpoint struct {
	ip   [16]byte
	port uint16
}

// row is a line of /proc/net/tcp or tcp6 (proc_net_tcp(5)).
type row struct {
	local, remote endpoint
	state         byte   // as in tcp_states.h of the kernel
	inode         uint64 // 0 until a process has accepted it, and when none has it any more
}

// States of a connection.
const (
	tcpEstablished = 1
	tcpSynRecv     = 3
	tcpClose       = 7
	tcpCloseWait   = 8
	tcpListen      = 10
)

// open: the connection was made, and this side has not closed it.
func (r row) open() bool { return r.state == tcpEstablished || r.state == tcpCloseWait }

// parseRow: number, local, remote, state, queues, timer, retransmissions, user, probes, inode.
// The heading is no row.
func parseRow(line []byte) (r row, ok bool) {
	var fields [10][]byte
	for i := range fields {
		fields[i], line = cutWord(line)
	}
	var okLocal, okRemote bool
	r.local, okLocal = parseEndpoint(fields[1])
	r.remote, okRemote = parseEndpoint(fields[2])
	state, err1 := strconv.ParseUint(string(fields[3]), 16, 8)
	inode, err2 := strconv.ParseUint(string(fields[9]), 10, 64)
	r.state, r.inode = byte(state), inode
	return r, okLocal && okRemote && err1 == nil && err2 == nil
}

// parseEndpoint: one or four words of memory as hexadecimal numbers, and the port.
func parseEndpoint(text []byte) (e endpoint, ok bool) {
	address, port, _ := bytes.Cut(text, []byte(":"))
	n, err := strconv.ParseUint(string(port), 16, 16)
	if err != nil || len(address) != 8 && len(address) != 32 {
		return e, false
	}

	e.port = uint16(n)
	e.ip = mapped(0, 0, 0, 0)
	for at := 16 - len(address)/2; len(address) > 0; at += 4 {
		word, err := strconv.ParseUint(string(address[:8]), 16, 32)
		if err != nil {
			return e, false
		}
		binary.NativeEndian.PutUint32(e.ip[at:], uint32(word))
		address = address[8:]
	}

	return e, true
}

// cutWord returns the first word, and what follows it.
func cutWord(text []byte) (word, rest []byte) {
	blank := func(c byte) bool { return c == ' ' || c == '\t' || c == '\n' }
	start := 0
	for start < len(text) && blank(text[start]) {
		start++
	}
	end := start
	for end < len(text) && !blank(text[end]) {
		end++
	}
	return text[start:end], text[end:]
}
