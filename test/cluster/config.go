package cluster

import (
	"os"
	"strings"
)

func etcdArguments(n *Node) []string {
	const client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
	return []string{
		"--name=node", "--data-dir=" + n.path("etcd"), "--unsafe-no-fsync",
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=node=" + peer,
	}
}

func apiServerArguments(n *Node) []string {
	return []string{
		"--etcd-servers=http://127.0.0.1:2379",
		"--bind-address=0.0.0.0", "--secure-port=443", "--advertise-address=" + nodeAddress, "--service-cluster-ip-range=" + serviceRange,
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
		"--client-ca-file=" + n.path("pki/ca.crt"),
		"--tls-cert-file=" + n.path("pki/apiserver.crt"), "--tls-private-key-file=" + n.path("pki/apiserver.key"),
		"--kubelet-client-certificate=" + n.path("pki/apiserver-kubelet.crt"), "--kubelet-client-key=" + n.path("pki/apiserver-kubelet.key"),
		"--kubelet-certificate-authority=" + n.path("pki/ca.crt"), "--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + n.path("pki/accounts.key"), "--service-account-signing-key-file=" + n.path("pki/accounts.key"),
		"--endpoint-reconciler-type=none",
	}
}

func controllerArguments(n *Node) []string {
	return append(
		clientArguments(n, "controller-manager"),
		"--use-service-account-credentials=true",
		"--service-account-private-key-file="+n.path("pki/accounts.key"), "--root-ca-file="+n.path("pki/ca.crt"),
	)
}

func schedulerArguments(n *Node) []string { return clientArguments(n, "scheduler") }

func clientArguments(n *Node, name string) []string {
	config := n.path("pki/" + name + ".kubeconfig")
	return []string{
		"--kubeconfig=" + config, "--authentication-kubeconfig=" + config, "--authorization-kubeconfig=" + config,
		"--leader-elect=false", "--bind-address=127.0.0.1",
	}
}

func kubeletArguments(n *Node) []string {
	return []string{
		"--config=" + n.path("etc/kubelet.yaml"), "--kubeconfig=" + n.path("pki/kubelet.kubeconfig"), "--root-dir=" + n.path("kubelet"),
		"--cert-dir=" + n.path("kubelet/pki"), "--hostname-override=" + nodeName, "--node-ip=" + nodeAddress,
	}
}

// configure writes the configuration files.
func (n *Node) configure(o Options) error {
	replaced := strings.NewReplacer("DIR", n.dir, "PROGRAMS", n.programs, "CGROUP", "/"+o.Cgroup, "NODE_ADDRESS", nodeAddress, "POD_RANGE", podRange)
	intervals := "syncFrequency: 1s\nconfigMapAndSecretChangeDetectionStrategy: Watch\n"
	if o.Slow {
		intervals = ""
	}
	for file, text := range map[string]string{
		"etc/containerd.toml":      containerdConfig,
		"etc/kubelet.yaml":         kubeletConfig + intervals,
		"etc/cni/10-node.conflist": networkConfig,
		"etc/resolv.conf":          "", // of the node: there is no name server beside the cluster's
	} {
		if err := os.WriteFile(n.path(file), []byte(replaced.Replace(text)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// containerdConfig: the defaults, in directories of the node's.
const containerdConfig = `
version = 3
root = "DIR/containerd"
state = "/run/containerd"

[grpc]
  address = "DIR/containerd.sock"

[plugins."io.containerd.internal.v1.opt"]
  path = "DIR/opt"

[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "pause:node"

[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["PROGRAMS"]
    conf_dir = "DIR/etc/cni"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      BinaryName = "PROGRAMS/runc"
`

// kubeletConfig: the defaults, but for a machine that others use as well: with swap, cgroups of version 1, a disk that is
// nearly full, and no system that runs in cgroups of its own.
const kubeletConfig = `
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: NODE_ADDRESS
healthzBindAddress: 127.0.0.1
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: DIR/pki/ca.crt}
authorization: {mode: Webhook}
tlsCertFile: DIR/pki/kubelet-server.crt
tlsPrivateKeyFile: DIR/pki/kubelet-server.key
containerRuntimeEndpoint: unix://DIR/containerd.sock
podLogsDir: DIR/log/pods
staticPodPath: DIR/manifests
volumePluginDir: DIR/plugins
clusterDNS: [NODE_ADDRESS]
clusterDomain: cluster.local
resolvConf: DIR/etc/resolv.conf
cgroupDriver: cgroupfs
cgroupRoot: CGROUP
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
makeIPTablesUtilChains: false
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}
`

const networkConfig = `{
  "cniVersion": "1.0.0",
  "name": "node",
  "plugins": [{
    "type": "bridge",
    "bridge": "pods",
    "isDefaultGateway": true,
    "ipam": {"type": "host-local", "dataDir": "DIR/addresses", "ranges": [[{"subnet": "POD_RANGE"}]]}
  }]
}
`
