package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
)

// credentials are who COMMAND is to run as.
type credentials struct {
	uid, gid int
	groups   []int // with gid
	dir      string
}

// findUser resolves --user; without it there is none.
func (o *options) findUser() (*credentials, error) {
	if o.user == "" {
		return nil, nil
	}
	return findUser(o.user)
}

// userProblem is how messages tell that COMMAND cannot run as the user.
func (o *options) userProblem(err error) string {
	return fmt.Sprintf("%s %s: %v", o.called("--user"), printable.Name(o.user), err)
}

// reader is the user as inject knows one, by the name that --user has.
func (c *credentials) reader(name string) *inject.User {
	if c == nil {
		return nil
	}
	name, _, _ = strings.Cut(name, ":")
	return &inject.User{Name: name, UID: c.uid, GID: c.gid, Groups: c.groups}
}

// findUser resolves USER[:GROUP], names or ids, as gosu(1) and docker run --user do: a user's
// groups are those of /etc/passwd and /etc/group, unless a GROUP is given, which is then the only
// one; an id that /etc/passwd does not know has group 0 and the home directory /.
func findUser(spec string) (*credentials, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("only root can change the user: start the container as root, or " +
			"drop the option")
	}

	name, group, grouped := strings.Cut(spec, ":")
	who := &credentials{dir: "/"}
	passwd, err := readTable("/etc/passwd", 7)
	if err != nil {
		return nil, err
	}

	row, err := findRow(passwd, name, "user", "/etc/passwd")
	if err != nil {
		return nil, err
	}
	login := ""
	if row == nil {
		who.uid, _ = id(name)
	} else {
		var okUID, okGID bool
		who.uid, okUID = id(row[2])
		who.gid, okGID = id(row[3])
		if !okUID || !okGID {
			return nil, fmt.Errorf("the line of %s in /etc/passwd is malformed",
				printable.Name(name))
		}
		login, who.dir = row[0], row[5]
	}

	groups, err := readTable("/etc/group", 4)
	if err != nil {
		return nil, err
	}
	if grouped {
		if err := who.setGroup(groups, group); err != nil {
			return nil, err
		}
		return who, nil
	}

	who.groups = []int{who.gid}
	for _, g := range groups {
		if gid, ok := id(g[2]); ok && login != "" &&
			slices.Contains(strings.Split(g[3], ","), login) && !slices.Contains(who.groups, gid) {
			who.groups = append(who.groups, gid)
		}
	}

	return who, nil
}

// setGroup makes a group, by name or id, the only one.
func (c *credentials) setGroup(groups [][]string, name string) error {
	row, err := findRow(groups, name, "group", "/etc/group")
	if err != nil {
		return err
	}
	text := name
	if row != nil {
		text = row[2]
	}

	gid, ok := id(text)
	if !ok {
		return fmt.Errorf("the line of %s in /etc/group is malformed", printable.Name(name))
	}

	c.gid, c.groups = gid, []int{gid}
	return nil
}

// findRow finds the line of a name or, if it is one, of an id in passwd(5) or group(5), of which
// the first field is the name and the third the id. An id without a line is no error.
func findRow(table [][]string, name, kind, file string) ([]string, error) {
	if name == "" {
		return nil, fmt.Errorf("no %s named: USER[:GROUP]", kind)
	}

	for _, row := range table {
		if row[0] == name {
			return row, nil
		}
	}

	wanted, numeric := id(name)
	if !numeric {
		return nil, fmt.Errorf("%s %s is not in %s: correct the name, or give an id",
			kind, printable.Name(name), file)
	}

	for _, row := range table {
		if n, ok := id(row[2]); ok && n == wanted {
			return row, nil
		}
	}

	return nil, nil
}

// readTable reads the lines of passwd(5) or group(5) that have enough fields. A
// missing file is an empty table: images from scratch have none.
func readTable(file string, fields int) ([][]string, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}

	var table [][]string
	for _, line := range strings.Split(string(data), "\n") {
		if row := strings.Split(line, ":"); len(row) >= fields && !strings.HasPrefix(line, "#") {
			table = append(table, row)
		}
	}

	return table, nil
}

// id understands a decimal user or group id. The highest, -1, means "unchanged" to the kernel.
func id(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return int(n), err == nil && n < 1<<32-1
}

// assume makes this process, and so COMMAND, run as c; nil is nobody else. The supplementary groups
// go first, and the user last, for each needs the rights of the next. These are package syscall's,
// which change every thread: x/sys/unix's Setgroups changes the calling one only, and execve takes
// the credentials of whichever thread calls it.
func (c *credentials) assume() error {
	if c == nil {
		return nil
	}
	if err := syscall.Setgroups(c.groups); err != nil {
		return fmt.Errorf("set groups: %w", err)
	}
	if err := syscall.Setgid(c.gid); err != nil {
		return fmt.Errorf("set group %d: %w", c.gid, err)
	}
	if err := syscall.Setuid(c.uid); err != nil {
		return fmt.Errorf("set user %d: %w", c.uid, err)
	}
	return seal() // which a change of the user undoes, where /proc/sys/fs/suid_dumpable is not 0
}

// home returns the environment with HOME set to the user's; nil is nobody else.
func (c *credentials) home(env []string) []string {
	if c == nil {
		return env
	}
	env = slices.DeleteFunc(env, func(v string) bool { return strings.HasPrefix(v, "HOME=") })
	return append(env, "HOME="+c.dir)
}
