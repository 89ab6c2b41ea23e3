package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// In a directory that is writable by others anyone could put what looks like the journal of a
// rotation that was killed.
func TestPlantedJournal(t *testing.T) {
	needRoot(t)
	const nobody = 65534
	for name, c := range map[string]struct {
		plant func(t *testing.T, secrets string)
		says  string
	}{
		"of another user": {func(t *testing.T, secrets string) {
			for _, part := range []string{"", "new", "old", "drop", "added"} {
				path := filepath.Join(secrets, ".rotate-commit", part)
				if err := os.Mkdir(path, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.Chown(path, nobody, nobody); err != nil {
					t.Fatal(err)
				}
			}
			write(t, filepath.Join(secrets, ".rotate-commit/new/jwt_secret_key"), "evil", 0o666)
		}, "belongs to user 65534"},
		"a symlink to elsewhere": {func(t *testing.T, secrets string) {
			elsewhere := t.TempDir()
			write(t, filepath.Join(elsewhere, "jwt_secret_key"), "another's file", 0o600)
			for _, part := range []string{"", "old", "drop", "added"} {
				if err := os.Mkdir(filepath.Join(secrets, ".rotate-commit", part), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Symlink(elsewhere, filepath.Join(secrets, ".rotate-commit/new")); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if !exists(filepath.Join(elsewhere, "jwt_secret_key")) {
					t.Error("another's file was moved")
				}
			})
		}, "is not a directory"},
		"incomplete": {func(t *testing.T, secrets string) {
			if err := os.MkdirAll(filepath.Join(secrets, ".rotate-undo/old"), 0o755); err != nil {
				t.Fatal(err)
			}
		}, "is missing"},
		"writable by all": {func(t *testing.T, secrets string) {
			for _, part := range []string{"", "new", "old", "drop", "added"} {
				path := filepath.Join(secrets, ".rotate-commit", part)
				os.Mkdir(path, 0o755)
				os.Chmod(path, 0o777)
			}
		}, "can be written by others"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			target := append([]string{"--schema", writeSchema(t, dir)}, makePlain(t, dir, oldState())...)
			secrets := filepath.Join(dir, "secrets")
			if err := os.Chmod(secrets, 0o777|os.ModeSticky); err != nil {
				t.Fatal(err)
			}
			c.plant(t, secrets)
			for _, args := range [][]string{nil, {"--overdue"}} {
				invoke(t, "", append(target, args...)...).want(t, exitFailed, c.says, "look at what is in it, and remove it")
			}
			if got := readPlain(t, dir); got["JWT_SECRET_KEY"] != oldJWT || len(got) != len(oldState()) {
				t.Errorf("the directory was changed: %s", names(got))
			}
		})
	}
}

// A journal that was removed by hand after a kill: nothing tells which values are new, and nobody
// says that all are.
func TestJournalRemoved(t *testing.T) {
	dir := t.TempDir()
	target := append([]string{"--schema", writeSchema(t, dir)}, makePlain(t, dir, oldState())...)
	cmd := exec.Command("strace", append([]string{"-f", "-qq", "-o", "/dev/null", "-e", "inject=rename,renameat,renameat2:signal=KILL:when=4", buildBinary(t)}, target...)...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Run()
	journal := filepath.Join(dir, "secrets/.rotate-commit")
	if !exists(journal) {
		t.Skip("strace is missing, or it was not killed in the middle")
	}
	// Modes that an operator has loosened are no reason not to go on, where the directory itself is
	// not for all.
	invoke(t, "", append(target, "--dry-run")...).want(t, exitFailed, "did not end")
	os.Chmod(journal, 0o770)
	os.RemoveAll(journal)
	invoke(t, "", append(target, "--overdue")...).want(t, exitDone, "its journal has been removed since")
	records, _ := os.ReadFile(filepath.Join(dir, "rotations.jsonl"))
	if !strings.Contains(string(records), "some values may be new") || strings.Contains(string(records), `"outcome":"done"`) {
		t.Errorf("%s", records)
	}
	invoke(t, "", target...).want(t, exitDone)
}

// Files of something else are not written over, whatever option names them.
func TestFilesOfSomethingElse(t *testing.T) {
	dir := t.TempDir()
	target := append([]string{"--schema", writeSchema(t, dir)}, makeDotenv(t, dir, oldState())...)
	env, _ := os.ReadFile(filepath.Join(dir, ".env"))
	for _, file := range []string{".env", "./.env", ".env.schema", "rotations.jsonl"} {
		if file == "rotations.jsonl" {
			write(t, filepath.Join(dir, file), "{}\n", 0o644)
		}
		invoke(t, "", append(target, "--overdue", "--metrics", dir+"/"+file)...).want(t, exitFailed, "is a file of something else")
		if file != "rotations.jsonl" {
			invoke(t, "", append(target, "--records", dir+"/"+file)...).want(t, exitFailed, "holds something else")
		}
	}
	if now, _ := os.ReadFile(filepath.Join(dir, ".env")); string(now) != string(env) {
		t.Error("the target was changed")
	}
	for range 2 {
		invoke(t, "", append(target, "--overdue", "--metrics", dir+"/secrets.prom")...).want(t, exitDone)
	}
}

// A link as a staged volume has it, but to the tree that is in use.
func TestPlantedTree(t *testing.T) {
	dir := t.TempDir()
	target := append([]string{"--schema", writeSchema(t, dir)}, makeVolume(t, dir, oldState())...)
	secrets := filepath.Join(dir, "secrets")
	tree, err := os.Readlink(filepath.Join(secrets, "..data"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(tree, filepath.Join(secrets, "..data_tmp")); err != nil {
		t.Fatal(err)
	}
	invoke(t, "", append(target, "--overdue")...).want(t, exitDone)
	if got := readVolume(t, dir); (killed{}).kind(got, oldState()) != "old" {
		t.Errorf("the old values are lost: %s", names(got))
	}
	invoke(t, "", target...).want(t, exitDone)
	leftovers(t, dir)
}

// A new file in a directory with the set-group-ID bit has the directory's group, not that of the
// file it replaces.
func TestGroupKept(t *testing.T) {
	needRoot(t)
	for _, l := range layouts {
		t.Run(l.name, func(t *testing.T) {
			dir := t.TempDir()
			target := append([]string{"--schema", writeSchema(t, dir)}, l.make(t, dir, oldState())...)
			for _, d := range []string{dir, filepath.Join(dir, "secrets")} {
				if exists(d) {
					if err := unix.Chown(d, 0, 65534); err != nil {
						t.Fatal(err)
					}
					os.Chmod(d, 0o755|os.ModeSetgid)
				}
			}
			invoke(t, "", target...).want(t, exitDone)
			filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
				if err != nil {
					t.Fatal(err)
				}
				info, err := os.Stat(path)
				if err != nil {
					t.Fatal(err)
				}
				if st := info.Sys().(*syscall.Stat_t); !e.IsDir() && info.Mode().IsRegular() && st.Gid != 0 && filepath.Base(path) != "rotations.jsonl" {
					t.Errorf("%s has the group %d", path, st.Gid)
				}
				return nil
			})
		})
	}
}

// What stands where the records should be, and is no file.
func TestPlantedRecords(t *testing.T) {
	for _, l := range layouts {
		for name, plant := range map[string]func(path string) error{
			"is not a regular file": func(path string) error { return unix.Mkfifo(path, 0o666) },
			"is a symlink": func(path string) error {
				return os.Symlink(filepath.Join(filepath.Dir(path), ".env.schema"), path)
			},
		} {
			dir := t.TempDir()
			target := append([]string{"--schema", writeSchema(t, dir)}, l.make(t, dir, oldState())...)
			if err := plant(filepath.Join(dir, "rotations.jsonl")); err != nil {
				t.Fatal(err)
			}
			invoke(t, "", target...).want(t, exitFailed, name)
			invoke(t, "", append(target, "--records", "/dev/null")...).want(t, exitFailed, "/dev/null: is not a regular file")
			if got := l.read(t, dir); (killed{}).kind(got, oldState()) != "old" {
				t.Errorf("%s was changed", l.name)
			}
			leftovers(t, dir)
			schema, _ := os.ReadFile(filepath.Join(dir, ".env.schema"))
			if string(schema) != testSchema {
				t.Error("the records were written into another file")
			}
		}
	}
}

// interrupt starts a run, sends it a signal when a file appears, and returns how it ended.
func interrupt(t *testing.T, sig syscall.Signal, when string, args ...string) outcome {
	t.Helper()
	var out strings.Builder
	cmd := exec.Command(buildBinary(t), args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); !exists(when); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not appear", when)
		}
	}
	cmd.Process.Signal(sig)
	cmd.Wait()
	return outcome{cmd.ProcessState.ExitCode(), out.String(), ""}
}

// A signal to secret-rotate alone ends its waiting for a tool. What --then has begun is waited for:
// it must not go on behind a rollback.
func TestInterrupted(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT} {
		for _, l := range layouts {
			dir := t.TempDir()
			target := append([]string{"--schema", writeSchema(t, dir)}, l.make(t, dir, oldState())...)
			begun, ended := filepath.Join(dir, "begun"), filepath.Join(dir, "ended")
			o := interrupt(t, sig, begun, append(target, "--then", "touch "+begun+"; sleep 0.3; touch "+ended, "--rollback")...)
			o.want(t, exitDone, "verified: 1 of 1")
			if got := l.read(t, dir); (killed{}).kind(got, oldState()) != "new" || !exists(ended) {
				t.Errorf("%s, %v: it was not waited for", l.name, sig)
			}
		}
		bin := t.TempDir()
		begun := filepath.Join(bin, "begun")
		for _, tool := range []string{"kubectl", "docker"} {
			write(t, filepath.Join(bin, tool), "#!/bin/sh\ncase $* in config*) exit;; esac\ntouch "+begun+"\nexec sleep 1000\n", 0o755)
		}
		t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
		for _, target := range [][]string{{"--k8s", "app/secrets"}, {"--swarm", "api"}} {
			os.Remove(begun)
			interrupt(t, sig, begun, append([]string{"--schema", writeSchema(t, bin)}, target...)...).want(t, exitFailed, "interrupted while")
		}
	}
}

// The values are new, and nobody has read which.
func TestReportLost(t *testing.T) {
	dir := t.TempDir()
	target := append([]string{"--schema", writeSchema(t, dir)}, makeDotenv(t, dir, oldState())...)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	closed, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for _, out := range []*os.File{full, writer} {
		for status, args := range map[int][]string{exitChanged: nil, exitFailed: {"--dry-run"}} {
			var stderr strings.Builder
			cmd := exec.Command(buildBinary(t), append(target, args...)...)
			cmd.Stdout, cmd.Stderr = out, &stderr
			cmd.Run()
			outcome{cmd.ProcessState.ExitCode(), "", stderr.String()}.want(t, status, "the report could not be written")
		}
	}
}
