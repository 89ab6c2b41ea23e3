package inject

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/secretfile"
)

// volumeLink is the symlink behind which the kubelet keeps the current
// generation of a volume.
const volumeLink = "..data"

// readDirectory exports the files of a directory.
func (l *loader) readDirectory(s Source, place int) {
	about := subject{path: s.Path}
	root, at, err := l.snap.resolve(s.Path)
	if err != nil {
		if err != unix.ENOENT || l.needed(s) {
			p := fileProblem(about, at, err)
			p.By = s.By
			l.fail(p)
		}
		return
	}

	all, at, err := l.files(root)
	if err != nil {
		p := fileProblem(about, at, err)
		p.By = s.By
		l.fail(p)
		return
	}

	files := l.readable(s, all)
	l.emptyMounts(s, all)
	if !l.holds(heldSource+s.Path, len(files)) || len(files) == 0 && s.NonEmpty {
		l.fail(noSecrets(about, s.By))
	} else if len(files) == 0 {
		l.nothingIn(s, root, all)
	}

	l.values = slices.Grow(l.values, len(files))
	if len(l.byName) == 0 {
		l.byName = make(map[string]int, len(files))
	}

	l.snap.witnesses = slices.Grow(l.snap.witnesses, len(files))
	for _, f := range files {
		l.readDirectoryFile(s, f, place)
	}
}

// A dirFile is a name in a secret directory and where to read it. It is never of typeOther.
type dirFile struct {
	dirEntry
	dir string // real
}

// real is the file's own path in its directory, with a symlink that it may be.
func (f dirFile) real() string { return f.dir + "/" + f.name }

// path is that of the file, as its source was named.
func (f dirFile) path(s Source) string { return strings.TrimSuffix(s.Path, "/") + "/" + f.name }

// files lists the files and directories in the directory at a real path, by name. Of a Kubernetes
// volume that is what its current generation holds: the links to it in the directory itself are
// added after a flip and removed after it, so between the two they tell of another generation. When
// that fails, at is where the volume's link leads.
func (l *loader) files(root string) (files []dirFile, at string, err error) {
	return l.filesBy(l.snap.list, root)
}

// filesBy is files with the way to list a directory.
func (l *loader) filesBy(
	list func(string) ([]dirEntry, bool, error), root string,
) (files []dirFile, at string, err error) {
	entries, volume, err := list(root)
	if err != nil {
		return nil, "", err
	}
	current := make(map[string]bool)
	if volume {
		generation, at, err := l.snap.walk(root, volumeLink)
		if err != nil {
			return nil, at, err
		}
		inner, _, err := list(generation)
		if err != nil {
			return nil, generation, err
		}
		for _, e := range inner {
			current[e.name] = true
			files = append(files, dirFile{e, generation})
		}
	}

	for _, e := range entries {
		if volume && (current[e.name] || l.leadsToVolume(root, e.name)) {
			continue
		}
		files = append(files, dirFile{e, root})
	}
	return byName(files), "", nil
}

// byName sorts files, whose names differ, and leaves out what is none. To sort the names alone
// takes no sorting code of its own, which would be 12 KB; and most files of a directory differ in
// nothing else.
func byName(files []dirFile) []dirFile {
	names := make([]string, 0, len(files))
	others := make(map[string]dirFile)
	for _, f := range files {
		if f.fileType == typeOther {
			continue
		}
		names = append(names, f.name)
		if f.fileType != files[0].fileType || f.dir != files[0].dir {
			others[f.name] = f
		}
	}

	slices.Sort(names)
	sorted := make([]dirFile, len(names))
	for i, name := range names {
		f, differs := others[name]
		if !differs {
			f = files[0]
			f.name = name
		}
		sorted[i] = f
	}
	return sorted
}

// leadsToVolume reports whether a name is one of the kubelet's own links into the current
// generation.
func (l *loader) leadsToVolume(root, name string) bool {
	target, err := l.snap.readlink(root + "/" + name)
	return err == nil && target == volumeLink+"/"+name
}

// readDirectoryFile exports one file of a directory.
func (l *loader) readDirectoryFile(s Source, f dirFile, place int) {
	path := f.real()
	e := Export{Origin: OriginDirectory, Path: path}
	if s.Path != f.dir {
		e.Path = f.path(s)
	}
	format, prefix, wrong := l.format(s, f.name)
	e.Format = format
	if format == FormatRaw {
		e.Name, wrong = Name(prefix, f.name)
	}

	if e.Name != "" && l.excluded(e.Name) {
		return
	}
	about := subject{e.Name, e.Path}

	data, in, at, err := l.readListed(f, path)
	if at != "" {
		l.fail(fileProblem(about, at, err))
		return
	}

	switch {
	case f.fileType != typeRegular && passedOver(err):
		return
	case wrong != nil:
		l.fail(about.problem(KindBadName, wrong.Error(), "rename the secret"))
		return
	case e.Name != "" && !l.allowed(e.Name):
		l.fail(l.refused(about))
		return
	case err != nil:
		l.fail(fileProblem(about, "", err))
		return
	}

	if format == FormatRaw {
		l.add(e, in, about, secretfile.Value(data), place)
	} else {
		l.addEntries(e, prefix, in, data, place)
	}
}

// readListed reads a file of a directory that was listed a moment ago, which is at a path. When it
// is a link that leads to nothing, at is how far that led.
func (l *loader) readListed(f dirFile, path string) (data []byte, in info, at string, err error) {
	realPath := path
	if f.fileType != typeRegular {
		if realPath, at, err = l.snap.walk(f.dir, f.name); err != nil {
			if at == path && err == unix.ENOENT {
				l.snap.vanished = at // the link itself, listed a moment ago
			}
			return nil, info{}, at, err
		}
	}

	data, in, err = l.snap.readKnown(realPath)
	return data, in, "", err
}

// passedOver reports whether a link leads to something that is not a file.
func passedOver(err error) bool {
	_, special := err.(notRegular)
	return special || err == ErrDirectory
}

// format finds how a file is read, and the prefix of the names in it.
func (l *loader) format(s Source, file string) (f Format, prefix string, err error) {
	for _, rule := range l.Formats {
		if !matches(rule.Glob, file) {
			continue
		}
		switch {
		case rule.Prefix != nil:
			return rule.Format, s.Prefix + *rule.Prefix, nil
		case rule.Format == FormatJSON:
			prefix, err = Name(s.Prefix, strings.TrimSuffix(file, ".json"))
			return rule.Format, prefix + "_", err
		}
		return rule.Format, s.Prefix, nil
	}

	return FormatRaw, s.Prefix, nil
}
