package e2e

import (
	"os"
	"slices"
	"testing"

	"github.com/secret-entrypoint/secret-entrypoint/test/pages"
)

// called is a prelude in which docker finds an image or a container, which the page calls by one name, under another.
func called(page, here string) string {
	return `docker() {
  local words=() word
  for word; do
    if [ "$word" = ` + page + ` ]; then word=` + here + `; fi
    words+=("$word")
  done
  command docker "${words[@]}"
}
`
}

// Commands of the pages that start a container, and need nothing else.
func TestBlocksInDocker(t *testing.T) {
	all, err := pages.All(".")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for page, blocks := range all {
		mine := pages.For(blocks, "TestBlocksInDocker")
		if !slices.ContainsFunc(mine, func(b pages.Block) bool { return b.File == "" }) {
			continue
		}
		ran++
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		s := pages.Shell{Dir: dir, Scratch: t.TempDir(), Env: os.Environ(), Prelude: called("secret-entrypoint", shimImage)}
		if told := s.Differences(mine); told != "" {
			t.Errorf("%s: %s", page, told)
		}
	}
	if ran == 0 {
		t.Error("no page has such a block")
	}
}
