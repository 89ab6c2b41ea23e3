package cluster

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// program is a command that a node is made of.
type program struct {
	module  string // the directory with its go.mod
	pkg     string
	file    string // what go build calls it
	cgo     bool
	tags    string
	version string // of Kubernetes, which tells it by linker flags alone
}

const kubernetesVersion = "v1.37.2"

var programs = []program{
	{module: "kubernetes", pkg: "go.etcd.io/etcd/server/v3", file: "etcd"},
	{module: "kubernetes", pkg: "k8s.io/kubernetes/cmd/kube-apiserver", file: "kube-apiserver", version: kubernetesVersion},
	{module: "kubernetes", pkg: "k8s.io/kubernetes/cmd/kube-controller-manager", file: "kube-controller-manager", version: kubernetesVersion},
	{module: "kubernetes", pkg: "k8s.io/kubernetes/cmd/kube-scheduler", file: "kube-scheduler", version: kubernetesVersion},
	{module: "kubernetes", pkg: "k8s.io/kubernetes/cmd/kubelet", file: "kubelet", version: kubernetesVersion},
	{module: "kubernetes", pkg: "k8s.io/kubernetes/cmd/kubectl", file: "kubectl", version: kubernetesVersion},
	{module: "runtime", pkg: "github.com/containerd/containerd/v2/cmd/containerd", file: "containerd"},
	{module: "runtime", pkg: "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2", file: "containerd-shim-runc-v2"},
	{module: "runtime", pkg: "github.com/containerd/containerd/v2/cmd/ctr", file: "ctr"},
	{module: "runtime", pkg: "github.com/containernetworking/plugins/plugins/main/bridge", file: "bridge"},
	{module: "runtime", pkg: "github.com/containernetworking/plugins/plugins/ipam/host-local", file: "host-local"},
	// containerd wants it beside whatever the network is made by.
	{module: "runtime", pkg: "github.com/containernetworking/plugins/plugins/main/loopback", file: "loopback"},
	// It joins namespaces in C before Go begins, and seccomp profiles take libseccomp.
	{module: "runtime", pkg: "github.com/opencontainers/runc", file: "runc", cgo: true, tags: "seccomp"},
}

// compilerFlags leave out inlining and debug information, a third of what there is to compile.
const compilerFlags = "-gcflags=all=-l -dwarf=false"

// Build makes the programs of a node, where they are not there yet, and returns their directory:
// in $XDG_CACHE_HOME, by another name for other versions. It says on w what it does. source is this
// package's directory.
func Build(w io.Writer, source string) (dir string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum, err := buildSum(source)
	if err != nil {
		return "", err
	}
	dir = filepath.Join(cache, "secret-entrypoint", "cluster-"+sum)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}

	for _, p := range programs {
		path := filepath.Join(dir, p.file)
		if _, err := os.Stat(path); err == nil {
			continue
		}
		fmt.Fprintf(w, "building %s\n", p.pkg)
		if err := p.build(w, source, path); err != nil {
			return "", fmt.Errorf("go build %s: %w", p.pkg, err)
		}
	}
	return dir, nil
}

// buildSum is the name of what is built from these modules, flags and compiler.
func buildSum(source string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), compilerFlags, programs)
	for _, module := range []string{"kubernetes", "runtime"} {
		for _, file := range []string{"go.mod", "go.sum"} {
			data, err := os.ReadFile(filepath.Join(source, module, file))
			if err != nil {
				return "", err
			}
			h.Write(data)
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:6]), nil
}

// build puts the finished file in its place by a rename: one that is there is whole.
func (p program) build(w io.Writer, source, path string) error {
	linker := "-s -w"
	if p.version != "" {
		for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
			linker += fmt.Sprintf(" -X %s.gitVersion=%s -X %s.gitMajor=1 -X %s.gitMinor=37", pkg, p.version, pkg, pkg)
		}
	}
	cgo := "0"
	if p.cgo {
		cgo = "1"
	}
	temporary := path + ".new"
	build := exec.Command("go", "build", "-mod=readonly", "-tags", p.tags, compilerFlags, "-ldflags", linker, "-o", temporary, p.pkg)
	build.Dir = filepath.Join(source, p.module)
	// Fewer collections of the compiler's garbage, a tenth of its time.
	build.Env = append(os.Environ(), "CGO_ENABLED="+cgo, "GOGC=400")
	build.Stdout, build.Stderr = w, w
	if err := build.Run(); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
