package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// theOwner is the user who owns the directories that root rotates in, and plays against it.
const theOwner = 4711

// This test binary, called "owner", is that user. It must not wait for TestMain, which builds.
func init() {
	if filepath.Base(os.Args[0]) == "owner" {
		playOwner(os.Args[1], os.Args[2], strings.Fields(os.Args[3]), os.Args[4:])
		os.Exit(0)
	}
}

// Names with a star stand for all of something that a rotation has made: for every one, for a
// volume's trees, and for backups.
const (
	anyMade   = "*"
	anyTree   = "..2*"
	anyBackup = "secrets.backup-*"
)

// once before a name stands for a bait that takes its place for good, as soon as it is there.
const once = "!"

// Baits are what the owner puts into the place of something of root's: a directory whose parts are
// links to elsewhere, links to elsewhere, and a second name of a file elsewhere.
var baits = []string{".bait-dir", ".bait-link", ".bait-empty", ".bait-file"}

// playOwner exchanges names with baits, in two threads, until standard input ends. In between
// everything is often as it was, so that root gets on.
func playOwner(sentinel, theirs string, names, dirs []string) {
	for _, dir := range dirs {
		layBaits(dir, sentinel, theirs)
	}
	var exchanged atomic.Int64
	there := make(map[string]bool) // from the beginning
	for _, dir := range dirs {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			there[filepath.Join(dir, e.Name())] = true
		}
	}
	exchange := func(dir, name, bait string, stay, good bool) {
		if good && there[filepath.Join(dir, name)] {
			return
		}
		swap := func() error {
			return unix.Renameat2(unix.AT_FDCWD, filepath.Join(dir, name), unix.AT_FDCWD, filepath.Join(dir, bait), unix.RENAME_EXCHANGE)
		}
		if swap() == nil {
			exchanged.Add(1)
			if good {
				return
			}
			if stay { // for a step or two of root's
				time.Sleep(time.Millisecond)
			}
			swap()
		}
	}
	play := func(turn int) {
		runtime.LockOSThread()
		for ; ; turn++ {
			for _, dir := range dirs {
				for _, name := range names {
					bait, stay := baits[turn%len(baits)], turn/len(baits)%2 == 0
					name, good := strings.CutPrefix(name, once)
					if !strings.Contains(name, "*") {
						exchange(dir, name, bait, stay, good)
						continue
					}
					entries, _ := os.ReadDir(dir)
					for _, e := range entries {
						made := strings.HasPrefix(e.Name(), ".") || strings.Contains(e.Name(), ".backup-")
						if matches, _ := filepath.Match(name, e.Name()); matches && made && !strings.HasPrefix(e.Name(), ".bait") {
							exchange(dir, e.Name(), bait, stay, good)
						}
					}
				}
			}
		}
	}
	go play(0)
	go play(1)
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	fmt.Println(exchanged.Load())
}

// layBaits puts baits into a directory. The second name of a file is there already.
func layBaits(dir, sentinel, theirs string) {
	os.Mkdir(filepath.Join(dir, ".bait-dir"), 0o755)
	for part, to := range map[string]string{"new": sentinel, "drop": sentinel, "old": theirs, "added": theirs} {
		os.Symlink(to, filepath.Join(dir, ".bait-dir", part))
	}
	os.Symlink(sentinel, filepath.Join(dir, ".bait-link"))
	os.Symlink(filepath.Join(sentinel, "empty"), filepath.Join(dir, ".bait-empty"))
}

// owner is a game that goes on.
type owner struct {
	cmd   *exec.Cmd
	stop  io.Closer
	out   io.Reader
	stder bytes.Buffer
}

func (a *arena) startOwner(t *testing.T, names string, dirs []string) *owner {
	t.Helper()
	o := &owner{cmd: exec.Command("/proc/self/exe")}
	o.cmd.Args = append([]string{"owner", a.sentinel, a.theirs, names}, dirs...)
	o.cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: theOwner, Gid: theOwner},
		Pdeathsig:  syscall.SIGKILL,
	}
	o.cmd.Dir, o.cmd.Stderr = "/", &o.stder
	stdin, err := o.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	o.stop = stdin
	if o.out, err = o.cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := o.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make([]byte, len("ready\n"))
	if _, err := io.ReadFull(o.out, ready); err != nil {
		o.cmd.Process.Kill()
		o.cmd.Wait()
		t.Fatalf("the owner did not start: %v: %s", err, &o.stder)
	}
	return o
}

// end returns how many exchanges there were.
func (o *owner) end(t *testing.T) int {
	t.Helper()
	o.stop.Close()
	out, _ := io.ReadAll(o.out)
	if err := o.cmd.Wait(); err != nil {
		t.Fatalf("the owner: %v: %s", err, &o.stder)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// needOwner skips without root, which the game needs to be of two users.
func needOwner(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("this needs root, to play another user, and must run under CI=true")
	}
	t.Skip("this needs root, to play another user: nothing was tried")
}

// An arena has root's things, which nobody may touch, and a directory where the owner plays.
type arena struct {
	dir      string
	sentinel string // root's
	theirs   string // the owner's, elsewhere
	place    string // where the target is
}

func makeArena(t *testing.T) *arena {
	t.Helper()
	dir, err := os.MkdirTemp("", "secret-rotate-arena-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	a := &arena{dir, filepath.Join(dir, "sentinel"), filepath.Join(dir, "theirs"), filepath.Join(dir, "place")}
	for _, d := range []string{dir, a.sentinel, a.theirs, a.place, filepath.Join(a.sentinel, "sub"), filepath.Join(a.sentinel, "empty")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
		os.Chmod(d, 0o755)
	}
	give(t, a.theirs)
	// Files as a rotation would move, replace, append to or remove them.
	for name := range oldState() {
		write(t, filepath.Join(a.sentinel, strings.ToLower(name)), "root's own "+name+", of 32 letters or more", 0o600)
		write(t, filepath.Join(a.sentinel, "sub", strings.ToLower(name)), "root's own", 0o640)
	}
	write(t, filepath.Join(a.sentinel, "rotations.jsonl"), `{"id":"root's"}`+"\n", 0o644)
	write(t, filepath.Join(a.sentinel, "other"), "root's own", 0o644)
	return a
}

func give(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if err := os.Lchown(path, theOwner, theOwner); err != nil {
			t.Fatal(err)
		}
	}
}

// snapshot is all that there is to know of a tree, but for when it was read.
func snapshot(t *testing.T, root string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		text := fmt.Sprintf("%v %d:%d inode %d, %d bytes, %v", info.Mode(), st.Uid, st.Gid, st.Ino, info.Size(), info.ModTime())
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += ": " + string(data)
		}
		all[path] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func compareSnapshots(t *testing.T, before, after map[string]string) {
	t.Helper()
	for path, was := range before {
		if is, there := after[path]; !there {
			t.Errorf("%s was removed", path)
		} else if is != was {
			t.Errorf("%s was changed", path)
		}
	}
	for path := range after {
		if _, there := before[path]; !there {
			t.Errorf("%s was made", path)
		}
	}
}

// unread looks for values in files that the owner could read.
func (a *arena) unread(t *testing.T, values []string) {
	t.Helper()
	filepath.WalkDir(a.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		st := info.Sys().(*syscall.Stat_t)
		readable := st.Uid == theOwner || st.Gid == theOwner && info.Mode()&0o040 != 0 || info.Mode()&0o004 != 0
		for _, value := range values {
			if readable && bytes.Contains(data, []byte(value)) {
				t.Errorf("%s holds a value, and the owner can read it", path)
			}
		}
		return nil
	})
}

// Another user owns the directory that root rotates in, or the one around it, and exchanges all
// that root makes there with directories, links and files of theirs, while root is at it. Whatever
// becomes of the rotation: elsewhere nothing is made, changed, moved or removed.
func TestOwnerExchanges(t *testing.T) {
	needOwner(t)
	if testing.Short() {
		t.Skip("some hundred rotations: not in a short run")
	}
	binary := buildBinary(t)
	_, strace := exec.LookPath("strace")
	if strace != nil {
		t.Log("strace is missing: the owner has less time: install it")
	}
	for _, c := range []struct {
		name   string
		layout layout
		around bool     // the directory that it is in is the owner's, too
		names  []string // one game for each
	}{
		{"directory", layouts[1], false, []string{".rotate-stage", once + ".rotate-stage", ".rotate-commit", anyMade}},
		{"around a directory", layouts[1], true, []string{"secrets", "rotations.jsonl", once + anyBackup, ".secrets.prom.rotate-new", anyMade}},
		{"volume", layouts[2], false, []string{"..data_tmp", anyTree, once + anyTree, anyMade}},
		{"around a volume", layouts[2], true, []string{"secrets", anyMade}},
		{"dotenv", layouts[0], true, []string{"..env.rotate-new", ".env", "rotations.jsonl", anyMade}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := makeArena(t)
			schema := writeSchema(t, a.dir)
			before, theirs := snapshot(t, a.sentinel), snapshot(t, a.theirs)
			exchanged, ended := 0, make(map[int]int)
			for i := range rotations * len(c.names) {
				args := [rotations][]string{
					{"--previous"},
					{"--then", "false", "--rollback"},
					{"--drop-previous"},
					{"--overdue", "--metrics", filepath.Join(a.place, "secrets.prom")},
					nil,
				}[i%rotations]
				target := append([]string{"--schema", schema}, a.makeTarget(t, c.layout, c.around)...)
				dirs := []string{filepath.Join(a.place, "secrets"), a.place}
				switch {
				case c.layout.name == "dotenv":
					dirs = dirs[1:]
				case !c.around:
					dirs = dirs[:1]
				}
				game := c.names[i/rotations%len(c.names)]
				o := a.startOwner(t, game, dirs)
				ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
				command := append([]string{binary}, target...)
				if strace == nil {
					command = append(slowly, command...)
				}
				command = append(command, args...)
				cmd := exec.CommandContext(ctx, command[0], command[1:]...)
				out, _ := cmd.CombinedOutput()
				cancel()
				exchanged += o.end(t)
				status := cmd.ProcessState.ExitCode()
				ended[status]++
				if status < exitDone || status > exitChanged {
					t.Errorf("status %d", status)
				}
				if bytes.Contains(out, []byte(canary)) {
					t.Error("a value was shown")
				}
				compareSnapshots(t, before, snapshot(t, a.sentinel))
				compareSnapshots(t, theirs, snapshot(t, a.theirs))
				a.unread(t, []string{canary})
				if t.Failed() {
					t.Fatalf("rotation %d, %s, %v: status %d: %s", i+1, game, args, status, out)
				}
			}
			t.Logf("%d exchanges; exit statuses: %v", exchanged, ended)
			if exchanged == 0 {
				t.Error("the owner has exchanged nothing")
			}
		})
	}
}

// rotations are how many there are in one game, each of another kind.
const rotations = 5

// slowly gives the owner some time between two steps of a rotation.
var slowly = strings.Fields("strace -f -qq -o /dev/null -e trace=mkdirat,newfstatat,readlinkat,symlinkat -e inject=mkdirat,newfstatat,readlinkat,symlinkat:delay_exit=2000")

// makeTarget makes it anew: the last game has mixed everything up.
func (a *arena) makeTarget(t *testing.T, l layout, around bool) []string {
	t.Helper()
	if err := os.RemoveAll(a.place); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(a.place, 0o755); err != nil {
		t.Fatal(err)
	}
	with := oldState()
	with["JWT_SECRET_KEY_PREVIOUS"] = oldPrevious
	target := l.make(t, a.place, with)
	dirs := []string{filepath.Join(a.place, "secrets")}
	if around {
		dirs = append(dirs, a.place)
	}
	filepath.WalkDir(a.place, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			err = os.Chmod(path, 0o400)
		}
		return err
	})
	for _, dir := range dirs {
		if !exists(dir) {
			continue
		}
		give(t, dir)
		// As an owner can where fs.protected_hardlinks is 0.
		if err := os.Link(filepath.Join(a.sentinel, "rotations.jsonl"), filepath.Join(dir, ".bait-file")); err != nil {
			t.Fatal(err)
		}
	}
	return target
}

// What the owner has put there beforehand, without any race.
func TestOwnerPlants(t *testing.T) {
	needOwner(t)
	for name, c := range map[string]struct {
		plant func(a *arena, dir string) error
		args  []string
		says  string
	}{
		"a journal, which is a link": {func(a *arena, dir string) error {
			return os.Symlink(a.sentinel, filepath.Join(dir, ".rotate-commit"))
		}, nil, "is not a directory"},
		"a staged journal, which is a link": {func(a *arena, dir string) error {
			return os.Symlink(a.sentinel, filepath.Join(dir, ".rotate-stage"))
		}, nil, ""},
		"records, which are a second name of root's": {func(a *arena, dir string) error {
			return os.Link(filepath.Join(a.sentinel, "rotations.jsonl"), filepath.Join(a.place, "rotations.jsonl"))
		}, nil, "has 2 names (hard links), and what is written to it would be in the others"},
		"a secret, which is a second name of root's": {func(a *arena, dir string) error {
			os.Remove(filepath.Join(dir, "jwt_secret_key"))
			return os.Link(filepath.Join(a.sentinel, "jwt_secret_key"), filepath.Join(dir, "jwt_secret_key"))
		}, nil, "has 2 names (hard links)"},
		"a secret, which is a link to root's": {func(a *arena, dir string) error {
			os.Remove(filepath.Join(dir, "log_level"))
			link := filepath.Join(dir, "log_level")
			return errors.Join(os.Symlink(filepath.Join(a.sentinel, "log_level"), link), os.Lchown(link, theOwner, theOwner))
		}, nil, "is a symlink of user 4711 to "},
		"a FIFO": {func(a *arena, dir string) error { return unix.Mkfifo(filepath.Join(dir, "fifo"), 0o666) }, nil, ""},
		"the directory, which is a link to root's": {func(a *arena, dir string) error {
			return errors.Join(os.Rename(dir, dir+".away"), os.Symlink(a.sentinel, dir), os.Lchown(dir, theOwner, theOwner))
		}, nil, "is a symlink of user 4711 to "},
		"metrics, which are a link": {func(a *arena, dir string) error {
			link := filepath.Join(a.place, "secrets.prom")
			return errors.Join(os.Symlink(filepath.Join(a.sentinel, "new.prom"), link), os.Lchown(link, theOwner, theOwner))
		}, []string{"--overdue", "--metrics", "PLACE/secrets.prom"}, "is a symlink of user 4711 to "},
		"metrics on their way, which are a link": {func(a *arena, dir string) error {
			return os.Symlink(filepath.Join(a.sentinel, "other"), filepath.Join(a.place, ".secrets.prom.rotate-new"))
		}, []string{"--overdue", "--metrics", "PLACE/secrets.prom"}, ""},
		"a backup on its way, which is a link": {func(a *arena, dir string) error {
			return os.Symlink(a.sentinel, dir+".backup-20260101T000000Z.partial")
		}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := makeArena(t)
			args := append([]string{"--schema", writeSchema(t, a.dir)}, a.makeTarget(t, layouts[1], true)...)
			for _, dir := range []string{a.place, filepath.Join(a.place, "secrets")} {
				if err := os.Remove(filepath.Join(dir, ".bait-file")); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.plant(a, filepath.Join(a.place, "secrets")); err != nil {
				t.Fatal(err)
			}
			before := snapshot(t, a.sentinel)
			for _, arg := range c.args {
				args = append(args, strings.ReplaceAll(arg, "PLACE", a.place))
			}
			status := exitDone
			if c.says != "" {
				status = exitFailed
			}
			invoke(t, "", args...).want(t, status, c.says)
			compareSnapshots(t, before, snapshot(t, a.sentinel))
		})
	}
}

// An access control list that the owner has for all that is made in the directory lets nobody read
// what they could not read before.
func TestOwnersDefaultList(t *testing.T) {
	needOwner(t)
	for _, l := range layouts[1:] {
		a := makeArena(t)
		args := append([]string{"--schema", writeSchema(t, a.dir)}, a.makeTarget(t, l, false)...)
		secrets := filepath.Join(a.place, "secrets")
		filepath.WalkDir(secrets, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() {
				err = os.Chmod(path, 0o440)
			}
			return err
		})
		// u::rwx u:4711:rwx g::rwx m::rwx o::--- as acl(5) lays it out: version 2, then tag,
		// permissions, user.
		list := []byte{2, 0, 0, 0}
		for _, entry := range [][2]uint32{{0x01, ^uint32(0)}, {0x02, theOwner}, {0x04, ^uint32(0)}, {0x10, ^uint32(0)}} {
			list = binary.LittleEndian.AppendUint16(list, uint16(entry[0]))
			list = binary.LittleEndian.AppendUint16(list, 7)
			list = binary.LittleEndian.AppendUint32(list, entry[1])
		}
		list = append(list, 0x20, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)
		if err := unix.Setxattr(secrets, "system.posix_acl_default", list, 0); err != nil {
			t.Skipf("this file system has no access control lists: %v", err)
		}
		invoke(t, "", args...).want(t, exitDone)
		for _, path := range []string{secrets + "/..data/jwt_secret_key", secrets + "/jwt_secret_key"} {
			if n, err := unix.Getxattr(path, "system.posix_acl_access", make([]byte, 256)); err == nil && n > 0 {
				t.Errorf("%s: %s has the owner's access control list", l.name, path)
			}
		}
	}
}
