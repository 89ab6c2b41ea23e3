// Package supervise starts one command and stays with it: it forwards signals, reaps orphans, and
// replaces the command by a next generation of it when told that something may have changed. It
// never has a secret in its memory.
//
// Prepare, then commit: a generation begins as a candidate, this program again behind a gate, which
// loads the secrets and reports digests of them. Only when it stands ready is anything done to the
// generation that runs.
//
// What is done about everything that happens is decided in one place, machine.go: a pure function,
// next, over a table of all phases and events. The supervisor has one goroutine and one select. It
// makes an event of what happens, asks next what that means, and carries out the effects, of which
// some have an event follow. These are the phases, and the events that lead from one to another:
//
//	                      starting
//	                         │ ready
//	   became                ▼
//	┌──────────────── committing ◀──────────────┐
//	▼                                           │ swept, and a candidate stands ready
//	running ◀───────────┬─────────── signalling │
//	│ changed           │ same, bad,   ▲        │
//	▼                   │ lost,        │        │
//	delaying            │ mustIgnore   │        │
//	│ timedOut          │              │        │
//	▼                   │              │        │
//	checking ───────────┴──────────────┘        │
//	│ mustRestart, mustExit     mustSignal      │
//	▼             exited                        │
//	stopping ──────────────────▶ sweeping ──────┘
//	│ timedOut                   ▲      │ swept, after mustExit
//	▼             exited         │      ▼
//	killing ─────────────────────┘     ended
//
// With Config.Verify, verifying stands between starting and committing, and between checking and
// what is done about a change.
//
// The command's exit leads from running, delaying, checking, verifying and signalling to ended; so
// does, from stopping and killing, its exit after SIGTERM or the stop signal came from outside:
// then no generation is started any more.
//
// # To add to it
//
// A phase is a constant, its name, a row of the table, its time limit (supervisor.limit), a row of
// the page docs/how-it-works.md and a scenario that takes its edges from outside (TestStates). An
// event is a constant and a cell of each row where it means something. An effect is a constant and
// a case of supervisor.carryOut: it asks nothing that next could have decided. The tests walk
// through every state that can be reached with every event that can happen there
// (machine_linux_test.go): tell them when the new event can happen, and what must hold.
//
// What is known of one process is a [generation], and of the part that it plays, a field of the
// supervisor: command, the one whose end is the end of all, and next, the candidate. A third part,
// such as an old generation that drains beside the command, is a third field, and the end of its
// process a third event beside exited and lost (supervisor.reap finds out whose end it was). What a
// part changes over is an effect that moves a generation from one field to another, as adopt does.
// Of the steps of a replacement beside the running command, preparing is checking and verifying;
// proving is a phase between those and the change of parts, whose failure leads back to running;
// draining and retiring come after it, and lead to sweeping.
package supervise
