// Package docs holds the pages, and tests that keep them true to the repository.
package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	parser "github.com/secret-entrypoint/secret-entrypoint/test/pages"
)

// pages are all Markdown files of the repository, by their path from its root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found, err := parser.Texts("..")
	if err != nil || found["README.md"] == "" || found["docs/reference.md"] == "" {
		t.Fatal("pages not found: ", err)
	}
	return found
}

// A block is what stands between two fences.
type block struct {
	line int // of the opening fence, from 1
	text []string
}

func blocks(t *testing.T, name, page string) (all []block) {
	t.Helper()
	found, err := parser.Parse(name, page)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range found {
		all = append(all, block{line: b.Line, text: strings.Split(strings.TrimSuffix(b.Text, "\n"), "\n")})
	}
	return all
}

// quoted is the first line of a block that quotes a file: "# examples/k8s/base/backend.yaml".
var quoted = regexp.MustCompile(`^(?:#|//|--) ((?:examples|test|demo|cmd|inject|bench|docs|\.ci)/[\w./-]+)$`)

// A block whose first line names a file of the repository is a part of that file, line by line, whatever it is
// indented by: so no copy drifts from what is tested. Lines of "..." alone stand for lines left out.
func TestQuotedFiles(t *testing.T) {
	quotes := 0
	for name, page := range pages(t) {
		for _, b := range blocks(t, name, page) {
			if len(b.text) == 0 {
				continue
			}
			match := quoted.FindStringSubmatch(b.text[0])
			if match == nil {
				continue
			}
			quotes++
			file, err := os.ReadFile("../" + match[1])
			if err != nil {
				t.Errorf("%s:%d quotes %s, which does not exist", name, b.line, match[1])
				continue
			}
			if missing := notIn(strings.Split(string(file), "\n"), b.text[1:]); missing != "" {
				t.Errorf("%s:%d is not a part of %s: from the line %q on", name, b.line, match[1], missing)
			}
		}
	}
	if quotes == 0 {
		t.Error("no page quotes a file: is the mark still the one that this test looks for?")
	}
}

// notIn returns the line at which the parts of a quote, in order, stop being in a file; "" if they are in it.
func notIn(file, quote []string) string {
	for _, part := range split(quote) {
		part = dedent(part)
		at := -1
		for i := 0; i+len(part) <= len(file) && at < 0; i++ {
			if slices.Equal(dedent(file[i:i+len(part)]), part) {
				at = i
			}
		}
		if at < 0 || len(part) == 0 {
			return strings.Join(part, "\n")
		}
		file = file[at+len(part):]
	}
	return ""
}

// split divides a quote at the lines of "..." alone.
func split(quote []string) (parts [][]string) {
	start := 0
	for i := 0; i <= len(quote); i++ {
		if i == len(quote) || strings.TrimSpace(quote[i]) == "..." {
			parts = append(parts, quote[start:i])
			start = i + 1
		}
	}
	return parts
}

// dedent takes the indentation that all lines share off them.
func dedent(lines []string) []string {
	margin := -1
	for _, line := range lines {
		if text := strings.TrimLeft(line, " "); text != "" && (margin < 0 || len(line)-len(text) < margin) {
			margin = len(line) - len(text)
		}
	}
	var out []string
	for _, line := range lines {
		out = append(out, line[min(len(line), max(margin, 0)):])
	}
	return out
}

var (
	link   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	inCode = regexp.MustCompile("`[^`]*`")
	// What GitHub leaves out of the anchor of a heading.
	notAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// A link inside the repository leads to a file that exists, and to a heading of it.
func TestLinks(t *testing.T) {
	all := pages(t)
	anchors := map[string]map[string]bool{}
	for name, page := range all {
		anchors[name] = headings(t, name, page)
	}
	for name, page := range all {
		for _, l := range link.FindAllStringSubmatch(inCode.ReplaceAllString(outside(t, name, page), ""), -1) {
			target, anchor, hasAnchor := strings.Cut(l[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			to := name
			if target != "" {
				to = filepath.Join(filepath.Dir(name), target)
			}
			if _, err := os.Stat("../" + to); err != nil {
				t.Errorf("%s: the link %s leads nowhere", name, l[1])
			} else if hasAnchor && !anchors[to][anchor] {
				t.Errorf("%s: %s has no heading for #%s", name, to, anchor)
			}
		}
	}
}

// outside is a page less its blocks.
func outside(t *testing.T, name, page string) string {
	lines := strings.Split(page, "\n")
	for _, b := range blocks(t, name, page) {
		for i := range b.text {
			lines[b.line+i] = ""
		}
	}
	return strings.Join(lines, "\n")
}

// headings are the anchors of a page.
func headings(t *testing.T, name, page string) map[string]bool {
	found := map[string]bool{}
	for _, line := range strings.Split(outside(t, name, page), "\n") {
		title := strings.TrimLeft(line, "#")
		if title == line || !strings.HasPrefix(title, " ") {
			continue
		}
		anchor := notAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
		found[strings.ReplaceAll(anchor, " ", "-")] = true
	}
	return found
}
