package rotate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
	"github.com/secret-entrypoint/secret-entrypoint/internal/rotate/dirfd"
)

// RecordsName is the name of the file with the records, beside the target.
const RecordsName = "rotations.jsonl"

// records is the file with the records of a target, and of others.
type records struct {
	dir          *dirfd.Dir
	name         string
	kind, target string
}

func (r *records) path() string { return r.dir.Join(r.name) }

func (r *records) close() { r.dir.Close() }

// read returns the records of the target.
func (r *records) read() (all []Record, err error) {
	data, err := r.data()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case len(data) > 0 && data[0] != '{':
		return nil, r.foreign()
	}
	return parseRecords(data, r.kind, r.target), nil
}

func (r *records) foreign() error {
	return fmt.Errorf("%s: holds something else: name a file of its own with --records",
		printable.Line(r.path()))
}

func (r *records) data() ([]byte, error) {
	f, _, err := r.open(r.dir.Open)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// open opens the file. Where others can make names, it may be anything: a FIFO would never end, and
// a symlink or a hard link would have the records written into another file.
func (r *records) open(open func(name string) (*os.File, dirfd.Info, error)) (
	*os.File, dirfd.Info, error,
) {
	path := printable.Line(r.path())
	f, info, err := open(r.name)
	switch {
	case errors.Is(err, unix.ELOOP):
		return nil, info, fmt.Errorf("%s: is a symlink: name the file that it leads to with "+
			"--records", path)
	case errors.Is(err, dirfd.ErrNotRegular):
		return nil, info, fmt.Errorf("%s: is not a regular file: name another with --records", path)
	case err != nil:
		return nil, info, err
	}

	if err := r.only(info); err != nil {
		f.Close()
		return nil, info, err
	}
	return f, info, nil
}

// only checks, in a directory where others can make names, that the file has no other name.
func (r *records) only(opened dirfd.Info) error {
	if shared, err := r.dir.Shared(); err != nil || !shared {
		return err
	}

	// The name is looked at, not the open file: somebody could have removed the name since, and the
	// one that is counted would be elsewhere.
	info, err := r.dir.Lstat(r.name)
	switch path := printable.Line(r.path()); {
	case err != nil:
		return err
	case !info.Same(opened):
		return r.dir.Replaced(r.name)
	case info.Links > 1:
		return fmt.Errorf("%s: has %d names (hard links), and what is written to it would be in "+
			"the others: make it a file of its own, or name another with --records",
			path, info.Links)
	}
	return nil
}

// openAppend opens the file for another record, and reports whether it made the file.
func (r *records) openAppend() (f *os.File, info dirfd.Info, fresh bool, err error) {
	f, info, err = r.open(r.dir.OpenAppend)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, info, false, err
	}
	f, err = r.dir.Create(r.name, 0o644)
	return f, info, true, err
}

// append writes a record in one write(2), and returns when it is on the disk. If it fails, the
// record has not been written, or the error is an [*UnclearError].
func (r *records) append(rec Record) error {
	rec.Time, rec.Who = time.Now().UTC().Truncate(time.Second), who()
	rec.Kind, rec.Target = r.kind, r.target
	line, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	line = append(line, '\n')

	f, info, fresh, err := r.openAppend()
	if err != nil {
		return err
	}
	defer f.Close()

	torn, err := r.torn(f, info.Size)
	if err != nil {
		return err
	}
	if torn {
		line = append([]byte{'\n'}, line...)
	}

	_, err = f.Write(line)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		if f.Truncate(info.Size) != nil {
			return &UnclearError{err}
		}
		return err
	}

	if fresh {
		if err := r.dir.Sync(); err != nil {
			return &UnclearError{err}
		}
	}
	return nil
}

// torn reports whether the last line has no end, and fails if the file holds something else.
func (r *records) torn(f *os.File, size int64) (bool, error) {
	if size == 0 {
		return false, nil
	}

	var first, last [1]byte
	if _, err := f.ReadAt(first[:], 0); err != nil {
		return false, err
	}
	if first[0] != '{' {
		return false, r.foreign()
	}
	_, err := f.ReadAt(last[:], size-1)
	return last[0] != '\n', err
}
