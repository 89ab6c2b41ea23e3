package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// misspelt says what may have been meant by a word that is no option but has one in it, by mistakes
// of the JSON in an ENTRYPOINT, a command or args: "--user app" is one word there. Nothing of it
// but the option's name is told: the rest may be a value.
func (p *parser) misspelt(word string) string {
	words := strings.Fields(word)
	if len(words) == 0 || !p.knows(words[0]) {
		return ""
	}
	name := words[0]
	if len(words) == 1 {
		return name + ": there is a blank in the word beside it: remove that"
	}
	return fmt.Sprintf("%[1]s: it is one word with what follows it, with a blank between: write "+
		`two words, as in ["%[1]s", "..."]`, name)
}

// swallowed returns an option that stands in the value of another, in the same word.
func (p *parser) swallowed(opt *option, value string) string {
	if opt.name == "set" || opt.name == "verify" { // any text
		return ""
	}

	words := strings.Fields(value)
	for _, word := range words[min(1, len(words)):] {
		if name, _, _ := strings.Cut(word, "="); strings.HasPrefix(name, "--") && p.knows(name) {
			return name
		}
	}
	return ""
}

// knows reports whether a word is an option.
func (p *parser) knows(word string) bool {
	for _, name := range p.optionNames() {
		if word == name {
			return true
		}
	}
	return false
}

// notFound is the error for a command that is in no directory of PATH, with what may have been
// meant.
func notFound(command string) *commandError {
	const what = "command not found in PATH"
	p := &parser{table: optionTable()}
	name, _, _ := strings.Cut(strings.TrimSpace(command), "=")

	name, _, spaced := strings.Cut(name, " ")
	dashed := "--" + strings.TrimLeft(name, "-")
	advice := ": correct the command, or PATH"
	switch {
	case p.knows(dashed) && strings.HasPrefix(name, "-"):
		command = name // what follows it may be a value
		advice = ": it looks like an option, and those stand before any --: where the image's " +
			"ENTRYPOINT ends in \"--\", set that to [\"/secret-entrypoint\"]"
	case spaced:
		advice = ": there is a blank in it: write the command and each argument as a word of its " +
			"own, as in [\"sh\", \"-c\", \"...\"]"
	case p.knows(dashed):
		advice = ": for the option, write " + dashed
	}

	return &commandError{command, what + advice, exitNotFound}
}

// noCommand says that there is nothing to start, and why that may be. Docker runs an ENTRYPOINT in
// shell form as /bin/sh -c, and gives it no CMD. Then the parent is that shell; or, where the shell
// has become this program, it has left the variable PWD, which Docker does not set.
func noCommand(environ []string) string {
	const what = "no COMMAND: nothing to start after the options"
	shell := false
	switch {
	case os.Getpid() == 1:
		for _, entry := range environ {
			shell = shell || strings.HasPrefix(entry, "PWD=")
		}
	case os.Getppid() == 1:
		words, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", os.Getppid()))
		shell = strings.Contains(string(words), "sh\x00-c\x00")
	}

	if shell {
		return what + ": if the image's ENTRYPOINT is a plain line, a shell runs it and CMD is " +
			"dropped: write it as [\"/secret-entrypoint\"]"
	}
	return what + ": in a container, set CMD (an ENTRYPOINT drops that of the base image), or " +
		"args: in Kubernetes"
}

// oneWord checks the value of --user, which is none with a blank in it.
func oneWord(v string) error {
	if v == "" {
		return nonEmpty(v)
	}
	if strings.ContainsAny(v, " \t\r\n") {
		return errors.New("there is a blank in the value: remove it")
	}
	return nil
}
