package supervise

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// What a candidate reports arrives, however much it is: what is too much is told of.
func TestLongReports(t *testing.T) {
	text := strings.Repeat("x", 1000)
	var lines []Line
	for i := range 9000 {
		lines = append(lines, Line{Level: Error, Text: fmt.Sprint(i, " ", text)})
	}
	var paths []string
	for range 2100 {
		paths = append(paths, strings.Repeat("p", 4096))
	}
	huge := []Line{{Level: Warn, Text: strings.Repeat("y", 17<<19), Fields: []Field{{Name: "f", Value: strings.Repeat("z", 17<<19)}}}}

	for _, c := range []struct {
		name   string
		report Report
		ready  bool
		status int
		want   []string // in the lines
	}{
		{"short", Report{Ready: true, Lines: lines[:3]}, true, 0, []string{"0 x", "2 x"}},
		{"many lines", Report{Status: 126, Lines: lines}, false, 126, []string{"0 x", "999 x", "more messages are left out"}},
		{"many warnings", Report{Ready: true, Lines: lines}, true, 0, []string{"0 x", "more messages are left out"}},
		{"a long line", Report{Ready: true, Lines: huge}, true, 0, []string{"yyy", "..."}},
		{"much to watch", Report{Ready: true, Watch: paths, Lines: lines[:1]}, false, StatusFailed, []string{"0 x", "2100 paths to watch"}},
		{"all", Report{Status: 127, Watch: paths, Lines: append(huge, lines...)}, false, 127, []string{"yyy", "left out", "paths to watch"}},
	} {
		e := c.report.encode()
		var sent bytes.Buffer
		if err := e.writeTo(&sent, reportMessage); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		d := readMessage(&sent)
		got := d.report()
		if d.bad || got.Ready != c.ready || got.Status != c.status {
			t.Errorf("%s: bad %v, ready %v, status %d", c.name, d.bad, got.Ready, got.Status)
		}
		if c.report.Ready != c.ready {
			t.Errorf("%s: the candidate takes itself to be ready", c.name)
		}
		var all strings.Builder
		for _, l := range got.Lines {
			all.WriteString(l.Text + "\n")
		}
		for _, want := range c.want {
			if !strings.Contains(all.String(), want) {
				t.Errorf("%s: no %q in %d lines", c.name, want, len(got.Lines))
			}
		}
	}
}

// What the other end says may be anything: it is understood, or bad, and nothing worse.
func FuzzReport(f *testing.F) {
	good := Report{
		Ready:   true,
		Secrets: []Secret{{"A", 1}, {"B", 2}},
		Sources: []string{"/run/secrets"},
		Watch:   []string{"/run/secrets", ""},
		Lines:   []Line{{Level: Warn, Text: "x", Fields: []Field{{"n", "1", true}}}},
	}
	f.Add(good.encode().b)
	f.Add([]byte{1, 0, 255, 255, 255, 255, 15})
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &decoder{b: bytes.Clone(b)}
		r := d.report()
		if d.bad {
			return
		}
		again := &decoder{b: r.encode().b}
		if other := again.report(); again.bad || fmt.Sprint(*other) != fmt.Sprint(*r) {
			t.Errorf("%+v is not %+v", other, r)
		}
	})
}
