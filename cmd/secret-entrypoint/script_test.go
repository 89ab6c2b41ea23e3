package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/leash"
	"github.com/secret-entrypoint/secret-entrypoint/internal/preflight"
)

// canary is in every secret of the scripts, and must never be in anything that the shim
// itself prints: guarded sees to that, and nocanary says so where it matters most.
const canary = "c4n4ry"

func TestMain(m *testing.M) {
	commands := map[string]func(){
		"secret-entrypoint": guarded,
		"show":              show,
		"jsonget":           jsonGet,
		"worker":            worker,
		"refusing":          refusing,
	}
	if commands[filepath.Base(os.Args[0])] == nil {
		leash.Hold()
	}
	testscript.Main(m, commands)
}

// guarded is main, but that nothing it prints may hold a canary: whatever a script
// looks for, it fails when one does. See cmdLater for the file that waitingVariable names.
func guarded() {
	waiting := os.Getenv(waitingVariable)
	os.Unsetenv(waitingVariable)
	if waiting != "" {
		os.Setenv("SECRET_ENTRYPOINT_LOG_LEVEL", "debug")
	}
	os.Exit(run(os.Args, os.Environ(), guard{output(1), ""}, guard{output(2), waiting}))
}

const waitingVariable = "TEST_WAITING"

type guard struct {
	out     output
	waiting string // a file to make when a debug line says that it waits, instead of printing such lines
}

func (g guard) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(canary)) {
		fmt.Fprintln(os.Stderr, "A VALUE WAS ABOUT TO BE PRINTED")
		os.Exit(99)
	}
	if g.waiting != "" && bytes.HasPrefix(b, []byte("secret-entrypoint: debug: ")) {
		if bytes.Contains(b, []byte(waitingText)) {
			return len(b), os.WriteFile(g.waiting, nil, 0o666)
		}
		return len(b), nil
	}
	return g.out.Write(b)
}

// TestScripts runs the scripts, each of which documents and tests one promise.
func TestScripts(t *testing.T) {
	t.Cleanup(func() {
		// With -run, testscript waits for scripts that don't run before it removes this directory, which is empty then.
		roots, _ := filepath.Glob(filepath.Join(os.TempDir(), "go-test-script*"))
		for _, root := range roots {
			os.Remove(root)
		}
	})
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			// Under -race a process waits a second for reports at its exit, unless told not to.
			env.Setenv("GORACE", "atexit_sleep_ms=10")
			// Other users run programs of the script, as --user does.
			if err := os.Chmod(filepath.Dir(env.WorkDir), 0o755); err != nil {
				return err
			}
			return os.Chmod(env.WorkDir, 0o755)
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "root":
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    cmdExits,
			"chomp":    cmdChomp,
			"mkfifo":   cmdMkfifo,
			"mksocket": cmdMksocket,
			"bytes":    cmdBytes,
			"nocanary": cmdNoCanary,
			"later":    cmdLater,
			"sized":    cmdSized,
		},
	})
}

// cmdExits runs a program and expects an exit status: exits 125 secret-entrypoint ...
// Its output is what stdout, stderr and cmp see.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND [ARG]...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := err.(*exec.ExitError); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d\n%s", got, want, ts.ReadFile("stderr"))
	}
}

// cmdChomp removes the newline that every file of a script ends in.
func cmdChomp(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		path := ts.MkAbs(name)
		data, err := os.ReadFile(path)
		ts.Check(err)
		ts.Check(os.WriteFile(path, bytes.TrimSuffix(data, []byte("\n")), 0o666))
	}
}

// cmdBytes writes a file with escapes: bytes FILE 'a\x00b'.
func cmdBytes(ts *testscript.TestScript, _ bool, args []string) {
	name, err := strconv.Unquote(`"` + args[0] + `"`)
	ts.Check(err)
	text, err := strconv.Unquote(`"` + args[1] + `"`)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o666))
}

func cmdMkfifo(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(unix.Mkfifo(ts.MkAbs(args[0]), 0o666))
}

func cmdMksocket(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(unix.Mknod(ts.MkAbs(args[0]), unix.S_IFSOCK|0o666, 0))
}

// cmdSized writes a file of so many bytes, with its directory: sized FILE BYTES.
func cmdSized(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o777))
	ts.Check(os.WriteFile(path, bytes.Repeat([]byte("x"), size), 0o666))
}

// cmdNoCanary checks that the last command printed no canary.
func cmdNoCanary(ts *testscript.TestScript, _ bool, _ []string) {
	for _, name := range []string{"stdout", "stderr"} {
		if strings.Contains(ts.ReadFile(name), canary) {
			ts.Fatalf("%s shows a value:\n%s", name, ts.ReadFile(name))
		}
	}
}

// cmdLater moves files to their places while the script goes on, when the program that it runs next waits for
// something: later FROM TO ... There is a moment from one to the next, in which the program looks several times.
func cmdLater(ts *testscript.TestScript, _ bool, args []string) {
	for i := range args {
		args[i] = ts.MkAbs(args[i])
	}
	waiting := ts.MkAbs("waiting")
	os.Remove(waiting)
	ts.Setenv(waitingVariable, waiting)
	over := make(chan struct{})
	ts.Defer(func() { close(over) })
	go func() {
		for _, err := os.Stat(waiting); err != nil; _, err = os.Stat(waiting) {
			select {
			case <-over: // the script has failed
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
		for ; len(args) > 0; args = args[2:] {
			os.Rename(args[0], args[1])
			time.Sleep(3 * preflight.WaitInterval)
		}
	}()
}

// show prints the variables named, or all but those of the test itself: NAME=value, quoted
// where a value is not plain.
func show() {
	names := os.Args[1:]
	if len(names) == 0 {
		for _, entry := range os.Environ() {
			name, _, _ := strings.Cut(entry, "=")
			names = append(names, name)
		}
	}
	for _, name := range names {
		value, set := os.LookupEnv(name)
		switch {
		case !set:
			fmt.Printf("%s unset\n", name)
		case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }):
			fmt.Printf("%s=%q\n", name, value)
		default:
			fmt.Printf("%s=%s\n", name, value)
		}
	}
}

// jsonGet checks that a file is one JSON object, or one on each line, and prints a member of each.
func jsonGet() {
	data, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	for decoder.More() {
		var object map[string]any
		if err := decoder.Decode(&object); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		member, err := json.Marshal(object[os.Args[2]])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(string(member))
	}
}
