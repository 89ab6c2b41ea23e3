package rotate

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/schema"
)

// A Due says when a value has to be replaced.
type Due struct {
	Name     string
	Category string
	Every    time.Duration
	Missing  bool      // it is not in the store, or empty
	Last     time.Time // when it last was; zero if nothing tells
	Source   string    // what tells: "record", or "file" for its age
	Age      time.Duration
	Late     time.Duration // more than zero if it is overdue
	Generate bool          // secret-rotate can make a new one
}

// Overdue compares the ages of a store's values with @rotate. It changes nothing but what a rotation that was killed has left, and
// its record.
func Overdue(t Target, s *schema.Schema, names []string, recordsPath string, now time.Time) (all []Due, found Recovery, err error) {
	if err := t.Open(); err != nil {
		return nil, NothingLeft, err
	}
	defer t.Close()
	log, past, err := open(t, recordsPath)
	if err != nil {
		return nil, found, err
	}
	if found, err = recovered(t, log, past, false); err != nil {
		return nil, found, err
	}
	if unfinished(past) != nil { // it has its end now
		if past, err = log.read(); err != nil {
			return nil, found, fmt.Errorf("read the records: %w", err)
		}
	}
	stored, err := t.Read()
	if err != nil {
		return nil, found, err
	}
	p := &planner{Request: Request{Schema: s}, entries: stored}
	wanted := make(map[string]bool)
	for _, name := range names {
		if it := p.known(name); it != nil && it.Rotate == 0 {
			p.fail("%s: %s does not say how often it has to be replaced (@rotate)", name, Printable(s.Name))
		}
		wanted[name] = true
	}
	if len(p.errs) > 0 {
		return nil, found, errors.Join(p.errs...)
	}
	known := rotatedAt(past)
	for i := range s.Items {
		it := &s.Items[i]
		if it.Rotate == 0 || len(names) > 0 && !wanted[it.Name] {
			continue
		}
		d := Due{Name: it.Name, Category: it.Category, Every: it.Rotate, Generate: it.Generate.Kind != ""}
		e := p.entry(it.Name)
		if e == nil || e.Value == "" && !e.Hidden {
			d.Missing = true
			all = append(all, d)
			continue
		}
		d.Last, d.Source = known[it.Name], "record"
		if d.Last.IsZero() {
			d.Last, d.Source = e.Since, "file"
		}
		d.Age = max(0, now.Sub(d.Last))
		d.Late = max(0, d.Age-d.Every)
		all = append(all, d)
	}
	return all, found, nil
}

// Metrics are the same in Prometheus' text format, for the node exporter's textfile collector.
func Metrics(all []Due, t Target, now time.Time) []byte {
	var b strings.Builder
	label := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	target := `kind="` + t.Kind() + `",target="` + label.Replace(t.Place()) + `"`
	family := func(name, help string, value func(Due) string) {
		b.WriteString("# HELP secret_rotate_" + name + " " + help + "\n# TYPE secret_rotate_" + name + " gauge\n")
		for _, d := range all {
			if !d.Missing {
				b.WriteString("secret_rotate_" + name + `{name="` + d.Name + `",category="` + label.Replace(d.Category) + `",` + target + "} " + value(d) + "\n")
			}
		}
	}
	seconds := func(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }
	family("overdue", "Whether the value is older than its schema allows.", func(d Due) string {
		if d.Late > 0 {
			return "1"
		}
		return "0"
	})
	family("age_seconds", "How long ago the value was last replaced, or its file written.", func(d Due) string { return seconds(d.Age) })
	family("period_seconds", "How often the value has to be replaced.", func(d Due) string { return seconds(d.Every) })
	b.WriteString("# HELP secret_rotate_checked_timestamp_seconds When this was last looked at.\n# TYPE secret_rotate_checked_timestamp_seconds gauge\n")
	b.WriteString("secret_rotate_checked_timestamp_seconds{" + target + "} " + strconv.FormatInt(now.Unix(), 10) + "\n")
	return []byte(b.String())
}

// Publish writes a file in one step, readable by all, so that a collector never reads half of it. It replaces nothing but what it has
// written before.
func Publish(path string, data []byte) error {
	before, _, err := readRegular(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case len(before) > 0 && !bytes.HasPrefix(before, []byte("# HELP secret_rotate_")):
		return fmt.Errorf("%s is a file of something else: name one of its own", Printable(path))
	}
	return publish(path, data, 0o644)
}
