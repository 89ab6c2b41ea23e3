package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What the program reads by itself, a key of TLS, is watched and compared, and neither exported nor
// kept in the supervisor's memory.
func TestWatchedDirectory(t *testing.T) {
	bothWays(t, func(t *testing.T, pid1 bool) {
		tls := newVolume(t)
		tls.flip(map[string]string{"tls.key": canary + "-k0\x00\xff", "tls.crt": "c0"})
		s := serve(t, pid1, []string{"--watch", tls.dir, "--on-change", "TLS_*=HUP,*=restart"}, "env=TLS_KEY")
		s.reports.await(t, 1, "env TLS_KEY false")
		s.reports.await(t, 1, "start 0 0")

		tls.flip(map[string]string{"tls.key": canary + "-k1\x00\xff", "tls.crt": "c1"})
		s.reports.await(t, 1, "got SIGHUP")
		s.log.await(t, 1, "generation 2: TLS_CRT, TLS_KEY changed: sent HUP after")
		tls.flip(map[string]string{"tls.key": canary + "-k1\x00\xff", "tls.crt": "c2"})
		s.log.await(t, 1, "generation 3: TLS_CRT changed: sent HUP after")
		tls.flip(map[string]string{"tls.key": canary + "-k1\x00\xff", "tls.crt": "c2", "tls_ca": "a"})
		s.log.await(t, 1, "generation 4: TLS_CA is new: sent HUP after")
		tls.flip(map[string]string{"tls.key": canary + "-k2\x00\xff"})
		s.log.await(t, 1, "generation 5: TLS_KEY changed, TLS_CA, TLS_CRT are gone: sent HUP after")

		s.volume.set("1")
		s.reports.await(t, 1, "start 1 1")
		s.log.await(t, 1, "generation 6: DB_PASSWORD, JWT_KEY changed: restarted after")
		if inMemory(t, s.pid, []byte(canary+"-k")) {
			t.Error("a watched file is in the memory of the supervisor")
		}
	})
}

// A file by a name of one's own, which several can have; what is beside it is of no account.
func TestWatchedFile(t *testing.T) {
	tls := newVolume(t)
	files := map[string]string{"tls.key": canary + "-0", "tls.crt": "c0", "other": "0"}
	tls.flip(files)
	s := serve(t, false, []string{
		"--watch", "PAIR=" + filepath.Join(tls.dir, "tls.key"),
		"--watch", "PAIR=" + filepath.Join(tls.dir, "tls.crt"),
		"--on-change", "PAIR=USR1",
	})
	s.reports.await(t, 1, "start 0 0")
	files["tls.crt"] = "c1"
	tls.flip(files)
	s.log.await(t, 1, "generation 2: PAIR changed: sent USR1 after")
	files["other"] = "1"
	tls.flip(files)
	files["tls.key"] = canary + "-1"
	tls.flip(files)
	s.log.await(t, 1, "generation 3: PAIR changed: sent USR1 after")
	files["tls.crt"], files["tls.key"] = files["tls.key"], files["tls.crt"] // the same two contents
	tls.flip(files)
	s.log.await(t, 1, "generation 4: PAIR changed: sent USR1 after")
}

// A watched file that goes, or is emptied, is an update that is not used.
func TestWatchedFileThatGoes(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "tls.key")
	write := func(text string) {
		if err := os.WriteFile(file+"_new", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+"_new", file); err != nil {
			t.Fatal(err)
		}
	}
	write(canary + "-0")
	s := serve(t, false, []string{"--watch", file, "--on-change", "restart", "--poll", "50ms"})
	s.reports.await(t, 1, "start 0 0")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	s.log.await(t, 1, "TLS_KEY: read "+file+": no such file or directory")
	s.log.await(t, 1, "the update is not used: generation 1 goes on")
	write("")
	s.log.await(t, 1, "TLS_KEY: "+file+": the value is empty")
	write(canary + "-0")
	s.log.await(t, 1, "the secrets can be read again")
	write(canary + "-1")
	s.reports.await(t, 2, "start 0 0")
	s.log.await(t, 1, "generation 2: TLS_KEY changed: restarted after")
}

// At the start a watched file is waited for like a secret.
func TestWatchedFileIsWaitedFor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tls.key")
	s := serve(t, false, []string{"--watch", file, "--on-change", "HUP", "--wait", "1h"})
	waitUntil(t, func() bool { return s.candidate() != 0 })
	if n := s.reports.count("start"); n != 0 {
		t.Error("it was started without its key")
	}
	if err := os.WriteFile(file, []byte(canary), 0o644); err != nil {
		t.Fatal(err)
	}
	s.reports.await(t, 1, "start 0 0")
	s.signal(syscall.SIGTERM)
	s.ends(0)
	if text := s.log.String(); strings.Contains(text, "error") {
		t.Error(text)
	}
}
