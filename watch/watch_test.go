package watch

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/leash"
)

func TestMain(m *testing.M) {
	leash.Hold()
	os.Exit(m.Run())
}

// told waits for a change.
func told(t *testing.T, w *Watcher) {
	t.Helper()
	select {
	case first := <-w.Changes():
		if age := time.Since(first); age < 0 || age > 20*time.Second {
			t.Errorf("a first event %v ago", age)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("no change was told")
	}
}

// quiet takes the changes that earlier events still cause, until there are none.
func quiet(w *Watcher) {
	for {
		select {
		case <-w.Changes():
		case <-time.After(60 * time.Millisecond):
			return
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, text string, path ...string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(path...), []byte(text), 0o644))
}

// flip updates a volume as the kubelet does: a new directory, and ..data renamed to point to it.
func flip(t *testing.T, dir string, n int) {
	t.Helper()
	now := fmt.Sprintf("..generation_%d", n)
	must(t, os.Mkdir(filepath.Join(dir, now), 0o755))
	put(t, fmt.Sprint(n), dir, now, "password")
	must(t, os.Symlink(now, filepath.Join(dir, "..data_tmp")))
	must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	os.Symlink("..data/password", filepath.Join(dir, "password"))
	os.RemoveAll(filepath.Join(dir, fmt.Sprintf("..generation_%d", n-1)))
}

// Every kind of update, several times each, by events alone: the poll is off.
func TestUpdates(t *testing.T) {
	type update struct {
		name    string
		prepare func(t *testing.T, dir string) (watch []string)
		change  func(t *testing.T, dir string, n int)
	}
	file := func(dir string) string { return filepath.Join(dir, "password") }
	plain := func(t *testing.T, dir string) []string {
		put(t, "0", file(dir))
		return []string{dir, file(dir)}
	}
	for _, u := range []update{
		{"a kubelet's volume", func(t *testing.T, dir string) []string {
			flip(t, dir, 0)
			return []string{dir, filepath.Join(dir, "..generation_0"), filepath.Join(dir, "..generation_0", "password")}
		}, flip},
		{"written in place", plain, func(t *testing.T, dir string, n int) { put(t, fmt.Sprint(n), file(dir)) }},
		{"written in place, the directory not watched", func(t *testing.T, dir string) []string {
			return plain(t, dir)[1:]
		}, func(t *testing.T, dir string, n int) { put(t, fmt.Sprint(n), file(dir)) }},
		{"renamed over", plain, func(t *testing.T, dir string, n int) {
			put(t, fmt.Sprint(n), dir, ".new")
			must(t, os.Rename(filepath.Join(dir, ".new"), file(dir)))
		}},
		{"renamed over, the directory not watched", func(t *testing.T, dir string) []string {
			return plain(t, dir)[1:]
		}, func(t *testing.T, dir string, n int) {
			put(t, fmt.Sprint(n), dir, ".new")
			must(t, os.Rename(filepath.Join(dir, ".new"), file(dir)))
		}},
		{"deleted and created", plain, func(t *testing.T, dir string, n int) {
			must(t, os.Remove(file(dir)))
			put(t, fmt.Sprint(n), file(dir))
		}},
		{"a mode", plain, func(t *testing.T, dir string, n int) { must(t, os.Chmod(file(dir), os.FileMode(0o600+n%2))) }},
		{"a chain of links", func(t *testing.T, dir string) []string {
			for _, d := range []string{"a", "b", "c"} {
				must(t, os.Mkdir(filepath.Join(dir, d), 0o755))
			}
			must(t, os.Symlink("../b/link", filepath.Join(dir, "a", "password")))
			must(t, os.Symlink("../c/0", filepath.Join(dir, "b", "link")))
			return []string{filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "c")}
		}, func(t *testing.T, dir string, n int) {
			must(t, os.Remove(filepath.Join(dir, "b", "link")))
			must(t, os.Symlink(fmt.Sprintf("../c/%d", n), filepath.Join(dir, "b", "link")))
		}},
		{"a directory that goes and comes back", func(t *testing.T, dir string) []string {
			must(t, os.Mkdir(filepath.Join(dir, "d"), 0o755))
			put(t, "0", dir, "d", "password")
			return []string{filepath.Join(dir, "d"), filepath.Join(dir, "d", "password")}
		}, func(t *testing.T, dir string, n int) {
			must(t, os.RemoveAll(filepath.Join(dir, "d")))
			must(t, os.Mkdir(filepath.Join(dir, "d"), 0o755))
			put(t, fmt.Sprint(n), dir, "d", "password")
		}},
		{"what does not exist yet, nor its directories", func(_ *testing.T, dir string) []string {
			return []string{filepath.Join(dir, "x", "y", "password")}
		}, func(t *testing.T, dir string, n int) {
			must(t, os.MkdirAll(filepath.Join(dir, "x", "y"), 0o755))
			put(t, fmt.Sprint(n), dir, "x", "y", "password")
		}},
		{"a file that is bind-mounted", func(t *testing.T, dir string) []string {
			if os.Geteuid() != 0 {
				t.Skip("needs root, to mount")
			}
			put(t, "0", dir, "source")
			put(t, "", file(dir))
			if err := bindMount(filepath.Join(dir, "source"), file(dir)); err != nil {
				t.Skipf("cannot mount: %v", err)
			}
			t.Cleanup(func() { unix.Unmount(file(dir), 0) })
			return []string{file(dir)}
		}, func(t *testing.T, dir string, n int) { put(t, fmt.Sprint(n), dir, "source") }},
	} {
		t.Run(u.name, func(t *testing.T) {
			dir := t.TempDir()
			w := New(Options{Settle: 2 * time.Millisecond, Warn: func(err error) { t.Error(err) }})
			defer w.Close()
			w.Watch(u.prepare(t, dir))
			told(t, w) // it is new
			for n := 1; n <= 5; n++ {
				quiet(w)
				u.change(t, dir, n)
				told(t, w)
			}
		})
	}
}

// Paths that are the same cause nothing; others are a hint; one that is not wanted any more is not watched.
func TestPathsChange(t *testing.T) {
	clocked(t, Options{Settle: time.Second}, func(t *testing.T, f *fake, w *Watcher, a string) {
		b := filepath.Dir(a)
		unchanged := func() {
			t.Helper()
			time.Sleep(time.Hour)
			select {
			case <-w.Changes():
				t.Error("a change was told")
			default:
			}
		}
		w.Watch([]string{a, a})
		unchanged()
		w.Watch([]string{b, a})
		<-w.Changes()
		w.Watch([]string{b})
		<-w.Changes()
		unchanged()
		if f.watched[a] || !f.watched[b] {
			t.Errorf("watched: %v", f.watched)
		}
	})
}

// Two names of one directory have one watch of the kernel; the end of one must not end the other.
func TestTwoNamesOfOneDirectory(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(dir, link))
	w := New(Options{Settle: time.Millisecond})
	defer w.Close()
	w.Watch([]string{dir, link})
	told(t, w)
	w.Watch([]string{dir})
	quiet(w)
	put(t, "x", dir, "x")
	told(t, w)
}

// Nothing is left after Close: no goroutine, no descriptor.
func TestNothingIsLeft(t *testing.T) {
	dir := t.TempDir()
	goroutines, descriptors := runtime.NumGoroutine(), openFiles(t)
	for range 50 {
		w := New(Options{Settle: time.Millisecond, Poll: time.Millisecond})
		w.Watch([]string{dir, filepath.Join(dir, "none")})
		put(t, "x", dir, "x")
		<-w.Changes()
		w.Close()
		w.Close()
		w.Watch([]string{"/"}) // does not wait for anyone
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines || openFiles(t) > descriptors; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines and %d descriptors before, %d and %d after", goroutines, descriptors, runtime.NumGoroutine(), openFiles(t))
		}
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/dev/fd")
	must(t, err)
	return len(files)
}

// A fake is a notifier that a test speaks for.
type fake struct {
	hints   chan struct{}
	errs    chan error
	add     func(path string) error
	watched map[string]bool
}

func newFake() *fake {
	return &fake{hints: make(chan struct{}), errs: make(chan error), watched: make(map[string]bool)}
}

func (f *fake) Add(path string) error {
	if f.add != nil {
		if err := f.add(path); err != nil {
			return err
		}
	}
	f.watched[path] = true
	return nil
}

func (f *fake) Remove(path string) error { delete(f.watched, path); return nil }
func (f *fake) Close() error             { return nil }
func (f *fake) Heed(*scope)              {}
func (f *fake) Hints() <-chan struct{}   { return f.hints }
func (f *fake) Problems() <-chan error   { return f.errs }

// clocked runs a test with a fake notifier and a clock of its own. The first change, of the new path, is taken.
func clocked(t *testing.T, o Options, test func(t *testing.T, f *fake, w *Watcher, dir string)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		w := start(o, func() (notifier, error) { return f, nil })
		defer w.Close()
		w.Watch([]string{dir})
		<-w.Changes()
		test(t, f, w, dir)
	})
}

func TestSettle(t *testing.T) {
	clocked(t, Options{Settle: time.Second}, func(t *testing.T, f *fake, w *Watcher, _ string) {
		began := time.Now()
		for range 5 {
			f.hints <- struct{}{}
			time.Sleep(900 * time.Millisecond)
		}
		first := <-w.Changes()
		if got, want := time.Since(began), 4*900*time.Millisecond+time.Second; got != want || !first.Equal(began) {
			t.Errorf("told after %v, want %v; first event %v", got, want, first.Sub(began))
		}
	})
}

// Under a steady stream of events a change is told ten settle times after the first.
func TestSettleIsBounded(t *testing.T) {
	clocked(t, Options{Settle: time.Second}, func(t *testing.T, f *fake, w *Watcher, _ string) {
		began := time.Now()
		go func() {
			for range 200 {
				f.hints <- struct{}{}
				time.Sleep(100 * time.Millisecond)
			}
		}()
		<-w.Changes()
		if got := time.Since(began); got != 10*time.Second {
			t.Errorf("told after %v", got)
		}
		<-w.Changes()
		if got := time.Since(began); got < 20*time.Second || got > 20*time.Second+200*time.Millisecond {
			t.Errorf("the second after %v", got)
		}
		time.Sleep(time.Minute)
	})
}

// The poll finds what there was no event for, and nothing when nothing changed.
func TestPoll(t *testing.T) {
	clocked(t, Options{Settle: time.Second, Poll: 30 * time.Second}, func(t *testing.T, _ *fake, w *Watcher, dir string) {
		time.Sleep(10 * time.Minute)
		select {
		case <-w.Changes():
			t.Error("a change was told when there was none")
		default:
		}
		put(t, "x", dir, "x")
		began := time.Now()
		<-w.Changes()
		if got := time.Since(began); got > 31*time.Second {
			t.Errorf("told after %v", got)
		}
		time.Sleep(10 * time.Minute)
		select {
		case <-w.Changes():
			t.Error("the same change was told again")
		default:
		}
	})
}

// An error is a hint, and told once.
func TestErrors(t *testing.T) {
	var warnings []string
	o := Options{Settle: time.Second, Poll: time.Hour, Warn: func(err error) { warnings = append(warnings, err.Error()) }}
	clocked(t, o, func(t *testing.T, f *fake, w *Watcher, _ string) {
		for range 3 {
			f.errs <- errors.New("read failed")
		}
		<-w.Changes()
		if len(warnings) != 1 || !strings.Contains(warnings[0], "read failed: changes are found by looking every 1h0m0s") {
			t.Errorf("warned: %q", warnings)
		}
	})
}

// What was written between the caller's look and its Watch is told, though the paths are fewer and there are no events.
func TestFewerPaths(t *testing.T) {
	dir := t.TempDir()
	gone, stays := filepath.Join(dir, "gone"), filepath.Join(dir, "stays")
	put(t, "1", gone)
	put(t, "1", stays)
	w := start(Options{Settle: time.Millisecond, Poll: 10 * time.Millisecond}, func() (notifier, error) { return nil, unix.EMFILE })
	defer w.Close()
	w.Watch([]string{gone, stays})
	told(t, w)
	quiet(w)
	put(t, "22", stays)
	w.Watch([]string{stays})
	told(t, w)
}

// A directory that is made after the watch on it failed, and before there is one on the directory above.
func TestAppearsMeanwhile(t *testing.T) {
	dir := t.TempDir()
	late := filepath.Join(dir, "late")
	put(t, "x", dir, "x")
	w := start(Options{Settle: time.Millisecond}, func() (notifier, error) {
		n, err := openNotifier()
		return afterAdd{n, func(path string, err error) {
			if path == late && errors.Is(err, unix.ENOENT) {
				os.Mkdir(late, 0o755)
			}
		}}, err
	})
	defer w.Close()
	w.Watch([]string{late})
	told(t, w)
	quiet(w)
	put(t, "y", late, "password")
	told(t, w)
}

type afterAdd struct {
	notifier
	then func(string, error)
}

func (a afterAdd) Add(path string) error {
	err := a.notifier.Add(path)
	a.then(path, err)
	return err
}

// A directory that is replaced again and again, its predecessor moved away and removed: the kernel has then removed
// a watch that is to be removed, which is no problem of anybody's, and must not bring the watcher to a halt.
func TestReplacedDirectory(t *testing.T) {
	for _, settle := range []time.Duration{0, time.Millisecond} {
		base := t.TempDir()
		dir := filepath.Join(base, "dir")
		must(t, os.Mkdir(dir, 0o755))
		w := New(Options{Settle: settle, Poll: time.Hour, Warn: func(err error) { t.Error(err) }})
		w.Watch([]string{dir})
		told(t, w)
		for n := range 2000 {
			must(t, os.Mkdir(filepath.Join(base, "new"), 0o755))
			put(t, fmt.Sprint(n), base, "new", "password")
			must(t, os.Rename(dir, filepath.Join(base, "old")))
			must(t, os.Rename(filepath.Join(base, "new"), dir))
			must(t, os.RemoveAll(filepath.Join(base, "old")))
			if n%10 == 0 {
				told(t, w)
			}
		}
		quiet(w)
		put(t, "last", dir, "password")
		told(t, w)
		w.Close()
	}
}

// When the kernel's limits are reached, the poll does the work, one warning says so, and when there is
// room again the watches are made.
func TestLimits(t *testing.T) {
	for _, limit := range []struct {
		err  unix.Errno
		want string
	}{{unix.ENOSPC, "max_user_watches"}, {unix.EMFILE, "max_user_instances"}} {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			var reached atomic.Bool
			reached.Store(true)
			var warnings []string
			f := newFake()
			f.add = func(string) error {
				if reached.Load() && limit.err == unix.ENOSPC {
					return limit.err
				}
				return nil
			}
			o := Options{Poll: 30 * time.Second, Warn: func(err error) { warnings = append(warnings, err.Error()) }}
			w := start(o, func() (notifier, error) {
				if reached.Load() && limit.err == unix.EMFILE {
					return nil, limit.err
				}
				return f, nil
			})
			defer w.Close()
			w.Watch([]string{dir})
			<-w.Changes()
			put(t, "1", dir, "x")
			<-w.Changes()
			put(t, "2", dir, "y")
			<-w.Changes()
			if len(warnings) != 1 || !strings.Contains(warnings[0], limit.want) {
				t.Errorf("warned: %q", warnings)
			}
			reached.Store(false)
			time.Sleep(time.Minute)
			synctest.Wait()
			if !f.watched[dir] {
				t.Error("there is room, and it is not watched")
			}
		})
	}
}

// A path that is not there may be a secret that was put in the place of a path: a warning does not show it.
func TestWarningShowsNoMissingPath(t *testing.T) {
	warned := make(chan string, 1)
	w := start(Options{Warn: func(err error) { warned <- err.Error() }}, func() (notifier, error) {
		f := newFake()
		f.add = func(path string) error {
			if strings.Contains(path, "c4n4ry") {
				return unix.ENOENT
			}
			return unix.ENOSPC
		}
		return f, nil
	})
	defer w.Close()
	w.Watch([]string{"/c4n4ry/password"})
	if text := <-warned; strings.Contains(text, "c4n4ry") || !strings.Contains(text, `watch "/": `) {
		t.Error(text)
	}
}

// With the poll off and no inotify, the warning says that nothing will be seen.
func TestNothingCanBeSeen(t *testing.T) {
	warned := make(chan string, 1)
	w := start(Options{Warn: func(err error) { warned <- err.Error() }}, func() (notifier, error) { return nil, unix.EMFILE })
	defer w.Close()
	w.Watch([]string{"/"})
	if text := <-warned; !strings.Contains(text, "not seen") {
		t.Error(text)
	}
}

// More events than the kernel's queue holds.
func TestRealOverflow(t *testing.T) {
	data, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	if err != nil {
		t.Skip("no inotify here")
	}
	var limit int
	fmt.Sscan(string(data), &limit)
	if limit > 200_000 {
		t.Skipf("a queue of %d events takes too long to fill", limit)
	}
	dir := t.TempDir()
	put(t, "0", dir, "password")
	w := New(Options{Settle: 5 * time.Millisecond})
	defer w.Close()
	w.Watch([]string{dir})
	told(t, w)
	for n := range limit/2 + 1000 {
		must(t, os.Chmod(filepath.Join(dir, "password"), os.FileMode(0o600+n%2)))
		must(t, os.Chmod(dir, os.FileMode(0o700+n%2)))
	}
	quiet(w)
	put(t, "last", dir, "password")
	told(t, w)
}

func bindMount(source, target string) error {
	return exec.Command("mount", "--bind", source, target).Run()
}

// A fault of our own does not end the process: it is told, and what waits for the watcher does not wait for ever.
func TestFault(t *testing.T) {
	f := newFake()
	f.add = func(string) error { panic("one of ours") }
	told := make(chan error, 1)
	w := start(Options{Warn: func(err error) { told <- err }}, func() (notifier, error) { return f, nil })
	w.Watch([]string{"/"})
	if err := <-told; !strings.Contains(err.Error(), "please report: one of ours at watch_test.go:") || !strings.Contains(err.Error(), "not seen any more") {
		t.Error(err)
	}
	w.Watch([]string{"/tmp"})
	w.Close()
}

// After any sequence of operations a change is told.
func TestSequences(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, "a", "b")
	file := filepath.Join(deep, "password")
	w := New(Options{Settle: time.Millisecond})
	defer w.Close()
	w.Watch([]string{deep, file})
	told(t, w)
	exists := false
	operations := []func(){
		func() { must(t, os.RemoveAll(filepath.Join(dir, "a"))); exists = false },
		func() { must(t, os.MkdirAll(deep, 0o755)); put(t, "x", file); exists = true },
		func() {
			must(t, os.MkdirAll(deep, 0o755))
			put(t, "y", deep, "new")
			must(t, os.Rename(filepath.Join(deep, "new"), file))
			exists = true
		},
		func() { must(t, os.MkdirAll(deep, 0o755)); os.Remove(file); put(t, "z", file); exists = true },
	}
	for n := range 200 {
		before := exists
		operations[(n*7+n/3)%len(operations)]()
		if before || exists {
			told(t, w)
		}
		if n%10 == 0 {
			quiet(w)
		}
	}
}

func ExampleWatcher() {
	dir, err := os.MkdirTemp("", "watch")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	w := New(Options{Settle: 10 * time.Millisecond, Poll: 30 * time.Second})
	defer w.Close()
	w.Watch([]string{dir})
	<-w.Changes() // it may have changed before it was watched
	os.WriteFile(filepath.Join(dir, "db_password"), []byte("new"), 0o600)
	<-w.Changes()
	fmt.Println("something may have changed")
	// Output: something may have changed
}

// A file beside what is watched is no sign of anything, however often it is written, nor is one in the directory that
// a link on the way leads to. What is watched is seen all the same when it is replaced.
func TestBeside(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "secrets")
	link, target := filepath.Join(base, "link"), filepath.Join(base, "..", filepath.Base(base)+"-target")
	must(t, os.Mkdir(target, 0o755))
	t.Cleanup(func() { os.RemoveAll(target) })
	must(t, os.Symlink(target, link))
	must(t, os.Mkdir(dir, 0o755))
	put(t, "0", dir, "password")
	put(t, "0", base, "config")
	w := New(Options{Settle: time.Millisecond, Poll: 10 * time.Millisecond, Warn: func(err error) { t.Error(err) }})
	defer w.Close()
	w.Watch([]string{dir, filepath.Join(dir, "password"), filepath.Join(base, "config"), link})
	told(t, w)
	quiet(w)

	for n := range 50 {
		put(t, fmt.Sprint(n), base, "app.log")                                         // written
		put(t, fmt.Sprint(n), base, fmt.Sprint("log.", n))                             // created
		must(t, os.Rename(filepath.Join(base, "app.log"), filepath.Join(base, "old"))) // renamed
		must(t, os.Chmod(filepath.Join(base, "old"), os.FileMode(0o600+n%2)))
		put(t, fmt.Sprint(n), target, fmt.Sprint("behind the link", n))
		time.Sleep(2 * time.Millisecond)
		select {
		case <-w.Changes():
			t.Fatal("a change was told when something beside was written")
		default:
		}
	}

	for name, change := range map[string]func(){
		"the directory": func() {
			must(t, os.Mkdir(filepath.Join(base, "new"), 0o755))
			put(t, "1", base, "new", "password")
			must(t, os.Rename(dir, filepath.Join(base, "old-secrets")))
			must(t, os.Rename(filepath.Join(base, "new"), dir))
		},
		"a new name in it": func() { put(t, "1", dir, "another") },
		"a file": func() {
			put(t, "1", base, ".config")
			must(t, os.Rename(filepath.Join(base, ".config"), filepath.Join(base, "config")))
		},
		"a link": func() {
			must(t, os.Symlink(dir, filepath.Join(base, ".link")))
			must(t, os.Rename(filepath.Join(base, ".link"), link))
		},
	} {
		quiet(w)
		change()
		t.Log(name)
		told(t, w)
	}
}

// A directory that has two paths: of one no more than a name matters, but the kernel's events may come under that path.
func TestTwoPathsOfOneDirectory(t *testing.T) {
	base := t.TempDir()
	dir, first := filepath.Join(base, "secrets"), filepath.Join(base, "first")
	must(t, os.Mkdir(dir, 0o755))
	must(t, os.Symlink(dir, first))
	w := New(Options{Settle: time.Millisecond})
	defer w.Close()
	w.Watch([]string{filepath.Join(first, "password"), dir})
	told(t, w)
	quiet(w)
	put(t, "x", dir, "another")
	told(t, w)

	w.Watch([]string{dir}) // the watch that ends is the kernel's only one
	told(t, w)
	quiet(w)
	put(t, "x", dir, "a third")
	told(t, w)
}
