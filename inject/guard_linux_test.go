package inject

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A user who exchanges what is in a directory of theirs while it is read, file for link and
// directory for link, never has root's file read: what was judged is what is read.
func TestGuardAgainstExchanges(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become another user")
	}
	root := t.TempDir()
	for dir := root; len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		check(t, os.Chmod(dir, 0o755))
	}
	path := func(name string) string { return filepath.Join(root, name) }
	user := &User{Name: "app", UID: 12345, GID: 12345, Groups: []int{12345}}
	for _, dir := range []string{"only", "data", "data/dir"} {
		check(t, os.Mkdir(path(dir), 0o755))
	}
	check(t, os.WriteFile(path("only/key"), []byte("c4n4ry"), 0o400))
	for _, file := range []string{"data/key", "data/dir/key"} {
		check(t, os.WriteFile(path(file), []byte("own"), 0o644))
	}
	check(t, os.Symlink(path("only/key"), path("data/link")))
	check(t, os.Symlink("../only", path("data/dirlink")))
	for _, own := range []string{
		"data", "data/dir", "data/key", "data/dir/key", "data/link", "data/dirlink",
	} {
		check(t, os.Lchown(path(own), user.UID, user.GID))
	}

	stop, done := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for ; ; n++ {
			select {
			case <-stop:
				done <- n
				return
			default:
			}
			for _, pair := range [][2]string{{"data/key", "data/link"}, {"data/dir", "data/dirlink"}} {
				from, to := path(pair[0]), path(pair[1])
				err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_EXCHANGE)
				if err != nil {
					t.Error(err)
				}
			}
		}
	}()
	loads, own, leaked := 0, 0, false
	end := time.Now().Add(500 * time.Millisecond)
	for ; !leaked && (own == 0 || time.Now().Before(end)); loads++ {
		l := newLoader(Options{
			User:    user,
			Environ: []string{"A_KEY_FILE=" + path("data/key"), "B_KEY_FILE=" + path("data/dir/key")},
			Sources: []Source{
				{Path: path("data/dir")},
				{Path: path("data")},
			},
		})
		l.load()
		l.snap.close()
		for _, entry := range l.result.Environment.Environ() {
			leaked = leaked || strings.Contains(entry, "c4n4ry")
			if strings.HasSuffix(entry, "=own") {
				own++
			}
		}
	}
	close(stop)
	t.Logf("%d loads, %d exchanges, %d values of the user's own", loads, <-done, own)
	if leaked {
		t.Error("root's file was read")
	}
	if fds, err := os.ReadDir("/proc/self/fd"); err != nil || len(fds) > 50 {
		t.Errorf("%d descriptors are open: %v", len(fds), err)
	}
}

// What is read with a user's rights leaves this process as it was.
func TestGuardGivesRightsBack(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become another user")
	}
	credentials := func() string {
		status, err := os.ReadFile("/proc/thread-self/status")
		check(t, err)
		var found []string
		for _, line := range strings.Split(string(status), "\n") {
			switch name, _, _ := strings.Cut(line, ":"); name {
			case "Uid", "Gid", "Groups", "CapEff":
				found = append(found, line)
			}
		}
		return strings.Join(found, "\n")
	}
	before := credentials()
	g := newGuard(&User{Name: "app", UID: 12345, GID: 54321, Groups: []int{54321, 1}})
	var inside string
	_, err := g.asUser(func() (int, error) { inside = credentials(); return 0, nil })
	check(t, err)
	for _, want := range []string{"Uid:\t0\t0\t0\t12345", "Gid:\t0\t0\t0\t54321", "Groups:\t1 54321"} {
		if !strings.Contains(inside, want) {
			t.Errorf("%q is not in:\n%s", want, inside)
		}
	}
	if after := credentials(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
