package pages

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Shell is where blocks are run.
type Shell struct {
	Dir     string   // where the shell starts
	Env     []string // of the shell
	Prelude string   // commands before the first block
	Stdin   string   // what the blocks can read
	Scratch string   // a directory for what is between the shell and this program
}

// Run runs blocks one after the other in one shell, which keeps its variables and its directory. It stops at the first
// that does not end as its page says. What the blocks print is compared with what the page shows; "" is no difference.
func (s *Shell) Run(blocks []Block) (problems []string, err error) {
	script := s.Prelude + "\nset -e -o pipefail\n"
	for i, b := range blocks {
		if b.File != "" {
			script += fmt.Sprintf("cp %s %s\n", s.path(i, "block"), b.File)
		}
		if err := os.WriteFile(s.path(i, "block"), []byte(b.Text), 0o644); err != nil {
			return nil, err
		}
		if b.File != "" {
			continue
		}
		run := ". " + s.path(i, "block")
		if b.Status != 0 {
			// What ends so is no step on the way of the others.
			run = "status=0; (" + run + "\n) || status=$?; [ $status = " + fmt.Sprint(b.Status) + " ]"
		}
		script += fmt.Sprintf("exec >%s 2>&1\n%s\n", s.path(i, "output"), run)
	}

	cmd := exec.Command("bash", "-c", script)
	cmd.Dir, cmd.Env, cmd.Stdin = s.Dir, s.Env, strings.NewReader(s.Stdin)
	said, err := cmd.CombinedOutput()
	for i, b := range blocks {
		printed, unread := os.ReadFile(s.path(i, "output"))
		switch {
		case b.File != "":
		case unread != nil:
			problems = append(problems, b.Where()+": was not reached")
		case b.Shown && !Like(b.Output, string(printed)):
			problems = append(problems, fmt.Sprintf("%s: printed\n%s\nand the page shows\n%s", b.Where(), printed, b.Output))
		case err != nil && (i+1 == len(blocks) || !s.reached(i+1, blocks)):
			problems = append(problems, fmt.Sprintf("%s: does not end with %d:\n%s\n%s", b.Where(), b.Status, b.Text, printed))
		}
	}
	if err != nil {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(said)))
	}
	return problems, err
}

// Differences runs blocks, and says all that is not as their page says; "" for nothing.
func (s *Shell) Differences(blocks []Block) string {
	problems, err := s.Run(blocks)
	if err != nil && len(problems) == 0 {
		problems = []string{err.Error()}
	}
	return strings.Join(problems, "\n")
}

func (s *Shell) path(i int, what string) string {
	return filepath.Join(s.Scratch, fmt.Sprintf("%d.%s", i, what))
}

// reached reports whether the shell came to one of the blocks from here on.
func (s *Shell) reached(from int, blocks []Block) bool {
	for i := from; i < len(blocks); i++ {
		if _, err := os.Stat(s.path(i, "output")); err == nil {
			return true
		}
	}
	return false
}
