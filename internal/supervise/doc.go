// Package supervise starts one command and stays with it: it forwards signals, reaps orphans, and replaces the command by
// a next generation of it when told that something may have changed. It never has a secret in its memory.
//
// Prepare, then commit: a generation begins as a candidate, this program again behind a gate, which loads the secrets
// and reports digests of them. Only when it stands ready is anything done to the generation that runs. These are the
// states, and the functions that lead from one to another:
//
//	                     starting
//	                        │ commit
//	  committed             ▼
//	┌─────────────── committing ◀──────────────┐
//	▼                                          │ commit
//	running ◀──────────┐                       │
//	│ change           │ run: no difference,   │
//	▼                  │ a bad update, or      │
//	delaying           │ a signal was sent     │
//	│ timeout          │                       │
//	▼                  │                       │
//	checking ──────────┘                       │
//	│ compare, stop                            │
//	▼            exited                        │
//	stopping ─────────────────▶ sweeping ──────┘
//	│ timeout                   ▲      │ nothing to start: end
//	▼            exited         │      ▼
//	killing ────────────────────┘     ended
//
// The command's exit leads from running, delaying and checking to ended; so does, from stopping and killing, its exit
// after SIGTERM or the stop signal came from outside: then no generation is started any more.
package supervise
