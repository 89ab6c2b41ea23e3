// Package man holds the manual pages, which are made from what --help prints: `make man` writes
// them anew, and a test keeps them current.
package man

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/secret-entrypoint/secret-entrypoint/internal/leash"
)

func TestMain(m *testing.M) {
	leash.Hold()
	os.Exit(m.Run())
}

var update = flag.Bool("update", false, "write the pages anew")

// purposes are what the pages say in their first line, which apropos(1) shows.
var purposes = map[string]string{
	"secret-entrypoint": "put secrets from files into the environment, and become a command",
	"secret-rotate":     "replace secrets where they are stored",
}

var related = map[string]string{"secret-entrypoint": "secret-rotate", "secret-rotate": "secret-entrypoint"}

const home = "https://github.com/secret-entrypoint/secret-entrypoint"

func usage(t *testing.T, command string) string {
	t.Helper()
	text, err := os.ReadFile("../cmd/" + command + "/usage.txt")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPagesAreCurrent(t *testing.T) {
	for command := range purposes {
		want, file := page(command, usage(t, command)), command+".1"
		if *update {
			if err := os.WriteFile(file, []byte(want), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("man/%s is not what --help says now: run make man", file)
		}
	}
}

// mandoc, which some systems have instead of groff, has other things to warn of.
func TestPagesAreSound(t *testing.T) {
	if _, err := exec.LookPath("mandoc"); err != nil {
		t.Skip("mandoc is not installed")
	}
	for command := range purposes {
		out, err := exec.Command("mandoc", "-Tlint", "-Wwarning", command+".1").CombinedOutput()
		for line := range strings.Lines(string(out)) {
			if !strings.Contains(line, "missing date") { // the same page for each release
				t.Error(line)
			}
		}
		if err != nil && len(out) == 0 {
			t.Error(err)
		}
	}
}

// What groff makes of a page has every word of --help, in order, and groff has nothing to warn of.
func TestPagesAreRead(t *testing.T) {
	if _, err := exec.LookPath("groff"); err != nil {
		t.Skip("groff is not installed")
	}
	for command := range purposes {
		var text, warnings bytes.Buffer
		// As wide as a line of --help, and without hyphenation or bold type.
		groff := exec.Command("groff", "-man", "-ww", "-Tascii", "-P-cbou", "-rLL=200n", "-rHY=0", command+".1")
		groff.Stdout, groff.Stderr = &text, &warnings
		if err := groff.Run(); err != nil || warnings.Len() > 0 {
			t.Errorf("groff %s.1: %v\n%s", command, err, &warnings)
		}

		// The headings of the page are words of the text in --help.
		told := strings.NewReplacer("usage: ", "", "exit status: ", "exit status ").
			Replace(strings.ToLower(usage(t, command)))
		rest := strings.Fields(strings.ToLower(text.String()))
		for word := range strings.FieldsSeq(told) {
			at := slices.Index(rest, word)
			if at < 0 {
				t.Errorf("%s.1 lacks %q of --help, before %.10q", command, word, rest)
				break
			}
			rest = rest[at+1:]
		}
	}
}

var (
	item   = regexp.MustCompile(`^  (\S+(?: \S+)*)(?:  +(\S.*))?$`)
	option = regexp.MustCompile(`--[a-z0-9-]+`)
	value  = regexp.MustCompile(`\b[A-Z][A-Z]+\b`)
	plain  = []string{"PID", "JSON", "URL", "HUP", "TERM"}
)

// page makes a manual page of a usage text. That has paragraphs: the first is the usage itself; one
// whose first line only is not indented is a section of options, "Examples" has further ones below
// it, and any other is text.
func page(command, usage string) string {
	var b strings.Builder
	last := ""
	line := func(text string) {
		if text == ".PP" && strings.HasPrefix(last, ".SH ") {
			return // a heading begins a paragraph by itself
		}
		b.WriteString(text + "\n")
		last = text
	}

	line(`.\" Made from cmd/` + command + `/usage.txt by make man.`)
	line(".TH " + strings.ToUpper(command) + ` 1 "" "` + command + `" "User Commands"`)
	line(".SH NAME")
	line(escape(command) + ` \- ` + escape(purposes[command]))

	section, options := "DESCRIPTION", false
	heading := func(name string) {
		if name != section {
			section = name
			line(".SH " + name)
		}
	}
	for n, paragraph := range strings.Split(strings.TrimSpace(usage), "\n\n") {
		lines := strings.Split(strings.TrimRight(paragraph, "\n"), "\n")
		first := lines[0]
		indented := strings.HasPrefix(first, "  ")
		switch {
		case n == 0:
			line(".SH SYNOPSIS")
			for i, call := range lines {
				if i > 0 {
					line(".br")
				}
				call = strings.TrimSpace(strings.TrimPrefix(call, "Usage: "))
				line(`\fB` + escape(command) + `\fR` + mark(strings.TrimPrefix(call, command)))
			}
			line(".SH DESCRIPTION")

		case first == "Examples":
			heading("EXAMPLES")
			example(line, lines[1:])

		case section == "EXAMPLES":
			example(line, lines)

		case indented:
			line(".PP")
			line(mark(strings.TrimSpace(first)))

		case len(lines) > 1 && strings.HasPrefix(lines[1], "  "):
			heading("OPTIONS")
			line(".SS " + escape(first))
			items(line, lines[1:])
			options = true

		default:
			if text, found := strings.CutPrefix(first, "Exit status: "); found {
				heading("EXIT STATUS")
				lines[0] = strings.ToUpper(text[:1]) + text[1:]
			} else if options {
				heading("ENVIRONMENT")
			}
			line(".PP")
			for _, text := range lines {
				line(mark(text))
			}
		}
	}

	line(".SH SEE ALSO")
	line(`\fB` + escape(related[command]) + `\fR(1)`)
	line(".PP")
	line(escape(home))
	return b.String()
}

// items are options, or forms of a variable, each with what it does beside and below it.
func items(line func(string), lines []string) {
	for _, text := range lines {
		if strings.HasPrefix(text, "   ") {
			line(mark(strings.TrimSpace(text)))
			continue
		}
		found := item.FindStringSubmatch(text)
		line(".TP")
		line(mark(found[1]))
		line(mark(found[2]))
	}
}

// example is what a command is for, and the command, indented twice, as it is typed.
func example(line func(string), lines []string) {
	typed := false
	line(".PP")
	for _, text := range lines {
		if code, found := strings.CutPrefix(text, "    "); found {
			if !typed {
				typed = true
				line(".PP")
				line(".in +4n")
				line(".nf")
			}
			line(escape(code))
			continue
		}
		line(escape(strings.TrimSpace(text)))
	}
	if typed {
		line(".fi")
		line(".in")
	}
}

// mark is text with options in bold type, and what stands for a value in italics.
func mark(text string) string {
	text = option.ReplaceAllString(text, "\x01$0\x02")
	text = value.ReplaceAllStringFunc(text, func(word string) string {
		if slices.Contains(plain, word) {
			return word
		}
		return "\x03" + word + "\x02"
	})
	return strings.NewReplacer("\x01", `\fB`, "\x02", `\fR`, "\x03", `\fI`).Replace(escape(text))
}

// ascii are the characters that roff would make typographic ones of, so that what is copied from a
// page can be typed.
var ascii = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`)

// escape is text as it stands; a line that begins with a dot is no request.
func escape(text string) string {
	text = ascii.Replace(text)
	if strings.HasPrefix(text, ".") {
		return `\&` + text
	}
	return text
}
