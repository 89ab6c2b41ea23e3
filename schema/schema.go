// Package schema reads a `.env.schema` file and validates an environment against it. The file is the
// inventory of what a program needs: one line for each variable, with decorators in the comments above
// it, in the @env-spec syntax that varlock uses too.
//
//	# @currentEnv=$APP_ENV
//	# ---
//
//	# The key that signs access tokens.
//	# @required @sensitive @type=string(minLength=32)
//	# @rotate=90d @generate=hex(32)
//	JWT_SECRET_KEY=
//
// [Parse] reads the file, [Schema.Validate] compares an environment with it. The package reads no file,
// no environment and no clock of its own. Nothing in it prints a value: not an error, not a warning, not
// the String method of a type that holds one.
//
// The syntax is that of the env-spec-parser package in varlock's repository (its grammar.peggy). What is in that
// grammar and has no meaning here is accepted and left alone; what is not in it is an error.
package schema

import "time"

// MaxSize is the most bytes that a schema may have.
const MaxSize = 1 << 20

// A Schema is an inventory of variables.
type Schema struct {
	// Name is what the file was called in Parse.
	Name string

	// Items are the variables, in the order of the file.
	Items []Item

	// CurrentEnv is the variable that holds the name of the environment (`@currentEnv=$APP_ENV`), or "".
	CurrentEnv string

	// Decorators are those of the header, as written, with those that mean nothing here.
	Decorators []Decorator

	// Warnings are about what is written in the file and will not do what its author may expect: a type
	// that is not checked here, a comment with decorators that no item follows.
	Warnings []Warning

	index        map[string]int
	environments []string // named in forEnv
}

// Item returns the item of a variable, or nil if the schema has none.
func (s *Schema) Item(name string) *Item {
	if i, ok := s.index[name]; ok {
		return &s.Items[i]
	}
	return nil
}

// An Item says what is known of one variable.
type Item struct {
	Name string
	Line int // from 1

	// Description is the text of the comment lines above that have no decorators, joined by newlines.
	Description string

	// Default is what the item's own line sets it to.
	Default Default

	// Required says in which environments the variable must have a value, and Sensitive in which it is a
	// secret. Both have the header's defaults in them.
	Required, Sensitive Condition

	// Type is what the value must look like; a string without limits if nothing is said.
	Type Type

	// Example is the text of @example, never a value to use.
	Example string

	// Insecure are the values of @insecure(...), which are refused outside development.
	Insecure []string

	// Rotate is the time after which the value is due to be replaced (@rotate=90d), or 0.
	Rotate time.Duration

	// Generate is how a new value is made, if it can be.
	Generate Generate

	Category string
	Docs     []Doc

	// Decorators are all of the item's, as written, with those that mean nothing here.
	Decorators []Decorator

	sensitiveGiven bool // by the item itself
	short          bool // a short secret is meant to be one
}

// A Doc is one @docs(...).
type Doc struct {
	Description string // may be empty
	URL         string
}

// A Decorator is one as written, with its place.
type Decorator struct {
	Name string // without the @
	Line int    // from 1

	form  form
	value value
	pos   int
	stray int  // where text that belongs to nothing follows it, or 0
	after bool // it is in the comment after an item's value
}

// A Condition is something that holds always, never or by the environment.
type Condition struct {
	// Always is whether it holds, if Environments is nil.
	Always bool

	// Environments are those in which it holds, or, with Except, those in which it does not:
	// forEnv(...) and not(forEnv(...)).
	Environments []string
	Except       bool
}

// Holds reports whether it holds in an environment.
func (c Condition) Holds(environment string) bool {
	if c.Environments == nil {
		return c.Always
	}
	for _, name := range c.Environments {
		if name == environment {
			return !c.Except
		}
	}
	return c.Except
}

func (c Condition) not() Condition { return Condition{!c.Always, c.Environments, !c.Except} }

// Parse reads a schema. The name is that of the file, for messages. The error joins a [*SyntaxError] for each
// thing that is wrong; then the Schema has no items, only Warnings.
func Parse(name string, data []byte) (*Schema, error) {
	p := newParser(name, data)
	p.file()
	s := p.understand()
	if err := p.failed(); err != nil {
		return &Schema{Name: name, Warnings: s.Warnings}, err
	}
	return s, nil
}
