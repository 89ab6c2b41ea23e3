package rotate

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// volume is a directory in the kubelet's layout: NAME is a symlink to ..data/NAME, ..data is one to a tree ..TIME.RANDOM, and
// a new tree is switched to by renaming a new ..data over the old (AtomicWriter in Kubernetes' pkg/volume/util). All values
// change in one rename. As long as ..data_tmp is there, it has not happened: that is what recover goes by.
type volume struct {
	path string
	old  string // name of the tree that is replaced
	now  string // name of the new one
}

const (
	dataLink = "..data"
	dataTemp = "..data_tmp"
)

// treeName is what the kubelet calls its trees; ours are called so too.
var treeName = regexp.MustCompile(`^\.\.\d{4}_\d\d_\d\d_\d\d_\d\d_\d\d\.\w+$`)

// isVolume reports whether a directory has the kubelet's layout.
func isVolume(path string) bool {
	info, err := os.Lstat(filepath.Join(path, dataLink))
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

func (v *volume) at(parts ...string) string {
	return filepath.Join(append([]string{v.path}, parts...)...)
}

// tree is the one that ..data leads to.
func (v *volume) tree() (string, error) {
	name, err := os.Readlink(v.at(dataLink))
	if err != nil {
		return "", err
	}
	if name != filepath.Base(name) || name == "." || name == ".." {
		return "", fmt.Errorf("%s leads to %s, not to a directory beside it: this is not the kubelet's layout", Printable(v.at(dataLink)), Printable(name))
	}
	return name, nil
}

func (v *volume) recover(begun bool) (Recovery, error) {
	if exists(v.at(dataTemp)) {
		return Undone, nil
	}
	if err := v.tidy(); err != nil {
		return NothingLeft, err
	}
	if begun {
		return Finished, nil
	}
	return NothingLeft, nil
}

// tidy removes trees that ..data does not lead to, and makes the links those of the files.
func (v *volume) tidy() error {
	current, err := v.tree()
	if err != nil {
		return err
	}
	names, err := os.ReadDir(v.path)
	if err != nil {
		return err
	}
	for _, e := range names {
		if e.IsDir() && e.Name() != current && treeName.MatchString(e.Name()) {
			if err := os.RemoveAll(v.at(e.Name())); err != nil {
				return err
			}
		}
		if target, err := os.Readlink(v.at(e.Name())); err == nil && target == filepath.Join(dataLink, e.Name()) && !exists(v.at(target)) {
			if err := os.Remove(v.at(e.Name())); err != nil {
				return err
			}
		}
	}
	files, err := os.ReadDir(v.at(current))
	if err != nil {
		return err
	}
	for _, e := range files {
		if !strings.HasPrefix(e.Name(), "..") && !exists(v.at(e.Name())) {
			if err := os.Symlink(filepath.Join(dataLink, e.Name()), v.at(e.Name())); err != nil {
				return err
			}
		}
	}
	return syncDir(v.path)
}

func (v *volume) discard() {
	current, err := v.tree()
	if tree, staged := os.Readlink(v.at(dataTemp)); err == nil && staged == nil && treeName.MatchString(tree) && tree != current {
		os.RemoveAll(v.at(tree))
	}
	os.RemoveAll(v.at(dataTemp)) // a link; whatever else it is stands in the way
}

// stage writes the new tree and the link to it.
func (v *volume) stage(staged []stagedFile) (err error) {
	if v.old, err = v.tree(); err != nil {
		return err
	}
	b := make([]byte, 5)
	rand.Read(b)
	v.now = ".." + time.Now().UTC().Format("2006_01_02_15_04_05") + "." + hex.EncodeToString(b)
	changed := make(map[string]stagedFile)
	for _, s := range staged {
		changed[s.file] = s
	}
	if err := v.copyTree(changed); err != nil {
		os.RemoveAll(v.at(v.now))
		return err
	}
	for _, s := range changed {
		if s.old == nil {
			if err := writeNew(v.at(v.now, s.file), s.now.data, s.now.kept); err != nil {
				os.RemoveAll(v.at(v.now))
				return err
			}
		}
	}
	if err := syncDir(v.at(v.now)); err != nil {
		return err
	}
	if err := os.Symlink(v.now, v.at(dataTemp)); err != nil {
		os.RemoveAll(v.at(v.now))
		return err
	}
	return syncDir(v.path)
}

// copyTree copies the old tree, but for the files that change.
func (v *volume) copyTree(changed map[string]stagedFile) error {
	var dirs []string
	err := filepath.WalkDir(v.at(v.old), func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(v.at(v.old), path)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		to := v.at(v.now, name)
		switch {
		case e.IsDir():
			dirs = append(dirs, to)
			return copyDir(to, info)
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(target, to)
		}
		s, ok := changed[name]
		if ok && s.now == nil {
			return nil
		}
		if ok {
			return writeNew(to, s.now.data, s.now.kept)
		}
		data, kept, err := readRegular(path)
		if err != nil {
			return err
		}
		kept.modified = info.ModTime()
		return writeNew(to, data, kept)
	})
	for _, dir := range dirs {
		err = errors.Join(err, syncDir(dir))
	}
	return err
}

// copyDir makes a directory like another.
func copyDir(path string, like fs.FileInfo) error {
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	made, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if err := attributesOf(path, like).own(made, func(uid, gid int) error { return os.Chown(path, uid, gid) }); err != nil {
		return err
	}
	return os.Chmod(path, like.Mode()&(fs.ModePerm|fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky))
}

// commit flips ..data.
func (v *volume) commit() error {
	current, err := v.tree()
	if err != nil {
		return err
	}
	if current != v.old {
		return fmt.Errorf("%s was updated by someone else in this moment: nothing was changed by this: run it again", Printable(v.path))
	}
	if err := os.Rename(v.at(dataTemp), v.at(dataLink)); err != nil {
		return err
	}
	if err := syncDir(v.path); err != nil {
		return &UnclearError{fmt.Errorf("the new values are in place, but may not be on the disk: %w", err)}
	}
	if err := v.tidy(); err != nil {
		return &UnclearError{fmt.Errorf("the new values are in place, but tidying up failed: %w: mend that and run it again", err)}
	}
	return nil
}
