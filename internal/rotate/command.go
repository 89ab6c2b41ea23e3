package rotate

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// A tool is docker or kubectl, run as a program, so that contexts, credentials and versions are what the operator is used to.
type tool struct {
	name    string
	secrets []Secret // what it must not be quoted with
}

// run runs it. Values go by stdin only: arguments can be read by every user of the machine.
func (t *tool) run(stdin []byte, args ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(t.name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	if err == nil {
		return stdout.Bytes(), nil
	}
	if errors.Is(err, exec.ErrNotFound) {
		return nil, fmt.Errorf("%s is not on PATH: install it", t.name)
	}
	said := Printable(strings.Join(strings.Fields(t.scrub(stderr.String())), " "))
	if said == "" {
		said = err.Error()
	}
	return nil, fmt.Errorf("%s %s: %s", t.name, strings.Join(args[:min(2, len(args))], " "), said)
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
