package rotate

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
	"github.com/secret-entrypoint/secret-entrypoint/internal/rotate/dirfd"
)

// lock locks a directory for this process, until the directory is closed or the process ends.
// Unlike the lock of a file, it stays when files are replaced.
func lock(dir *dirfd.Dir) error {
	err := dir.TryLock()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("lock %s: another rotation is at work there: let it end, and try again",
			printable.Line(dir.Path()))
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", printable.Line(dir.Path()), err)
	}
	return nil
}

// openLocked opens a directory and locks it.
func openLocked(path string) (*dirfd.Dir, error) {
	dir, err := dirfd.Open(path)
	if err != nil {
		return nil, err
	}
	if err := lock(dir); err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}
