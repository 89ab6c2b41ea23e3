package sockets

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// Target is what is asked of a generation by HTTP to find out whether it is ready.
type Target struct {
	Port uint16 // at which it listens
	Path string // begins with a slash, and has no space or control character in it: see [ValidPath]
}

// ValidPath says whether a text can stand in the first line of a request.
func ValidPath(path string) bool {
	for i := range len(path) {
		if path[i] <= ' ' || path[i] == 0x7f {
			return false
		}
	}
	return len(path) > 0 && path[0] == '/' && len(path) <= maxPath
}

const (
	maxPath   = 2048
	maxAnswer = 64 << 10 // bytes that are read of an answer
	maxLine   = 8 << 10  // bytes of its first line
)

// request asks for the path as a kubelet or a load balancer does.
func (t Target) request(host string) []byte {
	const form = "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: secret-entrypoint\r\n" +
		"Accept: */*\r\nConnection: close\r\n\r\n"
	return []byte(fmt.Sprintf(form, t.Path, host))
}

var errNotHTTP = errors.New("the answer is not HTTP")

// An answer finds the status in what a server sends. Those from 100 to 199 are followed by
// another one (RFC 9110, 15.2).
type answer struct {
	status int    // 0 until it is known
	kept   []byte // of the line that is not whole yet
	read   int
	head   bool // in the fields behind an informational status
}

// add takes the next bytes. After an error there is no use in more.
func (a *answer) add(text []byte) error {
	a.read += len(text)
	for len(text) > 0 && a.status == 0 {
		i := bytes.IndexByte(text, '\n')
		if i < 0 {
			a.kept = append(a.kept, text...)
			text = nil
		} else {
			a.kept = append(a.kept, text[:i]...)
			text = text[i+1:]
		}

		if len(a.kept) > maxLine || a.read > maxAnswer {
			return errNotHTTP
		}
		if i < 0 {
			break
		}
		line := bytes.TrimSuffix(a.kept, []byte("\r"))
		a.kept = a.kept[:0]
		if a.head {
			a.head = len(line) > 0
			continue
		}

		status, ok := parseStatusLine(line)
		switch {
		case !ok:
			return errNotHTTP
		case status >= 200 || status == 101:
			a.status = status
		default:
			a.head = true
		}
	}

	return nil
}

// parseStatusLine: HTTP/1.1 200 OK, where the last part may be missing (RFC 9112, 4).
func parseStatusLine(line []byte) (status int, ok bool) {
	rest, is := bytes.CutPrefix(line, []byte("HTTP/1."))
	if !is || len(rest) < 5 || rest[0] < '0' || rest[0] > '9' || rest[1] != ' ' {
		return 0, false
	}
	code := rest[2:5]
	if len(rest) > 5 && rest[5] != ' ' || code[0] < '1' || code[0] > '5' {
		return 0, false
	}

	status, err := strconv.Atoi(string(code))
	return status, err == nil
}
