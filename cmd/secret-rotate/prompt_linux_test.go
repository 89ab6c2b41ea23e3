package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal, with all that was shown on it.
type terminal struct {
	sync.Mutex
	master, slave *os.File
	shown         bytes.Buffer
}

func openTerminal(t *testing.T) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal here: %v", err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{master: master, slave: slave}
	t.Cleanup(func() { slave.Close(); master.Close() })
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			if err != nil {
				return
			}
			term.Lock()
			term.shown.Write(b[:n])
			term.Unlock()
		}
	}()
	return term
}

func (term *terminal) text() string {
	term.Lock()
	defer term.Unlock()
	return term.shown.String()
}

// echoes reports whether what is typed is shown.
func (term *terminal) echoes(t *testing.T) bool {
	t.Helper()
	settings, err := unix.IoctlGetTermios(int(term.slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return settings.Lflag&unix.ECHO != 0
}

// answer waits for a prompt, with the echo off, and types.
func (term *terminal) answer(t *testing.T, prompt, line string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !strings.HasSuffix(term.text(), prompt) || term.echoes(t); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no prompt %q in a minute: %q", prompt, term.text())
		}
	}
	if _, err := term.master.WriteString(line); err != nil {
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
			cmd.Stdin, cmd.Stdout, cmd.Stderr = term.slave, term.slave, term.slave
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
			for deadline := time.Now().Add(time.Minute); !strings.Contains(term.text(), c.says); time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("not said: %q", c.says)
				}
			}
			if strings.Contains(term.text(), canary) {
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
