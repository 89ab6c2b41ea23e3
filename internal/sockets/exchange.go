//go:build linux

package sockets

import (
	"errors"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// An exchange is a request and its answer, on a connection that is made and does not block.
type exchange struct {
	request []byte
	buffer  []byte
	since   time.Time     // of the connection
	limit   time.Duration // how long the answer may take since then
	tail    time.Duration // how long the rest of a good answer is read

	sent   bool
	answer answer
	good   time.Time // the status is good since then; zero: it is not known
}

const (
	// answerTime bounds one request and its answer.
	answerTime = 5 * time.Second
	// tailTime is how long the rest of a good answer is read, so that the server need not log a
	// broken connection.
	tailTime = 250 * time.Millisecond
)

var errNoAnswer = errors.New("no answer")

// statusError is a status that says no.
type statusError int

func (e statusError) Error() string { return "status " + strconv.Itoa(int(e)) }

// step asks, and reads what there is of the answer. It says whether the status is good, and all of
// the answer was read that is worth it.
func (x *exchange) step(fd int, now time.Time) (bool, error) {
	if !x.sent {
		if _, err := unix.SendmsgN(fd, x.request, nil, nil, unix.MSG_NOSIGNAL); err != nil {
			return false, err
		}
		x.sent = true
	}

	for {
		n, _, err := unix.Recvfrom(fd, x.buffer, unix.MSG_DONTWAIT)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			if x.good.IsZero() && now.Sub(x.since) > x.limit {
				return false, errNoAnswer
			}
			return !x.good.IsZero() && now.Sub(x.good) > x.tail, nil
		case err != nil || n == 0:
			if !x.good.IsZero() {
				return true, nil
			}
			return false, errNoAnswer
		}

		if err := x.answer.add(x.buffer[:n]); err != nil {
			return false, err
		}
		if x.answer.status >= 400 {
			return false, statusError(x.answer.status)
		}
		if x.answer.status > 0 && x.good.IsZero() {
			x.good = now
		}

		if x.answer.read > maxAnswer && !x.good.IsZero() {
			return true, nil
		}
	}
}
