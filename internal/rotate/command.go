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

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
)

// A tool is docker or kubectl. It is run as a command, so that its contexts, credentials and
// version are those that the operator is used to.
type tool struct {
	name        string
	secrets     []Secret    // values to remove from its messages
	interrupted func() bool // ends it early; nil: nothing does
	apart       bool        // it does not get Ctrl-C from the terminal either
}

// Times for one answer of a tool, which never has to wait for anything.
const (
	answerTimeout  = 2 * time.Minute
	endTimeout     = 5 * time.Second       // after SIGTERM
	interruptPause = 50 * time.Millisecond // between two looks at interrupted
)

// run runs the tool and returns its output. Values go by stdin only: every user of the machine can
// read arguments.
func (t *tool) run(stdin []byte, args ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()

	cmd := exec.CommandContext(ctx, t.name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
	cmd.WaitDelay = endTimeout
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

	about := strings.Join(append([]string{t.name}, args[:min(2, len(args))]...), " ")
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nil, fmt.Errorf("%s is not on PATH: install it", t.name)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, fmt.Errorf("%s did not answer within %v", about, answerTimeout)
	case ctx.Err() != nil:
		return nil, fmt.Errorf("interrupted while %s was to answer", about)
	}

	said := printable.Line(strings.Join(strings.Fields(t.scrub(stderr.String())), " "))
	if said == "" {
		said = err.Error()
	}
	return nil, fmt.Errorf("%s: %s", about, said)
}

// cancelWhen looks at interrupted until it is true, or until stop is closed.
func cancelWhen(interrupted func() bool, cancel func(), stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(interruptPause):
			if interrupted() {
				cancel()
				return
			}
		}
	}
}

// scrub removes values from a message: kubectl quotes a patch that it can't read.
func (t *tool) scrub(text string) string {
	for _, s := range t.secrets {
		if s != "" {
			text = strings.ReplaceAll(text, string(s), "***")
			text = strings.ReplaceAll(text, base64.StdEncoding.EncodeToString([]byte(s)), "***")
		}
	}
	return text
}
