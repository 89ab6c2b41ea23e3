package preflight

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
	"github.com/secret-entrypoint/secret-entrypoint/internal/nearest"
	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
	"github.com/secret-entrypoint/secret-entrypoint/schema"
)

// An Inventory is what the schema says of what was loaded. Nil, without a schema, has nothing to
// say.
type Inventory struct {
	schema   *schema.Schema // nil if it could not be read
	result   *schema.Validation
	Problems []Finding
	Warnings []string
	unlisted []inject.Export // secrets that are not in the schema
}

// A Finding is one thing that is wrong, as it is told.
type Finding struct {
	Text     string
	Kind     string
	Variable string   // may be empty
	Excerpt  []string // of the schema, with a caret below it
}

// Kinds of problems with a default, called as those of a secret are.
const (
	kindRefused  = string(inject.KindRefused)
	kindTooLarge = string(inject.KindTooLarge)
)

// inventory validates what was loaded, also if there are problems with it already: then what they
// explain is not told again. The file is read as secrets are, for the user that COMMAND will run
// as.
func (p *Plan) inventory(result *inject.Result, problems []*inject.Problem) *Inventory {
	if p.Schema == "" {
		return nil
	}
	inv := &Inventory{}
	data, err := inject.ReadFile(p.Schema, p.Secrets.User)
	if err != nil {
		inv.fail(fmt.Sprintf("%s %s: %v: correct the path, or mount the file there",
			p.SchemaBy, printable.Name(p.Schema), err), "schema", "")
		return inv
	}

	s, err := schema.Parse(p.Schema, data)
	inv.warn(s.Warnings)
	if err != nil {
		inv.failSyntax(err)
		return inv
	}

	inv.schema = s
	for _, e := range result.Exports {
		if _, set := result.Environment.Lookup(e.Name); set && inv.schema.Item(e.Name) == nil {
			inv.unlisted = append(inv.unlisted, e)
		}
	}

	inv.result, err = inv.schema.Validate(schema.Values{
		Lookup: result.Environment.Lookup,
		Source: valueSources(result, p.TemplateBy),
	})
	inv.explainTemplates(problems)
	inv.failViolations(p, err, result, problems)

	inv.warn(inv.result.Warnings)
	inv.result.Defaults = slices.DeleteFunc(inv.result.Defaults,
		func(d schema.Variable) bool { return result.LeftAlone(d.Name) != "" })
	inv.refuse(p)
	inv.limit(p, result)
	return inv
}

// failSyntax tells of what is wrong in the file itself.
func (inv *Inventory) failSyntax(err error) {
	for _, e := range schema.Errors(err) {
		inv.fail(e.Error(), "schema", "")
		if e, ok := e.(*schema.SyntaxError); ok && e.Excerpt != "" {
			excerpt := strings.ReplaceAll(e.Caret(), "\t", " ")
			inv.Problems[len(inv.Problems)-1].Excerpt = strings.Split(excerpt, "\n")
		}
	}
}

// failViolations tells of the rules that values break, but for those that problems of loading
// explain.
func (inv *Inventory) failViolations(
	p *Plan, err error, result *inject.Result, problems []*inject.Problem,
) {
	explained, all := explainedBy(result, problems)
	names := inv.unlistedNames()
	for _, e := range schema.Errors(err) {
		v, ok := e.(*schema.Violation)
		if !ok || v.Rule == "required" && all || explained[v.Variable] {
			continue
		}

		text := v.Error()
		if near := nearest.Name(v.Variable, "", names); v.Rule == "required" && near != "" {
			text += fmt.Sprintf(
				" (%s is set, and not in the schema: is it meant to be this one?)", near)
		}
		if ref := result.LeftAlone(v.Variable); v.Rule == "required" && ref != "" {
			advice := p.Advise(inject.KindLeftAlone, ref)
			text += fmt.Sprintf(" (%s is left alone%s)", ref, advice)
		}
		inv.fail(text, v.Rule, v.Variable)
	}
}

func (inv *Inventory) warn(warnings []schema.Warning) {
	for _, w := range warnings {
		inv.Warnings = append(inv.Warnings, w.String())
	}
}

func (inv *Inventory) fail(text, kind, variable string) {
	inv.Problems = append(inv.Problems, Finding{Text: text, Kind: kind, Variable: variable})
}

// valueSources says where the value of a variable came from.
func valueSources(result *inject.Result, templateBy string) func(name string) string {
	from := make(map[string]*inject.Export, len(result.Exports))
	for i := range result.Exports {
		if e := &result.Exports[i]; e.OverriddenBy == "" {
			from[e.Name] = e
		}
	}

	return func(name string) string {
		if e := from[name]; e != nil {
			return origin(result, *e, templateBy)
		}
		return "environment"
	}
}

// explainedBy returns the variables that problems of loading are about; all is whether any variable
// may be missing for them, because a whole file or directory could not be read.
func explainedBy(
	result *inject.Result, problems []*inject.Problem,
) (variables map[string]bool, all bool) {
	variables = make(map[string]bool)
	for _, p := range problems {
		variables[target(result, p.Variable)] = true
		all = all || p.Variable == ""
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

// unlistedNames are the names of secrets that may have been meant for an item's; none if there are
// too many to compare.
func (inv *Inventory) unlistedNames() []string {
	if inv.manyNames() {
		return nil
	}
	var names []string
	for _, e := range inv.unlisted {
		names = append(names, e.Name)
	}
	return names
}

// explainTemplates says of a variable that a template lacks that its default in the schema does not
// count there.
func (inv *Inventory) explainTemplates(problems []*inject.Problem) {
	for _, p := range problems {
		if p.Kind == inject.KindTemplate && p.Related != nil {
			if it := inv.schema.Item(p.Related[0]); it != nil && it.Default.IsSet() {
				p.Advice += " (its default in the schema comes after templates)"
			}
		}
	}
}

// mostCompared is how many pairs of names are compared where there may be many of both: that takes
// a part of a second.
const mostCompared = 50000

func (inv *Inventory) manyNames() bool {
	return len(inv.unlisted)*len(inv.schema.Items) > mostCompared
}

// refuse keeps the schema's defaults to the rule that holds for every file: they set no variable
// that changes how programs load or run, unless --include names it, and no option of this program.
func (inv *Inventory) refuse(p *Plan) {
	for _, d := range inv.result.Defaults {
		own := p.Secrets.Reserved != "" && strings.HasPrefix(d.Name, p.Secrets.Reserved)
		if !own && (!inject.RefusedName(d.Name) || slices.Contains(p.Secrets.Include, d.Name)) {
			continue
		}
		text := "a file cannot set an option of this program: set it in the container's " +
			"environment"
		if !own {
			text = "this variable changes how programs load or run, and is not set by a default: " +
				"set it in the container's environment" + p.Advise(inject.KindRefused, d.Name)
		}
		inv.fail(fmt.Sprintf("%s: its default in %s: %s", d.Name, printable.Name(p.Schema), text),
			kindRefused, d.Name)
	}
}

// limit checks that the defaults leave the environment within what the kernel takes.
func (inv *Inventory) limit(p *Plan, result *inject.Result) {
	total := result.Environment.Size()
	for _, d := range inv.result.Defaults {
		size := len(d.Name) + len("=") + len(d.Value()) + 1
		total += size + 8
		if size > p.Secrets.MaxString {
			text := fmt.Sprintf("%s: its default in %s makes it longer than the %d bytes that the "+
				"kernel takes: shorten it, or what it is made of",
				d.Name, printable.Name(p.Schema), p.Secrets.MaxString)
			inv.fail(text, kindTooLarge, d.Name)
		}
	}

	most := p.Secrets.MaxTotal
	byDefaults := len(inv.result.Defaults) > 0 && result.Environment.Size() <= most
	if byDefaults && total > most {
		text := fmt.Sprintf("environment: the defaults in %s make it larger than the %d bytes that "+
			"the kernel takes beside the arguments: export less", printable.Name(p.Schema), most)
		inv.fail(text, kindTooLarge, "")
	}
}

// failed reports whether COMMAND must not start.
func (inv *Inventory) failed() bool { return inv != nil && inv.Problems != nil }

// lacks reports whether a variable that must have a value has none, which --wait waits for.
func (inv *Inventory) lacks() bool {
	return inv != nil && slices.ContainsFunc(inv.Problems,
		func(f Finding) bool { return f.Kind == "required" })
}

// SchemaPaths are where a change of a schema can be seen: the file, the file that it is a link to,
// and where it is one the directory of the link, for it may go by ..data there.
func SchemaPaths(file string) []string {
	if file == "" {
		return nil
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return nil
	}

	paths := []string{path}
	if real, err := filepath.EvalSymlinks(path); err == nil && real != path {
		paths = append(paths, real)
	}
	if _, err := os.Readlink(path); err == nil {
		paths = append(paths, filepath.Dir(path))
	}
	return paths
}
