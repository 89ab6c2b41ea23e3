//go:build linux

package supervise

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/fault"
	"github.com/secret-entrypoint/secret-entrypoint/internal/sockets"
)

// The gate is a pair of connected sockets between the supervisor and a candidate, the process that
// is to become the next generation of the command. Both ends are in this file. What is said, in
// order:
//
//  1. supervisor: a [Request], with the key for digests
//  2. candidate:  a [Report], when it has loaded everything and stands ready, or why it does not
//  3. supervisor: go. Or verify: then the candidate tries whether its secrets work, and reports
//     again. Or it cancels, by closing its end (and killing the candidate)
//  4. candidate:  a listener for the calls that make sockets listen, if it is to trap them
//  5. candidate:  the end of file, for its end is close-on-exec: it is the command now. Or a
//     [Failure]: execve failed
//
// A candidate that reads the end of file has lost its supervisor, or was cancelled, and goes.

// gateOption comes before the options of the command line, with the descriptor of the candidate's
// end.
const gateOption = "--gate="

// A Word is what the supervisor says to a candidate that has reported: one byte.
type Word byte

const (
	Cancel Word = 0 // nothing more will be said: go away
	Go     Word = 'g'
	Verify Word = 'v'
)

// A Request is what a candidate is told before it loads.
type Request struct {
	First   bool     // no generation runs yet
	Marked  bool     // it is to be told from the generation that runs, with all that it starts
	Sources []string // what gave secrets to the generation that runs, as it reported them

	key digestKey
}

// A Report is what a candidate has found.
type Report struct {
	Ready   bool     // it can become the command, when told to
	Status  int      // if not: the exit status that says so
	Secrets []Secret // what it would have in its environment
	Sources []string // what gave them; the supervisor only hands them on
	Watch   []string // paths in which a change can be seen
	Lines   []Line   // to be logged
}

// A Secret is the name of a variable and a keyed digest of its value. Without the key,
// which no one but the supervisor and its candidates has, it tells nothing of the value.
type Secret struct {
	Name   string
	Digest uint64
}

// A Failure is why execve did not become the command.
type Failure struct {
	Status int // the exit status that says so
	Line   Line
}

// gate is the supervisor's end.
type gate struct{ socket *os.File }

// openGate makes a pair of sockets: the supervisor's end, and the candidate's as a
// bare descriptor that is closed on exec.
func openGate() (*gate, int, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, -1, os.NewSyscallError("socketpair", err)
	}
	if err := unix.SetNonblock(pair[0], true); err != nil { // for the runtime's poller
		unix.Close(pair[0])
		unix.Close(pair[1])
		return nil, -1, os.NewSyscallError("fcntl", err)
	}
	return &gate{os.NewFile(uintptr(pair[0]), "gate")}, pair[1], nil
}

// A message is what the candidate said, or that it will say no more: then all are nil.
type message struct {
	report  *Report
	note    []Line
	trap    *trap
	failure *Failure
}

// A trap is a seccomp listener, or the reason why there is none.
type trap struct {
	listener int // -1: none
	reason   sockets.Reason
}

// converse sends the request and returns what the candidate says, as it comes. The channel is
// closed at the end of file, which also ends the goroutine; it never waits for the receiver. A fault
// of its own is told.
func (g *gate) converse(r Request, tell func(error)) <-chan message {
	// All that a candidate says: a report twice, a note, a trap, a failure.
	said := make(chan message, 5)
	go func() {
		defer close(said)
		defer fault.Contain(tell)
		var e encoder
		e.request(r)
		if e.writeTo(g.socket, requestMessage) != nil {
			return
		}

		for range cap(said) {
			var m message
			switch d := readMessage(g.socket); d.tag {
			case reportMessage:
				if m.report = d.report(); d.bad {
					return
				}
			case noteMessage:
				if m.note = []Line{d.line()}; d.bad {
					return
				}
			case trapMessage:
				if m.trap = g.trapped(); m.trap == nil {
					return
				}
			case failureMessage:
				if m.failure = d.failure(); d.bad {
					return
				}
			default:
				return
			}

			said <- m
		}
	}()
	return said
}

// trapped receives what follows the word that it comes.
func (g *gate) trapped() *trap {
	conn, err := g.socket.SyscallConn()
	if err != nil {
		return nil
	}

	t := &trap{listener: -1}
	waited := conn.Read(func(fd uintptr) bool {
		var mark byte
		mark, t.listener, err = sockets.Receive(int(fd))
		t.reason = sockets.Reason(mark)
		return !errors.Is(err, unix.EAGAIN)
	})
	if waited != nil || err != nil {
		return nil
	}

	return t
}

func (g *gate) say(w Word) error {
	_, err := g.socket.Write([]byte{byte(w)})
	return err
}

func (g *gate) close() { g.socket.Close() }

// A Candidate is the candidate's end of the gate.
type Candidate struct {
	Request
	socket descriptor
	parent int
}

// Inherited finds the gate that this process was started with: args are the command line after
// the program's name, and rest are those that are not about the gate. Without one, the
// Candidate is nil: the process was started by a user. It waits for the supervisor's request.
func Inherited(args []string) (c *Candidate, rest []string, err error) {
	if len(args) == 0 || !strings.HasPrefix(args[0], gateOption) {
		return nil, args, nil
	}
	fd, err := strconv.Atoi(strings.TrimPrefix(args[0], gateOption))
	if err != nil || !isSocket(fd) {
		return nil, nil, errors.New(gateOption +
			" is how a supervisor starts its command, not an option")
	}

	unix.CloseOnExec(fd)
	c = &Candidate{socket: descriptor(fd), parent: unix.Getppid()}
	d := readMessage(c.socket)
	c.Request = d.request()
	if d.bad {
		return nil, nil, errors.New("the supervisor is gone")
	}
	return c, args[1:], nil
}

func isSocket(fd int) bool {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	return err == nil && domain == unix.AF_UNIX
}

// Digest is a value's digest under the supervisor's key.
func (c *Candidate) Digest(value string) uint64 { return c.key.sum(value) }

// Report tells the supervisor what was found and waits for its word. The calling goroutine must be
// locked to its thread until execve, which inherits what is set here: the command dies with its
// supervisor (PR_SET_PDEATHSIG in prctl(2); a change of credentials clears it, so that comes
// before).
func (c *Candidate) Report(r Report) Word {
	e := r.encode()
	if e.writeTo(c.socket, reportMessage) != nil || !r.Ready {
		return Cancel
	}

	word := make([]byte, 1)
	if _, err := io.ReadFull(c.socket, word); err != nil {
		return Cancel
	}
	if unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0) != nil {
		return Cancel
	}

	if unix.Getppid() != c.parent { // it died before the prctl
		return Cancel
	}
	return Word(word[0])
}

// encode makes a message of a report. One that is longer than the supervisor believes loses the
// last of its lines, whose number is told; if that does not do, it says just that.
func (r *Report) encode() encoder {
	var e encoder
	if e.report(r); len(e.b) <= maxMessage {
		return e
	}
	r.Lines = someOf(r.Lines)
	e = encoder{}
	if e.report(r); len(e.b) <= maxMessage {
		return e
	}

	status := StatusFailed
	if !r.Ready {
		status = r.Status
	}

	*r = Report{Status: status, Lines: append(r.Lines, Line{
		Level: Error,
		Text: fmt.Sprintf("too much is to be reported of %d variables and %d paths to watch: "+
			"divide them among containers", len(r.Secrets), len(r.Watch)),
	})}
	e = encoder{}
	e.report(r)
	return e
}

// someOf returns the first of many lines, cut where one is too long, and says how many more there
// are.
func someOf(lines []Line) []Line {
	const mostText, mostLine = 1 << 20, 64 << 10
	var some []Line
	size := 0
	for i, l := range lines {
		if len(l.Text) > mostLine {
			l.Text = l.Text[:mostLine] + "..."
		}

		l.Fields = slices.Clone(l.Fields)
		for j := range l.Fields {
			if f := &l.Fields[j]; len(f.Value) > mostLine {
				f.Value = f.Value[:mostLine] + "..."
			}
			size += len(l.Fields[j].Name) + len(l.Fields[j].Value)
		}

		if size += len(l.Text); size > mostText && i > 0 {
			return append(some, Line{
				Level: l.Level,
				Text:  fmt.Sprintf("%d more messages are left out", len(lines)-i),
			})
		}

		some = append(some, l)
	}

	return some
}

// Note has the supervisor log a line now, before the report. It may be called once.
func (c *Candidate) Note(l Line) {
	var e encoder
	e.line(&l)
	e.writeTo(c.socket, noteMessage) // a supervisor that is gone will be noticed
}

// Trap makes the calls of what this process becomes that have to do with listening sockets stop
// until the supervisor has answered them, and hands it the means. It is called right before execve.
func (c *Candidate) Trap() {
	listener, reason := sockets.Trap()
	if listener >= 0 && c.Marked {
		sockets.Mark()
	}
	new(encoder).writeTo(c.socket, trapMessage)         // a supervisor that is gone
	sockets.Send(int(c.socket), byte(reason), listener) // has ended this process
	if listener >= 0 {
		unix.Close(listener)
	}
}

// Cancelled is a descriptor that becomes readable, or hangs up, when the supervisor sends the
// candidate away: for poll(2) while the candidate is at something else than Report.
func (c *Candidate) Cancelled() int { return int(c.socket) }

// Fail tells the supervisor that execve failed.
func (c *Candidate) Fail(f Failure) {
	var e encoder
	e.int(f.Status)
	e.line(&f.Line)
	e.writeTo(c.socket, failureMessage) // there is no one else to tell
}
