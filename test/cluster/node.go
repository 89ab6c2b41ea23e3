package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	nodeName    = "node"
	nodeAddress = "10.77.0.1"
	// The Service "kubernetes" has the first address of its range: the API server listens there itself.
	serviceRange   = "10.96.0.0/16"
	serviceAddress = "10.96.0.1"
	podRange       = "10.77.1.0/24"
	apiServer      = "https://" + serviceAddress
)

// Node is a Kubernetes node that runs. It ends with this process, which is the first of its namespaces.
type Node struct {
	dir      string // all its files
	programs string // what Build made
	api      *http.Client
}

// Options of a node.
type Options struct {
	Dir      string // for all its files; images/ has the archives of its images
	Programs string // what Build returned
	Cgroup   string // as NewMachine's
	// Slow leaves the kubelet's intervals as they are. Otherwise it looks for changed Secrets every second.
	Slow bool
}

// Start makes this process's namespaces a node, and returns when that is Ready. It is called once, in a process that is
// Confined.
func Start(ctx context.Context, o Options) (*Node, error) {
	if !Confined() {
		return nil, errors.New("a node starts in namespaces of its own: Confine first")
	}
	n := &Node{dir: o.Dir, programs: o.Programs}
	for _, dir := range []string{"pki", "log/pods", "etc/cni", "manifests", "plugins"} {
		if err := os.MkdirAll(n.path(dir), 0o755); err != nil {
			return nil, err
		}
	}
	machine := &Machine{cgroup: o.Cgroup}
	if err := errors.Join(machine.makeCgroups(), settle(nodeName, o.Dir, nodeAddress, serviceAddress)); err != nil {
		return nil, err
	}
	if err := errors.Join(n.certify(), n.configure(o)); err != nil {
		return nil, err
	}

	n.run("etcd", etcdArguments(n)...)
	n.run("containerd", "--config", n.path("etc/containerd.toml"))
	n.run("kube-apiserver", apiServerArguments(n)...)
	imported := make(chan error, 1)
	go func() { imported <- n.importAll(ctx) }()
	client, err := n.client()
	if err != nil {
		return nil, err
	}
	n.api = client
	if err := n.wait(ctx, "kube-apiserver", func() bool { return n.get("/readyz", nil) == nil }); err != nil {
		return nil, err
	}
	n.run("kube-controller-manager", controllerArguments(n)...)
	n.run("kube-scheduler", schedulerArguments(n)...)
	if err := <-imported; err != nil {
		return nil, err
	}
	n.run("kubelet", kubeletArguments(n)...)
	if err := serveDNS(n, nodeAddress); err != nil {
		return nil, err
	}
	return n, n.wait(ctx, "kubelet", n.ready)
}

// ready tells whether pods can be made: the node is Ready, and there is a service account for them.
func (n *Node) ready() bool {
	var node struct {
		Status struct {
			Conditions []struct{ Type, Status string }
		}
	}
	if n.get("/api/v1/nodes/"+nodeName, &node) != nil || n.get("/api/v1/namespaces/default/serviceaccounts/default", nil) != nil {
		return false
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == "Ready" {
			return condition.Status == "True"
		}
	}
	return false
}

// importAll makes the images known that are archives of the directory images, and the backend by the name that the examples have.
func (n *Node) importAll(ctx context.Context) error {
	if err := n.wait(ctx, "containerd", func() bool { return n.ctr("version") == nil }); err != nil {
		return err
	}
	archives, err := filepath.Glob(n.path("images/*.tar"))
	if err != nil {
		return err
	}
	for _, archive := range archives {
		if err := n.ctr("images", "import", archive); err != nil {
			return err
		}
		if filepath.Base(archive) == "backend.tar" {
			const name = "docker.io/library/" + BackendImage
			if err := n.ctr("images", "tag", "--force", name+engineSuffix, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// Kubectl is a command as the cluster's administrator.
func (n *Node) Kubectl(arguments ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(n.programs, "kubectl"), arguments...)
	cmd.Env = n.Environ()
	return cmd
}

// Environ is the environment for commands of the node: PATH and KUBECONFIG.
func (n *Node) Environ() []string {
	return append(
		os.Environ(),
		"PATH="+n.programs+":"+os.Getenv("PATH"),
		"KUBECONFIG="+n.path("pki/admin.kubeconfig"),
		"CONTAINERD_ADDRESS="+n.path("containerd.sock"),
		"CONTAINERD_NAMESPACE=k8s.io",
	)
}

func (n *Node) ctr(arguments ...string) error {
	cmd := exec.Command(filepath.Join(n.programs, "ctr"), arguments...)
	cmd.Env = n.Environ()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("ctr %s: %w: %s", strings.Join(arguments, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// run starts a program of the node, whose log is in log/PROGRAM.log. What becomes of it shows in what it serves.
func (n *Node) run(program string, arguments ...string) {
	log, err := os.Create(n.path("log/" + program + ".log"))
	if err != nil {
		return
	}
	cmd := exec.Command(filepath.Join(n.programs, program), arguments...)
	// The shims that containerd starts, and the plugins for the network.
	cmd.Env = append(os.Environ(), "PATH="+n.programs+":"+os.Getenv("PATH"))
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(log, err)
		return
	}
	go func() {
		fmt.Fprintf(log, "%s has ended: %v\n", program, cmd.Wait())
		log.Close()
	}()
}

// wait waits for what a program has to do, until the context ends: its error has the end of the program's log then.
func (n *Node) wait(ctx context.Context, program string, done func() bool) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w: %s", program, ctx.Err(), n.Log(program, 30))
		case <-tick.C:
		}
	}
	return nil
}

// Log is the end of a program's log.
func (n *Node) Log(program string, lines int) string {
	data, err := os.ReadFile(n.path("log/" + program + ".log"))
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func (n *Node) path(file string) string { return filepath.Join(n.dir, file) }

func (n *Node) certify() error {
	a, err := newAuthority(n.path("pki"))
	if err != nil {
		return err
	}
	names := []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"}
	const masters = "system:masters"
	return errors.Join(
		a.server("apiserver", "kube-apiserver", nil, names, "127.0.0.1", nodeAddress, serviceAddress),
		a.server("kubelet-server", "system:node:"+nodeName, []string{"system:nodes"}, []string{nodeName}, nodeAddress),
		a.client("admin", apiServer, "admin", masters),
		a.client("apiserver-kubelet", apiServer, "kube-apiserver-kubelet-client", masters),
		a.client("kubelet", apiServer, "system:node:"+nodeName, "system:nodes"),
		a.client("controller-manager", apiServer, "system:kube-controller-manager"),
		a.client("scheduler", apiServer, "system:kube-scheduler"),
	)
}
