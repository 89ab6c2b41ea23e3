package supervise

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/leash"
)

func TestMain(m *testing.M) {
	leash.Hold()
	os.Exit(m.Run())
}

// A fault of our own leaves the command what it needs of a first process: its signals, and its
// status; and says where it was, once.
func TestFaultKeepsTheCommand(t *testing.T) {
	command := exec.Command("sh", "-c", `trap 'exit 7' TERM; echo; while :; do sleep 0.01; done`)
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	out.Read(make([]byte, 1)) // its trap is set

	var told []string
	warnings, signals, children := make(chan error), make(chan os.Signal), make(chan os.Signal)
	s := &supervisor{
		Config: Config{
			Warnings:   warnings,
			StopSignal: unix.SIGTERM, StopTimeout: time.Minute,
			Log: func(l Line) {
				if told = append(told, l.Text); len(told) == 1 {
					var none []int
					_ = none[len(told)]
				}
			},
		},
		state:   state{phase: running, begun: true},
		timer:   time.NewTimer(time.Hour),
		command: &generation{pid: command.Process.Pid, number: 1},
		signals: signals, children: children,
	}

	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for !s.survive() {
		}
	}()
	warnings <- os.ErrInvalid // which Log panics at
	signals <- unix.SIGTERM
	// Its end is known, and left to be reaped.
	if err := unix.Waitid(unix.P_PID, command.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	children <- unix.SIGCHLD
	<-ended

	if s.state.status != 7 {
		t.Errorf("status %d, want the command's, 7", s.state.status)
	}
	log := strings.Join(told, "\n")
	for _, want := range []string{"please report: runtime error: index out of range", " at fault_linux_test.go:", "the command goes on"} {
		if strings.Count(log, want) != 1 {
			t.Errorf("the log does not say %q once:\n%s", want, log)
		}
	}
}

// Without a command there is nothing to keep.
func TestFaultAtTheStart(t *testing.T) {
	s := &supervisor{
		Config: Config{Log: func(Line) {}},
		state:  state{phase: starting},
		timer:  time.NewTimer(time.Hour),
	}
	s.confess(os.ErrInvalid)
	if s.state.phase != ended || s.state.status != StatusFailed {
		t.Errorf("%v, status %d: want the end with %d", s.state.phase, s.state.status, StatusFailed)
	}
}
