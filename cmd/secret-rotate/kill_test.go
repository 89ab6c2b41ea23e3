package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// writing are the system calls that change something, or begin to. Each run is killed at the Nth of
// one of them, just before it takes effect, for every N or a sample of them (points_test.go).
var writing = []string{
	"openat", "write", "fsync", "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir", "mkdir", "mkdirat", "symlink", "symlinkat", "link", "linkat",
	"fchmod", "fchmodat", "fchown", "fchownat", "utimensat", "fsetxattr", "fremovexattr", "ftruncate", "flock", "pwrite64",
}

// A killed rotation is of one target, with arguments.
type killed struct {
	name  string
	make  func(t *testing.T, dir string, with state) (arguments []string)
	read  func(t *testing.T, dir string) state
	args  []string
	prior bool // there is a previous value, which goes
	undo  bool // the rotation undoes itself
}

func TestKilledAtEverySystemCall(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("strace is missing, which this test needs under CI=true: install it")
		}
		t.Skip("strace is missing: nothing is killed: install it")
	}
	if testing.Short() {
		t.Skip("many processes are killed: not in a short run")
	}
	binary := buildBinary(t)
	undo := []string{"--then", "false", "--rollback"}
	for _, k := range []killed{
		{name: "dotenv", make: makeDotenv, read: readDotenv, args: []string{"--previous"}},
		{name: "dotenv-undo", make: makeDotenv, read: readDotenv, args: undo, undo: true},
		{name: "directory", make: makePlain, read: readPlain, args: []string{"--previous"}},
		{name: "directory-drop", make: makePlain, read: readPlain, prior: true},
		{name: "directory-undo", make: makePlain, read: readPlain, args: undo, prior: true, undo: true},
		{name: "volume", make: makeVolume, read: readVolume, args: []string{"--previous"}},
		{name: "volume-drop", make: makeVolume, read: readVolume, prior: true},
		{name: "volume-undo", make: makeVolume, read: readVolume, args: undo, prior: true, undo: true},
	} {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			target, _ := k.prepared(t, dir)
			calls := countCalls(t, writing, slices.Concat([]string{binary}, target, k.args)...)

			killed, counts := 0, make(map[string]int)
			at := func(p point) bool {
				hit := k.once(t, binary, p.what, p.n, counts)
				if t.Failed() {
					t.Fatal(repeat(t, p, k.name))
				}
				if hit {
					killed++
				}
				return hit
			}
			chosen := points(t, k.name, calls)
			for _, p := range chosen {
				at(p)
			}
			if everyPoint() { // a run that makes more of them than the one that was counted
				for call, n := range calls {
					for n++; at(point{call, n}); n++ {
					}
				}
			}

			t.Logf("killed at %d points: %d left the old values, %d the new ones, %d a mix until the next run", killed, counts["old"], counts["new"], counts["mixed"])
			if everyPoint() && (counts["old"] == 0 || counts["new"] == 0) || killed < len(chosen)/2 {
				t.Error("some state never came up: the test does not kill where it should")
			}
		})
	}
}

// A system call that fails, at each point: whatever happens, the exit status tells which values are
// in place.
func TestFailingAtEverySystemCall(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is missing: nothing fails: install it")
	}
	if testing.Short() {
		t.Skip("many processes are traced: not in a short run")
	}
	binary := buildBinary(t)
	for _, l := range layouts {
		for name, args := range map[string][]string{"rotate": nil, "undo": {"--then", "false", "--rollback"}} {
			t.Run(l.name+"-"+name, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				target := append([]string{"--schema", writeSchema(t, dir)}, l.make(t, dir, oldState())...)
				calls := countCalls(t, []string{"fsync", "rename", "renameat", "renameat2"}, slices.Concat([]string{binary}, target, args)...)
				chosen := points(t, l.name+"-"+name, calls)
				failed := 0
				for _, p := range chosen {
					if l.failing(t, binary, args, p) {
						failed++
					}
					if t.Failed() {
						t.Fatal(repeat(t, p, l.name+"-"+name))
					}
				}
				if failed < len(chosen)/2 {
					t.Errorf("only %d of %d points failed", failed, len(chosen))
				}
				t.Logf("%d points", failed)
			})
		}
	}
}

// failing is one run of which a system call fails. It reports whether there was one.
func (l layout) failing(t *testing.T, binary string, args []string, p point) bool {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	target := append([]string{"--schema", writeSchema(t, dir)}, l.make(t, dir, oldState())...)
	trace := filepath.Join(dir, "trace")
	inject := fmt.Sprintf("inject=%s:error=EIO:when=%d", p.what, p.n)
	command := slices.Concat([]string{"-f", "-qq", "-o", trace, "-e", "trace=" + p.what, "-e", inject, binary}, target, args)
	cmd := exec.Command("strace", command...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	out, _ := cmd.CombinedOutput()
	if traced, _ := os.ReadFile(trace); !bytes.Contains(traced, []byte("INJECTED")) {
		return false
	}

	status, kind := cmd.ProcessState.ExitCode(), (killed{}).kind(l.read(t, dir), oldState())
	if kind == "mixed" || status == exitDone && kind != "new" || status == exitFailed && kind != "old" || bytes.Contains(out, []byte(canary)) {
		t.Errorf("status %d, the %s values: %s", status, kind, out)
	}
	// It is no dead end, and the records say what is there.
	if out, err := exec.Command(binary, append(target, "--overdue")...).CombinedOutput(); err != nil {
		t.Errorf("--overdue: %v: %s", err, out)
	}
	killed{}.recorded(t, dir, kind)
	leftovers(t, dir)
	if t.Failed() {
		t.Logf("%s", out)
	}
	return true
}

// prepared makes the target in a directory, and returns the options that name it and what it holds.
func (k killed) prepared(t *testing.T, dir string) (target []string, before state) {
	t.Helper()
	before = state{"JWT_SECRET_KEY": oldJWT, "POSTGRES_PASSWORD": oldPostgres, "DATABASE_URL": "postgresql://app:" + url.QueryEscape(oldPostgres) + "@db/app", "LOG_LEVEL": "info"}
	if k.prior {
		before["JWT_SECRET_KEY_PREVIOUS"] = oldPrevious
	}
	return append([]string{"--schema", writeSchema(t, dir)}, k.make(t, dir, before)...), before
}

// once kills one run, and looks. It reports whether there was something to kill.
func (k killed) once(t *testing.T, binary, call string, n int, counts map[string]int) bool {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	target, before := k.prepared(t, dir)
	args := append([]string{"-f", "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", call, n), binary}, target...)
	cmd := exec.Command("strace", append(args, k.args...)...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	out, _ := cmd.CombinedOutput() // killed, most of the time
	if bytes.Contains(out, []byte(canary)) {
		t.Error("a value was shown")
	}
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() && status.ExitStatus() != 128+9 {
		if want := map[bool]int{true: exitFailed}[k.undo]; status.ExitStatus() != want {
			t.Errorf("not killed, status %d: %s", status.ExitStatus(), out)
		}
		return false // it was over before
	}

	// What is there now.
	left := k.read(t, dir)
	kind := k.kind(left, before)
	counts[kind]++
	decided := exists(filepath.Join(dir, "secrets", ".rotate-commit")) || exists(filepath.Join(dir, "secrets", ".rotate-undo"))
	if kind == "mixed" && !decided {
		t.Errorf("mixed, and nothing says so: %s", names(left))
	}
	if kind != "old" && !k.backedUp(t, dir, before) {
		t.Errorf("%s, and there is no backup of the old values", kind)
	}

	// The next run completes it, whatever it is called for: --overdue changes nothing by itself.
	out, err = exec.Command(binary, append(target, "--overdue")...).CombinedOutput()
	if err != nil {
		t.Errorf("--overdue afterwards: %v: %s", err, out)
	}
	leftovers(t, dir)
	after := k.read(t, dir)
	settled := k.kind(after, before)
	if settled == "mixed" || !decided && settled != kind {
		t.Errorf("%s became %s by the next run", kind, settled)
	}
	k.recorded(t, dir, settled)

	// And the one after that rotates.
	out, err = exec.Command(binary, target...).CombinedOutput()
	if err != nil {
		t.Errorf("the next rotation: %v: %s", err, out)
	}
	if bytes.Contains(out, []byte(canary)) {
		t.Error("a value was shown")
	}
	delete(before, "JWT_SECRET_KEY_PREVIOUS")
	final := k.read(t, dir)
	if (killed{}).kind(final, before) != "new" || final["JWT_SECRET_KEY"] == after["JWT_SECRET_KEY"] {
		t.Errorf("the next rotation did not: %s", names(final))
	}
	leftovers(t, dir)
	return true
}

// kind tells the old values, the new ones and a mix apart.
func (k killed) kind(s, before state) string {
	same := len(s) == len(before)
	for name, value := range before {
		same = same && s[name] == value
	}
	if same {
		return "old"
	}
	encoded := strings.ReplaceAll(url.QueryEscape(s["POSTGRES_PASSWORD"]), "+", "%20")
	previous, kept := s["JWT_SECRET_KEY_PREVIOUS"]
	if len(s["JWT_SECRET_KEY"]) == 64 && len(s["POSTGRES_PASSWORD"]) == 32 && s["DATABASE_URL"] == "postgresql://app:"+encoded+"@db/app" && s["LOG_LEVEL"] == "info" &&
		kept == (len(k.args) == 1) && (!kept || previous == oldJWT) {
		return "new"
	}
	return "mixed"
}

// backedUp looks for a backup with all old values.
func (k killed) backedUp(t *testing.T, dir string, before state) bool {
	found, _ := filepath.Glob(filepath.Join(dir, "*.backup-*Z"))
	more, _ := filepath.Glob(filepath.Join(dir, ".env.backup-*Z"))
	for _, backup := range append(found, more...) {
		info, err := os.Stat(backup)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("the backup can be read by others: %v", info.Mode())
		}
		var s state
		if info.IsDir() {
			s = readFilesOf(t, backup)
		} else {
			s = readLines(t, backup)
		}
		if k.kind(s, before) == "old" {
			return true
		}
	}
	return false
}

// recorded compares the last record with what there is.
func (k killed) recorded(t *testing.T, dir, kind string) {
	data, err := os.ReadFile(filepath.Join(dir, "rotations.jsonl"))
	if err != nil || len(data) == 0 {
		if kind == "new" {
			t.Error("the new values have no record")
		}
		return
	}
	lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	var last struct{ Outcome string }
	if err := json.Unmarshal(lines[len(lines)-1], &last); err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"new": {"done", "unverified"}, "old": {"failed", "undone"}}[kind]
	for _, w := range want {
		if last.Outcome == w {
			return
		}
	}
	t.Errorf("the values are the %s ones, the record says %s", kind, last.Outcome)
}

// leftovers looks for what only a rotation at work should have.
func leftovers(t *testing.T, dir string) {
	trees := 0
	filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			t.Fatal(err)
		}
		name := e.Name()
		if strings.Contains(name, ".rotate-") || strings.HasSuffix(name, ".partial") || name == "..data_tmp" {
			t.Errorf("left over: %s", path)
		}
		if e.IsDir() && strings.HasPrefix(name, "..") {
			trees++
		}
		return nil
	})
	if trees > 1 {
		t.Errorf("%d trees", trees)
	}
}
