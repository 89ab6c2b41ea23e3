package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/internal/rotate"
)

// options is the command line, understood.
type options struct {
	help, version bool

	schema string
	target rotate.Target
	names  []string

	set          []string
	previous     bool
	dropPrevious bool
	dryRun       bool
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
	arg  string // what its argument is called; "" for a switch
	set  func(p *parser, value string)
}

func optionTable() []option {
	return []option{
		{"schema", "FILE", func(p *parser, v string) { p.schema = v }},
		{"dotenv", "FILE", func(p *parser, v string) { p.store("--dotenv", rotate.NewDotenv(v)) }},
		{"dir", "DIR", func(p *parser, v string) { p.store("--dir", rotate.NewDirectory(v)) }},
		{"k8s", "NAMESPACE/SECRET", func(p *parser, v string) { p.stores, p.k8s = append(p.stores, "--k8s"), v }},
		{"swarm", "SERVICE,...", func(p *parser, v string) { p.stores, p.swarm = append(p.stores, "--swarm"), v }},
		{"keep", "N", (*parser).setKeep},
		{"timeout", "DURATION", (*parser).setTimeout},
		{"set", "NAME", (*parser).addSet},
		{"previous", "", func(p *parser, _ string) { p.previous = true }},
		{"drop-previous", "", func(p *parser, _ string) { p.dropPrevious = true }},
		{"dry-run", "", func(p *parser, _ string) { p.dryRun = true }},
		{"then", "COMMAND", func(p *parser, v string) { p.then = append(p.then, v) }},
		{"rollback", "", func(p *parser, _ string) { p.rollback = true }},
		{"records", "FILE", func(p *parser, v string) { p.records = v }},
		{"overdue", "", func(p *parser, _ string) { p.overdue = true }},
		{"metrics", "FILE", func(p *parser, v string) { p.metrics = v }},
		{"log-format", "text|json", (*parser).setLogFormat},
		{"version", "", func(p *parser, _ string) { p.version = true }},
		{"help", "", func(p *parser, _ string) { p.help = true }},
	}
}

// parser collects what is wrong, so that all of it is told at once.
type parser struct {
	options
	stores   []string // the options that named a target
	k8s      string
	swarm    string
	keep     int
	timeout  time.Duration
	mistakes []string
}

func (p *parser) mistake(text string) { p.mistakes = append(p.mistakes, text) }

// parseOptions understands the command line. Options may stand behind names.
func parseOptions(args []string) (options, []string) {
	p := &parser{keep: 2, timeout: 5 * time.Minute}
	table := optionTable()
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		if word == "--" {
			p.names = append(p.names, args...)
			break
		}
		switch {
		case word == "-h":
			word = "--help"
		case word == "-V":
			word = "--version"
		case len(word) < 2 || word[0] != '-':
			p.addName(word)
			continue
		}
		name, value, inline := strings.Cut(word, "=")
		i := slices.IndexFunc(table, func(o option) bool { return "--"+o.name == name })
		switch {
		case i < 0:
			var names []string
			for _, o := range table {
				names = append(names, "--"+o.name)
			}
			p.mistake("unknown option " + rotate.Printable(name) + rotate.Suggest(name, names))
			continue
		case table[i].arg == "" && inline:
			p.mistake(name + ": takes no value")
			continue
		case table[i].arg != "" && !inline && len(args) == 0:
			p.mistake(name + ": needs an argument: " + name + " " + table[i].arg)
			continue
		case table[i].arg != "" && !inline:
			value, args = args[0], args[1:]
		}
		if table[i].arg != "" && value == "" {
			p.mistake(name + ": needs an argument: " + name + " " + table[i].arg)
			continue
		}
		table[i].set(p, value)
	}
	if !p.help && !p.version {
		p.check()
	}
	return p.options, p.mistakes
}

// addName takes the name of a variable. NAME=value is a slip that puts a value where every user of the machine can read it.
func (p *parser) addName(word string) {
	name, _, assigned := strings.Cut(word, "=")
	if assigned {
		p.mistake("a value on the command line can be seen by everyone on this machine: replace that value, and give the next one by stdin: --set " + rotate.Printable(name))
		return
	}
	p.names = append(p.names, word)
}

func (p *parser) addSet(v string) {
	name, _, assigned := strings.Cut(v, "=")
	switch {
	case assigned:
		p.mistake("--set " + rotate.Printable(name) + ": a value on the command line can be seen by everyone on this machine: replace that value, and give the next one by stdin")
	case slices.Contains(p.set, v):
		p.mistake("--set " + rotate.Printable(v) + ": given twice")
	default:
		p.set = append(p.set, v)
	}
}

func (p *parser) store(option string, t rotate.Target) {
	p.stores = append(p.stores, option)
	p.target = t
}

func (p *parser) setLogFormat(v string) {
	if v != "text" && v != "json" {
		p.mistake("--log-format: must be text or json")
	}
	p.logJSON = v == "json"
}

// check finds options that don't go together.
func (p *parser) check() {
	if p.schema == "" {
		p.mistake("--schema FILE is missing: the .env.schema that says what there is")
	}
	switch len(p.stores) {
	case 0:
		p.mistake("no target: say where the secrets are: " + targets())
	case 1:
	default:
		p.mistake(strconv.Itoa(len(p.stores)) + " targets (" + strings.Join(p.stores, ", ") + "): rotate one at a time")
	}
	p.remote()
	together := func(a bool, aName string, b bool, bName string) {
		if a && b {
			p.mistake(aName + " and " + bName + " don't go together")
		}
	}
	together(p.overdue, "--overdue", p.dryRun, "--dry-run")
	together(p.overdue, "--overdue", p.set != nil, "--set")
	together(p.overdue, "--overdue", p.previous, "--previous")
	together(p.overdue, "--overdue", p.dropPrevious, "--drop-previous")
	together(p.overdue, "--overdue", p.then != nil, "--then")
	together(p.dropPrevious, "--drop-previous", p.previous, "--previous")
	together(p.dropPrevious, "--drop-previous", p.set != nil, "--set")
	if p.rollback && p.then == nil {
		p.mistake("--rollback: goes with --then COMMAND, whose failure it undoes")
	}
	if p.metrics != "" && !p.overdue {
		p.mistake("--metrics: goes with --overdue")
	}
	for _, name := range p.set {
		if slices.Contains(p.names, name) {
			p.mistake(rotate.Printable(name) + ": either gets a new value (as a name) or yours (--set)")
		}
	}
	if info, err := os.Stat(p.schema); err == nil && info.IsDir() {
		p.mistake("--schema: is a directory")
	}
}

// remote makes the targets that are not files. Their records are beside the schema.
func (p *parser) remote() {
	beside := filepath.Dir(p.schema)
	if p.k8s != "" {
		t, err := rotate.NewKubernetes(p.k8s, beside)
		if err != nil {
			p.mistake("--k8s: " + err.Error())
			return
		}
		p.target = t
	}
	if p.swarm != "" {
		t, err := rotate.NewSwarm(p.swarm, beside, p.keep, p.timeout)
		if err != nil {
			p.mistake("--swarm: " + err.Error())
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
func targets() string { return "--dotenv FILE, --dir DIR, --swarm SERVICE or --k8s NAMESPACE/SECRET" }
