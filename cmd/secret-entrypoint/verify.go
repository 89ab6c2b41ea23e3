package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
	"github.com/secret-entrypoint/secret-entrypoint/internal/jsontext"
	"github.com/secret-entrypoint/secret-entrypoint/internal/verify"
)

// shell runs a --verify that is no JSON array, as Docker runs a command in shell form.
const shell = "/bin/sh"

// addVerify takes a command for the shell, or one in JSON to be run as it stands.
func (o *options) addVerify(v string) error {
	if !strings.HasPrefix(v, "[") {
		o.verify = append(o.verify, []string{shell, "-c", v})
		return nonEmpty(strings.TrimSpace(v))
	}

	words, err := jsontext.Words(v)
	switch {
	case err != nil:
		return fmt.Errorf("is not a JSON array of strings: %w", err)
	case len(words) == 0 || words[0] == "":
		return errors.New("names no command: [\"command\", \"argument\"]")
	}

	o.verify = append(o.verify, words)
	return nil
}

// A verification is what there is to verify: the environment of a command that is not started yet,
// and the values that must not be shown.
type verification struct {
	*command
	secrets []verify.Secret
	cancel  int               // a descriptor that tells when it is not wanted any more, or -1
	note    func(text string) // logs that it is tried again, at once
}

// verification collects what there is to verify.
func (c *command) verification(result *inject.Result) verification {
	v := verification{command: c, cancel: -1}
	for _, e := range result.Exports {
		if value, set := result.Environment.Lookup(e.Name); set {
			v.secrets = append(v.secrets, verify.Secret{Name: e.Name, Value: value})
		}
	}
	return v
}

// verifyAll runs each --verify until one fails, which it reports as an error; what they print is
// logged. One that fails is tried again until the deadline, after pauses that double.
func (o *options) verifyAll(v verification, deadline time.Time, log *logger) error {
	told := false
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		output, err := o.verifyOnce(v)
		if err != nil && v.pause(0) {
			return err
		}
		left := time.Until(deadline)
		if err == nil || left <= 0 {
			for _, line := range output {
				log.line(levelInfo, "verify: "+line, nil)
			}
			return err
		}

		if !told {
			told = true
			v.note(fmt.Sprintf("%v: trying again until --wait is over", err))
		}
		if v.pause(min(pause, left)) {
			return err
		}
	}
}

// pause waits for a while. It reports whether the verification was cancelled meanwhile.
func (v verification) pause(d time.Duration) bool {
	fds := []unix.PollFd{{Fd: int32(v.cancel), Events: unix.POLLIN}}
	unix.Poll(fds, int(d.Milliseconds())+1) // a signal makes it shorter
	return fds[0].Revents != 0
}

// The pauses between two tries of --verify.
const firstPause, longestPause = time.Second, 30 * time.Second

// verifyOnce runs each --verify, up to the first that fails.
func (o *options) verifyOnce(v verification) (output []string, err error) {
	for i, words := range o.verify {
		name := "--verify"
		if len(o.verify) > 1 {
			name = fmt.Sprintf("%s %d of %d", name, i+1, len(o.verify))
		}

		file, problem := lookPath(words[0], v.path)
		if problem != nil {
			if words[0] == shell {
				return output, fmt.Errorf("%s: this image has no %s: give the command as a JSON "+
					`array, ["command", "argument"]`, name, shell)
			}
			return output, fmt.Errorf("%s: %w", name, problem)
		}

		lines, err := o.runCheck(file, words, v)
		output = append(output, lines...)
		if err != nil {
			seen := ""
			if len(lines) > 0 {
				seen = " (what it printed is above)"
			}
			return output, fmt.Errorf("%s: the secrets do not work: %v%s", name, err, seen)
		}
	}

	return output, nil
}
