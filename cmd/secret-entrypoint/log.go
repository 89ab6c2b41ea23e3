package main

import (
	"errors"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
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
}

// field is a part of a message for machines.
type field struct {
	name, value string
	number      bool // value is a decimal number
}

func (l *logger) debug(text string) { l.line(levelDebug, text, nil) }
func (l *logger) warn(text string)  { l.line(levelWarn, text, nil) }
func (l *logger) error(text string) { l.line(levelError, text, nil) }

// problem logs one thing that is wrong with the secrets.
func (l *logger) problem(p inject.Problem) {
	about := p.About()
	l.line(levelError, p.Error(), []field{{name: "kind", value: p.Kind()}, {name: "variable", value: about.Variable}})
}

// oneLine keeps what a message quotes, such as the name of a variable, from looking like a
// message of its own or from reaching a terminal as an escape sequence.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
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
		io.WriteString(l.out, "secret-entrypoint: "+levelNames[at]+": "+oneLine(text)+"\n")
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
