package rotate

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
	"github.com/secret-entrypoint/secret-entrypoint/internal/rotate/dirfd"
	"github.com/secret-entrypoint/secret-entrypoint/internal/secretfile"
)

// A secretFile is one file of a directory.
type secretFile struct {
	file  string // its name
	data  []byte
	kept  attributes
	info  dirfd.Info
	since time.Time
	link  string // where it leads, if it is a symlink
}

// value is what the file holds, without the newlines at its end.
func (f *secretFile) value() Secret { return Secret(secretfile.Value(f.data)) }

// tail is the newlines at its end.
func (f *secretFile) tail() string {
	_, tail := split(f.data)
	return tail
}

// same reports whether two files hold the same; nil is a file that is not there.
func (f *secretFile) same(other *secretFile) bool {
	if f == nil || other == nil {
		return f == other
	}
	return string(f.data) == string(other.data)
}

// A stagedFile says what a file was and will be. Nil is a file that is not there.
type stagedFile struct {
	file     string
	now, old *secretFile
}

// readFiles reads the files of a directory that secret-entrypoint would export.
func readFiles(dir *dirfd.Dir) (map[string]*secretFile, error) {
	names, err := dir.Names()
	if err != nil {
		return nil, err
	}

	files := make(map[string]*secretFile)
	var errs []error
	for _, name := range names {
		if strings.HasPrefix(name, ".") {
			continue
		}
		f, err := readSecretFile(dir, name)
		if err != nil {
			errs = append(errs, err)
		}
		if f == nil {
			continue
		}

		variable := variable(f.file)
		if other := files[variable]; other != nil {
			errs = append(errs, fmt.Errorf("%s and %s both give %s: remove one",
				printable.Line(dir.Join(other.file)), printable.Line(f.file), variable))
		}
		files[variable] = f
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}

	for _, f := range files {
		if f.info.Links > 1 {
			return nil, fmt.Errorf("%s: has %d names (hard links), and the others would keep the "+
				"old value: make them symlinks", printable.Line(dir.Join(f.file)), f.info.Links)
		}
	}
	return files, nil
}

// readSecretFile reads a file, or the file that a symlink leads to. It returns nil if there is
// none.
func readSecretFile(dir *dirfd.Dir, name string) (*secretFile, error) {
	f := &secretFile{file: name}
	from, at := dir, name
	info, err := dir.Lstat(name)
	if err == nil && info.Mode&fs.ModeSymlink != 0 {
		f.link, _ = dir.Readlink(name)
		if from, at, err = dir.Follow(name); err != nil {
			var foreign *dirfd.LinkError
			if errors.As(err, &foreign) {
				return nil, err
			}
			return nil, nil
		}
		defer from.Close()
		info, err = from.Lstat(at)
	}
	if err != nil || !info.Mode.IsRegular() {
		return nil, nil
	}

	if f.data, f.kept, f.info, err = readRegular(from, at); err != nil {
		return nil, err
	}
	f.since = f.info.Modified
	return f, nil
}

// entries returns the files as Target.Read does.
func entries(files map[string]*secretFile) (all []Entry) {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f := files[name]
		all = append(all, Entry{Name: name, Where: f.file, Value: f.value(), Since: f.since})
	}
	return all
}

// arrange decides what each file will be.
func arrange(files map[string]*secretFile, changes []Change) (staged []stagedFile, err error) {
	var errs []error
	for _, c := range changes {
		old := files[c.Name]
		if old != nil && old.link != "" {
			errs = append(errs, fmt.Errorf("%s: %s is a symlink to %s: rotate the directory where "+
				"that is", c.Name, printable.Line(old.file), printable.Line(old.link)))
			continue
		}

		name, like := model(files, c)
		s := stagedFile{file: name, old: old}
		if c.Reason != Dropped {
			kept := like.kept
			kept.modified = time.Time{}
			s.now = &secretFile{file: name, data: []byte(string(c.New) + like.tail()), kept: kept}
		}
		if s.now != nil && s.now.value() != c.New {
			errs = append(errs, fmt.Errorf("%s: the value ends in a newline, which a file can't "+
				"keep", c.Name))
		}
		staged = append(staged, s)
	}
	return staged, errors.Join(errs...)
}

// model returns the name of a changed file, and the file that it takes its mode, its owner and the
// newline at its end from.
func model(files map[string]*secretFile, c Change) (name string, like *secretFile) {
	if old := files[c.Name]; old != nil {
		return old.file, old
	}
	if base := files[c.After]; base != nil {
		return previousFile(base.file), base
	}

	name = strings.ToLower(c.Name)
	for _, first := range slices.Sorted(maps.Keys(files)) {
		return name, files[first]
	}
	return name, &secretFile{kept: private(), data: []byte("\n")}
}
