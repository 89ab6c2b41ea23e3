package e2e

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// netns is a container's network, which is entered to speak to its loopback addresses: what Docker puts in front of a
// published port accepts connections for a server that refuses them.
type netns struct{ file *os.File }

func openNetwork(pid int) (*netns, error) {
	file, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil, err
	}
	return &netns{file}, nil
}

// do calls f in the network. Its thread ends with it, for it is of no use to anything else.
func (n *netns) do(f func()) error {
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := os.NewSyscallError("setns", unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET))
		if err == nil {
			f()
		}
		failed <- err
	}()
	return <-failed
}

// dial connects to an IP address, in the goroutine that calls it: of a name, or with a context that ends, net would
// connect in another one, whose thread is not in the network.
func dial(address string) (net.Conn, error) {
	return (&net.Dialer{Timeout: loadPatience}).Dial("tcp", address)
}

// listen serves an address in the network.
func (n *netns) listen(address string) (l net.Listener, err error) {
	if failed := n.do(func() { l, err = net.Listen("tcp", address) }); failed != nil {
		return nil, failed
	}
	return l, err
}

// once does a request on a connection of its own.
func (n *netns) once(p protocol, address, path string) (body string, err error) {
	failed := n.do(func() {
		var c *connection
		if c, err = connect(p, address); err != nil {
			return
		}
		defer c.Close()
		body, _, err = c.ask(path, false)
	})
	if failed != nil {
		return "", failed
	}
	return body, err
}

// exchange bounds one request with its answer.
const exchange = 30 * time.Second
