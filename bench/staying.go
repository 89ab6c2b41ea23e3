package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// stays measures all that stay.
func (r *report) stays(shim, built, dir string, rest time.Duration) error {
	mark, err := buildMark(built)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err, "(nothing that stays is measured)")
		return nil
	}
	v, err := newVolume(dir)
	if err != nil {
		return err
	}
	for _, s := range v.stayers(shim, r.contenders) {
		fmt.Fprintf(os.Stderr, "staying: %s %s\n", s.name, strings.Join(s.args, " "))
		r.stay = append(r.stay, v.measure(s, shim, mark, rest))
	}
	return nil
}

// staying writes what was measured of those that stay.
func (r *report) staying(say func(string, ...any)) {
	if r.stay == nil {
		return
	}
	say("\n## Staying with the command\n")
	say("Behind each a C program that waits for signals; %d secrets in a volume laid out as the kubelet's. Of the supervisor alone, three seconds after its start.", volumeSecrets)
	say("Wake-ups are context switches of all its threads.\n")
	say("| program | resident, KiB | of it anonymous | wake-ups a minute | CPU, ms a minute |\n| --- | ---: | ---: | ---: | ---: |")
	for _, s := range r.stay {
		switch {
		case s.failure != nil:
			say("| %s | %v | | | |", s.name, s.failure)
		case s.reacts == none:
			say("| %s | %d | %d | %.0f | %.2f |", s.name, s.rss, s.anonymous, s.switches, s.cpu)
		}
	}
	say("\nAn update (the rename of `..data`) to what is done about it, with `--settle %v`, up to %d times:\n", settle, flips)
	say("| | times | median, ms | p99 | worst | resident afterwards, KiB | of it anonymous |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
	for _, s := range r.stay {
		row := func(what string, times []float64) {
			if times != nil {
				say("| %s: %s | %d | %.2f | %.2f | %.2f | %d | %d |", s.name, what, len(times), median(times), quantile(times, 0.99), slices.Max(times), s.rss, s.anonymous)
			}
		}
		row("the rename to SIGHUP in the command, less the settle time", s.signal)
		if s.path == r.shim {
			row("the same, less a start with these secrets in the same round", differences(s.signal, s.prepare))
		}
		row("the old process's last act to the next one's `main`", s.restart)
	}
	say("\nconsul-template looks at local files every two seconds, and has no settle time here.\n")
}

// stayBudgets are the lines of the budget table for what stays.
func (r *report) stayBudgets(say func(string, ...any)) {
	for _, s := range r.stay {
		switch {
		case s.failure != nil || s.path != r.shim:
		case s.reacts == none && s.name == watching+" HUP":
			say("| memory while watching | at most 4 MB resident, 1.2 MB anonymous | %.2f MB, %.2f MB |", float64(s.rss)*1024/1e6, float64(s.anonymous)*1024/1e6)
			say("| idle | no wake-up between polls | %.0f a minute, with a poll every 30 s |", s.switches)
		case s.reacts == signals:
			over := differences(s.signal, s.prepare)
			say("| `..data` flip to signal in the command | settle + prepare + 5 ms at p99 | settle + prepare + %.1f ms at the median, %.1f at p99; prepare is %.1f at the median, %.1f at p99 |",
				median(over), quantile(over, 0.99), median(s.prepare), quantile(s.prepare, 0.99))
		case s.reacts == restarts:
			say("| old process gone to new one running | at most 3 ms at p99 with 25 secrets | median %.2f ms, p99 %.2f ms |", median(s.restart), quantile(s.restart, 0.99))
		}
	}
}
