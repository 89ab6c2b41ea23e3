package main

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/secret-entrypoint/secret-entrypoint/internal/preflight"
	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
)

// terminationLog is the file whose contents the kubelet shows as the message of a container that
// has ended: a file of the node that it mounts there (terminationMessagePath in the API, whose
// default this is).
const terminationLog = "/dev/termination-log"

// maxTermination is how much of it the kubelet shows, in bytes
// (MaxContainerTerminationMessageLength in pkg/kubelet/container).
const maxTermination = 4096

// leaveReasons tells the kubelet why the container could not be started. Only the process that the
// container was made for does so: one that was started in it later, as by kubectl exec, has not
// ended the container. Without such a file leaveReasons does nothing: the log has them.
func leaveReasons(reasons []string) {
	ofContainer := os.Getpid() == 1 || os.Getppid() == 1
	_, mounted := preflight.Mounts()[terminationLog]
	if len(reasons) == 0 || !ofContainer || !mounted {
		return
	}

	fd, err := unix.Open(terminationLog,
		unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)

	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return
	}
	if unix.Ftruncate(fd, 0) != nil {
		return
	}

	output(fd).Write([]byte(terminationMessage(reasons))) // it is in the log
}

// terminationMessage has a line for each reason, as many as have room whole. One that has no room
// alone is cut.
func terminationMessage(reasons []string) string {
	const rest = " more are in the log\n"
	const room = maxTermination - len("1234567"+rest)
	var b strings.Builder
	for i, reason := range reasons {
		line := printable.Line(reason) + "\n"
		if i == 0 && len(line) > room {
			line = strings.ToValidUTF8(line[:room-len("...\n")], "") + "...\n"
		}
		if b.Len()+len(line) > room {
			b.WriteString(strconv.Itoa(len(reasons)-i) + rest)
			break
		}
		b.WriteString(line)
	}

	return b.String()
}
