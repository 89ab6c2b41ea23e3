package rotate

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
	"github.com/secret-entrypoint/secret-entrypoint/internal/rotate/dirfd"
)

// metricPrefix begins the name of every metric.
const metricPrefix = "secret_rotate_"

var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// metricFamilies are the metrics that each value has.
var metricFamilies = []struct {
	name, help string
	value      func(Due) int64
}{
	{
		"overdue", "Whether the value is older than its schema allows, or an old one again.",
		func(d Due) int64 { return number(d.Overdue()) },
	},
	{
		"reverted", "Whether the value is the one from before its last rotation.",
		func(d Due) int64 { return number(d.Drift == Reverted) },
	},
	{
		"age_seconds", "How long ago the value was last replaced, or its file written.",
		func(d Due) int64 { return int64(d.Age / time.Second) },
	},
	{
		"period_seconds", "How often the value has to be replaced.",
		func(d Due) int64 { return int64(d.Every / time.Second) },
	},
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// Metrics writes what is due in Prometheus' text format, for the node exporter's textfile
// collector.
func Metrics(all []Due, t Target, now time.Time) []byte {
	var b bytes.Buffer
	header := func(name, help string) {
		fmt.Fprintf(&b, "# HELP %s%s %s\n", metricPrefix, name, help)
		fmt.Fprintf(&b, "# TYPE %s%s gauge\n", metricPrefix, name)
	}
	target := fmt.Sprintf(`kind="%s",target="%s"`, t.Kind(), labelEscapes.Replace(t.Place()))

	for _, f := range metricFamilies {
		header(f.name, f.help)
		for _, d := range all {
			if !d.Missing {
				fmt.Fprintf(&b, "%s%s{name=\"%s\",category=\"%s\",%s} %d\n", metricPrefix, f.name,
					d.Name, labelEscapes.Replace(d.Category), target, f.value(d))
			}
		}
	}

	const checked = "checked_timestamp_seconds"
	header(checked, "When this was last looked at.")
	fmt.Fprintf(&b, "%s%s{%s} %d\n", metricPrefix, checked, target, now.Unix())
	return b.Bytes()
}

// Publish writes a file in one step, readable by all, so that a collector never reads half of it.
// It replaces only a file that it has written before.
func Publish(path string, data []byte) error {
	dir, name, err := dirfd.Find(path)
	if err != nil {
		return err
	}
	defer dir.Close()

	before, _, _, err := readRegular(dir, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case len(before) > 0 && !bytes.HasPrefix(before, []byte("# HELP "+metricPrefix)):
		return fmt.Errorf("%s is a file of something else: name one of its own", printable.Line(path))
	}
	return publish(dir, name, data, 0o644)
}
