package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const (
	// lineTimeout is how long an expected line of the log may take.
	lineTimeout = time.Minute

	// afterwards is how long the clients go on after that line.
	afterwards = 500 * time.Millisecond
)

// errNotHere says that this machine cannot replace a program.
var errNotHere = errors.New("replace cannot work here")

// rotate replaces the password under load, by one that works and by one that does not.
func (s *stage) rotate(db *database) error {
	if runtime.GOOS != "linux" {
		fmt.Println("-> skipped: --on-change needs Linux")
		return nil
	}

	old, err := os.ReadFile(s.password())
	if err != nil {
		return err
	}

	db.accept(strings.TrimSpace(string(old)), true)
	address, err := freeAddress()
	if err != nil {
		return err
	}

	p, err := s.start("--on-change", "replace", "--verify", "demo "+loginWord,
		"--", "demo", backendWord, address)
	if err != nil {
		return err
	}

	url := "http://" + address + "/orders"
	fmt.Printf("-> %d clients ask for %s, each time by a new connection; "+
		"the backend asks the database each time\n", clients, url)

	l := startLoad(s.ctx, url)
	err = s.rotateTwice(db, p, l, strings.TrimSpace(string(old)))
	l.stop()

	switch {
	case errors.Is(err, errNotHere):
		fmt.Println("-> skipped: replace cannot work here, for the reason above, and is a restart")
	case err != nil:
		p.cmd.Cancel() // it may have ended already
		p.end()        // the first error counts
		return err
	}
	return p.stop()
}

// rotateTwice replaces the old password by a good one, and that by a wrong one.
func (s *stage) rotateTwice(db *database, p *process, l *load, old string) error {
	if !p.replaceable() {
		return errNotHere
	}

	fmt.Println("-> the database gets a new password beside the old one, " +
		"then the secret's file is replaced:")
	next := newPassword()
	db.accept(next, true)
	if err := s.write(next); err != nil {
		return err
	}
	if err := p.waitFor(s.ctx, ": replaced after "); err != nil {
		return err
	}

	db.accept(old, false)
	fmt.Println("-> the database refuses the old password from now on")
	pause(s.ctx, afterwards)
	t := l.take()
	if err := t.report(2); err != nil {
		return err
	}

	fmt.Println("-> a password that looks just as good, but that the database does not know:")
	if err := s.write(newPassword()); err != nil {
		return err
	}
	if err := p.waitFor(s.ctx, "the update is not used"); err != nil {
		return err
	}

	pause(s.ctx, afterwards)
	t = l.take()
	return t.report(1)
}

func (s *stage) password() string { return filepath.Join(s.secrets, "postgres_password") }

// write replaces the password's file as an orchestrator does, at once.
func (s *stage) write(password string) error {
	file := filepath.Join(s.dir, "new_password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o400); err != nil {
		return err
	}
	s.run("mv", "-f", file, s.password())
	return s.ctx.Err()
}

// freeAddress is an address at which nothing listens.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// replaceable is false if the log has already said that replace is a restart here.
func (p *process) replaceable() bool {
	for {
		select {
		case line, open := <-p.lines:
			if !open {
				return true // the backend has ended, which waitFor reports
			}
			if actsAsRestart(line) {
				return false
			}
		default:
			return true
		}
	}
}

// actsAsRestart reports whether a line of the log says that replace is a restart here.
func actsAsRestart(line string) bool {
	return strings.Contains(line, "replace acts as restart") ||
		strings.Contains(line, "restarted and not replaced")
}

// waitFor waits for a line of the log that contains a text.
func (p *process) waitFor(ctx context.Context, text string) error {
	late := time.After(lineTimeout)
	for {
		select {
		case line, open := <-p.lines:
			switch {
			case !open:
				return errors.New("the backend ended")
			case strings.Contains(line, text):
				return nil
			case actsAsRestart(line):
				return errNotHere
			}
		case <-ctx.Done():
			return ctx.Err()
		case <-late:
			return fmt.Errorf("no line with %q within %s", text, lineTimeout)
		}
	}
}
