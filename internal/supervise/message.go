//go:build linux

package supervise

import (
	"encoding/binary"
	"errors"
	"io"
	"math"

	"golang.org/x/sys/unix"
)

// What goes through the gate is messages: the length in four bytes, the tag in one, and the
// fields. A number is a varint, a string its length and its bytes, a list its length and its items.

// maxMessage bounds what one end believes of the other: a report of ten thousand secrets has one
// megabyte.
const maxMessage = 8 << 20

// The tags of messages.
const (
	requestMessage = 'q'
	reportMessage  = 'r'
	noteMessage    = 'n'
	trapMessage    = 't' // a descriptor comes with it
	failureMessage = 'f'
)

// descriptor reads and writes a blocking descriptor without the runtime's poller.
type descriptor int

func (fd descriptor) Read(b []byte) (int, error) {
	for {
		n, err := unix.Read(int(fd), b)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

func (fd descriptor) Write(b []byte) (int, error) {
	for done := 0; ; {
		// MSG_NOSIGNAL: a supervisor that is gone is an error, not a SIGPIPE.
		n, err := unix.SendmsgN(int(fd), b[done:], nil, nil, unix.MSG_NOSIGNAL)
		if done += max(n, 0); err != nil && err != unix.EINTR || done == len(b) {
			return done, err
		}
	}
}

// encoder builds a message.
type encoder struct{ b []byte }

// int would be inlined everywhere, which makes every image three kilobytes larger.
//
//go:noinline
func (e *encoder) int(n int) { e.b = binary.AppendUvarint(e.b, uint64(n)) }

func (e *encoder) digest(n uint64) { e.b = binary.LittleEndian.AppendUint64(e.b, n) }

func (e *encoder) bool(v bool) {
	if v {
		e.int(1)
	} else {
		e.int(0)
	}
}

func (e *encoder) string(s string) {
	e.int(len(s))
	e.b = append(e.b, s...)
}

func (e *encoder) strings(list []string) {
	e.int(len(list))
	for _, s := range list {
		e.string(s)
	}
}

func (e *encoder) request(r Request) {
	e.bool(r.First)
	e.bool(r.Marked)
	e.strings(r.Sources)
	e.digest(r.key[0])
	e.digest(r.key[1])
}

func (e *encoder) report(r *Report) {
	e.bool(r.Ready)
	e.int(r.Status)
	e.int(len(r.Secrets))

	for _, s := range r.Secrets {
		e.string(s.Name)
		e.digest(s.Digest)
	}

	e.strings(r.Sources)
	e.strings(r.Watch)
	e.int(len(r.Lines))
	for i := range r.Lines {
		e.line(&r.Lines[i])
	}
}

func (e *encoder) line(l *Line) {
	e.int(int(l.Level))
	e.string(l.Text)
	e.int(len(l.Fields))
	for _, f := range l.Fields {
		e.string(f.Name)
		e.string(f.Value)
		e.bool(f.Number)
	}
}

func (e *encoder) writeTo(w io.Writer, tag byte) error {
	if len(e.b) > maxMessage {
		return errors.New("message too long")
	}
	head := append(binary.LittleEndian.AppendUint32(nil, uint32(len(e.b))), tag)
	_, err := w.Write(append(head, e.b...))
	return err
}

// decoder takes a message apart. After anything unexpected it is bad, and gives zeros.
type decoder struct {
	tag byte
	b   []byte
	bad bool
}

func readMessage(r io.Reader) *decoder {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return &decoder{bad: true}
	}
	size := binary.LittleEndian.Uint32(head[:4])
	if size > maxMessage {
		return &decoder{bad: true}
	}

	d := &decoder{b: make([]byte, size), tag: head[4]}
	if _, err := io.ReadFull(r, d.b); err != nil {
		return &decoder{bad: true}
	}
	return d
}

func (d *decoder) int() int {
	n, size := binary.Uvarint(d.b)
	if d.bad || size <= 0 || n > math.MaxInt32 {
		d.bad = true
		return 0
	}
	d.b = d.b[size:]
	return int(n)
}

func (d *decoder) bool() bool { return d.int() == 1 }

func (d *decoder) digest() uint64 {
	if d.bad || len(d.b) < 8 {
		d.bad = true
		return 0
	}
	n := binary.LittleEndian.Uint64(d.b)
	d.b = d.b[8:]
	return n
}

func (d *decoder) string() string {
	n := d.int()
	if d.bad || n > len(d.b) {
		d.bad = true
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

// list decodes items until there are as many as announced, or something is wrong.
func list[T any](d *decoder, item func() T) []T {
	var all []T
	for n := d.int(); n > 0; n-- {
		one := item()
		if d.bad {
			return nil
		}
		all = append(all, one)
	}
	return all
}

func (d *decoder) request() Request {
	return Request{
		First:   d.bool(),
		Marked:  d.bool(),
		Sources: list(d, d.string),
		key:     digestKey{d.digest(), d.digest()},
	}
}

func (d *decoder) report() *Report {
	return &Report{
		Ready:   d.bool(),
		Status:  d.int(),
		Secrets: list(d, func() Secret { return Secret{d.string(), d.digest()} }),
		Sources: list(d, d.string),
		Watch:   list(d, d.string),
		Lines:   list(d, d.line),
	}
}

func (d *decoder) line() Line {
	return Line{
		Level:  Level(d.int()),
		Text:   d.string(),
		Fields: list(d, func() Field { return Field{d.string(), d.string(), d.bool()} }),
	}
}

func (d *decoder) failure() *Failure { return &Failure{Status: d.int(), Line: d.line()} }
