package inject

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A volume is laid out and updated as the kubelet does it (AtomicWriter).
type volume struct {
	t    *testing.T
	dir  string
	last string
	n    int
}

// update writes the next generation, in which every file has the generation's text.
func (v *volume) update(text string, names ...string) {
	v.n++
	generation := fmt.Sprintf("..2026_11_23.%d", v.n)
	for _, name := range names {
		write(v.t, filepath.Join(v.dir, generation), name, text)
	}
	link(v.t, generation, filepath.Join(v.dir, "..data_tmp"))
	if err := os.Rename(filepath.Join(v.dir, "..data_tmp"), filepath.Join(v.dir, "..data")); err != nil {
		v.t.Fatal(err)
	}
	for _, name := range names {
		top := filepath.Join(v.dir, firstPart(name))
		if _, err := os.Lstat(top); err != nil {
			link(v.t, filepath.Join("..data", firstPart(name)), top)
		}
	}
	if v.last != "" {
		os.RemoveAll(filepath.Join(v.dir, v.last))
	}
	v.last = generation
}

func firstPart(name string) string {
	for dir := filepath.Dir(name); dir != "."; dir = filepath.Dir(dir) {
		name = dir
	}
	return name
}

func TestSnapshotOfVolume(t *testing.T) {
	v := &volume{t: t, dir: t.TempDir()}
	names := []string{"a_key", "b_key", "c_key", "db/password"}
	v.update("0", names...)
	elsewhere := t.TempDir()
	link(t, filepath.Join(v.dir, "a_key"), filepath.Join(elsewhere, "d_key"))
	o := Options{
		Environ: []string{"E_KEY_FILE=" + filepath.Join(v.dir, "b_key"), "F_KEY_FILE=" + filepath.Join(elsewhere, "d_key")},
		Sources: append(append(directory(v.dir), directory(filepath.Join(v.dir, "db"))...), directory(elsewhere)...),
	}
	var stop atomic.Bool
	var flips atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !stop.Load() {
			v.update(fmt.Sprint(flips.Add(1)), names...)
		}
	}()
	defer func() {
		stop.Store(true)
		<-done
	}()
	for loads := 0; loads < 300 || flips.Load() < 300; loads++ {
		env := mustLoad(t, o).Environment
		text, _ := env.Lookup("A_KEY")
		if got, want := len(env.Environ()), 7; got != want {
			t.Fatalf("%d variables, want %d", got, want)
		}
		for _, name := range []string{"B_KEY", "C_KEY", "PASSWORD", "D_KEY", "E_KEY", "F_KEY"} {
			if other, _ := env.Lookup(name); other != text {
				t.Fatalf("torn: A_KEY is of generation %s, %s of %s", text, name, other)
			}
		}
	}
}

// Links of keys are added after a flip and removed after it: what counts is the generation.
func TestVolumeBetweenFlipAndLinks(t *testing.T) {
	v := &volume{t: t, dir: t.TempDir()}
	v.update("x", "old_key", "kept_key")
	v.update("y", "kept_key", "new_key")
	if err := os.Remove(filepath.Join(v.dir, "new_key")); err != nil {
		t.Fatal(err)
	}
	write(t, v.dir, "own_key", "z") // not the kubelet's
	wants(t, mustLoad(t, Options{Sources: directory(v.dir)}), map[string]string{"KEPT_KEY": "y", "NEW_KEY": "y", "OWN_KEY": "z"})
}

func TestLinks(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "real/password", "x")
	link(t, "real", filepath.Join(dir, "relative"))
	link(t, filepath.Join(dir, "relative"), filepath.Join(dir, "absolute"))
	link(t, "../relative/./password", filepath.Join(dir, "real", "up"))
	for _, path := range []string{"absolute/password", "relative/up", "real/../absolute//up"} {
		wants(t, mustLoad(t, Options{Environ: []string{"DB_PASSWORD_FILE=" + dir + "/" + path}}), map[string]string{"DB_PASSWORD": "x"})
	}
	// In a directory, what leads to something that is no file is passed over.
	secrets := filepath.Join(dir, "secrets")
	write(t, secrets, "key", "y")
	link(t, "/dev/null", filepath.Join(secrets, "device"))
	link(t, dir, filepath.Join(secrets, "directory"))
	wants(t, mustLoad(t, Options{Sources: directory(secrets)}), map[string]string{"KEY": "y"})
}

func TestRelativePaths(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "secrets/key", "x")
	t.Chdir(dir)
	wants(t, mustLoad(t, Options{Sources: directory("secrets")}), map[string]string{"KEY": "x"})
	wants(t, mustLoad(t, Options{Sources: directory("./secrets/")}), map[string]string{"KEY": "x"})
}

// realDir is a temporary directory by its real path; on macOS a symlink leads to it.
func realDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestWatchedPaths(t *testing.T) {
	v := &volume{t: t, dir: realDir(t)}
	v.update("x", "key")
	elsewhere := realDir(t)
	link(t, filepath.Join(v.dir, "key"), filepath.Join(elsewhere, "key"))
	missing := realDir(t)
	r, err := Load(Options{
		Environ: []string{"A_TOKEN_FILE=" + filepath.Join(missing, "sub", "key")},
		Sources: directory(elsewhere),
	})
	if len(Problems(err)) != 1 {
		t.Fatal(err)
	}
	for _, want := range []string{
		elsewhere,                           // the directory
		filepath.Join(elsewhere, "key"),     // the link
		filepath.Join(v.dir, "key"),         // its link into ..data
		filepath.Join(v.dir, "..data"),      // which is a link
		filepath.Join(v.dir, v.last, "key"), // the file
		filepath.Join(missing, "sub"),       // where the missing directory will appear
	} {
		if !slices.Contains(r.Watch(), want) {
			t.Errorf("%s is not watched: %v", want, r.Watch())
		}
	}
	for _, beside := range []string{filepath.Dir(elsewhere), v.dir, missing} {
		if slices.Contains(r.Watch(), beside) {
			t.Errorf("%s is watched, of which nothing was read: %v", beside, r.Watch())
		}
	}
}

// What never stands still is given up on after a while, with what it is.
func TestUntilStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, attempts := time.Now(), 0
		moved, still := untilStill(func() (string, bool) { attempts++; return "/x", false })
		if took := time.Since(began); still || moved != "/x" || took < maxRetry || took > maxRetry+time.Second {
			t.Errorf("%q, %v after %v", moved, still, took)
		}
		if attempts < 100 || attempts > 1_000 {
			t.Errorf("%d attempts", attempts)
		}
		attempts = 0
		if _, still = untilStill(func() (string, bool) { attempts++; return "/x", attempts == 7 }); !still || attempts != 7 {
			t.Errorf("%v after %d attempts", still, attempts)
		}
	})
}

// A file that was missing and then is not belongs to another moment than what was read since.
func TestAppearingFile(t *testing.T) {
	dir := t.TempDir()
	s := newSnapshot(nil)
	for _, name := range []string{"file", "sub/file"} {
		if _, _, _, err := s.readNamed(filepath.Join(dir, name)); err == nil {
			t.Fatal("it is there")
		}
	}
	if moved, ok := s.unchanged(); !ok {
		t.Errorf("%s is taken for changed", moved)
	}
	for _, name := range []string{"sub/file", "file"} {
		write(t, dir, name, "x")
		if _, ok := s.unchanged(); ok {
			t.Errorf("%s appeared unseen", name)
		}
		if err := os.RemoveAll(filepath.Join(dir, firstPart(name))); err != nil {
			t.Fatal(err)
		}
	}
}

func TestChangingFile(t *testing.T) {
	path := write(t, t.TempDir(), "key", "x")
	s := newSnapshot(nil)
	real, _, err := s.resolve(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.read(real); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.unchanged(); !ok {
		t.Error("an unchanged file is taken for a changed one")
	}
	write(t, filepath.Dir(path), "key", "longer")
	if moved, ok := s.unchanged(); ok || moved != real {
		t.Errorf("a rewritten file is taken for unchanged: %q", moved)
	}
}

// A load leaves no descriptor, and has no more open for directories in which it reads nothing.
func TestLoadClosesAll(t *testing.T) {
	open := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no /proc here")
		}
		return len(all)
	}
	v := &volume{t: t, dir: t.TempDir()}
	v.update("0", "a_key")
	tree := t.TempDir()
	for n := range 50 {
		write(t, filepath.Join(tree, fmt.Sprint("d", n), "deeper"), "key", "x")
	}
	before := open()
	for range 2 {
		r, err := Load(Options{Sources: append(directory(v.dir), directory(tree)...)})
		if err != nil || len(r.Exports) != 1 || len(r.Warnings) != 1 {
			t.Errorf("%v, %d exports, warnings %v", err, len(r.Exports), r.Warnings)
		}
	}
	if after := open(); after != before {
		t.Errorf("%d descriptors, %d before", after, before)
	}

	l := newLoader(Options{Sources: directory(tree)})
	defer l.snap.close()
	l.load()
	if n := open(); n != before+1 {
		t.Errorf("%d descriptors for one directory", n-before)
	}
}

// The root directory is one like any other, also when a link leads to it.
func TestRootDirectory(t *testing.T) {
	top := filepath.Join(t.TempDir(), "top")
	link(t, "/", top)
	for _, dir := range []string{"/", "//", top} {
		s := newSnapshot(nil)
		real, _, err := s.resolve(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.list(real); err != nil {
			t.Fatal(err)
		}
		if moved, ok := s.unchanged(); !ok {
			t.Errorf("%s: %q is taken for a changed directory", dir, moved)
		}
		s.close()
	}
}
