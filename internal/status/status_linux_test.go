package status

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func sample() *Status {
	return &Status{
		Generation: 3, Since: 1764360000, Metrics: "/metrics/a b.prom",
		Secrets: []Secret{{Name: "DB_PASSWORD", Changed: 1764360000}, {Name: "KEY", Changed: 1764000000}},
		Refused: 1764361000, Reasons: []string{"KEY: a reason", "another, of\ntwo lines"}, Retries: 4,
		Refusals: [3]int{2, 1, 0},
		Done:     [4]Done{{}, {1, 5 * time.Millisecond}, {2, 3210 * time.Millisecond}, {}},
	}
}

// What a page tells is what was shown, as far as it is for --status.
func TestPageTells(t *testing.T) {
	s := sample()
	got := decode(string(s.encode()) + "word of a later version\n")
	want := *s
	want.Secrets = []Secret{{Name: "DB_PASSWORD"}, {Name: "KEY"}}
	want.Reasons = []string{"KEY: a reason", "another, of two lines"}
	want.Retries, want.Refusals = 0, [3]int{}
	want.Done = [4]Done{{}, {Count: 1}, {Count: 2}, {}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

// A page is replaced under one descriptor, is whole, and can't be written to by anyone.
func TestPageIsSealed(t *testing.T) {
	var p Page
	for generation := range 3 {
		s := sample()
		s.Generation = generation
		if err := p.Show(s); err != nil {
			t.Fatal(err)
		}
		text, ok := read("/proc/self/fd")
		if got := decode(text); !ok || got.Generation != generation {
			t.Fatalf("found %v: %q", ok, text)
		}
	}
	pages := 0
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		path := "/proc/self/fd/" + fd.Name()
		if target, _ := os.Readlink(path); !strings.Contains(target, pageName) {
			continue
		}
		pages++
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			continue
		}
		if _, err := f.WriteAt([]byte("generation 9"), 0); err == nil {
			t.Error("a page was written to")
		}
		if err := f.Truncate(0); err == nil {
			t.Error("a page was truncated")
		}
		f.Close()
	}
	if pages != 1 {
		t.Errorf("%d pages", pages)
	}
}

// A file that others read is whole at each moment, readable by them whatever the umask, and gone in the end. A
// directory that is not there is told once, and when it comes the file is written.
func TestMetricsFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "metrics")
	file := filepath.Join(dir, "a.prom")
	told := make(chan error, 10)
	m := StartMetrics(file, func(err error) { told <- err })
	m.Show(sample())
	if err := <-told; !strings.Contains(err.Error(), "open "+dir+": no such file or directory") {
		t.Errorf("got %v", err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".a.prom.tmp"), nil, 0o600); err != nil { // of one that was killed
		t.Fatal(err)
	}
	m.Show(sample())
	deadline := time.Now().Add(time.Minute)
	var text []byte
	for text == nil && time.Now().Before(deadline) {
		text, _ = os.ReadFile(file)
	}
	if string(text) != string(sample().metrics()) {
		t.Errorf("got %q", text)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	m.Close()
	if left, _ := os.ReadDir(dir); len(left) != 0 || len(told) != 0 {
		t.Errorf("left %v, told %d", left, len(told))
	}
}

func TestSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0.000", 5 * time.Millisecond: "0.005", 83*time.Second + 40*time.Millisecond: "83.040"} {
		if got := seconds(d); got != want {
			t.Errorf("%v: got %s", d, got)
		}
	}
}
