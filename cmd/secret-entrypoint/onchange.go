package main

import (
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/supervise"
)

// changeRule says what to do when a variable changes whose name matches a pattern.
type changeRule struct {
	glob   string
	verb   supervise.Verb
	signal unix.Signal // for Signal
	status int         // for Exit: supervise.OwnStatus is that of COMMAND
}

// onChangeOf finds the first rule for a variable; there may be none.
func (o *options) onChangeOf(variable string) *changeRule {
	for i := range o.onChange {
		if match, _ := path.Match(o.onChange[i].glob, variable); match {
			return &o.onChange[i]
		}
	}
	return nil
}

// has reports whether some rule has one of the verbs.
func (o *options) has(verbs ...supervise.Verb) bool {
	return slices.ContainsFunc(o.onChange,
		func(r changeRule) bool { return slices.Contains(verbs, r.verb) })
}

// setReady understands accept, http:PORT/PATH, and a duration.
func (o *options) setReady(v string) error {
	rest, isHTTP := strings.CutPrefix(v, "http:")
	if v == "accept" {
		o.ready = readiness{}
		return nil
	}
	if !isHTTP {
		o.ready = readiness{}
		if setLimit(&o.ready.alive, v) != nil {
			return errors.New("must be accept, http:PORT/PATH, or a duration with its unit, " +
				"such as 5s")
		}
		return nil
	}

	r, ok := parseHTTP(rest)
	if !ok {
		return errors.New("needs a port and a path, for example http:8000/health")
	}

	o.ready = r
	return nil
}

// setProbe understands http:PORT/PATH and tcp:PORT.
func (o *options) setProbe(v string) error {
	kind, rest, _ := strings.Cut(v, ":")
	ok := false
	switch kind {
	case "http":
		o.probe, ok = parseHTTP(rest)
	case "tcp":
		o.probe.port, ok = parsePort(rest)
	}

	if !ok {
		return errors.New("must be http:PORT/PATH or tcp:PORT, for example http:8000/health")
	}
	return nil
}

// parseHTTP understands PORT/PATH.
func parseHTTP(v string) (r readiness, ok bool) {
	port, path, slash := strings.Cut(v, "/")
	r.path = "/" + path
	r.port, ok = parsePort(port)
	return r, ok && slash && validPath(r.path)
}

func parsePort(v string) (uint16, bool) {
	n, err := strconv.ParseUint(v, 10, 16)
	return uint16(n), err == nil && n != 0
}

// readiness is how a new generation proves itself: by an answer of HTTP if there is a path, by
// being alive for a time, or by accepting connections.
type readiness struct {
	port  uint16
	path  string
	alive time.Duration
}

// setOnChange understands [GLOB=]ACTION,...
func (o *options) setOnChange(v string) error {
	o.onChange = nil
	if v == "" {
		return nil
	}

	for _, item := range strings.Split(v, ",") {
		rule := changeRule{glob: "*", status: supervise.OwnStatus}
		action := strings.TrimSpace(item)
		if at := strings.LastIndexByte(action, '='); at >= 0 {
			rule.glob, action = action[:at], action[at+1:]
		}
		if _, err := path.Match(rule.glob, ""); err != nil || rule.glob == "" {
			return errors.New("needs GLOB=ACTION, for example TLS_*=HUP,*=restart")
		}

		word, status, given := strings.Cut(strings.ToLower(action), ":")
		switch word {
		case "exit":
			rule.verb = supervise.Exit
			if !given {
				break
			}
			n, err := strconv.ParseUint(status, 10, 8)
			if err != nil {
				return errors.New("exit:STATUS needs a number from 0 to 255")
			}
			rule.status = int(n)
		case "ignore":
			rule.verb = supervise.Ignore
		case "replace":
			rule.verb = supervise.Replace
		case "restart":
			rule.verb = supervise.Restart
		default:
			sig, ok := parseSignal(action)
			switch {
			case !ok:
				return errors.New("an action is replace, restart, exit, exit:STATUS, ignore, " +
					"or a signal such as HUP")
			case sig == unix.SIGKILL || sig == unix.SIGSTOP:
				return errors.New("no program can handle KILL or STOP: say restart or exit")
			}
			rule.verb, rule.signal = supervise.Signal, sig
		}
		if given && rule.verb != supervise.Exit {
			return errors.New("only exit takes a number: exit:STATUS")
		}

		o.onChange = append(o.onChange, rule)
	}

	return nil
}

func (o *options) setStopSignal(v string) error {
	sig, ok := parseSignal(v)
	if !ok || sig == unix.SIGSTOP {
		return errors.New("must be a signal that stops a program, " +
			"such as TERM, INT, QUIT or RTMIN+3")
	}
	o.stopSignal = sig
	return nil
}

// The real-time signals as the C library counts them for programs (signal(7)).
const (
	sigRTMin = 34
	sigRTMax = 64
)

// parseSignal understands a signal as kill(1) and docker kill do: TERM, SIGTERM, 15, RTMIN+3,
// RTMAX-1.
func parseSignal(s string) (unix.Signal, bool) {
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	n, err := strconv.Atoi(name)
	switch {
	case err == nil:
	case strings.HasPrefix(name, "RTMIN"):
		n, err = offset(name[len("RTMIN"):], '+')
		n = sigRTMin + n
	case strings.HasPrefix(name, "RTMAX"):
		n, err = offset(name[len("RTMAX"):], '-')
		n = sigRTMax - n
	default:
		sig := unix.SignalNum("SIG" + name)
		return sig, sig != 0
	}

	return unix.Signal(n), err == nil && n >= 1 && n <= sigRTMax
}

// offset is the number after a sign, or 0 for nothing.
func offset(s string, sign byte) (int, error) {
	if s == "" {
		return 0, nil
	}
	if s[0] != sign {
		return 0, strconv.ErrSyntax
	}
	n, err := strconv.ParseUint(s[1:], 10, 5)
	return int(n), err
}
