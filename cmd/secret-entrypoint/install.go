package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
)

// install copies the running binary to path, a directory or a file name, so that an
// init container can hand it to an image that lacks it. The file appears whole or not at all.
func install(path string, log *logger) (err error) {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if st, statErr := os.Stat(path); statErr == nil && st.IsDir() || strings.HasSuffix(path, "/") {
		path = filepath.Join(path, "secret-entrypoint")
	}

	// A rename would put the program in the place of a device, a socket or a symlink as well.
	if st, statErr := os.Lstat(path); statErr == nil && !st.Mode().IsRegular() {
		return fmt.Errorf("%s exists and is not a regular file: name another path, or its "+
			"directory", printable.Name(path))
	}

	from, err := os.Open(self)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.CreateTemp(filepath.Dir(path), ".secret-entrypoint-*")
	if err != nil {
		return advise(err, "mount a volume there that this user may write to")
	}

	defer func() {
		if err != nil {
			to.Close()
			os.Remove(to.Name())
		}
	}()
	if _, err := io.Copy(to, from); err != nil {
		return err
	}

	if err := to.Chmod(0o755); err != nil {
		return err
	}
	if err := to.Sync(); err != nil {
		return err
	}
	if err := to.Close(); err != nil {
		return err
	}

	if err := os.Rename(to.Name(), path); err != nil {
		return err
	}
	if noExec(path) {
		log.warnf("%s: its file system is mounted noexec, so that it cannot be executed there: "+
			"install it into another volume", printable.Name(path))
	}
	return nil
}

func advise(err error, advice string) error { return fmt.Errorf("%w: %s", err, advice) }
