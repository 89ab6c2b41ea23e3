package main

import (
	"errors"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
	"github.com/secret-entrypoint/secret-entrypoint/internal/dotenv"
)

type mode int

const (
	modeRun mode = iota
	modeCheck
	modeInstall
	modeStatus
	modeProbe
	modeVersion
	modeLicenses
	modeHelp
)

// options is the command line and the SECRET_ENTRYPOINT_* variables, understood.
type options struct {
	mode        mode
	installPath string
	probe       readiness // what --probe asks
	command     []string

	byVariable map[string]string // by option, the variable that set it

	sources    []inject.Source
	dirGiven   bool // --dir was given, so there is no default
	refs       []string
	include    []string
	exclude    []string
	formats    []inject.FormatRule
	onConflict inject.Conflict
	templates  []inject.Template
	allowEmpty bool
	keepRefs   bool
	schema     string
	wait       time.Duration
	user       string

	verify        [][]string // commands, each with its arguments
	verifyGiven   bool       // on the command line itself
	verifyTimeout time.Duration

	onChange    []changeRule
	watched     []inject.Watched
	init        bool
	signalGroup bool
	stopSignal  unix.Signal
	stopTimeout time.Duration
	settle      time.Duration
	splay       time.Duration
	poll        time.Duration

	ready        readiness
	readyTimeout time.Duration
	drain        time.Duration

	metrics      string
	probeTimeout time.Duration

	logJSON  bool
	logLevel level
}

// defaults are the options when none is given.
func defaults() options {
	return options{
		byVariable:  make(map[string]string),
		logLevel:    levelInfo,
		stopSignal:  unix.SIGTERM,
		stopTimeout: 10 * time.Second,
		settle:      time.Second,
		poll:        30 * time.Second,

		verifyTimeout: 10 * time.Second,
		readyTimeout:  time.Minute,
		drain:         10 * time.Second,
		probeTimeout:  time.Second,
	}
}

// called is how messages call an option: by its variable, if that set it.
func (o *options) called(option string) string {
	if variable := o.byVariable[option]; variable != "" {
		return variable
	}
	return option
}

// stays reports whether secret-entrypoint stays with COMMAND.
func (o *options) stays() bool { return o.init || o.onChange != nil }

// An option is one that a variable can set too.
type option struct {
	name      string // without its dashes
	arg       string // what its argument is called in messages; "" for a switch
	separator string // between the values in its variable, where one argument is one value
	set       func(o *options, value string) error
}

// optionTable lists the options in the order of the manual.
func optionTable() []option {
	return []option{
		{"dir", "[PREFIX=]DIR", ":", (*options).addDir},
		{"dotenv", "FILE", ":", (*options).addDotenv},
		{"ref", "GLOB,...", "", addRef},
		{"include", "GLOB,...", "", addInclude},
		{"exclude", "GLOB,...", "", addExclude},
		{"format", "GLOB=FORMAT,...", "", (*options).addFormats},
		{"on-conflict", "error|secret|env", "", (*options).setOnConflict},
		{"set", "NAME=TEMPLATE", "", (*options).addTemplate},
		{"allow-empty", "", "", setAllowEmpty},
		{"keep-refs", "", "", setKeepRefs},
		{"schema", "FILE", "", func(o *options, v string) error { o.schema = v; return nil }},
		{"wait", "DURATION", "", setWait},
		{"user", "USER[:GROUP]", "", setUser},
		{"verify", "COMMAND", "", (*options).addVerify},
		{"verify-timeout", "DURATION", "", setVerifyTimeout},
		{"on-change", "[GLOB=]ACTION,...", "", (*options).setOnChange},
		{"watch", "[NAME=]PATH", ":", (*options).addWatch},
		{"init", "", "", setInit},
		{"signal-group", "", "", setSignalGroup},
		{"stop-signal", "SIGNAL", "", (*options).setStopSignal},
		{"stop-timeout", "DURATION", "", setStopTimeout},
		{"ready", "accept|http:PORT/PATH|DURATION", "", (*options).setReady},
		{"ready-timeout", "DURATION", "", setReadyTimeout},
		{"drain", "DURATION", "", setDrain},
		{"settle", "DURATION", "", setSettle},
		{"splay", "DURATION", "", setSplay},
		{"poll", "DURATION", "", setPoll},
		{"metrics", "FILE", "", setMetrics},
		{"probe-timeout", "DURATION", "", setProbeTimeout},
		{"log-format", "text|json", "", (*options).setLogFormat},
		{"log-level", "debug|info|warn|error", "", setLogLevel},
	}
}

func addRef(o *options, v string) error { return addList(&o.refs, v) }

func addInclude(o *options, v string) error { return addList(&o.include, v) }

func addExclude(o *options, v string) error { return addList(&o.exclude, v) }

func setAllowEmpty(o *options, v string) error { return setSwitch(&o.allowEmpty, v) }

func setKeepRefs(o *options, v string) error { return setSwitch(&o.keepRefs, v) }

func setWait(o *options, v string) error { return setDuration(&o.wait, v) }

func setVerifyTimeout(o *options, v string) error { return setLimit(&o.verifyTimeout, v) }

func setInit(o *options, v string) error { return setSwitch(&o.init, v) }

func setSignalGroup(o *options, v string) error { return setSwitch(&o.signalGroup, v) }

func setStopTimeout(o *options, v string) error { return setDuration(&o.stopTimeout, v) }

func setReadyTimeout(o *options, v string) error { return setLimit(&o.readyTimeout, v) }

func setDrain(o *options, v string) error { return setDuration(&o.drain, v) }

func setSettle(o *options, v string) error { return setDuration(&o.settle, v) }

func setSplay(o *options, v string) error { return setDuration(&o.splay, v) }

func setPoll(o *options, v string) error { return setDuration(&o.poll, v) }

func setProbeTimeout(o *options, v string) error { return setLimit(&o.probeTimeout, v) }

func setUser(o *options, v string) error {
	o.user = v
	return oneWord(v)
}

func setMetrics(o *options, v string) error {
	o.metrics = v
	return nonEmpty(v)
}

func setLogLevel(o *options, v string) error { return o.logLevel.set(v) }

func (o *options) addDir(v string) error {
	o.dirGiven = true
	if v == "" {
		return nil
	}
	prefix, dir, ok := strings.Cut(v, "=")
	if !ok || !dotenv.IsName(prefix) {
		prefix, dir = "", v
	}

	if dir == "" {
		return errors.New("no directory after the prefix: PREFIX=DIR")
	}
	o.sources = append(o.sources, inject.Source{
		Path:   dir,
		Prefix: prefix,
	})
	return nil
}

func (o *options) addDotenv(v string) error {
	path, optional := strings.CutPrefix(v, "-") // as in systemd's EnvironmentFile=
	o.sources = append(o.sources, inject.Source{
		Path:     path,
		Dotenv:   true,
		Optional: optional,
	})
	return nonEmpty(path)
}

func (o *options) addWatch(v string) error {
	name, path, ok := strings.Cut(v, "=")
	if !ok || !dotenv.IsName(name) {
		name, path = "", v
	}
	if path == "" {
		return errors.New("no file or directory: [NAME=]PATH")
	}
	o.watched = append(o.watched, inject.Watched{Name: name, Path: path})
	return nil
}

func (o *options) addFormats(v string) error {
	for _, rule := range strings.Split(v, ",") {
		at := strings.LastIndexByte(rule, '=')
		if at <= 0 {
			return errors.New("needs GLOB=FORMAT, for example db=json or *.env=dotenv")
		}
		r := inject.FormatRule{Glob: rule[:at], By: "--format"}
		format, prefix, given := strings.Cut(rule[at+1:], ":")
		if given {
			if prefix != "" && !dotenv.IsName(prefix) {
				return errors.New("the prefix must be letters, digits and underscores, as in " +
					"json:POSTGRES_")
			}
			r.Prefix = &prefix
		}

		switch {
		case format == "raw" && !given:
			r.Format = inject.FormatRaw
		case format == "json":
			r.Format = inject.FormatJSON
		case format == "dotenv":
			r.Format = inject.FormatDotenv
		default:
			return errors.New("a format is raw, json, json:PREFIX, dotenv or dotenv:PREFIX")
		}

		o.formats = append(o.formats, r)
	}

	return nil
}

func (o *options) setOnConflict(v string) error {
	switch v {
	case "error":
		o.onConflict = inject.ConflictRefuse
	case "secret":
		o.onConflict = inject.ConflictSecret
	case "env":
		o.onConflict = inject.ConflictEnv
	default:
		return errors.New("must be error, secret or env")
	}

	return nil
}

// templateOption is what templates come from, in messages.
const templateOption = "--set"

func (o *options) addTemplate(v string) error {
	name, text, ok := strings.Cut(v, "=")
	if !ok || !dotenv.IsName(name) {
		return errors.New("needs NAME=TEMPLATE, for example " +
			"'DATABASE_URL=postgres://app:${POSTGRES_PASSWORD|urlencode}@db/app'")
	}
	o.templates = append(o.templates, inject.Template{Name: name, Text: text, By: templateOption})
	return nil
}

func (o *options) setLogFormat(v string) error {
	if v != "text" && v != "json" {
		return errors.New("must be text or json")
	}
	o.logJSON = v == "json"
	return nil
}

func addList(list *[]string, v string) error {
	if *list == nil {
		*list = []string{} // given, if only to say that there are none
	}
	for _, item := range strings.Split(v, ",") {
		if item = strings.TrimSpace(item); item != "" {
			*list = append(*list, item)
		}
	}
	return nil
}

func setSwitch(to *bool, v string) error {
	switch strings.ToLower(v) {
	case "true", "1", "yes", "on":
		*to = true
	case "false", "0", "no", "off":
		*to = false
	default:
		return errors.New("must be true or false")
	}
	return nil
}

func setDuration(to *time.Duration, v string) error {
	d, err := time.ParseDuration(v)
	if err != nil || d < 0 {
		return errors.New("must be a duration with its unit, such as 500ms, 30s or 2m")
	}
	*to = d
	return nil
}

// setLimit sets a duration that must not be zero.
func setLimit(to *time.Duration, v string) error {
	if err := setDuration(to, v); err != nil {
		return err
	}
	if *to == 0 {
		return errors.New("must be longer than 0s")
	}
	return nil
}

func nonEmpty(v string) error {
	if v == "" {
		return errors.New("must not be empty")
	}
	return nil
}
