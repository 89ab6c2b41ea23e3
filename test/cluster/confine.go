package cluster

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// confinedVariable tells the second run of a program that it is that.
const confinedVariable = "CLUSTER_CONFINED"

// Confined tells whether this process is the first of a node's namespaces.
func Confined() bool { return os.Getenv(confinedVariable) != "" && os.Getpid() == 1 }

// Confine runs this program again, with its arguments, in namespaces of its own, and waits for its end. A signal that
// ends a program ends the node.
func Confine(environ ...string) error {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(append(os.Environ(), confinedVariable+"=1"), environ...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)

	// The parent-death signal is sent when the thread that forked ends (golang/go 27505).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case <-signals:
			// With the first process of their namespace all of them are killed.
			cmd.Process.Kill()
		case err := <-ended:
			return err
		}
	}
}

// settle makes the namespaces usable: mounts stay inside, /proc shows the processes here, /run is empty, and the node has
// its addresses.
func settle(name, dir string, addresses ...string) error {
	mounts := []struct {
		source, target, kind string
		flags                uintptr
	}{
		{"", "/", "", unix.MS_REC | unix.MS_PRIVATE},
		{"proc", "/proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		// Sockets, locks and network namespaces of containerd and runc, which a Docker Engine beside has there too.
		{"tmpfs", "/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV},
		// What the kubelet mounts below is to be seen in containers that ask for it.
		{dir, dir, "", unix.MS_BIND},
		{"", dir, "", unix.MS_SHARED},
	}
	for _, m := range mounts {
		if err := unix.Mount(m.source, m.target, m.kind, m.flags, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	if err := unix.Sethostname([]byte(name)); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	return setAddresses(addresses)
}

// setAddresses brings the loopback interface up, and gives it these addresses, each of them alone (netdevice(7)).
func setAddresses(addresses []string) error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)

	loopback, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	loopback.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, loopback); err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}

	for i, address := range addresses {
		alias, err := unix.NewIfreq(fmt.Sprintf("lo:%d", i))
		if err != nil {
			return err
		}
		for _, set := range []struct {
			request uint
			address string
		}{{unix.SIOCSIFADDR, address}, {unix.SIOCSIFNETMASK, "255.255.255.255"}} {
			if err := alias.SetInet4Addr(net.ParseIP(set.address).To4()); err != nil {
				return err
			}
			if err := unix.IoctlIfreq(socket, set.request, alias); err != nil {
				return fmt.Errorf("set the address %s: %w", address, err)
			}
		}
	}
	return nil
}
