package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/testterminal"
)

// terminal is a pseudo-terminal, with all that was shown on it.
type terminal struct {
	person, programs *os.File
	screen           *testterminal.Screen
}

func openTerminal(t *testing.T) *terminal {
	t.Helper()
	person, programs := testterminal.Open(t)
	return &terminal{person, programs, testterminal.ScreenOf(person)}
}

// echoes reports whether what is typed is shown.
func (term *terminal) echoes(t *testing.T) bool {
	t.Helper()
	settings, err := unix.IoctlGetTermios(int(term.programs.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return settings.Lflag&unix.ECHO != 0
}

// answer waits for a prompt, with the echo off, and types.
func (term *terminal) answer(t *testing.T, prompt, line string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !strings.HasSuffix(term.screen.String(), prompt) || term.echoes(t); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no prompt %q in a minute: %q", prompt, term.screen.String())
		}
	}
	if _, err := term.person.WriteString(line); err != nil {
		t.Fatal(err)
	}
}

func TestPrompt(t *testing.T) {
	const value = "sk-ant-" + canary
	for _, c := range []struct {
		name, again string
		status      int
		says        string
	}{
		{"same", value + "\n", exitDone, "ANTHROPIC_API_KEY  new, as given"},
		{"different", value + "x\n", exitFailed, "these were not the same"},
		{"interrupted", "\x03", exitFailed, "again: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			term := openTerminal(t)
			args := append([]string{"--schema", writeSchema(t, dir), "--set", "ANTHROPIC_API_KEY"}, makeDotenv(t, dir, oldState())...)
			cmd := exec.Command(buildBinary(t), args...)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = term.programs, term.programs, term.programs
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			term.answer(t, "ANTHROPIC_API_KEY: ", value+"\n")
			term.answer(t, "ANTHROPIC_API_KEY again: ", c.again)
			cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != c.status {
				t.Errorf("status %d, want %d", got, c.status)
			}
			for deadline := time.Now().Add(time.Minute); !strings.Contains(term.screen.String(), c.says); time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("not said: %q", c.says)
				}
			}
			if strings.Contains(term.screen.String(), canary) {
				t.Error("what was typed is shown")
			}
			if !term.echoes(t) {
				t.Error("the terminal is left without echo")
			}
			data, err := os.ReadFile(filepath.Join(dir, ".env"))
			if err != nil || strings.Contains(string(data), value) != (c.status == exitDone) {
				t.Errorf("%v: the file is not as it should be", err)
			}
		})
	}
}
