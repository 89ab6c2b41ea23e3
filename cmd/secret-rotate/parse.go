package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/internal/nearest"
	"github.com/secret-entrypoint/secret-entrypoint/internal/rotate"
)

// options is the parsed command line.
type options struct {
	help, version, licenses bool

	schema string
	target rotate.Target
	names  []string

	set          []string
	previous     bool
	dropPrevious bool
	dryRun       bool
	force        bool
	then         []string
	rollback     bool
	records      string

	overdue bool
	metrics string
	logJSON bool
}

// An option is one of the command line.
type option struct {
	name string // without its dashes
	arg  string // the name of its argument; "" for a switch
	set  func(p *parser, value string)
}

func optionTable() []option {
	return []option{
		{"schema", "FILE", func(p *parser, v string) { p.schema = v }},
		{"dotenv", "FILE", func(p *parser, v string) { p.store("--dotenv", rotate.NewDotenv(v)) }},
		{"dir", "DIR", func(p *parser, v string) { p.store("--dir", rotate.NewDirectory(v)) }},
		{"k8s", "NAMESPACE/SECRET", (*parser).setKubernetes},
		{"swarm", "SERVICE,...", (*parser).setSwarm},
		{"keep", "N", (*parser).setKeep},
		{"timeout", "DURATION", (*parser).setTimeout},
		{"set", "NAME", (*parser).addSet},
		{"previous", "", func(p *parser, _ string) { p.previous = true }},
		{"drop-previous", "", func(p *parser, _ string) { p.dropPrevious = true }},
		{"dry-run", "", func(p *parser, _ string) { p.dryRun = true }},
		{"force", "", func(p *parser, _ string) { p.force = true }},
		{"then", "COMMAND", func(p *parser, v string) { p.then = append(p.then, v) }},
		{"rollback", "", func(p *parser, _ string) { p.rollback = true }},
		{"records", "FILE", func(p *parser, v string) { p.records = v }},
		{"overdue", "", func(p *parser, _ string) { p.overdue = true }},
		{"metrics", "FILE", func(p *parser, v string) { p.metrics = v }},
		{"log-format", "text|json", (*parser).setLogFormat},
		{"version", "", func(p *parser, _ string) { p.version = true }},
		{"licenses", "", func(p *parser, _ string) { p.licenses = true }},
		{"help", "", func(p *parser, _ string) { p.help = true }},
	}
}

// Defaults of options.
const (
	defaultKeep    = 2
	defaultTimeout = 5 * time.Minute
)

// parser collects mistakes, so that all of them are reported at once.
type parser struct {
	options
	table    []option
	stores   []string // the options that named a target
	k8s      string
	swarm    string
	keep     int
	timeout  time.Duration
	mistakes []string
}

func (p *parser) mistake(format string, args ...any) {
	p.mistakes = append(p.mistakes, fmt.Sprintf(format, args...))
}

// parseOptions reads the command line. Options may follow names.
func parseOptions(args []string) (options, []string) {
	p := &parser{table: optionTable(), keep: defaultKeep, timeout: defaultTimeout}
	for len(args) > 0 {
		word := args[0]
		args = args[1:]

		switch {
		case word == "--":
			p.names = append(p.names, args...)
			args = nil
		case word == "-h":
			p.help = true
		case word == "-V":
			p.version = true
		case len(word) < 2 || word[0] != '-':
			p.addName(word)
		default:
			args = p.option(word, args)
		}
	}

	if !p.help && !p.version && !p.licenses {
		p.check()
	}
	return p.options, p.mistakes
}

// option takes one option, and returns the words after it and its argument.
func (p *parser) option(word string, args []string) (rest []string) {
	name, value, inline := strings.Cut(word, "=")
	i := slices.IndexFunc(p.table, func(o option) bool { return "--"+o.name == name })
	if i < 0 {
		p.unknown(name)
		return args
	}
	o := p.table[i]

	switch {
	case o.arg == "" && inline:
		p.mistake("%s: takes no value", name)
		return args
	case o.arg != "" && !inline && len(args) > 0:
		value, args = args[0], args[1:]
	}
	if o.arg != "" && value == "" {
		p.mistake("%s: needs an argument: %s %s", name, name, o.arg)
		return args
	}

	o.set(p, value)
	return args
}

// unknown reports an option that does not exist. A value may begin with a dash as well, so a word
// is only shown if it looks like an option.
func (p *parser) unknown(name string) {
	var names []string
	for _, o := range p.table {
		names = append(names, "--"+o.name)
	}

	shown := name
	if !looksLikeOption(name) {
		shown = "that begins with a dash (not shown: it may be a value)"
	}
	p.mistake("unknown option %s%s", shown, nearest.Ask(shown, "--", names))
}

const onCommandLine = "a value on the command line can be seen by everyone on this machine: " +
	"replace that value, and give the next one by stdin"

// addName takes the name of a variable. NAME=value is a slip that puts a value where every user of
// the machine can read it.
func (p *parser) addName(word string) {
	name, _, assigned := strings.Cut(word, "=")
	if assigned {
		p.mistake("%s: --set %s", onCommandLine, rotate.Word(name, nil))
		return
	}
	p.names = append(p.names, word)
}

// looksLikeOption reports whether a word is written as options are: -x, --dry-run.
func looksLikeOption(word string) bool {
	odd := strings.ContainsFunc(word, func(r rune) bool { return r != '-' && (r < 'a' || r > 'z') })
	return !odd && (len(word) == 2 || strings.HasPrefix(word, "--"))
}

func (p *parser) addSet(v string) {
	name, _, assigned := strings.Cut(v, "=")
	switch {
	case assigned:
		p.mistake("--set %s: %s", rotate.Word(name, nil), onCommandLine)
	case slices.Contains(p.set, v):
		p.mistake("--set %s: given twice", rotate.Word(v, nil))
	default:
		p.set = append(p.set, v)
	}
}

// store takes a target. One that is nil is made when the schema's path is known.
func (p *parser) store(option string, t rotate.Target) {
	p.stores = append(p.stores, option)
	p.target = t
}

func (p *parser) setKubernetes(v string) {
	p.k8s = v
	p.store("--k8s", nil)
}

func (p *parser) setSwarm(v string) {
	p.swarm = v
	p.store("--swarm", nil)
}

func (p *parser) setLogFormat(v string) {
	if v != "text" && v != "json" {
		p.mistake("--log-format: must be text or json")
	}
	p.logJSON = v == "json"
}

// check finds options that are missing or do not go together.
func (p *parser) check() {
	if p.schema == "" {
		p.mistake("--schema FILE is missing: the .env.schema that says what there is")
	}
	switch len(p.stores) {
	case 0:
		p.mistake("no target: say where the secrets are: " + targets)
	case 1:
	default:
		p.mistake("%d targets (%s): rotate one at a time",
			len(p.stores), strings.Join(p.stores, ", "))
	}
	p.remote()

	p.exclusive()
	if p.rollback && p.then == nil {
		p.mistake("--rollback: goes with --then COMMAND, whose failure it undoes")
	}
	if p.metrics != "" && !p.overdue {
		p.mistake("--metrics: goes with --overdue")
	}

	for _, name := range p.set {
		if slices.Contains(p.names, name) {
			p.mistake("%s: either gets a new value (as a name) or yours (--set)",
				rotate.Word(name, nil))
		}
	}
	if info, err := os.Stat(p.schema); err == nil && info.IsDir() {
		p.mistake("--schema: is a directory")
	}
}

// exclusive finds options that exclude each other.
func (p *parser) exclusive() {
	given := map[string]bool{
		"--overdue":       p.overdue,
		"--dry-run":       p.dryRun,
		"--force":         p.force,
		"--set":           p.set != nil,
		"--previous":      p.previous,
		"--drop-previous": p.dropPrevious,
		"--then":          p.then != nil,
	}
	for _, pair := range [][2]string{
		{"--overdue", "--dry-run"},
		{"--overdue", "--force"},
		{"--overdue", "--set"},
		{"--overdue", "--previous"},
		{"--overdue", "--drop-previous"},
		{"--overdue", "--then"},
		{"--drop-previous", "--previous"},
		{"--drop-previous", "--set"},
	} {
		if given[pair[0]] && given[pair[1]] {
			p.mistake("%s and %s don't go together", pair[0], pair[1])
		}
	}
}

// remote makes the targets that are not files. Their records are beside the schema.
func (p *parser) remote() {
	beside := filepath.Dir(p.schema)
	if p.k8s != "" {
		t, err := rotate.NewKubernetes(p.k8s, beside)
		if err != nil {
			p.mistake("--k8s: %v", err)
			return
		}
		p.target = t
	}

	if p.swarm != "" {
		t, err := rotate.NewSwarm(p.swarm, beside, p.keep, p.timeout)
		if err != nil {
			p.mistake("--swarm: %v", err)
			return
		}
		p.target = t
	}
}

func (p *parser) setKeep(v string) {
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		p.mistake("--keep: must be a number of versions, 1 at least")
	}
	p.keep = n
}

func (p *parser) setTimeout(v string) {
	d, err := time.ParseDuration(v)
	if err != nil || d <= 0 {
		p.mistake("--timeout: must be a duration such as 90s or 5m")
	}
	p.timeout = d
}

// targets lists the options that name a target.
const targets = "--dotenv FILE, --dir DIR, --swarm SERVICE or --k8s NAMESPACE/SECRET"
