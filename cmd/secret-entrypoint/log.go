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
}

func (l *logger) debug(text string) { l.line(levelDebug, text, nil) }
func (l *logger) warn(text string)  { l.line(levelWarn, text, nil) }
func (l *logger) error(text string) { l.line(levelError, text, nil) }

// problem logs one thing that is wrong with the secrets.
func (l *logger) problem(p inject.Problem) {
	about := p.About()
	l.line(levelError, p.Error(), []string{"kind", p.Kind(), "variable", about.Variable})
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

// line writes one line; fields are names and values by turns, for JSON only.
func (l *logger) line(at level, text string, fields []string) {
	if at < l.level {
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
	for i := 0; i < len(fields); i += 2 {
		if fields[i+1] != "" {
			o.string(fields[i], fields[i+1])
		}
	}
	io.WriteString(l.out, o.end()+"\n")
}
