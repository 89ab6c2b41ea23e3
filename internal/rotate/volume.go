package rotate

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
	"github.com/secret-entrypoint/secret-entrypoint/internal/rotate/dirfd"
)

// volumeLayout is the kubelet's layout of a directory: NAME is a symlink to ..data/NAME, and ..data
// is a symlink to a tree named ..TIME.RANDOM. Renaming a new ..data over the old one switches to a
// new tree (AtomicWriter in Kubernetes' pkg/volume/util), so all values change in one rename. As
// long as ..data_tmp is there, the switch has not happened: recover goes by that.
type volumeLayout struct {
	dir  *dirfd.Dir
	old  string     // the name of the tree that is replaced
	now  string     // the name of the new tree
	made *dirfd.Dir // the new tree, until it counts
	info dirfd.Info
}

const (
	dataLink = "..data"
	dataTemp = "..data_tmp"
)

// treeName matches the kubelet's names of trees, and ours.
var treeName = regexp.MustCompile(`^\.\.\d{4}_\d\d_\d\d_\d\d_\d\d_\d\d\.\w+$`)

// isVolume reports whether a directory has the kubelet's layout.
func isVolume(dir *dirfd.Dir) bool {
	info, err := dir.Lstat(dataLink)
	return err == nil && info.Mode&fs.ModeSymlink != 0
}

// current is the name of the tree that ..data leads to.
func (v *volumeLayout) current() (string, error) {
	name, err := v.dir.Readlink(dataLink)
	if err != nil {
		return "", err
	}
	if name != filepath.Base(name) || name == "." || name == ".." {
		return "", fmt.Errorf("%s leads to %s, not to a directory beside it: this is not the "+
			"kubelet's layout", printable.Line(v.dir.Join(dataLink)), printable.Line(name))
	}
	return name, nil
}

// tree opens the tree that ..data leads to.
func (v *volumeLayout) tree() (*dirfd.Dir, error) {
	name, err := v.current()
	if err != nil {
		return nil, err
	}
	return v.dir.Sub(name)
}

func (v *volumeLayout) read() (map[string]*secretFile, error) {
	tree, err := v.tree()
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	return readFiles(tree)
}

func (v *volumeLayout) recover(begun bool) (Recovery, error) {
	if v.dir.Exists(dataTemp) {
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

// tidy removes trees that ..data does not lead to, and makes the links agree with the files.
func (v *volumeLayout) tidy() error {
	current, err := v.current()
	if err != nil {
		return err
	}

	tree, err := v.dir.Sub(current)
	if err != nil {
		return err
	}

	defer tree.Close()

	names, err := v.dir.Names()
	if err != nil {
		return err
	}

	for _, name := range names {
		if err := v.tidyName(name, current, tree); err != nil {
			return err
		}
	}

	files, err := tree.Names()
	if err != nil {
		return err
	}

	for _, name := range files {
		if strings.HasPrefix(name, "..") || v.dir.Exists(name) {
			continue
		}
		if err := v.dir.Symlink(filepath.Join(dataLink, name), name); err != nil {
			return err
		}
	}
	return v.dir.Sync()
}

// tidyName removes what has a name in the volume if it is an old tree, or a link to a file that the
// current tree does not have.
func (v *volumeLayout) tidyName(name, current string, tree *dirfd.Dir) error {
	info, err := v.dir.Lstat(name)
	isTree := err == nil && info.Mode.IsDir() && treeName.MatchString(name)
	if isTree && name != current {
		if err := v.dir.RemoveAll(name); err != nil {
			return err
		}
	}

	target, err := v.dir.Readlink(name)
	isLink := err == nil && target == filepath.Join(dataLink, name)
	if isLink && !tree.Exists(name) {
		return removeIfThere(v.dir, name)
	}
	return nil
}

func (v *volumeLayout) discard() {
	current, err := v.current()
	if v.made != nil && v.now != current {
		v.made.Empty() // wherever it is now
		v.dir.RemoveAll(v.now)
	}

	v.close()

	tree, staged := v.dir.Readlink(dataTemp)
	known := err == nil && staged == nil
	if known && treeName.MatchString(tree) && tree != current {
		v.dir.RemoveAll(tree)
	}

	v.dir.RemoveAll(dataTemp) // a link; anything else of that name would stand in the way
}

// settle has nothing to remove: where ..data leads tells all.
func (v *volumeLayout) settle() {}

func (v *volumeLayout) close() {
	v.made.Close()
	v.made = nil
}

// stage writes the new tree and the link to it.
func (v *volumeLayout) stage(staged []stagedFile) (err error) {
	v.close()
	if v.old, err = v.current(); err != nil {
		return err
	}

	old, err := v.dir.Sub(v.old)
	if err != nil {
		return err
	}

	defer old.Close()

	stamp := time.Now().UTC().Format("2006_01_02_15_04_05")
	v.now = fmt.Sprintf("..%s.%x", stamp, random(5))
	if v.made, err = v.dir.Mkdir(v.now); err != nil {
		return err
	}
	if v.info, err = v.made.Stat(); err != nil {
		return err
	}

	changed := make(map[string]stagedFile)
	for _, s := range staged {
		changed[s.file] = s
		if s.old == nil {
			if _, err := writeNew(v.made, s.file, s.now.data, s.now.kept); err != nil {
				return err
			}
		}
	}

	if err := copyTree(old, v.made, changed); err != nil {
		return err
	}
	if err := v.dir.Symlink(v.now, dataTemp); err != nil {
		return err
	}
	return v.dir.Sync()
}

// copyTree copies a tree into one that was just made, except for the files that change. A directory
// gets its owner and mode when all is in it: until then nobody else can enter or move it.
func copyTree(from, to *dirfd.Dir, changed map[string]stagedFile) error {
	names, err := from.Names()
	if err != nil {
		return err
	}

	for _, name := range names {
		if s, ok := changed[name]; !ok {
			err = copyEntry(from, to, name)
		} else if s.now != nil && s.old != nil {
			_, err = writeNew(to, name, s.now.data, s.now.kept)
		}
		if err != nil {
			return err
		}
	}
	if err := likeDir(from, to); err != nil {
		return err
	}
	return to.Sync()
}

func copyEntry(from, to *dirfd.Dir, name string) error {
	info, err := from.Lstat(name)
	if err != nil {
		return err
	}

	switch {
	case info.Mode.IsDir():
		sub, err := from.Sub(name)
		if err != nil {
			return err
		}

		defer sub.Close()
		made, err := to.Mkdir(name)
		if err != nil {
			return err
		}

		defer made.Close()
		return copyTree(sub, made, nil)
	case info.Mode&fs.ModeSymlink != 0:
		target, err := from.Readlink(name)
		if err != nil {
			return err
		}
		return to.Symlink(target, name)
	}

	data, kept, info, err := readRegular(from, name)
	if err != nil {
		return err
	}

	kept.modified = info.Modified
	_, err = writeNew(to, name, data, kept)
	return err
}

// likeDir gives a directory the owner, mode and access control lists of another.
func likeDir(from, to *dirfd.Dir) error {
	like, err := from.Stat()
	if err != nil {
		return err
	}

	made, err := to.Stat()
	if err != nil {
		return err
	}

	a := attributesOf(from, like)
	a.mode = like.Mode & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
	return a.give(to, made)
}

// commit flips ..data.
func (v *volumeLayout) commit() error {
	current, err := v.current()
	if err != nil {
		return err
	}
	if current != v.old {
		return fmt.Errorf("%s was updated by someone else in this moment: nothing was changed by "+
			"this: run it again", printable.Line(v.dir.Path()))
	}

	tree, err := v.dir.Readlink(dataTemp)
	if err != nil || tree != v.now || !v.dir.Is(v.now, v.info) {
		return v.dir.Replaced(dataTemp)
	}
	if err := v.dir.Rename(dataTemp, v.dir, dataLink); err != nil {
		return err
	}

	v.close()

	if err := v.dir.Sync(); err != nil {
		return &UnclearError{fmt.Errorf("the new values are in place, but may not be on the "+
			"disk: %w", err)}
	}
	if err := v.tidy(); err != nil {
		return &UnclearError{fmt.Errorf("the new values are in place, but tidying up failed: %w: "+
			"mend that and run it again", err)}
	}

	current, err = v.current()
	if err != nil || current != v.now || !v.dir.Is(v.now, v.info) {
		return &UnclearError{v.dir.Replaced(dataLink)}
	}
	return nil
}
