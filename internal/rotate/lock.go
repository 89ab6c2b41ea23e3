package rotate

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lock takes a directory for this process until it is closed or ends. The lock is on the directory itself (flock(2)), so
// there is no lock file to be left behind, and it survives that files are replaced.
func lock(dir string) (*os.File, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err != unix.EINTR {
			break
		}
	}
	if err == nil {
		return d, nil
	}
	d.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fmt.Errorf("lock %s: another rotation is at work there: let it end, and try again", Printable(dir))
	}
	return nil, fmt.Errorf("lock %s: %w", Printable(dir), err)
}
