package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
	"github.com/secret-entrypoint/secret-entrypoint/internal/preflight"
	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
)

type level int

const (
	levelDebug level = iota
	levelInfo
	levelWarn
	levelError
)

var levelNames = [...]string{"debug", "info", "warn", "error"}

func (l *level) set(v string) error {
	for i, name := range levelNames {
		if v == name {
			*l = level(i)
			return nil
		}
	}
	return errors.New("must be debug, info, warn or error")
}

// logger writes lines for people, or JSON objects for machines. Nobody gives it a value.
type logger struct {
	out   io.Writer
	json  bool
	level level
	keep  func(at level, text string, fields []field) // gets the lines instead, if set

	errors []string // what error and problem were told
}

// field is a part of a message for machines.
type field struct {
	name, value string
	number      bool // value is a decimal number
}

func (l *logger) debug(text string) { l.line(levelDebug, text, nil) }
func (l *logger) warn(text string)  { l.line(levelWarn, text, nil) }

func (l *logger) warnf(format string, args ...any) { l.warn(fmt.Sprintf(format, args...)) }

func (l *logger) error(text string) {
	l.errors = append(l.errors, text)
	l.line(levelError, text, nil)
}

// problem logs one thing that is wrong with the secrets.
func (l *logger) problem(p *inject.Problem) {
	l.errors = append(l.errors, p.Error())
	l.line(levelError, p.Error(),
		[]field{{name: "kind", value: string(p.Kind)}, {name: "variable", value: p.Variable}})
}

// found tells where the secrets are from, and what is doubtful.
func (l *logger) found(r *preflight.Report) {
	if l.level == levelDebug {
		for _, e := range r.Result.Exports {
			l.debug(e.Name + ": from " + r.Origin(e))
		}
	}

	for _, p := range r.Result.PassedOver {
		l.debug("passed over: " + p.Error())
	}
	for _, w := range r.Result.Warnings {
		l.warn(w.Error())
	}
}

// problems tells what is wrong, with the secrets and by the schema.
func (l *logger) problems(r *preflight.Report) {
	for _, p := range r.Problems {
		l.problem(p)
	}
	if r.Inventory == nil {
		return
	}

	for _, w := range r.Inventory.Warnings {
		l.warn(w)
	}

	for _, f := range r.Inventory.Problems {
		l.line(levelError, f.Text,
			[]field{{name: "kind", value: f.Kind}, {name: "variable", value: f.Variable}})
		for _, line := range f.Excerpt {
			if !l.json {
				l.error("  " + line)
			}
		}
	}
}

// line writes one line; fields are for JSON only.
func (l *logger) line(at level, text string, fields []field) {
	if at < l.level {
		return
	}
	if l.keep != nil {
		l.keep(at, text, fields)
		return
	}

	if !l.json {
		fmt.Fprintf(l.out, "secret-entrypoint: %s: %s\n", levelNames[at], printable.Line(text))
		return
	}

	var o jsonObject
	o.string("time", time.Now().UTC().Format(time.RFC3339Nano))
	o.string("level", levelNames[at])
	o.string("msg", text)

	for _, f := range fields {
		switch {
		case f.number:
			o.number(f.name, f.value)
		case f.value != "":
			o.string(f.name, f.value)
		}
	}

	io.WriteString(l.out, o.end()+"\n")
}
