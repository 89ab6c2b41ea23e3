// Plays the Secrets Store CSI driver and its AWS provider, for tests: a CSI driver with its name, registered with the
// kubelet as theirs is, whose volumes hold the files that the test wrote for the pod's namespace. Like theirs, it
// writes a volume anew when the values change, by the algorithm of the kubelet's AtomicWriter.
//
//	csi KUBELET-DIR FILES-DIR    FILES-DIR/NAMESPACE/CLASS/FILE
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

const name = "secrets-store.csi.k8s.io"

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: csi KUBELET-DIR FILES-DIR")
		os.Exit(2)
	}
	if err := serve(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "csi:", err)
		os.Exit(1)
	}
}

func serve(kubelet, files string) error {
	d := &driver{files: files, socket: filepath.Join(kubelet, "plugins", name, "csi.sock"), volumes: map[string]string{}}
	if err := os.MkdirAll(filepath.Dir(d.socket), 0o755); err != nil {
		return err
	}
	driverSocket, err := net.Listen("unix", d.socket)
	if err != nil {
		return err
	}
	registrySocket, err := net.Listen("unix", filepath.Join(kubelet, "plugins_registry", name+"-reg.sock"))
	if err != nil {
		return err
	}

	driverServer, registry := grpc.NewServer(), grpc.NewServer()
	csi.RegisterIdentityServer(driverServer, d)
	csi.RegisterNodeServer(driverServer, d)
	registration.RegisterRegistrationServer(registry, &registrar{socket: d.socket})
	go d.rotate()
	ended := make(chan error, 2)
	go func() { ended <- driverServer.Serve(driverSocket) }()
	go func() { ended <- registry.Serve(registrySocket) }()
	return <-ended
}

// registrar tells the kubelet where the driver is.
type registrar struct {
	registration.UnimplementedRegistrationServer
	socket string
}

func (r *registrar) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{Type: "CSIPlugin", Name: name, Endpoint: r.socket, SupportedVersions: []string{"1.0.0"}}, nil
}

func (r *registrar) NotifyRegistrationStatus(context.Context, *registration.RegistrationStatus) (*registration.RegistrationStatusResponse, error) {
	return &registration.RegistrationStatusResponse{}, nil
}

type driver struct {
	csi.UnimplementedIdentityServer
	csi.UnimplementedNodeServer
	files, socket string

	mutex   sync.Mutex
	volumes map[string]string // where it is mounted, and the directory of what it holds
	version int
}

func (d *driver) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: name, VendorVersion: "test"}, nil
}

func (d *driver) GetPluginCapabilities(context.Context, *csi.GetPluginCapabilitiesRequest) (*csi.GetPluginCapabilitiesResponse, error) {
	return &csi.GetPluginCapabilitiesResponse{}, nil
}

func (d *driver) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	return &csi.ProbeResponse{}, nil
}

func (d *driver) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{NodeId: "node"}, nil
}

func (d *driver) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	return &csi.NodeGetCapabilitiesResponse{}, nil
}

func (d *driver) NodePublishVolume(_ context.Context, r *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	target := r.GetTargetPath()
	if d.volumes[target] != "" {
		return &csi.NodePublishVolumeResponse{}, nil
	}
	about := r.GetVolumeContext()
	source := filepath.Join(d.files, about["csi.storage.k8s.io/pod.namespace"], about["secretProviderClass"])
	if err := os.MkdirAll(target, 0o755); err != nil {
		return nil, err
	}
	if err := unix.Mount("tmpfs", target, "tmpfs", unix.MS_NODEV|unix.MS_NOSUID|unix.MS_NOEXEC, "mode=0755"); err != nil {
		return nil, err
	}
	if err := d.write(target, source); err != nil {
		return nil, errors.Join(err, unix.Unmount(target, 0))
	}
	d.volumes[target] = source
	return &csi.NodePublishVolumeResponse{}, nil
}

func (d *driver) NodeUnpublishVolume(_ context.Context, r *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	target := r.GetTargetPath()
	delete(d.volumes, target)
	if err := unix.Unmount(target, 0); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return nil, err
	}
	return &csi.NodeUnpublishVolumeResponse{}, os.RemoveAll(target)
}

// rotate writes the volumes anew whose files differ, each second: the real one's interval is two minutes.
func (d *driver) rotate() {
	for range time.Tick(time.Second) {
		d.mutex.Lock()
		for target, source := range d.volumes {
			if err := d.write(target, source); err != nil {
				fmt.Fprintln(os.Stderr, "csi:", err)
			}
		}
		d.mutex.Unlock()
	}
}

// write makes the files of a directory a volume's, unless they are: into a directory of their own, to which the link ..data
// is turned.
func (d *driver) write(target, source string) error {
	// A link that the test turns to another directory.
	source, err := filepath.EvalSymlinks(source)
	if err != nil {
		return err
	}
	files, err := os.ReadDir(source)
	if err != nil {
		return err
	}
	contents := map[string][]byte{}
	same := true
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(source, file.Name()))
		if err != nil {
			return err
		}
		contents[file.Name()] = data
		now, err := os.ReadFile(filepath.Join(target, "..data", file.Name()))
		same = same && err == nil && bytes.Equal(now, data)
	}
	if same {
		return nil
	}

	d.version++
	data := filepath.Join(target, "..data")
	old, _ := os.Readlink(data)
	made := "..version_" + strconv.Itoa(d.version)
	if err := os.Mkdir(filepath.Join(target, made), 0o755); err != nil {
		return err
	}
	for file, content := range contents {
		if err := os.WriteFile(filepath.Join(target, made, file), content, 0o644); err != nil {
			return err
		}
	}
	if err := errors.Join(os.Symlink(made, data+"_tmp"), os.Rename(data+"_tmp", data)); err != nil {
		return err
	}
	for file := range contents {
		if err := os.Symlink(filepath.Join("..data", file), filepath.Join(target, file)); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	if old != "" {
		return os.RemoveAll(filepath.Join(target, old))
	}
	return nil
}
