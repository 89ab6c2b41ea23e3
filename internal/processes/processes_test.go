//go:build linux

package processes

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/leash"
)

func TestMain(m *testing.M) {
	leash.Hold()
	os.Exit(m.Run())
}

// A tree is a shell that leads a process group, and what it has started. All of it goes when its
// standard input ends.
type tree struct {
	shell, child, grandchild, session, orphan int
	end                                       func()
}

// grow has a shell start a child with a child of its own, one in a session of its own, and one that
// has lost its parent; each waits for the end of the standard input.
func grow(t *testing.T) *tree {
	t.Helper()
	// A name that looks like the fields that follow it: read by their places from the first
	// parenthesis, it would be a zombie whose parent is process 1.
	wait := filepath.Join(t.TempDir(), "x) Z 1 1 1")
	binary, err := exec.LookPath("cat")
	if err != nil {
		t.Skip("there is no cat")
	}
	if err := os.Symlink(binary, wait); err != nil {
		t.Fatal(err)
	}

	// What runs in the background would read /dev/null, but for <&3.
	command := exec.Command("sh", "-c", `
		exec 3<&0
		sh -c '"$0" <&3 & echo $!; exec "$0" <&3' "$0" & echo $!
		setsid sh -c 'echo $$; exec "$0" <&3' "$0" &
		sh -c '"$0" <&3 & echo $!' "$0"; echo $$
		exec "$0"`, wait)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}

	g := &tree{shell: command.Process.Pid}
	g.end = func() {
		input.Close()
		io.Copy(io.Discard, output) // until all have ended
		command.Wait()
	}
	t.Cleanup(g.end)

	lines := bufio.NewScanner(output)
	var pids []int
	for len(pids) < 5 && lines.Scan() {
		pid, err := strconv.Atoi(strings.TrimSpace(lines.Text()))
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	if len(pids) < 5 {
		t.Fatalf("the shell said %v only", pids)
	}

	// They write in any order: their places in the tree tell which is which.
	all := relations()
	for _, pid := range pids {
		r := all[pid]
		switch {
		case pid == g.shell: // its child of that moment has ended
		case r.session == pid:
			g.session = pid
		case r.parent != g.shell && all[r.parent].parent != g.shell:
			g.orphan = pid
		case r.parent == g.shell:
			g.child = pid
		default:
			g.grandchild = pid
		}
	}
	return g
}

func sorted(pids ...int) []int {
	slices.Sort(pids)
	return pids
}

func TestOfATree(t *testing.T) {
	g := grow(t)
	everything := sorted(g.shell, g.child, g.grandchild, g.session)
	if everything[0] == 0 || g.orphan == 0 {
		t.Fatalf("not all were found: %+v", g)
	}

	if got := sorted(Tree(g.shell)...); !slices.Equal(got, everything) {
		t.Errorf("Tree: %v, not %v", got, everything)
	}
	if got := Tree(g.grandchild); !slices.Equal(got, []int{g.grandchild}) {
		t.Errorf("Tree of one: %v", got)
	}
	group := sorted(g.shell, g.child, g.grandchild, g.orphan)
	if got := sorted(Group(g.shell)...); !slices.Equal(got, group) {
		t.Errorf("Group: %v, not %v", got, group)
	}
	if got := Children(); len(got) != 1 || !got[g.shell] {
		t.Errorf("Children: %v, not %d", got, g.shell)
	}

	var of []int
	for _, p := range Of(g.shell) {
		of = append(of, p.ID)
		if again, alive := Find(p.ID); !alive || again != p {
			t.Errorf("Find: %v, %v; not %v", again, alive, p)
		}
	}
	if got, want := sorted(of...), sorted(append(everything, g.orphan)...); !slices.Equal(got, want) {
		t.Errorf("Of: %v, not %v", got, want)
	}

	// A session that one of ours has begun is not from outside.
	if got := sorted(Descendants(nil)...); !slices.Equal(got, everything) {
		t.Errorf("Descendants: %v, not %v", got, everything)
	}
	if got := Descendants(map[int]bool{g.shell: true}); len(got) != 0 {
		t.Errorf("Descendants but for all: %v", got)
	}
}

func TestOfTheDead(t *testing.T) {
	command := exec.Command("true")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	pid := command.Process.Pid
	// It has ended, and nobody has reaped it.
	err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
	if err != nil {
		t.Fatal(err)
	}

	if p, alive := Find(pid); alive {
		t.Errorf("a zombie is alive: %v", p)
	}
	if got := Of(pid); len(got) != 0 {
		t.Errorf("Of a zombie: %v", got)
	}
	if got := Children(); !got[pid] {
		t.Errorf("Children leaves a zombie out: %v", got)
	}
	if got := Descendants(nil); !slices.Equal(got, []int{pid}) {
		t.Errorf("Descendants: %v, not %d", got, pid)
	}

	if err := command.Wait(); err != nil {
		t.Fatal(err)
	}
	if _, alive := Find(pid); alive {
		t.Error("what was reaped is alive")
	}
	if got := Children(); len(got) != 0 {
		t.Errorf("Children after the last has gone: %v", got)
	}
}
