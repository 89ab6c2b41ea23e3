package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/term"

	"github.com/secret-entrypoint/secret-entrypoint/internal/rotate"
	"github.com/secret-entrypoint/secret-entrypoint/internal/secretfile"
	"github.com/secret-entrypoint/secret-entrypoint/schema"
)

// maxGiven is the most that --set reads, in bytes.
const maxGiven = 16 << 20

// given reads the values of --set. At a terminal it asks for each, without echo. Otherwise stdin
// holds the one value.
func (inv *invocation) given(s *schema.Schema) (map[string]rotate.Secret, error) {
	values := make(map[string]rotate.Secret)
	terminal := term.IsTerminal(int(inv.stdin.Fd()))
	if len(inv.set) > 1 && !terminal {
		return nil, errors.New("--set: stdin holds one value: give the others in runs " +
			"of their own, or at a terminal")
	}

	for _, name := range inv.set {
		if s.Item(name) == nil { // before anybody types a secret
			return nil, fmt.Errorf("--set: %w", rotate.NotInSchema(name, s))
		}

		var value string
		var err error
		if terminal {
			value, err = inv.prompt(name)
		} else {
			value, err = readValue(inv.stdin)
		}
		if err == nil {
			err = checkGiven(value)
		}
		if err != nil {
			return nil, fmt.Errorf("--set %s: %w", name, err)
		}
		values[name] = rotate.Secret(value)
	}
	return values, nil
}

// checkGiven refuses what is a slip of the shell or of the hand.
func checkGiven(value string) error {
	switch {
	case value == "":
		return errors.New("the value is empty: nothing was changed")
	case strings.HasPrefix(value, "\ufeff"):
		return errors.New("the value begins with a byte order mark, as some shells put before " +
			"what they pipe: remove it")
	case strings.HasSuffix(value, "\r"):
		return errors.New("the value ends in a carriage return, which would be a part of it: " +
			"remove it")
	case strings.ContainsRune(value, 0):
		return errors.New("the value has a NUL byte, which no environment can hold")
	}
	return nil
}

// readValue reads stdin, without the newlines at its end.
func readValue(in io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxGiven+1))
	if err != nil {
		return "", err
	}
	if len(data) > maxGiven {
		return "", fmt.Errorf("stdin has more than %d bytes", maxGiven)
	}
	return string(secretfile.Value(data)), nil
}

// prompt asks twice, without echo. When it is interrupted, it restores the terminal.
func (inv *invocation) prompt(name string) (string, error) {
	fd := int(inv.stdin.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, interruptions...)
	over := make(chan struct{})
	defer func() { signal.Stop(signals); close(over) }()
	go func() {
		select {
		case <-signals:
			term.Restore(fd, before)
			fmt.Fprintln(inv.stderr)
			os.Exit(exitFailed)
		case <-over:
		}
	}()

	ask := func(text string) (string, error) {
		fmt.Fprint(inv.stderr, text)
		line, err := term.ReadPassword(fd)
		fmt.Fprintln(inv.stderr)
		return string(line), err
	}

	value, err := ask(name + ": ")
	if err != nil {
		return "", err
	}

	again, err := ask(name + " again: ")
	if err != nil {
		return "", err
	}
	if value != again {
		return "", errors.New("these were not the same: nothing was changed")
	}
	return value, nil
}
