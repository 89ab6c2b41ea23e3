//go:build linux && !amd64 && !arm64

package sockets

// auditArch 0: not known here.
const auditArch = 0
