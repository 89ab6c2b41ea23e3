package dirfd

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const other = 4711 // another user

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("this needs root, to make another user's files, and must run under CI=true")
	}
	t.Skip("this needs root, to make another user's files: nothing was tried")
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func realTemp(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	return dir
}

func open(t *testing.T, path string) *Dir {
	t.Helper()
	d, err := Open(path)
	must(t, err)
	t.Cleanup(d.Close)
	return d
}

func TestFind(t *testing.T) {
	top := realTemp(t)
	must(t, os.MkdirAll(filepath.Join(top, "a/b"), 0o755),
		os.WriteFile(filepath.Join(top, "a/b/file"), nil, 0o600),
		os.Symlink("b", filepath.Join(top, "a/relative")),
		os.Symlink(filepath.Join(top, "a/b/../b/file"), filepath.Join(top, "absolute")),
		os.Symlink("a/relative/file", filepath.Join(top, "chain")),
		os.Symlink("a/b/new", filepath.Join(top, "dangling")),
		os.Symlink("loop", filepath.Join(top, "loop")))
	t.Chdir(filepath.Join(top, "a"))
	for path, want := range map[string]string{
		top + "/a/b":                   "a b",
		top + "/a/b/":                  "a b",
		top + "//a/./b/../b":           "a b",
		top + "/a/relative":            "a b",
		top + "/a/relative/":           "a b",
		top + "/a/relative/../b":       "a b",
		top + "/a/relative/file":       "a/b file",
		top + "/absolute":              "a/b file",
		top + "/chain":                 "a/b file",
		top + "/dangling":              "a/b new",
		top + "/a/b/new":               "a/b new",
		"b":                            "a b",
		".":                            ". a",
		"..":                           "", // how the temporary directory is called, nobody knows
		"../a/relative":                "a b",
		"b/..":                         ". a",
		top + "/loop":                  "too many levels of symbolic links",
		top + "/a/b/file/new":          "not a directory",
		top + "/a/missing/new":         "no such file or directory",
		"":                             "no such file or directory",
		strings.Repeat("../", 40) + "": "root",
	} {
		dir, name, err := Find(path)
		got := ""
		switch {
		case err != nil:
			if want == "" || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("Find(%q): %v, want %s", path, err, want)
			}
			continue
		case name == "":
			got = "root"
		default:
			under, _ := filepath.Rel(top, dir.Path())
			got = under + " " + name
		}
		if want == "" {
			want = filepath.Join("..") + " " + filepath.Base(top)
		}
		if got != want {
			t.Errorf("Find(%q): %s, want %s", path, got, want)
		}
		// It is the directory of that path.
		info, err := dir.Stat()
		must(t, err)
		if again, err := Open(dir.Path()); err != nil {
			t.Error(err)
		} else if its, err := again.Stat(); err != nil || !its.Same(info) {
			t.Errorf("Find(%q): another directory than %s: %v", path, dir.Path(), err)
		}
		dir.Close()
	}
}

// Who may write somewhere on the way does not choose which of root's directories is meant.
func TestFindLinksOfOthers(t *testing.T) {
	needRoot(t)
	t.Setenv("SUDO_UID", "")
	top := realTemp(t)
	must(t, os.MkdirAll(filepath.Join(top, "root/sub"), 0o755), os.MkdirAll(filepath.Join(top, "other/sub"), 0o755),
		os.Chown(filepath.Join(top, "other"), other, other))
	for link, to := range map[string]string{"to-root": "root", "to-other": "other", "to-sub": "other/sub", "to-new": "root/new", "to-new-of-other": "other/new", "to-link": "to-root"} {
		path := filepath.Join(top, link)
		must(t, os.Symlink(to, path), os.Lchown(path, other, other))
	}
	refused := func(path string) bool {
		t.Helper()
		dir, _, err := Find(filepath.Join(top, path))
		var foreign *LinkError
		if errors.As(err, &foreign) {
			if foreign.Owner != other || foreign.TargetOwner != 0 || !strings.Contains(err.Error(), "is a symlink of user 4711 to ") {
				t.Error(err)
			}
			return true
		}
		must(t, err)
		dir.Close()
		return false
	}
	for path, want := range map[string]bool{
		"to-root": true, "to-root/sub": true, "to-other": false, "to-other/sub": false, "to-sub": true,
		"to-new": true, "to-new-of-other": false, "to-link": true,
	} {
		if got := refused(path); got != want {
			t.Errorf("%s: refused: %v, want %v", path, got, want)
		}
	}
	t.Setenv("SUDO_UID", strconv.Itoa(other))
	if refused("to-root") {
		t.Error("a link of who called sudo is refused")
	}
}

// Names never leave a directory, symlinks are not followed, and only files are opened.
func TestNames(t *testing.T) {
	top := realTemp(t)
	must(t, os.Mkdir(filepath.Join(top, "dir"), 0o755), os.WriteFile(filepath.Join(top, "file"), []byte("x"), 0o600),
		os.Symlink("../file", filepath.Join(top, "dir/link")), os.Symlink("..", filepath.Join(top, "dir/up")),
		unix.Mkfifo(filepath.Join(top, "dir/fifo"), 0o600))
	d := open(t, filepath.Join(top, "dir"))
	for _, name := range []string{"", ".", "..", "../file", "a/b", "a\x00b"} {
		_, _, opening := d.Open(name)
		_, making := d.Create(name, 0o600)
		_, entering := d.Sub(name)
		for _, err := range []error{opening, making, entering, d.Remove(name), d.RemoveAll(name), d.Rename(name, d, "x"), d.Rename("link", d, name), d.Symlink("x", name)} {
			if err == nil || !strings.Contains(err.Error(), "is not a name in a directory") {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
	if _, _, err := d.Open("link"); !errors.Is(err, unix.ELOOP) {
		t.Errorf("open a link: %v", err)
	}
	if _, err := d.Sub("up"); !errors.Is(err, unix.ENOTDIR) && !errors.Is(err, unix.ELOOP) {
		t.Errorf("open a directory by a link: %v", err)
	}
	for _, open := range []func(string) (*os.File, Info, error){d.Open, d.OpenAppend} {
		if _, _, err := open("fifo"); !errors.Is(err, ErrNotRegular) {
			t.Errorf("open a FIFO: %v", err)
		}
	}
	must(t, d.RemoveAll("up"), d.RemoveAll("missing"))
	if names, err := d.Names(); err != nil || strings.Join(names, " ") != "fifo link" {
		t.Errorf("%v, %v", names, err)
	}
}

// A directory that someone could have moved here is not emptied.
func TestRemoveAll(t *testing.T) {
	needRoot(t)
	type made struct {
		path string
		uid  int
		mode os.FileMode
	}
	for name, c := range map[string]struct {
		here    made
		made    []made
		refused string
	}{
		"root's own":                    {made{"", other, 0o755}, []made{{"x", 0, 0o700}, {"x/y", 0, 0o755}}, ""},
		"the owner's":                   {made{"", other, 0o755}, []made{{"x", other, 0o755}, {"x/y", other, 0o755}}, ""},
		"writable by all":               {made{"", other, 0o755}, []made{{"x", 0, 0o777}}, "can be written by others"},
		"writable by the group":         {made{"", other, 0o755}, []made{{"x", 0, 0o770}}, "can be written by others"},
		"shared by one group":           {made{"", 0, 0o775}, []made{{"x", 0, 0o775}, {"x/y", 0, 0o775}}, ""},
		"in a shared one, root's":       {made{"", 0, 0o775}, []made{{"x", 0, 0o775}, {"x/y", 0, 0o755}}, "belongs to somebody else"},
		"root's in another's":           {made{"", other, 0o755}, []made{{"x", other, 0o755}, {"x/y", 0, 0o700}}, "belongs to somebody else"},
		"another's in root's":           {made{"", other, 0o755}, []made{{"x", 0, 0o755}, {"x/y", other, 0o700}}, "belongs to somebody else"},
		"in a directory for root alone": {made{"", 0, 0o755}, []made{{"x", 0, 0o777}, {"x/y", other, 0o777}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			top := realTemp(t)
			for _, m := range append(c.made, c.here) {
				path := filepath.Join(top, m.path)
				if m.path != "" {
					must(t, os.Mkdir(path, 0o700))
				}
				must(t, os.Chown(path, m.uid, 0), os.Chmod(path, m.mode))
			}
			file := filepath.Join(top, c.made[len(c.made)-1].path, "file")
			must(t, os.WriteFile(file, nil, 0o600))
			err := open(t, top).RemoveAll("x")
			_, left := os.Lstat(file)
			if c.refused == "" && (err != nil || left == nil) {
				t.Errorf("not removed: %v", err)
			}
			if c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused) || left != nil) {
				t.Errorf("want %q: %v, %v", c.refused, err, left)
			}
		})
	}
}
