// Package status is how a supervisor tells how it stands, and how the same program, asked in the
// same container, finds that out. It knows names and reasons, and no value or digest of one.
//
// The supervisor keeps a page: a sealed file in memory (memfd_create(2)), which it replaces under
// the same descriptor at each change. Who asks finds it by the descriptors of the processes in
// /proc:
//
//	page.Show(s)                // in the supervisor: no socket, no thread, no wake-up, no file left
//	for _, f := range Find() {} // in who asks
//
// Who may ask is the kernel's to decide: to open another process's descriptor takes its user and
// group, and no less capabilities than it has (ptrace(2), access mode checking). Who asks believes
// only a process of its own user, in its own PID namespace, which is what /proc shows, and in its
// own mount namespace: containers that share the first have each a supervisor of their own. An
// abstract socket would be shared by all containers of a pod, a socket in a file system needs a
// directory that can be written to.
package status

import (
	"strconv"
	"strings"
	"time"
)

// A Status is what there is to know of a supervisor. Times are Unix seconds, and zero is never.
type Status struct {
	Generation int      // of the command; 0: it has not been started yet
	Since      int64    // when the command got what it has now
	Secrets    []Secret // in order
	Metrics    string   // the file that it writes, if any

	Refused int64    // since when an update is not used
	Reasons []string // why not
	Retries int      // how often any update was tried again

	// What came of updates: how many were refused at each stage, and what was done about the
	// others.
	Refusals [3]int // by Stages
	Done     [4]Done
}

// A Secret is the name of one, and when it changed last since the start.
type Secret struct {
	Name    string
	Changed int64
}

// Done is how often one kind of action was done about a change, and how long that took in all, from
// the first sign of the change on.
type Done struct {
	Count int
	Took  time.Duration
}

// Stages are what an update can be refused at, in words of its own, for a label.
var Stages = [3]string{"secrets", "verify", "ready"}

// Actions are what can be done about one, by the order of Done.
var Actions = [4]string{"ignore", "signal", "replace", "restart"}

// A text is built of lines. Its methods would be inlined everywhere, which makes every image
// kilobytes larger.
type text []byte

// line adds a word and what follows it.
//
//go:noinline
func (t *text) line(word, rest string) {
	*t = append(*t, word...)
	*t = append(*t, ' ')
	*t = append(*t, strings.ReplaceAll(rest, "\n", " ")...)
	*t = append(*t, '\n')
}

//go:noinline
func (t *text) number(word string, n int64) { t.line(word, strconv.FormatInt(n, 10)) }

// encode writes a page: a line for each thing that is known, a word and what follows it.
func (s *Status) encode() []byte {
	var t text
	t.number("generation", int64(s.Generation))
	t.number("since", s.Since)
	t.number("refused", s.Refused)
	t.line("metrics", s.Metrics)
	for i, d := range s.Done {
		t.number(Actions[i], int64(d.Count))
	}
	for _, x := range s.Secrets {
		t.line("secret", x.Name)
	}
	for _, reason := range s.Reasons {
		t.line("reason", reason)
	}
	return t
}

// decode reads a page. Words that it does not know are passed over: they are of a later version.
func decode(page string) (s Status) {
	for line := range strings.Lines(page) {
		word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		n, _ := strconv.ParseInt(rest, 10, 64)
		switch word {
		case "generation":
			s.Generation = int(n)
		case "since":
			s.Since = n
		case "refused":
			s.Refused = n
		case "metrics":
			s.Metrics = rest
		case "secret":
			s.Secrets = append(s.Secrets, Secret{Name: rest})
		case "reason":
			s.Reasons = append(s.Reasons, rest)
		default:
			for i, action := range Actions {
				if word == action {
					s.Done[i].Count = int(n)
				}
			}
		}
	}

	return s
}
