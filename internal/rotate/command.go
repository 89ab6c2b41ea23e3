package rotate

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A tool is docker or kubectl, run as a program, so that contexts, credentials and versions are what the operator is used to.
type tool struct {
	name        string
	secrets     []Secret    // what it must not be quoted with
	interrupted func() bool // or nil: then it is not interrupted
	apart       bool        // nor by Ctrl-C at the terminal
}

// answerTimeout is how long a tool may take for one answer: none is asked to wait for anything.
const answerTimeout = 2 * time.Minute

// run runs it. Values go by stdin only: arguments can be read by every user of the machine.
func (t *tool) run(stdin []byte, args ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, t.name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: t.apart}
	stop := make(chan struct{})
	if t.interrupted != nil {
		go cancelWhen(t.interrupted, cancel, stop)
	}
	err := cmd.Run()
	close(stop)
	if err == nil {
		return stdout.Bytes(), nil
	}
	about := t.name + " " + strings.Join(args[:min(2, len(args))], " ")
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nil, fmt.Errorf("%s is not on PATH: install it", t.name)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, fmt.Errorf("%s did not answer within %v", about, answerTimeout)
	case ctx.Err() != nil:
		return nil, fmt.Errorf("interrupted while %s was to answer", about)
	}
	said := Printable(strings.Join(strings.Fields(t.scrub(stderr.String())), " "))
	if said == "" {
		said = err.Error()
	}
	return nil, fmt.Errorf("%s: %s", about, said)
}

func cancelWhen(interrupted func() bool, cancel func(), stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(50 * time.Millisecond):
			if interrupted() {
				cancel()
				return
			}
		}
	}
}

// scrub removes values from what a tool said: kubectl quotes a patch that it can't read.
func (t *tool) scrub(text string) string {
	for _, s := range t.secrets {
		if s != "" {
			text = strings.ReplaceAll(text, string(s), "***")
			text = strings.ReplaceAll(text, base64.StdEncoding.EncodeToString([]byte(s)), "***")
		}
	}
	return text
}
