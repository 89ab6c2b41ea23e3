package main

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What the user of --user could have put there gives that user nothing of root's, and all that
// root meant to be read still is. Each setup runs as root in a mount namespace of its own, in a
// directory of root's in which only/key is root's alone.
func TestUserGainsNothing(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to drop from")
	}
	const own, denied = "mkdir d; chown nobody d; ", "as user nobody, because nobody can change "
	for _, c := range []struct {
		name, setup string
		options     string
		want        string // a denied directory, or "" where the value is read
		reference   string // KEY_FILE
		acl         uint32 // d is root's, and an ACL lets this user write
	}{
		{
			name:    "own directory",
			setup:   own + "ln -s $PWD/only/key d/key",
			options: "--dir d", want: "d",
		},
		{
			name:    "anybody's directory",
			setup:   "mkdir -m 0777 d; ln -s ../only/key d/key",
			options: "--dir d", want: "d",
		},
		{
			name:    "sticky directory",
			setup:   "mkdir d; chmod 1777 d; ln -s ../only/key d/key",
			options: "--dir d", want: "d",
		},
		{
			name:    "the group's directory",
			setup:   "mkdir -m 0775 d; chgrp daemon d; ln -s ../only/key d/key",
			options: "--user nobody:daemon --dir d", want: "d",
		},
		{
			name:    "by an ACL",
			setup:   "ln -s ../only/key d/key",
			options: "--dir d", want: "d", acl: 65534,
		},
		{
			name:    "own, not writable",
			setup:   own + "ln -s ../only/key d/key; chmod 0555 d",
			options: "--dir d", want: "d",
		},
		{name: "hard link", setup: own + "ln only/key d/key", options: "--dir d", want: "d"},
		{
			name:    "hard link, sticky",
			setup:   "mkdir d; chmod 1777 d; ln only/key d/key",
			options: "--dir d", want: "d",
		},
		{
			name:    "directory above",
			setup:   own + "mkdir d/e; cp -p only/key d/e/key",
			options: "--dir d/e", want: "d",
		},
		{
			name:    "link to the directory",
			setup:   own + "ln -s ../only d/e",
			options: "--dir d/e", want: "d",
		},
		{
			name: "link on the way",
			setup: own + "mkdir only/e; cp -p only/key only/e; chmod 0700 only; " +
				"ln -s ../only d/x",
			options: "--dir d/x/e", want: "d",
		},
		{
			name:    "link up to the root",
			setup:   own + "ln -s ../../../../../../../../../..$PWD/only/key d/key",
			options: "--dir d", want: "d",
		},
		{
			name:    "link of root's to a link",
			setup:   own + "ln -s ../only/key d/l; mkdir e; ln -s ../d/l e/key",
			options: "--dir e", want: "d",
		},
		{
			name:    "link behind a volume's",
			setup:   own + "mkdir d/..1; ln -s ..1 d/..data; ln -s ../../only/key d/..1/key",
			options: "--dir d", want: "d",
		},
		{
			name:    "reference",
			setup:   own + "ln -s $PWD/only/key d/key",
			options: "--dir= --include KEY", want: "d", reference: "d/key",
		},
		{
			name:    "dotenv file",
			setup:   own + "ln -s ../more/env d/key",
			options: "--dir= --dotenv d/key", want: "d",
		},
		{
			name:    "JSON",
			setup:   own + "ln -s ../more/json d/all",
			options: "--dir d --format *=json:", want: "d",
		},
		{
			name:    "schema",
			setup:   own + "ln -s ../more/env d/key",
			options: "--dir= --schema d/key", want: "d",
		},
		{
			name:    "schema with a mistake",
			setup:   own + "ln -s ../only/key d/key",
			options: "--dir= --schema d/key", want: "d",
		},
		{
			name:    "descriptor of root's",
			setup:   own + "exec 7<only/key; ln -s /proc/self/fd/7 d/key",
			options: "--dir d", want: "d",
		},
		{
			name: "file, unmounted directory",
			setup: own + "mkdir d/e; mount --bind only d/e; umount d/e; " +
				"ln -s ../../only/key d/e/key",
			options: "--dir d/e", want: "d",
		},

		{name: "root's directory", options: "--dir only"},
		{
			name:    "root's in a sticky one",
			setup:   "mkdir d; chmod 1777 d; mkdir d/e; cp -p only/key d/e",
			options: "--dir d/e",
		},
		{name: "root's link", setup: "mkdir e; ln -s ../only/key e/key", options: "--dir e"},
		{
			name:    "root's link, absolute",
			setup:   "mkdir e; ln -s $PWD/only/key e/key; ln -s e f",
			options: "--dir f",
		},
		{
			name:    "user's own file",
			setup:   own + "cp only/key d/key; chown nobody d/key",
			options: "--dir d",
		},
		{
			name:    "user's file by a group",
			setup:   own + "cp only/key d/key; chgrp daemon d/key; chmod 0440 d/key",
			options: "--user nobody:daemon --dir d",
		},
		{
			name:    "user's own file by links",
			setup:   own + "cp only/key d/k; chown nobody d/k; ln -s k d/key; ln -s d e",
			options: "--dir e",
		},
		{
			name: "kubelet's volume",
			setup: "mkdir d; mount -t tmpfs -o mode=1777 x d; mkdir d/..1; " +
				"cp -p only/key d/..1; ln -s ..1 d/..data; ln -s ..data/key d/key; mount -o remount,ro d",
			options: "--dir d",
		},
		{
			name: "kubelet's volume, fsGroup",
			setup: "mkdir d; mount -t tmpfs -o mode=3777 x d; chgrp nogroup d; " +
				"mkdir -m 2755 d/..1; cp -p only/key d/..1; ln -s ..1 d/..data; ln -s ..data/key d/key; mount -o remount,ro d",
			options: "--dir d",
		},
		{
			name:    "own directory, read-only",
			setup:   own + "cp -p only/key d/key; mount --bind d d; mount -o remount,bind,ro d",
			options: "--dir d",
		},
		{
			name:    "mount in the user's directory",
			setup:   own + "mkdir d/e; mount --bind only d/e",
			options: "--dir d/e",
		},
		{
			name:    "mount in root's in the user's",
			setup:   own + "mkdir -p -m 0700 d/e/f; mount --bind only d/e/f",
			options: "--dir d/e/f",
		},
		{
			name:    "mounted file in the user's directory",
			setup:   own + "touch d/key; mount --bind only/key d/key",
			options: "--dir d",
		},
		{
			name:    "writable directory, ACL for another",
			setup:   "cp -p only/key d",
			options: "--dir d", acl: 1,
		},
		{
			name:    "another group's directory",
			setup:   "mkdir -m 0775 d; chgrp daemon d; cp -p only/key d",
			options: "--dir d",
		},
		{name: "descriptor", options: "--dir= --include KEY", reference: "/proc/self/fd/7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "work")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			openToAll(t, dir)
			const script = `mount --make-rprivate / && umask 022 && mkdir only more &&
				printf c4n4ry >only/key && echo KEY=c4n4ry >more/env && echo '{"key":"c4n4ry"}' >more/json &&
				chmod 0400 only/* more/* && exec 7<only/key || exit 99
				eval "$1"; shift; exec "$@"`
			if c.acl != 0 {
				giveACL(t, filepath.Join(dir, "d"), c.acl)
			}
			args := []string{"--mount", "sh", "-c", script, "sh", c.setup, shim(t), "--user", "nobody"}
			args = append(args, strings.Fields(c.options)...)
			args = append(args, "--", "sh", "-c", "echo got=$KEY; id -u; grep ^Groups: /proc/self/status")
			cmd := exec.Command("unshare", args...)
			cmd.Dir = dir
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=10"}
			if c.reference != "" {
				cmd.Env = append(cmd.Env, "KEY_FILE="+c.reference)
				if c.reference[0] != '/' {
					cmd.Env[len(cmd.Env)-1] = "KEY_FILE=" + filepath.Join(dir, c.reference)
				}
			}
			out, err := cmd.CombinedOutput()
			switch text := string(out); {
			case cmd.ProcessState == nil || cmd.ProcessState.ExitCode() == 99:
				t.Skipf("cannot mount here: %v %s", err, text)
			case c.want == "" && (err != nil || !strings.HasPrefix(text, "got="+canary+"\n65534\nGroups:\t")):
				t.Errorf("%v: %s", err, text)
			case c.want == "":
			case strings.Contains(text, canary):
				t.Errorf("root's file was read: %s", text)
			case cmd.ProcessState.ExitCode() != exitFailed ||
				!strings.Contains(text, denied+filepath.Join(dir, c.want)+")"):
				t.Errorf("%v: %s", err, text)
			}
		})
	}
}

// giveACL makes a directory that an ACL lets a user write (acl(5), as setfacl -m u:USER:rwx).
func giveACL(t *testing.T, dir string, user uint32) {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	const version, undefined = 2, 1<<32 - 1 // linux/posix_acl_xattr.h
	acl := binary.LittleEndian.AppendUint32(nil, version)
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{{0x01, 7, undefined}, {0x02, 7, user}, {0x04, 5, undefined}, {0x10, 7, undefined}, {0x20, 5, undefined}} {
		acl = binary.LittleEndian.AppendUint16(acl, e.tag)
		acl = binary.LittleEndian.AppendUint16(acl, e.perm)
		acl = binary.LittleEndian.AppendUint32(acl, e.id)
	}
	if err := unix.Setxattr(dir, "system.posix_acl_access", acl, 0); err != nil {
		t.Skipf("no ACLs here: %v", err)
	}
}
