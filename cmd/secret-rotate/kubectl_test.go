package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestMain's other lives: this test binary, called by the name of a tool, stands for it, with its
// state in a file. FAKE_FAULT is "N:MODE": at its Nth command it fails or kills its caller, before
// or after it does what it was asked for.
func fakeTool(run func(dir string, args []string, stdin []byte) (string, error)) {
	dir := os.Getenv("FAKE_DIR")
	stdin, _ := io.ReadAll(os.Stdin)
	log, err := os.OpenFile(filepath.Join(dir, "arguments"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(log, strings.Join(os.Args[1:], " "))
	past, _ := os.ReadFile(log.Name())
	at, mode, _ := strings.Cut(os.Getenv("FAKE_FAULT"), ":")
	n, _ := strconv.Atoi(at)
	now := n == strings.Count(string(past), "\n")
	fault := func(moment string) {
		if !now || !strings.HasSuffix(mode, moment) {
			return
		}
		os.WriteFile(filepath.Join(dir, "fault"), nil, 0o600)
		switch {
		case strings.HasPrefix(mode, "kill"):
			syscall.Kill(os.Getppid(), syscall.SIGKILL)
		case strings.HasPrefix(mode, "term"):
			syscall.Kill(os.Getppid(), syscall.SIGTERM)
			return
		}
		fmt.Fprintf(os.Stderr, "Error: injected, with %s in it\n", stdin)
		os.Exit(1)
	}
	fault("before")
	out, err := run(dir, os.Args[1:], stdin)
	fault("after")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print(out)
	os.Exit(0)
}

var faultModes = []string{"fail-before", "fail-after", "kill-before", "kill-after", "term-before", "term-after"}

// faults are the moments at which a tool can go wrong, after a run without any: each mode at each
// of its commands.
func faults(t *testing.T, dir string) map[string]int {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(dir, "arguments"))
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]int)
	for _, mode := range faultModes {
		counts[mode] = strings.Count(string(log), "\n")
	}
	return counts
}

// useFake puts this binary on PATH as a tool.
func useFake(t *testing.T, name string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("FAKE_DIR", dir)
	return dir
}

// A fakeSecret is what the fake kubectl keeps.
type fakeSecret struct {
	Metadata struct {
		Name              string            `json:"name"`
		Namespace         string            `json:"namespace,omitempty"`
		ResourceVersion   string            `json:"resourceVersion,omitempty"`
		CreationTimestamp string            `json:"creationTimestamp,omitempty"`
		Labels            map[string]string `json:"labels,omitempty"`
		Annotations       map[string]string `json:"annotations,omitempty"`
		OwnerReferences   []map[string]any  `json:"ownerReferences,omitempty"`
		ManagedFields     []map[string]any  `json:"managedFields,omitempty"`
	} `json:"metadata"`
	Type      string            `json:"type"`
	Immutable bool              `json:"immutable,omitempty"`
	Data      map[string][]byte `json:"data"`
}

func loadFake(dir string, v any) {
	data, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if err != nil {
		panic(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		panic(err)
	}
}

func saveFake(dir string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	// In one step: who called the tool may end it at any moment.
	state := filepath.Join(dir, "state.json")
	next := state + "." + strconv.Itoa(os.Getpid())
	if err := os.WriteFile(next, data, 0o600); err != nil {
		panic(err)
	}
	if err := os.Rename(next, state); err != nil {
		panic(err)
	}
}

func fakeKubectl(dir string, args []string, stdin []byte) (string, error) {
	var s fakeSecret
	loadFake(dir, &s)
	switch strings.Join(args, " ") {
	case "config current-context":
		return "prod\n", nil
	case "get --raw /api/v1/namespaces/web/secrets/app":
		out, err := json.Marshal(s)
		return string(out), err
	case "patch secret app --namespace web --type merge --patch-file /dev/stdin --output name":
		var patch struct {
			Metadata struct {
				ResourceVersion string
				Annotations     map[string]string
			}
			Data map[string][]byte
		}
		if err := json.Unmarshal(stdin, &patch); err != nil {
			return "", err
		}
		if patch.Metadata.ResourceVersion != s.Metadata.ResourceVersion {
			return "", fmt.Errorf("Error from server (Conflict): Operation cannot be fulfilled on secrets \"app\": the object has been modified; please apply your changes to the latest version and try again")
		}
		applyPatch(&s, patch.Metadata.Annotations, patch.Data)
		saveFake(dir, s)
		return "secret/app\n", nil
	}
	return "", fmt.Errorf("error: the fake does not know kubectl %v", args)
}

func applyPatch(s *fakeSecret, annotations map[string]string, data map[string][]byte) {
	n, _ := strconv.Atoi(s.Metadata.ResourceVersion)
	s.Metadata.ResourceVersion = strconv.Itoa(n + 1)
	for key, value := range annotations {
		if s.Metadata.Annotations == nil {
			s.Metadata.Annotations = make(map[string]string)
		}
		s.Metadata.Annotations[key] = value
	}
	for key, value := range data {
		if value == nil {
			delete(s.Data, key)
		} else {
			s.Data[key] = value
		}
	}
}

func newSecret(with state) (s fakeSecret) {
	s.Metadata.Name, s.Metadata.ResourceVersion, s.Metadata.CreationTimestamp, s.Type = "app", "41", "2026-01-02T03:04:05Z", "Opaque"
	s.Data = make(map[string][]byte)
	for name, value := range with {
		s.Data[name] = []byte(value + "\n")
	}
	return s
}

func (s fakeSecret) values() state {
	values := make(state)
	for key, value := range s.Data {
		values[key] = strings.TrimSuffix(string(value), "\n")
	}
	return values
}

func readKubectl(t *testing.T, dir string) state {
	var s fakeSecret
	loadFake(dir, &s)
	return s.values()
}

// kubectl, or what is behind it, failing at each of its commands, and secret-rotate killed at each.
func TestKubernetesFaults(t *testing.T) {
	tried := 0
	for _, args := range [][]string{{"--previous"}, {"--then", "false", "--rollback"}} {
		prepare := func(fault string) (dir string, target []string, o outcome) {
			dir = useFake(t, "kubectl")
			saveFake(dir, newSecret(oldState()))
			target = []string{"--schema", writeSchema(t, dir), "--k8s", "web/app"}
			t.Setenv("FAKE_FAULT", fault)
			o = invoke(t, "", append(target, args...)...)
			t.Setenv("FAKE_FAULT", "")
			return dir, target, o
		}
		dir, _, o := prepare("")
		if want := map[string]int{"--previous": exitDone, "--then": exitFailed}[args[0]]; o.status != want {
			t.Fatalf("status %d: %s", o.status, o.stderr)
		}
		of := "kubectl-" + strings.TrimLeft(args[0], "-")
		for _, p := range points(t, of, faults(t, dir)) {
			mode, n := p.what, p.n
			dir, target, o := prepare(strconv.Itoa(n) + ":" + mode)
			if !exists(filepath.Join(dir, "fault")) {
				t.Fatalf("no fault: %s", repeat(t, p, of))
			}
			tried++
			for _, values := range []state{oldState(), readKubectl(t, dir)} {
				for name, value := range values {
					encoded := base64.StdEncoding.EncodeToString([]byte(value + "\n"))
					if name != "LOG_LEVEL" && (strings.Contains(o.stdout+o.stderr, encoded) || strings.Contains(o.stdout+o.stderr, value)) {
						t.Errorf("%s at %d: a value was shown", mode, n)
					}
				}
			}
			k := killed{args: args[:1]}
			if args[0] == "--then" {
				k.args = nil
			}
			kind := k.kind(readKubectl(t, dir), oldState())
			if kind == "mixed" || o.status == exitDone && kind != "new" || o.status == exitFailed && kind != "old" || o.status == exitChanged && kind != "new" {
				t.Fatalf("%s at %d: status %d, %s: %s", mode, n, o.status, kind, o.stderr)
			}
			if kind == "new" {
				backups, _ := filepath.Glob(filepath.Join(dir, "web-app.backup-*Z"))
				if len(backups) != 1 {
					t.Errorf("%s at %d: %d backups", mode, n, len(backups))
				}
			}
			invoke(t, "", append(target, "--overdue")...)
			if settled := k.kind(readKubectl(t, dir), oldState()); settled != kind {
				t.Errorf("%s at %d: %s became %s", mode, n, kind, settled)
			}
			k.recorded(t, dir, kind)
			invoke(t, "", target...).want(t, exitDone)
			if final := (killed{}).kind(readKubectl(t, dir), oldState()); final != "new" {
				t.Errorf("%s at %d: the next rotation: %s", mode, n, final)
			}
			log, _ := os.ReadFile(filepath.Join(dir, "arguments"))
			if strings.Contains(string(log), canary) {
				t.Error("a value was an argument")
			}
			if t.Failed() {
				t.Fatalf("%s at %d: %s%s", mode, n, o.stderr, repeat(t, p, of))
			}
		}
	}
	t.Logf("%d points of failure", tried)
}

func TestKubernetesRefused(t *testing.T) {
	dir := useFake(t, "kubectl")
	s := newSecret(oldState())
	s.Metadata.OwnerReferences = []map[string]any{{"kind": "ExternalSecret", "name": "app"}}
	saveFake(dir, s)
	target := []string{"--schema", writeSchema(t, dir), "--k8s", "web/app"}
	invoke(t, "", target...).want(t, exitFailed, "web/app is written by ExternalSecret app, which would put its values back: rotate it there")
	invoke(t, "", "--schema", "x", "--k8s", "app").want(t, exitFailed, "--k8s: must be NAMESPACE/SECRET")
}
