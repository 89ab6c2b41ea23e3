package jsontext

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestObject(t *testing.T) {
	type pair struct{ name, value string }
	for _, c := range []struct {
		why, text string
		want      []pair
	}{
		{"an object may be empty", `{}`, nil},
		{"white space does not count, nor does a newline at the end", "\n { \"a\" :\t\"b\" , \"c\" : \"d\" } \r\n", []pair{{"a", "b"}, {"c", "d"}}},
		{"entries come in the file's order", `{"z":"1","a":"2"}`, []pair{{"z", "1"}, {"a", "2"}}},
		{"a string is its characters", `{"a":"x y"}`, []pair{{"a", "x y"}}},
		{"a string may be empty", `{"a":""}`, []pair{{"a", ""}}},
		{"a key may be, and is for who names variables to refuse", `{"":"x"}`, []pair{{"", "x"}}},
		{"escapes are decoded", `{"a":"\"\\\/\b\f\n\r\t"}`, []pair{{"a", "\"\\/\b\f\n\r\t"}}},
		{"in keys too", `{"\u0061\n":"x"}`, []pair{{"a\n", "x"}}},
		{"hexadecimal ones in either case", `{"a":"\u00e9\u00E9"}`, []pair{{"a", "éé"}}},
		{"pairs of surrogates are one character", `{"a":"\ud83d\uDE00"}`, []pair{{"a", "😀"}}},
		{"the replacement character may be meant", `{"a":"\ufffd"}`, []pair{{"a", "\ufffd"}}},
		{"a NUL is decoded, for the check of values to refuse", `{"a":"\u0000"}`, []pair{{"a", "\x00"}}},
		{"bytes that are not UTF-8 pass in a value", "{\"a\":\"\xff\xc3\"}", []pair{{"a", "\xff\xc3"}}},
		{"DEL is no control character here", "{\"a\":\"\x7f\"}", []pair{{"a", "\x7f"}}},
		{"numbers are as written", `{"a":0,"b":-0.0,"c":1.50,"d":1E+09,"e":12345678901234567890}`, []pair{{"a", "0"}, {"b", "-0.0"}, {"c", "1.50"}, {"d", "1E+09"}, {"e", "12345678901234567890"}}},
		{"so are booleans", `{"a":true,"b":false}`, []pair{{"a", "true"}, {"b", "false"}}},
		{"null is no entry", `{"a":null,"b":"null"}`, []pair{{"b", "null"}}},
		{"nested values lose their white space", "{\"a\": [ 1 ,\n {\"k\" : null} , [ ] ] }", []pair{{"a", `[1,{"k":null},[]]`}}},
		{"and nothing else", "{\"a\": { \"k y\" : \"\\u0041 \\/\xff\", \"k y\" : 1.0 } }", []pair{{"a", "{\"k y\":\"\\u0041 \\/\xff\",\"k y\":1.0}"}}},
		{"keys that differ are two", `{"a":"1","A":"2"}`, []pair{{"a", "1"}, {"A", "2"}}},
		{"nesting", `{"a":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`, []pair{{"a", strings.Repeat("[", 1000) + strings.Repeat("]", 1000)}}},
	} {
		entries, problem := Object([]byte(c.text))
		var got []pair
		for _, e := range entries {
			got = append(got, pair{e.Name, e.Value})
		}
		if problem != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %.80q gives %.80q, %v; want %.80q", c.why, c.text, got, problem, c.want)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		text         string
		line, column int
		what         string
	}{
		{"", 1, 1, `the file is empty, and must be one object: {"name": "value"}`},
		{"\n \n", 3, 1, "the file is empty"},
		{`["c4n4ry"]`, 1, 1, `must be one object: {"name": "value"}`},
		{` "c4n4ry"`, 1, 2, "must be one object"},
		{"c4n4ry\n", 1, 1, "must be one object"},
		{"null", 1, 1, "must be one object"},
		{"\x00", 1, 1, "must be one object"},

		// A file that is cut, as one being written is.
		{"{", 1, 2, "the file ends in the middle of the object: write all of it"},
		{`{"c4n4ry"`, 1, 10, "the file ends in the middle"},
		{`{"a":`, 1, 6, "the file ends in the middle"},
		{`{"a":-`, 1, 7, "the file ends in the middle"},
		{`{"a":1`, 1, 7, "the file ends in the middle"},
		{`{"a":1,` + "\n", 2, 1, "the file ends in the middle"},
		{`{"a":["c4n4ry"`, 1, 15, "the file ends in the middle"},
		{`{"a":{"b":1,`, 1, 13, "the file ends in the middle"},
		{`{"a":"c4n4ry`, 1, 6, "a string without its closing quote"},
		{`{"a":"c4n4ry\`, 1, 13, "the file ends in the middle of a string"},

		{`{"a":1} {"c4n4ry":2}`, 1, 9, "there is something after the object: keep one object"},
		{`{"a":1}}`, 1, 8, "there is something after the object"},
		{"{}\x00", 1, 3, "there is something after the object"},
		{`{c4n4ry:1}`, 1, 2, "expected a key in double quotes"},
		{`{'c4n4ry':1}`, 1, 2, "expected a key in double quotes"},
		{`{,}`, 1, 2, "expected a key in double quotes"},
		{`{"a":1,}`, 1, 8, "a comma before the closing brace: remove it"},
		{`{"a":{"b":1,}}`, 1, 13, "a comma before the closing brace"},
		{`{"a":[1,]}`, 1, 9, "expected a value"},
		{`{"a" "c4n4ry"}`, 1, 6, "expected a colon after the key"},
		{`{"a":{"b" "c4n4ry"}}`, 1, 11, "expected a colon after the key"},
		{"{\n\t\"a\": \"c4n4ry\"\n\t\"b\": 1\n}", 3, 2, "expected a comma or the object's closing brace"},
		{`{"a":[1 "c4n4ry"]}`, 1, 9, "expected a comma or the closing bracket"},
		{`{"a":[1}}`, 1, 8, "expected a comma or the closing bracket"},
		{`{"a":c4n4ry}`, 1, 6, "expected a value: a string in double quotes"},
		{`{"a":True}`, 1, 6, "expected a value"},
		{`{"a":nul}`, 1, 6, "expected a value"},
		{`{"a":truec4n4ry}`, 1, 10, "expected a comma"},
		{"{\"a\":\x00}", 1, 6, "expected a value"},
		{`{"a":/* c4n4ry */1}`, 1, 6, "expected a value"},

		{`{"a":01}`, 1, 7, "a number may not begin with 0: put it in double quotes"},
		{`{"a":-01}`, 1, 8, "a number may not begin with 0"},
		{`{"a":+1}`, 1, 6, "expected a value"},
		{`{"a":.5}`, 1, 6, "expected a value"},
		{`{"a":-c4n4ry}`, 1, 7, "expected a digit: what is not a number stands in double quotes"},
		{`{"a":1.}`, 1, 8, "expected a digit"},
		{`{"a":1e+}`, 1, 9, "expected a digit"},
		{`{"a":4c4n4ry}`, 1, 7, "expected a comma"},
		{`{"a":0x1F}`, 1, 7, "expected a comma"},

		{"{\"a\":\"c4n4ry\n\"}", 1, 13, `a control character in a string: close the string before it, or write a newline as \n`},
		{"{\"a\":\"\t\"}", 1, 7, "a control character"},
		{"{\"a\":[\"\x1f\"]}", 1, 8, "a control character"},
		{`{"a":"\c4n4ry"}`, 1, 7, `an escape that JSON does not have: a backslash itself is written \\`},
		{`{"a":"\'"}`, 1, 7, "an escape"},
		{`{"a":"\u12"}`, 1, 7, "an escape"},
		{`{"a":"\u12g4"}`, 1, 7, "an escape"},
		{`{"a":"\u+123"}`, 1, 7, "an escape"},
		{`{"a":"\u1_23"}`, 1, 7, "an escape"},
		{`{"a":"\U0041"}`, 1, 7, "an escape"},
		{`{"a":"\ud800"}`, 1, 7, "half of a surrogate pair"},
		{`{"a":"\ud800\u0041"}`, 1, 7, "half of a surrogate pair"},
		{`{"a":"x\udc00\ud800"}`, 1, 8, "half of a surrogate pair"},
		{`{"\ud800":1}`, 1, 3, "half of a surrogate pair"},
		{`{"a":["\ud800"]}`, 1, 8, "half of a surrogate pair"},

		{"{\"a\":1,\n \"a\":\"c4n4ry\"}", 2, 2, "the key is there twice: remove one"},
		{`{"a":null,"\u0061":1}`, 1, 11, "the key is there twice"},
		{"{\"c4n4ry\xff\":1}", 1, 2, "a key is not UTF-8"},
		{`{"a":` + strings.Repeat("[", 1001), 1, 1006, "nested more than 1000 deep"},
		{`{"a":` + strings.Repeat(`{"k":[`, 501), 1, 3006, "nested more than 1000 deep"},
	} {
		entries, p := Object([]byte(c.text))
		if p == nil || entries != nil || p.Line != c.line || p.Column != c.column || !strings.HasPrefix(p.What, c.what) {
			t.Errorf("%.60q: got %v, %+v; want %d:%d %s", c.text, entries, p, c.line, c.column, c.what)
		}
		if p != nil && strings.Contains(p.What, "c4n4ry") {
			t.Errorf("%.60q: the message holds a value: %s", c.text, p.What)
		}
	}
}

func TestEscape(t *testing.T) {
	for text, want := range map[string]string{
		"":                "",
		"plain é 😀 / <&>": "plain é 😀 / <&>",
		`"\`:              `\"\\`,
		"\n\r\t":          `\n\r\t`,
		"\x00\b\x1f\x7f":  "\\u0000\\u0008\\u001f\x7f",
		"\xff\xc3(":       "\xff\xc3(",
	} {
		if got := Escape(text); got != want {
			t.Errorf("Escape(%q) = %q, want %q", text, got, want)
		}
	}
}

// A megabyte takes a megabyte's time: were one of these quadratic, the test would take minutes.
func TestOfAMegabyte(t *testing.T) {
	const size = 1 << 20
	var keys strings.Builder
	for i := range size / 16 {
		fmt.Fprintf(&keys, `"%08d":"%d",`, i, i%10)
	}
	for _, c := range []struct {
		name, text string
		entries    int // 0: a mistake
	}{
		{"open brackets", `{"a":` + strings.Repeat("[", size), 0},
		{"open objects", strings.Repeat(`{"a":`, size/5), 0},
		{"an open string of backslashes", `{"a":"` + strings.Repeat(`\\`, size/2), 0},
		{"quotes and backslashes", `{"a":` + strings.Repeat(`"\\`, size/3), 0},
		{"white space", `{"a":1` + strings.Repeat("\n", size), 0},
		{"a string of backslashes", `{"a":"` + strings.Repeat(`\\`, size/2) + `"}`, 1},
		{"a string of escapes", `{"a":"` + strings.Repeat(`\u0041`, size/6) + `"}`, 1},
		{"a number", `{"a":` + strings.Repeat("1", size) + `}`, 1},
		{"short arrays", `{"a":[` + strings.Repeat("[],", size/3) + `[]]}`, 1},
		{"deep arrays", `{"a":[` + strings.Repeat(strings.Repeat("[", 999)+strings.Repeat("]", 999)+",", size/2000) + `1]}`, 1},
		{"keys", "{" + strings.TrimSuffix(keys.String(), ",") + "}", size / 16},
	} {
		if entries, problem := Object([]byte(c.text)); len(entries) != c.entries || (problem != nil) != (c.entries == 0) {
			t.Errorf("%s: %d entries, %v", c.name, len(entries), problem)
		}
	}
}
