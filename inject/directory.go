package inject

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// volumeLink is the symlink behind which the kubelet keeps the current
// generation of a volume.
const volumeLink = "..data"

// readDirectory exports the files of a directory.
func (l *loader) readDirectory(s Source, place int) {
	subject := Subject{Path: s.Path}
	root, at, err := l.snap.resolve(s.Path)
	if err != nil {
		if !s.Optional || err != unix.ENOENT {
			l.fail(fileError(subject, at, err))
		}
		return
	}
	files, at, err := l.files(root)
	if err != nil {
		l.fail(directoryError(subject, at, err))
		return
	}
	if len(files) == 0 && s.NonEmpty {
		l.fail(&EmptyDirectoryError{subject})
	}
	l.result.Filled[place-1] = len(files) > 0
	l.values = slices.Grow(l.values, len(files))
	if len(l.byName) == 0 {
		l.byName = make(map[string]int, len(files))
	}
	l.snap.witnesses = slices.Grow(l.snap.witnesses, len(files))
	for _, f := range files {
		l.readDirectoryFile(s, f, place)
	}
}

func directoryError(subject Subject, at string, err error) Problem {
	p := fileError(subject, at, err)
	if e, ok := p.(*FileError); ok && err == ErrNotDirectory {
		e.Advice = "name its directory, or read it with --dotenv or an X_FILE variable"
	}
	return p
}

// A dirFile is a name in a secret directory and where to read it. Its kind is never kindOther.
type dirFile struct {
	dirEntry
	dir string // real
}

// files lists what could be secrets in the directory at a real path, by name. Of a Kubernetes
// volume that is what its current generation holds: the links to it in the directory itself are
// added after a flip and removed after it, so between the two they tell of another generation. When
// that fails, at is where the volume's link leads.
func (l *loader) files(root string) (files []dirFile, at string, err error) {
	entries, volume, err := l.snap.list(root)
	if err != nil {
		return nil, "", err
	}
	current := make(map[string]bool)
	if volume {
		generation, at, err := l.snap.walk(root, volumeLink)
		if err != nil {
			return nil, at, err
		}
		inner, _, err := l.snap.list(generation)
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
	files = slices.DeleteFunc(files, func(f dirFile) bool { return f.kind == kindOther })
	slices.SortFunc(files, func(a, b dirFile) int { return strings.Compare(a.name, b.name) })
	return files, "", nil
}

// leadsToVolume reports whether a name is one of the kubelet's own links into the current generation.
func (l *loader) leadsToVolume(root, name string) bool {
	target, err := l.snap.readlink(root + "/" + name)
	return err == nil && target == volumeLink+"/"+name
}

// readDirectoryFile exports one file of a directory.
func (l *loader) readDirectoryFile(s Source, f dirFile, place int) {
	realPath := f.dir + "/" + f.name
	e := Export{Source: SourceDirectory, Path: realPath}
	if s.Path != f.dir {
		e.Path = strings.TrimSuffix(s.Path, "/") + "/" + f.name
	}
	format, prefix, wrong := l.format(s, f.name)
	e.Format = format
	if format == FormatRaw {
		e.Name, wrong = Name(prefix, f.name)
	}
	if e.Name != "" && l.excluded(e.Name) {
		return
	}
	subject := Subject{e.Name, e.Path}

	if f.kind != kindRegular {
		var at string
		var err error
		if realPath, at, err = l.snap.walk(f.dir, f.name); err != nil {
			if at == f.dir+"/"+f.name && err == unix.ENOENT {
				l.snap.vanished = at // the link itself, listed a moment ago
			}
			l.fail(fileError(subject, at, err))
			return
		}
	}
	data, in, err := l.snap.readKnown(realPath)
	switch {
	case f.kind != kindRegular && passedOver(err):
		return
	case wrong != "":
		l.fail(&NameError{Subject: subject, What: wrong, Advice: "rename the secret"})
		return
	case e.Name != "" && !l.allowed(e.Name):
		l.fail(refused(subject))
		return
	case err != nil:
		l.fail(fileError(subject, "", err))
		return
	}
	if format == FormatRaw {
		l.add(e, in, subject, newlines(data), place)
	} else {
		l.addEntries(e, prefix, in, data, place)
	}
}

// passedOver reports whether a link leads to something that is not a file.
func passedOver(err error) bool {
	_, special := err.(notRegular)
	return special || err == ErrDirectory
}

// format finds how a file is read, and the prefix of the names in it.
func (l *loader) format(s Source, file string) (f Format, prefix, wrong string) {
	for _, rule := range l.Formats {
		if !matches(rule.Glob, file) {
			continue
		}
		switch {
		case rule.Prefix != nil:
			return rule.Format, s.Prefix + *rule.Prefix, ""
		case rule.Format == FormatJSON:
			prefix, wrong = Name(s.Prefix, strings.TrimSuffix(file, ".json"))
			return rule.Format, prefix + "_", wrong
		}
		return rule.Format, s.Prefix, ""
	}
	return FormatRaw, s.Prefix, ""
}
