package supervise

import "golang.org/x/sys/unix"

// An Action is what to do about a change. The zero Action is to do nothing.
type Action struct {
	Verb    Verb
	Signals []unix.Signal // for Signal: each is sent once
	Status  int           // for Exit: what to exit with, or OwnStatus
}

// OwnStatus stands for the exit status of the command.
const OwnStatus = -1

// A Verb says what to do about a change. A greater one is graver.
type Verb int

const (
	Ignore  Verb = iota // go on
	Signal              // send signals: the command reads its files again by itself
	Replace             // start it again beside the old one; stop that when it serves
	Restart             // stop the command and start it again
	Exit                // stop the command and exit
)
