package inject

// A Watched is a file that is looked at and not exported, or a directory of such files.
type Watched struct {
	Name string
	Path string // as it was named; relative: from the working directory

	// Of a [Result]: Real is Path without symlinks, Mode are the permission bits of the file, UID
	// and GID its owner, and Digest is what the options' Digest made of its contents.
	Real     string
	Mode     uint32
	UID, GID uint32
	Digest   uint64
}

// observe looks at a file, or at all files of a directory. A file that is missing or empty is an
// error, as it is for an exported one; the contents may be anything.
func (l *loader) observe(w Watched) {
	about := subject{w.Name, w.Path}
	data, in, at, err := l.snap.readNamed(w.Path)
	if err != ErrDirectory {
		_, file := split(w.Path)
		l.observed(w, file, data, in, at, err)
		return
	}

	root, at, err := l.snap.resolve(w.Path)
	if err != nil {
		l.fail(fileProblem(about, at, err))
		return
	}
	all, at, err := l.files(root)
	if err != nil {
		l.fail(fileProblem(about, at, err))
		return
	}

	dir := Source{Path: w.Path}
	files := l.readable(dir, all)
	if len(files) == 0 {
		l.fail(noSecrets(about, ""))
	}

	for _, f := range files {
		data, in, at, err := l.readListed(f, f.real())
		if at == "" && f.fileType != typeRegular && passedOver(err) {
			continue
		}
		l.observed(Watched{Name: w.Name, Path: f.path(dir)}, f.name, data, in, at, err)
	}
}

// observed notes what was read of one file.
func (l *loader) observed(w Watched, file string, data []byte, in info, at string, err error) {
	var wrong error
	if w.Name == "" {
		w.Name, wrong = Name("", file)
	}

	about := subject{w.Name, w.Path}
	switch {
	case wrong != nil:
		l.fail(about.problem(KindBadName, wrong.Error(), ""))
	case err != nil:
		l.fail(fileProblem(about, at, err))
	case len(data) == 0 && !l.AllowEmpty:
		l.fail(about.problem(KindEmpty, "the value is empty", ""))
	default:
		w.Real, w.Mode, w.UID, w.GID = in.real, in.mode, in.uid, in.gid
		if l.Digest != nil {
			w.Digest = l.Digest(data)
		}
		l.result.Watched = append(l.result.Watched, w)
	}
}
