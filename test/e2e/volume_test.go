package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// volume is a directory that is written as the kubelet writes a Secret's volume, by the same system calls in the same
// order (k8s.io/kubernetes/pkg/volume/util/atomic_writer.go).
type volume struct {
	t   *testing.T
	dir string
	now string // the name of the generation that ..data points to
}

// volumeFile is a key of a Secret: its value, and who may read it.
type volumeFile struct {
	value string
	mode  os.FileMode
	group int
}

func newVolume(t *testing.T) *volume {
	v := &volume{t: t, dir: t.TempDir()}
	if err := os.Chmod(v.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return v
}

// write makes these files the volume's, all at once:
//
//  1. a directory with the time and something random in its name gets the files, each written and then changed in mode
//  2. the link ..data_tmp to it is renamed to ..data: the flip
//  3. keys that are new get a link to ..data/KEY, and the links of those that are gone go
//  4. the directory of the generation before goes
func (v *volume) write(files map[string]volumeFile) {
	v.t.Helper()
	check := func(err error) {
		v.t.Helper()
		if err != nil {
			v.t.Fatal(err)
		}
	}
	dir, err := os.MkdirTemp(v.dir, time.Now().UTC().Format("..2006_01_02_15_04_05."))
	check(err)
	check(os.Chmod(dir, 0o755))
	for name, file := range files {
		path := filepath.Join(dir, name)
		check(os.WriteFile(path, []byte(file.value), file.mode))
		check(os.Chown(path, 0, file.group))
		check(os.Chmod(path, file.mode))
	}

	data := filepath.Join(v.dir, "..data")
	check(os.Symlink(filepath.Base(dir), data+"_tmp"))
	check(os.Rename(data+"_tmp", data))

	for name := range files {
		link := filepath.Join(v.dir, name)
		if _, err := os.Lstat(link); os.IsNotExist(err) {
			check(os.Symlink(filepath.Join("..data", name), link))
		}
	}
	entries, err := os.ReadDir(v.dir)
	check(err)
	for _, entry := range entries {
		if _, ok := files[entry.Name()]; !ok && entry.Name()[0] != '.' {
			check(os.Remove(filepath.Join(v.dir, entry.Name())))
		}
	}

	if v.now != "" {
		check(os.RemoveAll(filepath.Join(v.dir, v.now)))
	}
	v.now = filepath.Base(dir)
}

// mount is what docker run takes to mount it where secrets are.
func (v *volume) mount() string { return fmt.Sprintf("%s:/run/secrets:ro", v.dir) }
