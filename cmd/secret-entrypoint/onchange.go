package main

import (
	"errors"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// changeRule says what to do when a variable changes whose name matches a pattern.
type changeRule struct {
	glob   string
	verb   changeVerb
	signal unix.Signal // for changeSignal
}

type changeVerb string

const (
	changeIgnore  changeVerb = "ignore"
	changeSignal  changeVerb = "signal"
	changeRestart changeVerb = "restart"
	changeExit    changeVerb = "exit"
)

// onChangeOf finds the first rule for a variable; there may be none.
func (o *options) onChangeOf(variable string) *changeRule {
	for i := range o.onChange {
		if match, _ := path.Match(o.onChange[i].glob, variable); match {
			return &o.onChange[i]
		}
	}
	return nil
}

// setOnChange understands [GLOB=]ACTION,...
func (o *options) setOnChange(v string) error {
	o.onChange = nil
	if v == "" {
		return nil
	}
	for _, item := range strings.Split(v, ",") {
		rule := changeRule{glob: "*"}
		action := strings.TrimSpace(item)
		if at := strings.LastIndexByte(action, '='); at >= 0 {
			rule.glob, action = action[:at], action[at+1:]
		}
		if _, err := path.Match(rule.glob, ""); err != nil || rule.glob == "" {
			return errors.New("needs GLOB=ACTION, for example TLS_*=HUP,*=restart")
		}
		switch verb := changeVerb(strings.ToLower(action)); verb {
		case changeIgnore, changeRestart, changeExit:
			rule.verb = verb
		default:
			sig, ok := parseSignal(action)
			switch {
			case !ok:
				return errors.New("an action is restart, exit, ignore, or a signal such as HUP")
			case sig == unix.SIGKILL || sig == unix.SIGSTOP:
				return errors.New("no program can handle KILL or STOP: say restart or exit")
			}
			rule.verb, rule.signal = changeSignal, sig
		}
		o.onChange = append(o.onChange, rule)
	}
	return nil
}

func (o *options) setStopSignal(v string) error {
	sig, ok := parseSignal(v)
	if !ok || sig == unix.SIGSTOP {
		return errors.New("must be a signal that stops a program, such as TERM, INT, QUIT or RTMIN+3")
	}
	o.stopSignal = sig
	return nil
}

// The real-time signals as the C library counts them for programs (signal(7)).
const (
	sigRTMin = 34
	sigRTMax = 64
)

// parseSignal understands a signal as kill(1) and docker kill do: TERM, SIGTERM, 15, RTMIN+3, RTMAX-1.
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
