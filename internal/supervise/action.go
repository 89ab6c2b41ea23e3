package supervise

import "golang.org/x/sys/unix"

// An Action is what to do about a change. The zero Action is to do nothing.
type Action struct {
	Kind    ActionKind
	Signals []unix.Signal // for Signal: each is sent once
}

// ActionKind says what to do about a change. A greater one is graver.
type ActionKind int

const (
	Ignore  ActionKind = iota // go on
	Signal                    // send signals: the command reads its files again by itself
	Restart                   // stop the command and start it again
	Exit                      // stop the command and exit with its status
)
