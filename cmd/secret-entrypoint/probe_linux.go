package main

import "github.com/secret-entrypoint/secret-entrypoint/internal/sockets"

// exitUnwell is what --probe and --status return when all is not well.
const exitUnwell = 1

// runProbe asks a program of this container whether it serves, for an image that has nothing else
// to ask with.
func (o *options) runProbe(log *logger) int {
	target := sockets.Target{Port: o.probe.port, Path: o.probe.path}
	if err := sockets.Check(target, o.probeTimeout); err != nil {
		log.error(err.Error())
		return exitUnwell
	}
	return exitOK
}
