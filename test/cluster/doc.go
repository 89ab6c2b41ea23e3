// Package cluster starts one real Kubernetes node on this machine, for tests: etcd, kube-apiserver,
// kube-controller-manager, kube-scheduler, kubelet and containerd, as their projects release them, built from
// their Go modules.
//
//	this machine ── Confine ── the same program again, PID 1 of its own namespaces
//	                             ├── etcd, containerd, kube-apiserver ...
//	                             └── pods
//
// The node lives in namespaces for mounts, processes, the network, the host's name and System V IPC. So its
// addresses and mounts are none of this machine's, and all its processes end with the first one, however that
// ends. What is left then are cgroups, settings of the kernel that the kubelet changes, and a directory:
// Machine puts those back.
//
// It is a node as a cloud's, but for this:
//   - No kube-proxy: the cluster's DNS, which is this package, answers the name of a Service with the addresses
//     of its ready pods. A Service's port must be the pods' own then.
//   - No registry: images are imported, and the policy IfNotPresent finds them.
//   - Whoever cannot be had (an operator, a CSI driver, a webhook) is played by the tests.
package cluster
