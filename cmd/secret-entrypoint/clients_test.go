package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// clients ask a server again and again, each by new connections, and note what fails: a refusal, a reset, no answer,
// and an answer of an older generation than the one that the client has had an answer of.
type clients struct {
	t       *testing.T
	address string
	begun   time.Time
	end     func() // stops them, waits for them, and fails the test if anything has failed

	mu     sync.Mutex
	count  int
	last   string
	failed []string
	older  []string // answers of older generations
	spared bool
}

// ownAddress is one of loopback for one server: programs that hold the sockets of others let them share addresses, and
// tests that run at once must not.
func ownAddress() string {
	n := addresses.Add(1)
	return fmt.Sprintf("127.%d.%d.%d:8000", 1+os.Getpid()>>8&0x7f, os.Getpid()&0xff, n&0xff)
}

var addresses atomic.Int32

// beginClients starts some. They are stopped with the test.
func beginClients(t *testing.T, address string, number int) *clients {
	t.Helper()
	c := &clients{t: t, address: address, begun: time.Now()}
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range number {
		all.Go(func() { c.ask(stop) })
	}
	c.end = sync.OnceFunc(func() {
		close(stop)
		all.Wait()
		if len(c.older) > 0 && !c.spared { // the old one serves again, until it stops, when the new one was killed
			t.Errorf("answers of an older generation: %q", c.older)
		}
		if len(c.failed) > 0 && !c.spared {
			t.Errorf("%d of %d requests failed:\n%s", len(c.failed), c.count, strings.Join(c.failed, "\n"))
		}
	})
	t.Cleanup(c.end)
	return c
}

// lenient: from now on, something dies that may have requests.
func (c *clients) lenient() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spared = c.spared || len(c.failed) == 0
}

func (c *clients) ask(stop <-chan struct{}) {
	newest := ""
	for {
		select {
		case <-stop:
			return
		case <-time.After(5 * time.Millisecond): // a client, not a flood
		}
		answer, err := c.request()
		c.mu.Lock()
		switch {
		case err != nil:
			c.failed = append(c.failed, fmt.Sprintf("%6d ms: %v, after %q", time.Since(c.begun).Milliseconds(), err, newest))
		case len(answer) < len(newest) || len(answer) == len(newest) && answer < newest:
			c.older = append(c.older, fmt.Sprintf("%q after %q", answer, newest))
		default:
			newest, c.last = answer, answer
		}
		c.count++
		c.mu.Unlock()
	}
}

// request has the answer of one connection.
func (c *clients) request() (string, error) {
	conn, err := net.DialTimeout("tcp", c.address, patience)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetLinger(0); err != nil { // which leaves nothing in the kernel's table of connections
		return "", err
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line), err
}

// answer is the latest.
func (c *clients) answer() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// served waits until so many more requests have been answered.
func (c *clients) served(more int) {
	c.t.Helper()
	done := func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.count - len(c.failed)
	}
	from := done()
	waitUntil(c.t, func() bool { return done() >= from+more })
}
