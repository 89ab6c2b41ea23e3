// Package pages reads the blocks of the documentation, and runs those that are commands, in order and in one shell, as
// somebody who follows a page does. A page shows its commands in blocks of the language sh; what the commands print, if
// it is shown, is a block of the language text right behind.
//
// Comments of HTML, which a reader does not see, stand right above a block and say what is not the rule:
//
//	<!-- not run: why -->            nothing runs the block
//	<!-- run by TestNAME -->         that test runs it, and not TestPages
//	<!-- run by TestNAME: detail --> the same; the detail is for that test
//	<!-- status 125 -->              this is how the commands end
//	<!-- file .env -->               the block, of any language, is the contents of this file when the next ones are run
//
// The first two may also stand above a page's first heading. Then they are about all blocks that have no other.
package pages

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Block is what stands between two fences.
type Block struct {
	Page     string // its path from the root of the repository
	Line     int    // of the opening fence, from 1
	Language string
	Text     string // ends in a newline

	NotRun string // the reason, or ""
	RunBy  string // the name of the test, or "" for TestPages
	Detail string // what that test is told
	Status int    // with which the commands end
	File   string // which the text is, or ""

	Shown  bool   // the page shows what the commands print:
	Output string // with ... for anything
}

// Where says where the block stands, for messages.
func (b Block) Where() string { return fmt.Sprintf("%s:%d", b.Page, b.Line) }

// Texts returns every page below root, by its path from there.
func Texts(root string) (map[string]string, error) {
	found := make(map[string]string)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && (name == ".git" || name == "bin" || name == "dist") {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, ".md") {
			return nil
		}
		page, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		found[page] = string(text)
		return err
	})
	return found, err
}

// All returns the blocks of every page below root, by page, in order.
func All(root string) (map[string][]Block, error) {
	texts, err := Texts(root)
	if err != nil {
		return nil, err
	}

	found := make(map[string][]Block)
	for page, text := range texts {
		if found[page], err = Parse(page, text); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Read returns the blocks of one page.
func Read(root, page string) ([]Block, error) {
	text, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		return nil, err
	}
	return Parse(page, string(text))
}

// mark is a comment that is about a block or a page.
var mark = regexp.MustCompile(`^<!-- (not run|run by|status|file)(?:: | )?(.*) -->$`)

// Parse returns the blocks of a page. Comments that say nothing of the above are passed over.
func Parse(page, text string) (blocks []Block, err error) {
	var next, rest Block // what the comments say of the next block, and of all that have none
	var open string
	lines := strings.Split(text, "\n")
	begun := false  // a heading was there
	behind := false // nothing stands between the last block and this line
	output := false // this block is what the commands before it print

	for i, line := range lines {
		fence := strings.TrimSpace(line)
		switch {
		case open != "" && fence == open:
			open, behind = "", true
			if output {
				commands := &blocks[len(blocks)-2]
				commands.Shown, commands.Output = true, blocks[len(blocks)-1].Text
			}

		case open != "":
			blocks[len(blocks)-1].Text += line + "\n"

		case strings.HasPrefix(fence, "```"):
			open = fence[:len(fence)-len(strings.TrimLeft(fence, "`"))]
			b := next
			next = Block{}
			if b.NotRun == "" && b.RunBy == "" {
				b.NotRun, b.RunBy, b.Detail = rest.NotRun, rest.RunBy, rest.Detail
			}
			b.Page, b.Line, b.Language = page, i+1, strings.TrimPrefix(fence, open)
			output = behind && b.Language == "text" && blocks[len(blocks)-1].Language == "sh"
			blocks = append(blocks, b)

		case mark.MatchString(fence):
			of := &next
			if !begun {
				of = &rest
			}
			if err := of.say(fence); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", page, i+1, err)
			}

		case fence != "":
			if next != (Block{}) {
				return nil, fmt.Errorf("%s:%d: the comment above is not right above a block", page, i+1)
			}
			behind = false
			begun = begun || strings.HasPrefix(fence, "#")
		}
	}
	if open != "" {
		return nil, fmt.Errorf("%s: the last block has no end", page)
	}
	return blocks, nil
}

// say takes what a comment says.
func (b *Block) say(comment string) (err error) {
	parts := mark.FindStringSubmatch(comment)
	what, text := parts[1], parts[2]
	switch what {
	case "not run":
		b.NotRun = text
		if len(strings.Fields(text)) < 2 {
			return fmt.Errorf("%s: say why", comment)
		}
	case "run by":
		b.RunBy, b.Detail, _ = strings.Cut(text, ": ")
	case "status":
		b.Status, err = strconv.Atoi(text)
	case "file":
		b.File = text
	}
	return err
}

// For returns the commands of a page that a test runs, and the files that they find, in order.
func For(blocks []Block, test string) (found []Block) {
	for _, b := range blocks {
		runs := b.Language == "sh" && b.NotRun == "" && b.RunBy == test
		if runs || b.File != "" {
			found = append(found, b)
		}
	}
	return found
}

// changing is what is another text in each run: numbers of processes, times, numbers of rotations.
var changing = regexp.MustCompile(strings.Join([]string{
	`\d{8}T\d{6}Z(?:-[0-9a-f]{6})?`,
	`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`,
	`\b(?:PID|pid) \d+`,
	`\b\d+ ms\b`,
	`\b\d+m\d+s\b`,
	`\.\.\.`,
}, "|"))

// Like reports whether commands printed what the page shows: "..." stands for anything, and what changes may differ.
func Like(shown, printed string) bool {
	var pattern strings.Builder
	pattern.WriteString(`(?s)\A`)
	from := 0
	for _, at := range changing.FindAllStringIndex(shown, -1) {
		pattern.WriteString(regexp.QuoteMeta(shown[from:at[0]]))
		switch text := shown[at[0]:at[1]]; {
		case text == "...":
			pattern.WriteString(`.*`)
		case strings.HasSuffix(text, "s") && !strings.HasSuffix(text, " ms"):
			pattern.WriteString(`(?:\d+[hms])+`)
		default:
			pattern.WriteString(regexp.MustCompile(`[0-9a-f]+`).ReplaceAllString(text, `[0-9a-f]+`))
		}
		from = at[1]
	}
	pattern.WriteString(regexp.QuoteMeta(shown[from:]) + `\z`)
	return regexp.MustCompile(pattern.String()).MatchString(printed)
}
