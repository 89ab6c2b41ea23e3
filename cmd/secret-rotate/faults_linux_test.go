package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func needRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can do this")
	}
}

// A disk that is full at any moment: the old values or the new, never less, and nothing left lying.
func TestFullDisk(t *testing.T) {
	needRoot(t)
	for _, l := range layouts {
		t.Run(l.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
				t.Skipf("no tmpfs can be mounted here: %v", err)
			}
			defer unix.Unmount(dir, unix.MNT_DETACH)
			failed, done := 0, 0
			for room := 0; room < 40; room++ {
				entries, _ := os.ReadDir(dir)
				for _, e := range entries {
					os.RemoveAll(filepath.Join(dir, e.Name()))
				}
				target := append([]string{"--schema", writeSchema(t, dir)}, l.make(t, dir, oldState())...)
				f, err := os.Create(filepath.Join(dir, "filler"))
				if err != nil {
					t.Fatal(err)
				}
				for page := make([]byte, 4096); ; {
					if _, err := f.Write(page); err != nil {
						break
					}
				}
				info, _ := f.Stat()
				f.Truncate(info.Size()&^4095 - int64(room)*4096)
				f.Close()

				o := invoke(t, "", append(target, "--previous")...)
				kind := killed{args: []string{"--previous"}}.kind(l.read(t, dir), oldState())
				if want := map[int]string{exitDone: "new", exitFailed: "old", exitChanged: "new"}[o.status]; want == "" || kind != want {
					t.Fatalf("%d pages: status %d, %s: %s", room, o.status, kind, o.stderr)
				}
				if o.status == exitDone {
					done++
					continue
				}
				failed++
				if !strings.Contains(o.stderr, "no space left") {
					t.Errorf("%d pages: %s", room, o.stderr)
				}
				os.Remove(filepath.Join(dir, "filler"))
				invoke(t, "", target...).want(t, exitDone)
				leftovers(t, dir)
			}
			if failed == 0 || done == 0 {
				t.Errorf("%d failed, %d done: the disk was not full where it should be", failed, done)
			}
			t.Logf("%d sizes of what is free on the disk were too small, %d were not", failed, done)
		})
	}
}

// A file that cannot be replaced, found out when others already were.
func TestImmutableFile(t *testing.T) {
	needRoot(t)
	for _, file := range []string{"database_url", "jwt_secret_key", "postgres_password"} {
		dir := t.TempDir()
		target := append([]string{"--schema", writeSchema(t, dir)}, makePlain(t, dir, oldState())...)
		f, err := os.Open(filepath.Join(dir, "secrets", file))
		if err != nil {
			t.Fatal(err)
		}
		const immutable = 0x10 // FS_IMMUTABLE_FL
		if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, immutable); err != nil {
			t.Skipf("this file system has no immutable files: %v", err)
		}
		o := invoke(t, "", append(target, "--previous")...)
		unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, 0)
		f.Close()
		o.want(t, exitFailed, "operation not permitted", file)
		if kind := (killed{}).kind(readPlain(t, dir), oldState()); kind != "old" {
			t.Errorf("%s: %s", file, kind)
		}
		leftovers(t, dir)
		invoke(t, "", target...).want(t, exitDone)
	}
}

// Nothing is writable but by its owner, as secrets are: that is no obstacle, and stays so. A
// read-only file system is.
func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	target := append([]string{"--schema", writeSchema(t, dir)}, makeDotenv(t, dir, oldState())...)
	file := filepath.Join(dir, ".env")
	if err := os.Chmod(file, 0o400); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(file, 1234, 4321); err != nil {
			t.Fatal(err)
		}
	}
	invoke(t, "", target...).want(t, exitDone)
	info, err := os.Stat(file)
	if err != nil || info.Mode() != 0o400 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if st := info.Sys().(*syscall.Stat_t); os.Geteuid() == 0 && (st.Uid != 1234 || st.Gid != 4321) {
		t.Errorf("owner %d:%d", st.Uid, st.Gid)
	}
	needRoot(t)
	if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
		t.Skip(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	if err := unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Skip(err)
	}
	before, _ := os.ReadFile(file)
	invoke(t, "", target...).want(t, exitFailed, "read-only file system")
	if after, _ := os.ReadFile(file); !bytes.Equal(before, after) {
		t.Error("changed")
	}
}

func TestTwoAtOnce(t *testing.T) {
	for _, l := range layouts {
		dir := t.TempDir()
		target := append([]string{"--schema", writeSchema(t, dir)}, l.make(t, dir, oldState())...)
		ready, goOn := filepath.Join(dir, "ready"), filepath.Join(dir, "go")
		if err := unix.Mkfifo(goOn, 0o600); err != nil {
			t.Fatal(err)
		}
		first := exec.Command(buildBinary(t), append(target, "--then", "touch "+ready+"; read x <"+goOn)...)
		if err := first.Start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(time.Minute); !exists(ready); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				first.Process.Kill()
				t.Fatal("it did not get that far in a minute")
			}
		}
		during := l.read(t, dir)
		invoke(t, "", target...).want(t, exitFailed, "another rotation is at work there: let it end, and try again")
		if got := l.read(t, dir); got["JWT_SECRET_KEY"] != during["JWT_SECRET_KEY"] {
			t.Error("the second one changed something")
		}
		write(t, goOn, "x\n", 0o600)
		if err := first.Wait(); err != nil {
			t.Error(err)
		}
		invoke(t, "", target...).want(t, exitDone)
	}
}

func TestSymlinks(t *testing.T) {
	dir := t.TempDir()
	real := filepath.Join(dir, "real")
	if err := os.Mkdir(real, 0o755); err != nil {
		t.Fatal(err)
	}
	schema := writeSchema(t, dir)
	makeDotenv(t, real, oldState())
	link := filepath.Join(dir, ".env")
	if err := os.Symlink("real/.env", link); err != nil {
		t.Fatal(err)
	}
	invoke(t, "", "--schema", schema, "--dotenv", link).want(t, exitDone, "real/rotations.jsonl")
	if to, err := os.Readlink(link); err != nil || to != "real/.env" {
		t.Errorf("the link is %s, %v", to, err)
	}
	if kind := (killed{}).kind(readDotenv(t, real), oldState()); kind != "new" {
		t.Error(kind)
	}
	// One file of a directory that is a link.
	target := append([]string{"--schema", schema}, makePlain(t, dir, oldState())...)
	secrets := filepath.Join(dir, "secrets")
	if err := os.Rename(filepath.Join(secrets, "jwt_secret_key"), filepath.Join(dir, "jwt")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../jwt", filepath.Join(secrets, "jwt_secret_key")); err != nil {
		t.Fatal(err)
	}
	invoke(t, "", target...).want(t, exitFailed, "JWT_SECRET_KEY: jwt_secret_key is a symlink to ../jwt: rotate the directory where that is")
	if kind := (killed{}).kind(readPlain(t, dir), oldState()); kind != "old" {
		t.Error(kind)
	}
	// A file with two names.
	if err := os.Link(filepath.Join(real, ".env"), filepath.Join(dir, "second")); err != nil {
		t.Fatal(err)
	}
	invoke(t, "", "--schema", schema, "--dotenv", link).want(t, exitFailed, "has 2 names (hard links)")
}

func TestLargeValues(t *testing.T) {
	big := strings.Repeat(canary+"0123456789", 1<<20/16)
	for _, l := range layouts {
		dir := t.TempDir()
		with := oldState()
		with["ANTHROPIC_API_KEY"] = "sk-ant-" + big
		target := append([]string{"--schema", writeSchema(t, dir)}, l.make(t, dir, with)...)
		invoke(t, "sk-ant-"+strings.ToUpper(big)+"\n", append(target, "--set", "ANTHROPIC_API_KEY", "--previous")...).want(t, exitDone)
		got := l.read(t, dir)
		if got["ANTHROPIC_API_KEY"] != "sk-ant-"+strings.ToUpper(big) || got["ANTHROPIC_API_KEY_PREVIOUS"] != "sk-ant-"+big || got["JWT_SECRET_KEY"] != oldJWT {
			t.Errorf("%s: %s", l.name, names(got))
		}
		invoke(t, "", append(target, "--drop-previous")...).want(t, exitDone, "ANTHROPIC_API_KEY_PREVIOUS  removed")
		if got = l.read(t, dir); got["ANTHROPIC_API_KEY_PREVIOUS"] != "" {
			t.Error("still there")
		}
		invoke(t, "", append(target, "--drop-previous")...).want(t, exitFailed, "nothing to drop")
	}
}
