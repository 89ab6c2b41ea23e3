package e2e

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Of each kind there are so many clients.
const (
	clientsOfKind = 8
	clientPause   = 40 * time.Millisecond // between two requests of one
)

// protocol is how clients speak to a server.
type protocol int

const (
	webProtocol protocol = iota
	fastProtocol
)

// connection is one of a client.
type connection struct {
	net.Conn
	protocol protocol
	reader   *bufio.Reader
}

func connect(p protocol, address string) (*connection, error) {
	raw, err := dial(address)
	if err != nil {
		return nil, err
	}
	return &connection{raw, p, bufio.NewReader(raw)}, nil
}

// errUnanswered is that of a connection that ends before the first byte of an answer.
var errUnanswered = errors.New("no answer")

// ask does one request. It says whether the connection is good for another.
func (c *connection) ask(path string, keep bool) (body string, kept bool, err error) {
	c.SetDeadline(time.Now().Add(exchange))
	if c.protocol == fastProtocol {
		err = c.sendFast(path, keep)
	} else {
		header := map[bool]string{true: "keep-alive", false: "close"}[keep]
		_, err = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: %s\r\n\r\n", path, header)
	}
	if err == nil {
		_, err = c.reader.Peek(1)
	}
	if err != nil {
		return "", false, fmt.Errorf("%w: %w", errUnanswered, err)
	}
	if c.protocol == fastProtocol {
		body, err = c.readFast()
		return body, keep, err
	}
	resp, err := http.ReadResponse(c.reader, &http.Request{Method: "GET"})
	if err != nil {
		return "", false, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d", resp.StatusCode)
	}
	return string(text), keep && !resp.Close, err
}

// The records of FastCGI (https://fastcgi-archives.github.io/FastCGI_Specification.html, section 8).
const (
	fastBegin  = 1
	fastEnd    = 3
	fastParams = 4
	fastStdin  = 5
	fastStdout = 6
)

// sendFast asks for a script that has the path in REQUEST_URI.
func (c *connection) sendFast(path string, keep bool) error {
	var request []byte
	record := func(kind byte, content []byte) {
		request = append(request, 1, kind, 0, 1)
		request = binary.BigEndian.AppendUint16(request, uint16(len(content)))
		request = append(append(request, 0, 0), content...)
	}
	flags := map[bool]byte{true: 1}[keep]
	record(fastBegin, []byte{0, 1, flags, 0, 0, 0, 0, 0})
	var params []byte
	for _, pair := range [][2]string{{"SCRIPT_FILENAME", "/srv/index.php"}, {"REQUEST_METHOD", "GET"}, {"REQUEST_URI", path}} {
		params = append(params, byte(len(pair[0])), byte(len(pair[1])))
		params = append(append(params, pair[0]...), pair[1]...)
	}
	record(fastParams, params)
	record(fastParams, nil)
	record(fastStdin, nil)
	_, err := c.Write(request)
	return err
}

// readFast returns what the script has printed, behind its header.
func (c *connection) readFast() (string, error) {
	var printed []byte
	for {
		var head [8]byte
		if _, err := io.ReadFull(c.reader, head[:]); err != nil {
			return "", err
		}
		content := make([]byte, int(binary.BigEndian.Uint16(head[4:]))+int(head[6]))
		if _, err := io.ReadFull(c.reader, content); err != nil {
			return "", err
		}
		content = content[:binary.BigEndian.Uint16(head[4:])]
		switch head[1] {
		case fastStdout:
			printed = append(printed, content...)
		case fastEnd:
			header, body, ok := strings.Cut(string(printed), "\r\n\r\n")
			if !ok || strings.Contains(header, "Status:") {
				return "", errors.New("no page")
			}
			return body, nil
		}
	}
}

// tally is what the clients of one kind have counted.
type tally struct {
	mutex   sync.Mutex
	served  int
	retried int            // of served: the server had closed the kept connection
	failed  map[string]int // by what went wrong
	times   []timed        // of those that were served
	bodies  map[string]int // the answers; none of them is shown
}

// timed is how long a request took, and when it ended.
type timed struct {
	end  time.Time
	took time.Duration
}

func (t *tally) add(began time.Time, body string, retried bool, err error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if err != nil {
		t.failed[kindOf(err)]++
		return
	}
	t.served++
	if retried {
		t.retried++
	}
	t.times = append(t.times, timed{time.Now(), time.Since(began)})
	t.bodies[body]++
}

// kindOf says what went wrong, without the addresses.
func kindOf(err error) string {
	what := "other: " + reason(err)
	var timeout net.Error
	switch {
	case errors.Is(err, unix.ECONNREFUSED):
		what = "refused"
	case errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.EPIPE):
		what = "reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		what = "closed"
	case errors.As(err, &timeout) && timeout.Timeout():
		what = "timed out"
	}
	var dialled *net.OpError
	if !errors.Is(err, errUnanswered) && !(errors.As(err, &dialled) && dialled.Op == "dial") {
		what += " in the answer"
	}
	return what
}

// count is how many were served and have failed.
func (t *tally) count() (served, failed int) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for _, n := range t.failed {
		failed += n
	}
	return t.served, failed
}

// answered is how often a body was the answer.
func (t *tally) answered(body string) int {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.bodies[body]
}

func (t *tally) String() string {
	served, failed := t.count()
	text := fmt.Sprintf("%d/%d", served, failed)
	if t.retried > 0 {
		text += fmt.Sprintf(" (%d retried)", t.retried)
	}
	for _, what := range slices.Sorted(maps.Keys(t.failed)) {
		text += fmt.Sprintf(", %d %s", t.failed[what], what)
	}
	return text
}

// crowd is the load on one server: clients that make a connection for each request, clients that keep theirs, and
// clients whose requests take two seconds.
type crowd struct {
	fresh, kept, slow tally
	network           *netns
	protocol          protocol
	cancel            context.CancelFunc
	wait              sync.WaitGroup
}

// gather begins the load at these addresses, in turn; it ends with the test at the latest.
func gather(t *testing.T, network *netns, p protocol, addresses ...string) *crowd {
	ctx, cancel := context.WithCancel(t.Context())
	c := &crowd{network: network, protocol: p, cancel: cancel}
	for _, all := range []*tally{&c.fresh, &c.kept, &c.slow} {
		all.failed, all.bodies = make(map[string]int), make(map[string]int)
	}
	client := func(address, path string, all *tally, keep bool) {
		c.wait.Go(func() {
			if err := network.do(func() { c.client(ctx, address, path, all, keep) }); err != nil {
				all.add(time.Now(), "", false, err)
			}
		})
	}
	for i := range clientsOfKind {
		address := addresses[i%len(addresses)]
		client(address, "/", &c.fresh, false)
		client(address, "/", &c.kept, true)
		client(address, "/slow", &c.slow, false)
	}
	t.Cleanup(c.stop)
	return c
}

// stop ends the load when each client has its answer.
func (c *crowd) stop() {
	c.cancel()
	c.wait.Wait()
}

// client does one request after the other. A server may close a kept connection at any time between two
// requests, and the client may have sent one by then: it is sent once more, on a new connection (RFC 9110,
// section 9.2.2; RFC 9112, section 9.3.1).
func (c *crowd) client(ctx context.Context, address, path string, all *tally, keep bool) {
	var conn *connection
	for ctx.Err() == nil {
		began, reused := time.Now(), conn != nil
		body, err := c.request(&conn, address, path, keep)
		retried := reused && errors.Is(err, errUnanswered)
		if retried {
			body, err = c.request(&conn, address, path, keep)
		}
		all.add(began, body, retried, err)
		time.Sleep(clientPause)
	}
	if conn != nil {
		conn.Close()
	}
}

// request does one on the connection, or on a new one, which it leaves there if it is good for another.
func (c *crowd) request(conn **connection, address, path string, keep bool) (string, error) {
	if *conn == nil {
		made, err := connect(c.protocol, address)
		if err != nil {
			return "", err
		}
		*conn = made
	}
	body, kept, err := (*conn).ask(path, keep)
	if err == nil && body == "" {
		err = errors.New("an empty answer")
	}
	if err != nil || !kept {
		(*conn).Close()
		*conn = nil
	}
	return body, err
}
