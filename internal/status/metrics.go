//go:build linux

package status

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/fault"
)

// The metrics, by what follows "secret_entrypoint_" in their names. There are names of secrets in
// them, and words for what was done or refused, and nothing else.
const (
	generation    = "generation"
	lastChange    = "last_change_timestamp_seconds"
	updateRefused = "update_refused"
	refusedSince  = "update_refused_timestamp_seconds"
	refusedTotal  = "updates_refused_total"
	retriesTotal  = "update_retries_total"
	changeSeconds = "change_seconds"
	secretChange  = "secret_last_change_timestamp_seconds"
)

// family begins a metric.
//
//go:noinline
func (t *text) family(name, kind, help string) {
	t.line("# HELP "+metricPrefix+name, help)
	t.line("# TYPE "+metricPrefix+name, kind)
}

const metricPrefix = "secret_entrypoint_"

// one is a metric without labels.
//
//go:noinline
func (t *text) one(name, kind, help string, n int64) {
	t.family(name, kind, help)
	t.number(metricPrefix+name, n)
}

// sample is one of a metric with a label, whose value needs no escape.
//
//go:noinline
func (t *text) sample(name, label, value string, n int64) {
	t.number(fmt.Sprintf(`%s%s{%s="%s"}`, metricPrefix, name, label, value), n)
}

// metrics is a status in the text format of Prometheus.
func (s *Status) metrics() []byte {
	var t text
	t.one(generation, "gauge",
		"Which generation of its secrets the command has; 0 before it is started.",
		int64(s.Generation))
	t.one(lastChange, "gauge", "When the command got the secrets that it has now.", s.Since)
	t.one(updateRefused, "gauge",
		"Whether an update of the secrets stands that is not used.", min(s.Refused, 1))
	t.one(refusedSince, "gauge", "Since when; 0 if none is refused.", s.Refused)

	t.family(refusedTotal, "counter", "Updates that were not used, by what was wrong with them.")
	for i, stage := range Stages {
		t.sample(refusedTotal, "reason", stage, int64(s.Refusals[i]))
	}
	t.one(retriesTotal, "counter",
		"How often a refused update was tried again in vain.", int64(s.Retries))

	t.family(changeSeconds, "summary",
		"Changes that were acted on, by what was done, and the seconds from their first sign on.")
	for i, action := range Actions {
		part := func(of string) string {
			return fmt.Sprintf(`%s%s_%s{action="%s"}`, metricPrefix, changeSeconds, of, action)
		}
		t.line(part("sum"), seconds(s.Done[i].Took))
		t.number(part("count"), int64(s.Done[i].Count))
	}

	t.family(secretChange, "gauge",
		"When a secret of the command changed last; the start, if it has not.")
	for _, x := range s.Secrets {
		t.sample(secretChange, "name", x.Name, x.Changed)
	}
	return t
}

// seconds is a time in seconds, to the millisecond.
func seconds(d time.Duration) string {
	ms := d.Milliseconds()
	return fmt.Sprintf("%d.%03d", ms/1000, ms%1000)
}

// A Metrics writes a status to a file in the text format of Prometheus, whole or not at all, at
// each change. A goroutine of its own writes, so that nothing waits for a file system that hangs.
type Metrics struct {
	latest chan *Status
	done   chan struct{}
}

// StartMetrics begins to write to a file, whose directory is looked up once: whoever can change
// that later cannot turn it into another one. Problems are told when they begin.
func StartMetrics(path string, tell func(error)) *Metrics {
	m := &Metrics{latest: make(chan *Status, 1), done: make(chan struct{})}
	go func() {
		defer close(m.done)
		f := metricsFile{dir: -1, path: path}
		failing := false
		for s := range m.latest {
			err := f.show(s)
			if err != nil && !failing {
				tell(err)
			}
			failing = err != nil
		}

		f.remove()
	}()
	return m
}

// show writes a status. A fault in that is an error like another.
func (f *metricsFile) show(s *Status) (err error) {
	defer fault.Contain(func(fault error) { err = fault })
	return f.write(s.metrics())
}

// Show has a status written. It does not wait; one that is not written yet is passed over.
func (m *Metrics) Show(s *Status) {
	select {
	case <-m.latest:
	default:
	}
	m.latest <- s
}

// lastWords is how long Close waits.
const lastWords = time.Second

// Close removes the file: what it says is no longer so.
func (m *Metrics) Close() {
	close(m.latest)
	select {
	case <-m.done:
	case <-time.After(lastWords):
	}
}

type metricsFile struct {
	dir     int // -1: not open
	path    string
	written bool
}

func (f *metricsFile) write(contents []byte) (err error) {
	if f.dir < 0 {
		dir := filepath.Dir(f.path)
		f.dir, err = unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			f.dir = -1
			return &os.PathError{Op: "open", Path: dir, Err: err}
		}
	}

	base := filepath.Base(f.path)
	temporary := "." + base + ".tmp"
	unix.Unlinkat(f.dir, temporary, 0) // of one that was killed; mostly there is none
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(f.dir, temporary, flags, 0o644)
	if err == nil {
		err = writeAll(fd, contents)
		if failed := unix.Fchmod(fd, 0o644); err == nil { // whatever the umask: others read it
			err = failed
		}

		if failed := unix.Close(fd); err == nil {
			err = failed
		}
		if err == nil {
			err = unix.Renameat(f.dir, temporary, f.dir, base)
		}
		if err != nil {
			unix.Unlinkat(f.dir, temporary, 0) // the first error counts
		}
	}

	if err != nil {
		return &os.PathError{Op: "write", Path: f.path, Err: err}
	}
	f.written = true
	return nil
}

func (f *metricsFile) remove() {
	if f.written {
		unix.Unlinkat(f.dir, filepath.Base(f.path), 0) // it may have been removed
	}
	if f.dir >= 0 {
		unix.Close(f.dir)
	}
}
