// Package schema reads a `.env.schema` file and validates an environment against it. The file is
// the inventory of what a program needs: one line for each variable, with decorators in the
// comments above it, in the @env-spec syntax that varlock uses too.
//
//	# @currentEnv=$APP_ENV
//	# ---
//
//	# The key that signs access tokens.
//	# @required @sensitive @type=string(minLength=32)
//	# @rotate=90d @generate=hex(32)
//	JWT_SECRET_KEY=
//
// [Parse] reads the file, and [Schema.Validate] compares an environment with it. The package reads
// no file, no environment and no clock of its own. Nothing in it prints a value: no error, no
// warning, no String method.
//
// What the grammar of @env-spec has and this package gives no meaning is accepted and left alone.
// What is not in the grammar is an error.
package schema

import (
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/schema/internal/syntax"
)

// MaxSize is the most bytes that a schema may have.
const MaxSize = syntax.MaxSize

// A Schema is an inventory of variables. It is safe for use by several goroutines that do not
// change it.
type Schema struct {
	// Name is what the file was called in Parse.
	Name string

	// Items are the variables, in the order of the file.
	Items []Item

	// CurrentEnv is the name of the variable whose value is the name of the environment
	// (`@currentEnv=$APP_ENV`), or "".
	CurrentEnv string

	// Warnings are about what is written in the file and does not do what its author may expect: a
	// type that is not checked here, a decorator that no item follows.
	Warnings []Warning

	index        map[string]int
	environments []string // named in forEnv
}

// Item returns the item of a variable, or nil if the schema has none. It points into Items.
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

	// Description is the text of the comment lines above that have no decorators, joined by
	// newlines.
	Description string

	// Default is what the item's own line sets it to.
	Default Default

	// Required says in which environments the variable must have a value, and Sensitive in which it
	// is a secret. What the header says of all items is in them.
	Required, Sensitive Condition

	// Type is what the value must look like. Without @type it is a string without limits.
	Type Type

	// Example is the text of @example, never a value to use.
	Example string

	// Insecure are the values of @insecure(...), which are refused outside development.
	Insecure []string

	// Rotate is the age at which the value is to be replaced (@rotate=90d), or 0.
	Rotate time.Duration

	// Generate is how a new value is made, if one can be.
	Generate Recipe

	Category string
	Docs     []Doc

	pos            int  // offset of its value
	sensitiveGiven bool // by the item itself
	shortAllowed   bool // it is a short secret by nature
}

// A Doc is one @docs(...).
type Doc struct {
	Description string // may be empty
	URL         string
}
