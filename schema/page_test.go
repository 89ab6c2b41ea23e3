package schema

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// All that has a meaning is on the page.
func TestPageIsComplete(t *testing.T) {
	data, err := os.ReadFile("../docs/schema.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)

	for _, name := range slices.Concat(headerDecorators, itemDecorators) {
		if !strings.Contains(page, "\n### @"+name+"\n") {
			t.Errorf("@%s is not described", name)
		}
	}
	for _, name := range checkedTypes {
		if !strings.Contains(page, "\n### "+name+"\n") {
			t.Errorf("the type %s is not described", name)
		}
		for _, p := range checkedParameters(name) {
			if !strings.Contains(page, "`"+p) || !strings.Contains(page, p+"=") {
				t.Errorf("%s of %s is not described, or not used", p, name)
			}
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^### (@?)(\w+)$`).FindAllStringSubmatch(page, -1) {
		if m[1] == "" && !isChecked(m[2]) {
			t.Errorf("%s is described, and no type", m[2])
		}
	}
}
