package main

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// jsonObject builds a JSON object. Package encoding/json would add half a megabyte
// to every image, to print what has strings and booleans only.
type jsonObject struct{ b []byte }

func (o *jsonObject) name(name string) {
	if o.b == nil {
		o.b = append(o.b, '{')
	} else {
		o.b = append(o.b, ',')
	}
	o.b = appendJSON(o.b, name)
	o.b = append(o.b, ':')
}

func (o *jsonObject) string(name, value string) {
	o.name(name)
	o.b = appendJSON(o.b, value)
}

func (o *jsonObject) bool(name string, value bool) {
	o.name(name)
	o.b = strconv.AppendBool(o.b, value)
}

func (o *jsonObject) int(name string, value int) {
	o.number(name, strconv.Itoa(value))
}

// number adds a number in decimal digits.
func (o *jsonObject) number(name, digits string) {
	o.name(name)
	o.b = append(o.b, digits...)
}

// array adds a list of objects, each ended.
func (o *jsonObject) array(name string, objects []string) {
	o.name(name)
	o.b = append(o.b, '[')
	o.b = append(o.b, strings.Join(objects, ",")...)
	o.b = append(o.b, ']')
}

// end returns the object.
func (o *jsonObject) end() string {
	if o.b == nil {
		return "{}"
	}
	return string(o.b) + "}"
}

// appendJSON appends s as a JSON string. Bytes that are not UTF-8 become U+FFFD.
func appendJSON(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ' || r >= 0x7f && r <= 0x9f: // a terminal obeys the C1 controls as well
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}

	return append(b, '"')
}
