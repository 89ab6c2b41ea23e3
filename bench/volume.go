package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// volume is a directory of 25 secrets that is updated as the kubelet does it (AtomicWriter in
// k8s.io/kubernetes/pkg/volume/util).
type volume struct {
	dir, marks     string
	consulTemplate string // a configuration
	generation     int
}

const volumeSecrets = 25

func newVolume(in string) (*volume, error) {
	v := &volume{dir: filepath.Join(in, "volume"), marks: filepath.Join(in, "marks"), consulTemplate: filepath.Join(in, "consul-template.hcl")}
	if err := os.Mkdir(v.dir, 0o755); err != nil {
		return nil, err
	}
	if _, err := v.flip(); err != nil {
		return nil, err
	}
	var config strings.Builder
	for i := range volumeSecrets {
		fmt.Fprintf(&config, "template {\n  contents = \"{{ file `%s` }}\"\n  destination = %q\n}\n", filepath.Join(v.dir, name(i)), filepath.Join(in, "out", name(i)))
	}
	config.WriteString("exec {\n  reload_signal = \"SIGHUP\"\n}\n")
	return v, os.WriteFile(v.consulTemplate, []byte(config.String()), 0o644)
}

// flip updates one secret of the volume, and returns the moment of the rename.
func (v *volume) flip() (int64, error) {
	v.generation++
	now := fmt.Sprintf("..generation_%d", v.generation)
	if err := os.Mkdir(filepath.Join(v.dir, now), 0o755); err != nil {
		return 0, err
	}
	for i := range volumeSecrets {
		text := value(i)
		if i == 0 {
			text = fmt.Sprint(v.generation)
		}
		if err := os.WriteFile(filepath.Join(v.dir, now, name(i)), []byte(text), 0o644); err != nil {
			return 0, err
		}
	}
	temporary := filepath.Join(v.dir, "..data_tmp")
	if err := os.Symlink(now, temporary); err != nil {
		return 0, err
	}
	moment := monotonic()
	if err := os.Rename(temporary, filepath.Join(v.dir, "..data")); err != nil {
		return 0, err
	}
	for i := range volumeSecrets {
		if err := os.Symlink("..data/"+name(i), filepath.Join(v.dir, name(i))); err != nil && !errors.Is(err, os.ErrExist) {
			return 0, err
		}
	}
	return moment, os.RemoveAll(filepath.Join(v.dir, fmt.Sprintf("..generation_%d", v.generation-1)))
}

// monotonic is the clock that mark.c reads too.
func monotonic() int64 {
	const clockMonotonic = 1
	var now syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&now)), 0) // cannot fail
	return now.Nano()
}

// await waits for the nth mark of a kind and returns its moment.
func (v *volume) await(kind byte, n int, limit time.Duration) (int64, error) {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(time.Millisecond / 2) {
		if count, moment := v.count(kind); count >= n {
			return moment, nil
		}
	}
	return 0, fmt.Errorf("no mark %c in %v", kind, limit)
}

// count counts the marks of a kind, and returns the moment of the last.
func (v *volume) count(kind byte) (n int, last int64) {
	data, _ := os.ReadFile(v.marks)
	for line := range strings.Lines(string(data)) {
		if line[0] == kind && strings.HasSuffix(line, "\n") {
			n++
			last, _ = strconv.ParseInt(strings.TrimSpace(line[1:]), 10, 64)
		}
	}
	return n, last
}
