package rotate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// RecordsName is what the records are called, beside the target.
const RecordsName = "rotations.jsonl"

// A Record is a line of rotations.jsonl. It holds no value.
type Record struct {
	ID       string    `json:"id"` // the same in all records of one rotation
	Time     time.Time `json:"time"`
	Outcome  Outcome   `json:"outcome"`
	Who      string    `json:"who"` // user@host
	Kind     string    `json:"kind"`
	Target   string    `json:"target"`
	Rotated  []string  `json:"rotated,omitempty"`
	Followed []string  `json:"followed,omitempty"`
	Kept     []string  `json:"kept,omitempty"`
	Dropped  []string  `json:"dropped,omitempty"`
	Backup   string    `json:"backup,omitempty"`
	Error    string    `json:"error,omitempty"`

	// Since is how old values are that have no record and whose file this rotation writes anew: its time
	// would no longer tell.
	Since map[string]time.Time `json:"since,omitempty"`
}

// Outcome is what became of a rotation.
type Outcome string

const (
	OutcomeBegun      Outcome = "begun"
	OutcomeDone       Outcome = "done"
	OutcomeFailed     Outcome = "failed"     // nothing changed
	OutcomeUnverified Outcome = "unverified" // done, but --then failed
	OutcomeUndoing    Outcome = "undoing"    // begun again, with the old values
	OutcomeUndone     Outcome = "undone"
)

// records is the file of a target.
type records struct {
	path         string
	kind, target string
}

// read returns those of the target. A last line that was cut off by a loss of power is no record.
func (r *records) read() (all []Record, err error) {
	data, err := r.data()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(data) > 0 && data[0] != '{' {
		return nil, fmt.Errorf("%s: holds something else: name a file of its own with --records", Printable(r.path))
	}
	lines := bytes.Split(data, []byte("\n"))
	for i, line := range lines {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var rec Record
		if err := json.Unmarshal(line, &rec); err != nil {
			if i == len(lines)-1 {
				break
			}
			// It may have been cut off before others were written behind it.
			continue
		}
		if rec.Kind == r.kind && rec.Target == r.target {
			all = append(all, rec)
		}
	}
	return all, nil
}

// data is what is in the file. Where others can make names, it may be anything: a FIFO would never end, and a symlink have
// the records written into another file.
func (r *records) data() ([]byte, error) {
	f, err := r.open(os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

func (r *records) open(flag int) (*os.File, error) {
	f, err := os.OpenFile(r.path, flag|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o644)
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("%s: is a symlink: name the file that it leads to with --records", Printable(r.path))
	}
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, fmt.Errorf("%s: is not a regular file: name another with --records", Printable(r.path))
	}
	return f, nil
}

// unfinished returns the last record if it has no end.
func unfinished(all []Record) *Record {
	if len(all) == 0 {
		return nil
	}
	last := all[len(all)-1]
	if last.Outcome == OutcomeBegun || last.Outcome == OutcomeUndoing {
		return &last
	}
	return nil
}

// append writes a record in one write(2), and returns when it is on the disk. If it fails, it has not been written, or the error is
// an [*UnclearError].
func (r *records) append(rec Record) error {
	rec.Time, rec.Who, rec.Kind, rec.Target = time.Now().UTC().Truncate(time.Second), who(), r.kind, r.target
	line, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	fresh := !exists(r.path)
	f, err := r.open(os.O_RDWR | os.O_CREATE | os.O_APPEND)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if size := info.Size(); size > 0 {
		var last [1]byte
		if _, err := f.ReadAt(last[:], size-1); err != nil {
			return err
		}
		if last[0] != '\n' {
			line = append([]byte{'\n'}, line...)
		}
	}
	_, err = f.Write(line)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		if f.Truncate(info.Size()) != nil {
			return &UnclearError{err}
		}
		return err
	}
	if fresh {
		if err := syncDir(filepath.Dir(r.path)); err != nil {
			return &UnclearError{err}
		}
	}
	return nil
}

// who is user@host; the user who called sudo, if one did.
func who() string {
	name := os.Getenv("SUDO_USER")
	if name == "" {
		if u, err := user.Current(); err == nil {
			name = u.Username
		} else {
			name = "uid " + strconv.Itoa(os.Getuid())
		}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return name + "@" + host
}

// rotatedAt is when each value was last changed, by the records.
func rotatedAt(all []Record) map[string]time.Time {
	done := make(map[string]Outcome)
	for _, r := range all {
		done[r.ID] = r.Outcome // the last one
	}
	at := make(map[string]time.Time)
	for _, r := range all {
		for name, since := range r.Since {
			if _, known := at[name]; !known {
				at[name] = since
			}
		}
		if r.Outcome == OutcomeDone && done[r.ID] != OutcomeUndone {
			for _, name := range append(r.Rotated, r.Followed...) {
				at[name] = r.Time
			}
		}
	}
	return at
}
