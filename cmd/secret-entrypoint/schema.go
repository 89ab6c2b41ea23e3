package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
	"github.com/secret-entrypoint/secret-entrypoint/schema"
)

// An inventory is what --schema says of what was loaded. Without the option it is nil, and has nothing to say.
type inventory struct {
	schema   *schema.Schema // nil if it could not be read
	result   *schema.Result
	problems []inventoryProblem
	warnings []string
	unlisted []inject.Export // secrets that are not in the schema
}

// An inventoryProblem is one thing that is wrong, as it is told.
type inventoryProblem struct {
	text     string
	kind     string
	variable string   // may be empty
	excerpt  []string // of the schema, with a caret below it
}

// inventory validates what was loaded, also if there are problems with it already: then what they explain is not told again.
func (o *options) inventory(result *inject.Result, problems []inject.Problem) *inventory {
	if o.schema == "" {
		return nil
	}
	inv := &inventory{}
	data, err := readSchema(o.schema)
	if err != nil {
		inv.fail("--schema "+inject.Printable(o.schema)+": "+err.Error()+": correct the path, or mount the file there", "schema", "")
		return inv
	}
	s, err := schema.Parse(o.schema, data)
	inv.warn(s.Warnings)
	if err != nil {
		for _, e := range schema.Errors(err) {
			inv.fail(e.Error(), "schema", "")
			if e, ok := e.(*schema.SyntaxError); ok && e.Excerpt != "" {
				inv.problems[len(inv.problems)-1].excerpt = strings.Split(strings.ReplaceAll(e.Caret(), "\t", " "), "\n")
			}
		}
		return inv
	}
	inv.schema = s
	for _, e := range result.Exports {
		if inv.schema.Item(e.Name) == nil {
			inv.unlisted = append(inv.unlisted, e)
		}
	}
	inv.result, err = inv.schema.Validate(schema.Environment{Lookup: result.Environment.Lookup, Source: valueSources(result)})
	inv.explainTemplates(problems)
	explained, all := explainedBy(result, problems)
	names := inv.unlistedNames()
	for _, e := range schema.Errors(err) {
		v, ok := e.(*schema.Violation)
		if !ok || v.Rule == "required" && all || explained[v.Variable] {
			continue
		}
		text := v.Error()
		if near := nearest(v.Variable, "", names); v.Rule == "required" && near != "" {
			text += " (" + near + " is set, and not in the schema: is it meant to be this one?)"
		}
		inv.fail(text, v.Rule, v.Variable)
	}
	inv.warn(inv.result.Warnings)
	inv.limit(o, result)
	return inv
}

func (inv *inventory) warn(warnings []schema.Warning) {
	for _, w := range warnings {
		if text := warningText(w); text != "" {
			inv.warnings = append(inv.warnings, text)
		}
	}
}

func (inv *inventory) fail(text, kind, variable string) {
	inv.problems = append(inv.problems, inventoryProblem{text: text, kind: kind, variable: variable})
}

// readSchema reads a regular file, without waiting for anything that looks like one. It is read as whoever
// runs this, before --user.
func readSchema(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err.(*os.PathError).Err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, inject.ErrNotRegular
	}
	data := make([]byte, 0, 16<<10)
	for len(data) <= schema.MaxSize {
		n, err := f.Read(data[len(data):cap(data)])
		data = slices.Grow(data[:len(data)+n], 512)
		switch {
		case err == io.EOF:
			return data, nil
		case err != nil:
			return nil, err.(*os.PathError).Err
		}
	}
	return data, nil // more than any schema: Parse says so
}

// valueSources says where the value of a variable came from.
func valueSources(result *inject.Result) func(name string) string {
	from := make(map[string]*inject.Export, len(result.Exports))
	for i := range result.Exports {
		if e := &result.Exports[i]; e.Lost == "" {
			from[e.Name] = e
		}
	}
	return func(name string) string {
		if e := from[name]; e != nil {
			return origin(*e)
		}
		return "environment"
	}
}

// explainedBy returns the variables that problems of loading are about; all is whether any variable may be missing for
// them, because a whole file or directory could not be read.
func explainedBy(result *inject.Result, problems []inject.Problem) (variables map[string]bool, all bool) {
	variables = make(map[string]bool)
	for _, p := range problems {
		variables[target(result, p.About().Variable)] = true
		all = all || p.About().Variable == ""
	}
	return variables, all
}

// target is the variable that a reference sets, or the variable itself.
func target(result *inject.Result, variable string) string {
	for _, ref := range result.References {
		if ref.Variable == variable {
			return ref.Target
		}
	}
	return variable
}

// unlistedNames are the names of secrets that may have been meant for an item's; none if there are too many to compare.
func (inv *inventory) unlistedNames() []string {
	if inv.manyNames() {
		return nil
	}
	var names []string
	for _, e := range inv.unlisted {
		names = append(names, e.Name)
	}
	return names
}

// explainTemplates says of a variable that a template lacks that its default in the schema does not count there.
func (inv *inventory) explainTemplates(problems []inject.Problem) {
	for _, p := range problems {
		if e, ok := p.(*inject.TemplateError); ok && e.Unset != "" {
			if it := inv.schema.Item(e.Unset); it != nil && it.Default.IsSet() {
				e.What += " (its default in the schema comes after templates)"
			}
		}
	}
}

func (inv *inventory) manyNames() bool {
	return len(inv.unlisted)*len(inv.schema.Items) > mostCompared
}

// warningText is a warning with what may have been meant. What is unknown here and like nothing that is known may well
// mean something to another tool: then there is no text.
func warningText(w schema.Warning) string {
	meant := ""
	if w.Unknown != "" {
		prefix := ""
		if strings.HasPrefix(w.Unknown, "@") {
			prefix = "@"
		}
		meant = suggest(w.Unknown, prefix, w.Known)
	}
	switch {
	case w.Text == "" && meant == "":
		return ""
	case w.Text == "":
		w.Text = "the decorator " + inject.Printable(w.Unknown) + " means nothing here"
	}
	return w.String() + meant
}

// limit checks that the defaults leave the environment within what the kernel takes.
func (inv *inventory) limit(o *options, result *inject.Result) {
	total := result.Environment.Size()
	for _, d := range inv.result.Defaults {
		size := len(d.Name) + len("=") + len(d.Value()) + 1
		total += size + 8
		if size > maxString {
			inv.fail(d.Name+": its default in "+inject.Printable(o.schema)+" makes it longer than the "+strconv.Itoa(maxString)+" bytes that the kernel takes: shorten it, or what it is made of", "too large", d.Name)
		}
	}
	if most := maxEnvironment(o.command); len(inv.result.Defaults) > 0 && total > most && result.Environment.Size() <= most {
		inv.fail("environment: the defaults in "+inject.Printable(o.schema)+" make it larger than the "+strconv.Itoa(most)+" bytes that the kernel takes beside the arguments: export less", "too large", "")
	}
}

// failed reports whether COMMAND must not start.
func (inv *inventory) failed() bool { return inv != nil && inv.problems != nil }

// lacks reports whether a variable that must have a value has none, which --wait waits for.
func (inv *inventory) lacks() bool {
	return inv != nil && slices.ContainsFunc(inv.problems, func(p inventoryProblem) bool { return p.kind == "required" })
}

// log tells what is wrong, and what is doubtful.
func (inv *inventory) log(log *logger) {
	if inv == nil {
		return
	}
	for _, w := range inv.warnings {
		log.warn(w)
	}
	for _, p := range inv.problems {
		log.line(levelError, p.text, []field{{name: "kind", value: p.kind}, {name: "variable", value: p.variable}})
		for _, line := range p.excerpt {
			if !log.json {
				log.error("  " + line)
			}
		}
	}
}

// defaults are the variables that the schema sets.
func (inv *inventory) defaults() []schema.Variable {
	if inv == nil || inv.result == nil {
		return nil
	}
	return inv.result.Defaults
}

// withDefaults sets variables that have no value: those that are set to nothing in their place, others at the end.
func withDefaults(environ []string, defaults []schema.Variable) []string {
	for _, d := range defaults {
		entry := d.Name + "=" + d.Value()
		if i := slices.Index(environ, d.Name+"="); i >= 0 {
			environ[i] = entry
		} else {
			environ = append(environ, entry)
		}
	}
	return environ
}

// schemaPaths are where a change of the schema can be seen: its directory, and that of the file it is a link to.
func (o *options) schemaPaths() []string {
	if o.schema == "" {
		return nil
	}
	path, err := filepath.Abs(o.schema)
	if err != nil {
		return nil
	}
	paths := []string{filepath.Dir(path), path}
	if real, err := filepath.EvalSymlinks(path); err == nil && real != path {
		paths = append(paths, filepath.Dir(real), real)
	}
	return paths
}
