package main

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// A message for the kubelet has whole lines, and no more than the kubelet shows.
func TestTerminationMessageHasRoom(t *testing.T) {
	long := strings.Repeat("é", 3000)
	for _, c := range []struct {
		reasons []string
		want    string
	}{
		{[]string{"a", "b\nc"}, "a\nb?c\n"},
		{[]string{"a", long, "b", "c"}, "a\n3 more are in the log\n"},
		{[]string{strings.Repeat("x", 4000), strings.Repeat("y", 100)}, strings.Repeat("x", 4000) + "\n1 more are in the log\n"},
	} {
		if got := terminationMessage(c.reasons); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	got := terminationMessage([]string{long, "b"})
	if len(got) > 4096 || len(got) < 4000 || !utf8.ValidString(got) || !strings.HasSuffix(got, "é...\n1 more are in the log\n") {
		t.Errorf("%d bytes: ... %q", len(got), got[max(0, len(got)-60):])
	}
}
