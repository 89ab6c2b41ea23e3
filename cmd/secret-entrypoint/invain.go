package main

import (
	"fmt"

	"github.com/secret-entrypoint/secret-entrypoint/internal/preflight"
	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
)

// inVain warns of options that do nothing as they are, for lack of another one or because of it, or
// since what they name does not come.
func (o *options) inVain(found *preflight.Report) (warnings []string) {
	warn := func(text string) { warnings = append(warnings, text) }

	for _, name := range found.Late {
		warn(fmt.Sprintf("%s: --include names it, and nothing has set it in %v: COMMAND starts "+
			"without it", name, o.wait))
	}
	if len(o.watched) > 0 && o.onChange == nil {
		warn("--watch does nothing without --on-change: say what to do about a change, for " +
			"example --on-change HUP")
	}
	for _, w := range found.Result.Watched {
		if o.onChange != nil && o.onChangeOf(w.Name) == nil {
			warn(fmt.Sprintf("--watch %s: %s: no rule of --on-change is for this name, so a "+
				"change is ignored", w.Name, printable.Name(w.Path)))
		}
	}

	if o.metrics != "" && !o.stays() {
		warn(o.called("--metrics") +
			" does nothing without --on-change or --init: nothing stays that could count")
	}
	if o.ready.alive > o.readyTimeout {
		warn(fmt.Sprintf("%s is longer than %s (%v), so that no process can be ready in time: "+
			"make that longer", o.called("--ready"), o.called("--ready-timeout"), o.readyTimeout))
	}
	return warnings
}
