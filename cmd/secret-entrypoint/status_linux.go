package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
	"github.com/secret-entrypoint/secret-entrypoint/internal/status"
	"github.com/secret-entrypoint/secret-entrypoint/internal/supervise"
)

// exitNone is what --status returns when there is nothing to tell of.
const exitNone = 2

// tellStatus has the supervisor tell --status how it stands, and the file of --metrics. What it
// returns ends that.
func (o *options) tellStatus(c *supervise.Config, log *logger) (end func()) {
	var page status.Page
	var metrics *status.Metrics
	if o.metrics != "" && o.ownMetrics(log) {
		c.Writers = 1
		metrics = status.StartMetrics(o.metrics, func(err error) {
			log.warnf("%s: %v: it is tried again at the next change", o.called("--metrics"), err)
		})
	}

	if watch := c.Watch; watch != nil && metrics != nil {
		dir, _ := filepath.Abs(filepath.Dir(o.metrics))
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			dir = real
		}

		c.Watch = func(paths []string) {
			if metrics != nil && slices.Contains(paths, dir) {
				log.warnf("%s: %s is watched for changes of secrets, and each write there would "+
					"look like one: nothing is written: name a file in a directory of its own",
					o.called("--metrics"), printable.Name(dir))
				metrics.Close()
				metrics = nil
			}
			watch(paths)
		}
	}

	failed := false
	c.Show = func(s *status.Status) {
		if metrics != nil {
			s.Metrics = o.metrics
			metrics.Show(s)
		}
		if err := page.Show(s); err != nil && !failed {
			failed = true
			log.warnf("--status will find nothing: keep it in memory: %v", err)
		}
	}

	return func() {
		if metrics != nil {
			metrics.Close()
		}
	}
}

// ownMetrics reports whether no other supervisor writes that file. One that was started in the
// container later, as by kubectl exec, has the same variables.
func (o *options) ownMetrics(log *logger) bool {
	found, _ := status.Find()
	for _, f := range found {
		if f.Metrics == o.metrics {
			log.warnf("%s: process %d writes that file already: this one does not",
				o.called("--metrics"), f.PID)
			return false
		}
	}
	return true
}

// showStatus tells of each supervisor of this container.
func (o *options) showStatus(stdout io.Writer, log *logger) int {
	found, other := status.Find()
	if len(found) == 0 {
		text := fmt.Sprintf("no secret-entrypoint that stays (--on-change, --init) runs here as "+
			"user %d", os.Geteuid())
		if other >= 0 {
			text += fmt.Sprintf(": PID 1 is of user %d: ask as that one, if it is it", other)
		}
		log.error(text)
		return exitNone
	}

	var b strings.Builder
	exit := exitOK
	for i := range found {
		f := &found[i]
		switch {
		case f.Generation == 0 && exit == exitOK:
			exit = exitNone
		case f.Refused != 0:
			exit = exitUnwell
		}

		if o.logJSON {
			b.WriteString(statusJSON(f) + "\n")
			continue
		}

		for _, line := range statusText(f) {
			b.WriteString(printable.Line(line) + "\n")
		}
	}

	return deliver(stdout, b.String(), exit, log)
}

// statusText tells of one for people.
func statusText(f *status.Found) (lines []string) {
	if f.Generation == 0 {
		return []string{fmt.Sprintf("PID %d: the command has not been started yet", f.PID)}
	}

	lines = append(lines,
		fmt.Sprintf("PID %d: generation %d since %s", f.PID, f.Generation, pointInTime(f.Since)),
		"secrets: "+strings.Join(secretNames(f), ", "))

	var done []string
	for i, d := range f.Done {
		if d.Count > 0 {
			done = append(done, fmt.Sprintf("%d %s", d.Count, status.Actions[i]))
		}
	}

	if done != nil {
		lines = append(lines, "changes: "+strings.Join(done, ", "))
	}
	if f.Refused != 0 {
		since := pointInTime(f.Refused)
		lines = append(lines, fmt.Sprintf("an update is not used since %s:", since))
		for _, reason := range f.Reasons {
			lines = append(lines, "  "+reason)
		}
	}
	return lines
}

func secretNames(f *status.Found) []string {
	var names []string
	for _, s := range f.Secrets {
		names = append(names, s.Name)
	}
	return names
}

// pointInTime is a time, and how long ago that is.
func pointInTime(at int64) string {
	ago := max(time.Since(time.Unix(at, 0)).Truncate(time.Second), 0)
	return fmt.Sprintf("%s (%v ago)", timestamp(at), ago)
}

func timestamp(at int64) string { return time.Unix(at, 0).UTC().Format(time.RFC3339) }

// statusJSON is the same as an object.
func statusJSON(f *status.Found) string {
	var o, done, refused jsonObject
	o.int("pid", f.PID)
	o.int("generation", f.Generation)
	if f.Generation > 0 {
		o.string("since", timestamp(f.Since))
	}

	o.array("secrets", messages(secretNames(f)))
	for i, d := range f.Done {
		done.int(status.Actions[i], d.Count)
	}
	o.number("changes", done.end())
	if f.Refused != 0 {
		refused.string("since", timestamp(f.Refused))
		refused.array("reasons", messages(f.Reasons))
		o.number("refused", refused.end())
	}

	return o.end()
}
