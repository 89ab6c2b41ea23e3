package cluster

import "testing"

// A question is read to its end, and nothing of what is none.
func TestQuestionName(t *testing.T) {
	const header = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
	const name = "\x05redis\x03try\x03svc\x07cluster\x05local\x00"
	for query, want := range map[string]struct {
		name string
		end  int
	}{
		header + name + "\x00\x01\x00\x01": {"redis.try.svc.cluster.local", len(header + name)},
		header + "\x00\x00\x02\x00\x01":    {"", len(header) + 1},
		header + name + "\x00\x01\x00":     {},
		header + name[:len(name)-1]:        {},
		header + "\x3fshort":               {},
		header[:7]:                         {},
		"":                                 {},
	} {
		if name, end := questionName([]byte(query)); name != want.name || end != want.end {
			t.Errorf("%q: %q, %d", query, name, end)
		}
	}
}
