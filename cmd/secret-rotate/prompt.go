package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/term"

	"github.com/secret-entrypoint/secret-entrypoint/internal/rotate"
	"github.com/secret-entrypoint/secret-entrypoint/schema"
)

// maxGiven bounds a value from stdin.
const maxGiven = 16 << 20

// given reads the values of --set: from a terminal each by a prompt without echo, otherwise the one from stdin.
func (p *program) given(s *schema.Schema) (map[string]rotate.Secret, error) {
	values := make(map[string]rotate.Secret)
	terminal := term.IsTerminal(int(p.stdin.Fd()))
	if len(p.set) > 1 && !terminal {
		return nil, errors.New("--set: stdin holds one value: give the others in runs of their own, or at a terminal")
	}
	var names []string
	for i := range s.Items {
		names = append(names, s.Items[i].Name)
	}
	for _, name := range p.set {
		if s.Item(name) == nil { // before anybody types a secret
			return nil, fmt.Errorf("--set %s: %s does not have it%s", rotate.Printable(name), rotate.Printable(s.Name), rotate.Suggest(name, names))
		}
		var value string
		var err error
		if terminal {
			value, err = p.prompt(name)
		} else {
			value, err = readValue(p.stdin)
		}
		if err != nil {
			return nil, fmt.Errorf("--set %s: %w", name, err)
		}
		if value == "" {
			return nil, fmt.Errorf("--set %s: the value is empty: nothing was changed", name)
		}
		if strings.HasPrefix(value, "\ufeff") {
			return nil, fmt.Errorf("--set %s: the value begins with a byte order mark, as some shells put before what they pipe: remove it", name)
		}
		if strings.ContainsRune(value, 0) {
			return nil, fmt.Errorf("--set %s: the value has a NUL byte, which no environment can hold", name)
		}
		values[name] = rotate.Secret(value)
	}
	return values, nil
}

// readValue is stdin without the newlines at its end, as $(cat) has it.
func readValue(in io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxGiven+1))
	if err != nil {
		return "", err
	}
	if len(data) > maxGiven {
		return "", fmt.Errorf("stdin has more than %d bytes", maxGiven)
	}
	return string(bytes.TrimRight(data, "\r\n")), nil
}

// prompt asks twice, without echo. Interrupted, it leaves the terminal as it was.
func (p *program) prompt(name string) (string, error) {
	fd := int(p.stdin.Fd())
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
			fmt.Fprintln(p.stderr)
			os.Exit(exitFailed)
		case <-over:
		}
	}()
	ask := func(text string) (string, error) {
		fmt.Fprint(p.stderr, text)
		line, err := term.ReadPassword(fd)
		fmt.Fprintln(p.stderr)
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
