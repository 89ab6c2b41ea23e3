package supervise

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// What a process does about a signal, by what its threads' status says.
func TestHandles(t *testing.T) {
	const hup = uint64(1) << (unix.SIGHUP - 1)
	type thread struct{ blocked, ignored, caught uint64 }
	for _, c := range []struct {
		name    string
		threads []thread
		want    bool
	}{
		{"nothing", []thread{{}}, false},
		{"another signal", []thread{{1 << 9, 1 << 9, 1 << 9}}, false},
		{"caught", []thread{{caught: hup}}, true},
		{"ignored", []thread{{ignored: hup}}, true},
		{"blocked", []thread{{blocked: hup}}, true},
		{"blocked by all", []thread{{blocked: hup}, {blocked: hup | 2}}, true},
		{"blocked by one of two", []thread{{blocked: hup}, {}}, false},
		{"blocked by the other of two", []thread{{}, {blocked: hup}}, false},
		{"blocked by one, caught", []thread{{caught: hup}, {blocked: hup, caught: hup}}, true},
		{"gone", nil, true},
	} {
		dir := t.TempDir()
		for i, one := range c.threads {
			task := filepath.Join(dir, "task", fmt.Sprint(100+i))
			if err := os.MkdirAll(task, 0o755); err != nil {
				t.Fatal(err)
			}
			status := fmt.Sprintf("Name:\tSigCgt:\nShdPnd:\t%016x\nSigBlk:\t%016x\nSigIgn:\t%016x\nSigCgt:\t%016x\nCapInh:\t0\n",
				hup, one.blocked, one.ignored, one.caught)
			if err := os.WriteFile(filepath.Join(task, "status"), []byte(status), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := handles(dir, unix.SIGHUP); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// And of the real ones: this process, which catches all, for Go does.
func TestHandlesReal(t *testing.T) {
	if !handles("/proc/self", unix.SIGHUP) || handles("/proc/self", unix.SIGKILL) {
		t.Error("this process is not understood")
	}
}
