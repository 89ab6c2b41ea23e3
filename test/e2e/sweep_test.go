package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Whatever a run makes on the engine has a name that begins with the run's prefix:
// secret-tests-PID-START-, where PID and START are the process that runs the tests and its start, in base 36: the
// name of a Swarm's secret has 64 characters at most.
const prefixOfAll = "secret-tests-"

// builtLabel is on the images that tests build: those that have lost their name to a newer one are removed.
const builtLabel = "secret-tests.built"

// ownSwarm is a label of the node where a run has made the engine a Swarm. Its value is the run's prefix.
const ownSwarm = "secret-tests.run"

func prefix() string { return prefixOfAll + running(os.Getpid()) + "-" }

// running identifies a process: PID-START, or "" if there is none.
func running(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The 22nd field (proc_pid_stat(5)); the name, the second, may have blanks.
	_, after, _ := strings.Cut(string(stat), ") ")
	start, _ := strconv.ParseInt(strings.Fields(after)[19], 10, 64)
	return strconv.FormatInt(int64(pid), 36) + "-" + strconv.FormatInt(start, 36)
}

// abandoned tells whether a name is of a run that has ended.
func abandoned(name string) bool {
	rest, ok := strings.CutPrefix(name, prefixOfAll)
	parts := strings.SplitN(rest, "-", 3)
	if !ok || len(parts) < 3 {
		return false
	}
	pid, err := strconv.ParseInt(parts[0], 36, 32)
	return err == nil && running(int(pid)) != parts[0]+"-"+parts[1]
}

// sweep removes what runs that have ended left on the engine: before a run, and after it, when its process is
// gone. It looks until there is nothing twice: the engine may still carry out what a client that was killed
// has asked for.
func sweep() {
	clean := 0
	for deadline := time.Now().Add(time.Minute); clean < 2 && time.Now().Before(deadline); {
		if sweepOnce() {
			clean = 0
			continue
		}
		if clean++; clean < 2 {
			time.Sleep(300 * time.Millisecond)
		}
	}
	output("image", "prune", "--force", "--filter", "label="+builtLabel)
}

// sweepOnce reports whether there was something. Of a stack its services are first: they would make their
// containers anew.
func sweepOnce() (found bool) {
	swarm := output("info", "--format", "{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}") == "active true"
	if swarm && abandoned(output("node", "inspect", "self", "--format", `{{index .Spec.Labels "`+ownSwarm+`"}}`)+"x") {
		output("swarm", "leave", "--force")
		return true
	}
	for _, kind := range []struct {
		list, remove []string
		swarm        bool
	}{
		{[]string{"service", "ls", "--format", "{{.Name}}"}, []string{"service", "rm"}, true},
		{[]string{"ps", "--all", "--format", "{{.Names}}"}, []string{"rm", "--force", "--volumes"}, false},
		{[]string{"secret", "ls", "--format", "{{.Name}}"}, []string{"secret", "rm"}, true},
		{[]string{"config", "ls", "--format", "{{.Name}}"}, []string{"config", "rm"}, true},
		{[]string{"network", "ls", "--format", "{{.Name}}"}, []string{"network", "rm"}, false},
		{[]string{"volume", "ls", "--format", "{{.Name}}"}, []string{"volume", "rm", "--force"}, false},
	} {
		if kind.swarm && !swarm {
			continue
		}
		names := strings.Fields(output(kind.list...))
		names = slices.DeleteFunc(names, func(name string) bool { return !abandoned(name) })
		if len(names) > 0 {
			found = true
			output(append(kind.remove, names...)...)
		}
	}
	return found
}

// output is what a docker command prints, "" if it fails.
func output(args ...string) string {
	out, _ := exec.Command("docker", args...).Output()
	return strings.TrimSpace(string(out))
}

// What an ended run has left is removed, and what others use is not.
func TestSweep(t *testing.T) {
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	left := prefixOfAll + strconv.FormatInt(int64(gone.Process.Pid), 36) + "-1-"
	mine := unique(t, "container")
	must(t, "volume", "create", left+"volume")
	must(t, "network", "create", left+"network")
	must(t, "run", "-d", "--name", left+"container", "--network", left+"network", "-v", left+"volume:/v", "busybox:secret-tests", "sleep", "1000")
	must(t, "run", "-d", "--name", mine, "busybox:secret-tests", "sleep", "1000")
	sweep()
	names := output("ps", "--all", "--format", "{{.Names}}") + output("volume", "ls", "--format", "{{.Name}}") + output("network", "ls", "--format", "{{.Name}}")
	if strings.Contains(names, left) {
		t.Errorf("left: %s", names)
	}
	if !strings.Contains(names, mine) {
		t.Error("the container of a run that goes on was removed")
	}
	for _, name := range []string{"secret-tests-", "secret-tests-!-y-z", "other", mine, "secret-tests-1-2"} {
		if abandoned(name) {
			t.Errorf("%q is taken for an ended run's", name)
		}
	}
}
