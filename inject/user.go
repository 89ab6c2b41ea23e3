package inject

import (
	"fmt"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
)

// A User is who a program is to run as, with root's files before that: see Options.User.
type User struct {
	Name     string // for messages, as the caller's user wrote it
	UID, GID int
	Groups   []int // with GID
}

// ReadFile reads a regular file that is no secret as [Load] reads those of secrets: without waiting
// for a FIFO, and with the rights of a user where that user could have put it there. A user of nil
// is nobody. The error is the cause alone.
func ReadFile(path string, user *User) ([]byte, error) {
	s := newSnapshot(user)
	defer s.close()
	data, _, _, err := s.readNamed(path)
	return data, err
}

// linked marks the real path of what was reached over a symlink that the user could have made: it
// stands in front of it, and so in front of all paths that are made of that one. To the kernel two
// slashes are one.
const linked = "/"

func isLinked(path string) bool { return path == linked || strings.HasPrefix(path, linked+"/") }

// plain is a real path without that mark.
func plain(path string) string {
	if strings.HasPrefix(path, linked+"/") {
		return path[len(linked):]
	}
	return path
}

// untrusted says that a file was looked for with the user's rights, who has none to read it.
type untrusted struct {
	user string
	dir  string // which the user can change
}

func (e *untrusted) Error() string {
	return fmt.Sprintf("permission denied (as user %[1]s, because %[1]s can change %[2]s)",
		printable.Name(e.user), printable.Name(e.dir))
}

func (e *untrusted) advice() string {
	return fmt.Sprintf("let %s read the file, or keep it in a directory that only root can "+
		"change, or mount that one read-only", printable.Name(e.user))
}

// switchError says that the rights of a user could not be had.
type switchError struct {
	user string
	err  error
}

func (e *switchError) Error() string {
	return fmt.Sprintf("become %s: %v", printable.Name(e.user), e.err)
}

func (e *switchError) Unwrap() error { return e.err }
