package main

import (
	"fmt"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
	"github.com/secret-entrypoint/secret-entrypoint/internal/nearest"
	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
)

const (
	variablePrefix = "SECRET_ENTRYPOINT_"
	templatePrefix = variablePrefix + "SET_" // SECRET_ENTRYPOINT_SET_NAME=TEMPLATE
)

// variable is the name of the variable that sets an option.
func (opt *option) variable() string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(opt.name, "-", "_"))
}

// parser collects what is wrong with the options, so that all of it is told at once.
type parser struct {
	options
	table    []option
	mistakes []string
	given    map[string]bool // options given on the command line
}

// parseOptions understands the command line and the variables. An option
// on the command line wins over its variable. What it returns is usable for logging even
// when there are mistakes.
func parseOptions(args, environ []string) (*options, []string) {
	p := &parser{options: defaults(), table: optionTable(), given: make(map[string]bool)}
	rest := p.commandLine(args)
	if p.mode == modeHelp || p.mode == modeVersion || p.mode == modeLicenses {
		return &p.options, nil
	}

	// What variables add stands before what the command line adds.
	line := p.options
	p.sources, p.templates = nil, nil
	p.variables(environ, line.templates)
	p.sources = append(p.sources, line.sources...)
	p.templates = append(p.templates, line.templates...)
	p.command = rest
	p.verifyGiven = p.given["verify"]
	p.passOver()

	switch {
	case len(rest) > 0 && alone[p.mode] != "":
		p.mistake(alone[p.mode] + " takes no COMMAND")
	case p.mode == modeRun && len(rest) == 0:
		p.mistake(noCommand(environ))
	}
	return &p.options, p.mistakes
}

// alone are the modes that no COMMAND belongs to.
var alone = map[mode]string{modeInstall: "--install", modeStatus: "--status", modeProbe: "--probe"}

// passOver drops what the container's variables say about the program that stays, where an empty
// --on-change says on the command line that COMMAND is a single one beside it, such as a health
// check.
func (p *parser) passOver() {
	if !p.given["on-change"] || p.onChange != nil {
		return
	}

	if !p.given["verify"] {
		p.verify = nil
	}
	if !p.given["wait"] {
		p.wait = 0
	}
	if !p.given["metrics"] {
		p.metrics = ""
	}
}

func (p *parser) mistake(text string) { p.mistakes = append(p.mistakes, text) }

// refuse notes what is wrong with the value of an option or variable.
func (p *parser) refuse(name string, err error) { p.mistake(fmt.Sprintf("%s: %v", name, err)) }

// commandLine reads options up to the first word that is none, and returns the COMMAND.
func (p *parser) commandLine(args []string) []string {
	for len(args) > 0 {
		word := args[0]
		if word == "--" {
			return args[1:]
		}
		if len(word) < 2 || word[0] != '-' {
			return args
		}

		args = args[1:]
		name, value, inline := strings.Cut(word, "=")
		if p.modeWord(name, value, inline, &args) {
			continue
		}

		opt := p.find(name)
		switch {
		case opt == nil && p.misspelt(name) != "":
			p.mistake(p.misspelt(name))
			continue
		case opt == nil:
			p.mistake(fmt.Sprintf("unknown option %s%s", printable.Name(name),
				nearest.Ask(name, "--", p.optionNames())))
			continue
		case inline:
		case opt.arg == "":
			value = "true"
		case len(args) == 0:
			p.mistake(fmt.Sprintf("%[1]s: needs an argument: %[1]s %[2]s", name, opt.arg))
			continue
		default:
			value, args = args[0], args[1:]
		}

		p.given[opt.name] = true
		if other := p.swallowed(opt, value); other != "" {
			p.mistake(fmt.Sprintf("%s: its value has the option %s in it, in the same word: "+
				"write each as a word of its own", name, other))
			continue
		}
		if err := opt.set(&p.options, value); err != nil {
			p.refuse(name, err)
		}

		p.named(name)
	}

	return nil
}

// modeWord understands the words that say what to do instead of starting COMMAND.
func (p *parser) modeWord(name, value string, inline bool, args *[]string) bool {
	set := func(m mode) {
		if inline {
			p.mistake(name + ": takes no value")
		}
		if p.mode != modeHelp {
			p.mode = m
		}
	}

	switch name {
	case "--help", "-h":
		set(modeHelp)
	case "--version", "-V":
		set(modeVersion)
	case "--licenses":
		set(modeLicenses)
	case "--check":
		set(modeCheck)
	case "--status":
		set(modeStatus)
	case "--install", "--probe":
		if !inline && len(*args) > 0 {
			value, *args = (*args)[0], (*args)[1:]
		}
		if name == "--probe" {
			p.mode = modeProbe
			if err := p.setProbe(value); err != nil {
				p.refuse(name, err)
			}
			break
		}

		p.mode = modeInstall
		if p.installPath = value; value == "" {
			p.mistake("--install: needs an argument: --install PATH")
		}
	default:
		return false
	}

	return true
}

func (p *parser) find(name string) *option {
	for i := range p.table {
		if name == "--"+p.table[i].name {
			return &p.table[i]
		}
	}
	return nil
}

func (p *parser) optionNames() []string {
	names := []string{
		"--check", "--install", "--status", "--probe", "--version", "--licenses", "--help",
	}
	for i := range p.table {
		names = append(names, "--"+p.table[i].name)
	}
	return names
}

// variables applies the SECRET_ENTRYPOINT_* variables that no option on the command line overrides.
// Sources are applied in the order of the table, whatever that of the environment.
func (p *parser) variables(environ []string, overriding []inject.Template) {
	values := make(map[string]string)
	for _, entry := range environ {
		if !strings.HasPrefix(entry, variablePrefix) {
			continue
		}
		name, value, _ := strings.Cut(entry, "=")
		if _, twice := values[name]; twice {
			continue // the first counts, as everywhere
		}

		values[name] = value
		target, isTemplate := strings.CutPrefix(name, templatePrefix)
		switch {
		case name+"_" == templatePrefix:
			const example = templatePrefix + "NAME=TEMPLATE"
			p.mistake(fmt.Sprintf("%s: name the variable to set: %s", name, example))
		case isTemplate:
			p.templateVariable(name, target, value, overriding)
		case ofService(name):
		case !p.isVariable(name):
			p.mistake(fmt.Sprintf("unknown variable %s%s", printable.Name(name),
				nearest.Ask(name, variablePrefix, p.variableNames())))
		}
	}

	delete(values, variablePrefix+"SET")
	if len(values) == 0 {
		return // without a look for each option
	}
	for i := range p.table {
		opt := &p.table[i]
		value, set := values[opt.variable()]
		// Compose's ${X:-} makes empty variables: they mean nothing, but for --dir, where
		// empty is a value of its own.
		if !set || value == "" && opt.name != "dir" {
			continue
		}

		to := &p.options
		if p.given[opt.name] {
			to = new(options) // overridden, but a mistake all the same
		}

		for _, v := range opt.split(value) {
			if err := opt.set(to, v); err != nil {
				p.refuse(opt.variable(), err)
			}
		}

		if to == &p.options {
			p.byVariable["--"+opt.name] = opt.variable()
			p.named(opt.variable())
		}
	}
}

// named notes by what the sources that were added last were named.
func (p *parser) named(by string) {
	for i := range p.sources {
		if s := &p.sources[i]; s.By == "" {
			s.By = by
		}
	}
}

// ofService reports whether a variable is one that Kubernetes sets in every pod for a Service, here
// one called secret-entrypoint (accessing services, in its documentation).
func ofService(name string) bool {
	rest := strings.TrimPrefix(name, variablePrefix)
	return rest == "PORT" || strings.HasPrefix(rest, "PORT_") || strings.HasPrefix(rest, "SERVICE_")
}

func (p *parser) templateVariable(variable, name, text string, overriding []inject.Template) {
	for _, t := range overriding {
		if t.Name == name {
			return
		}
	}
	if err := p.addTemplate(name + "=" + text); err != nil {
		p.refuse(variable, err)
	}
}

// split divides the value of an option's variable.
func (opt *option) split(value string) []string {
	if opt.separator == "" {
		return []string{value}
	}
	return strings.Split(value, opt.separator)
}

func (p *parser) isVariable(name string) bool {
	for i := range p.table {
		if opt := &p.table[i]; opt.variable() == name && opt.name != "set" {
			return true
		}
	}
	return false
}

func (p *parser) variableNames() []string {
	var names []string
	for i := range p.table {
		names = append(names, p.table[i].variable())
	}
	return names
}
