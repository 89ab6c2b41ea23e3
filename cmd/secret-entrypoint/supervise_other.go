//go:build !linux

package main

// gate exists on Linux only.
type gate struct{}

func inheritGate(*[]string) (*gate, error) { return nil, nil }

func (*gate) become(*options, []string, *logger) int { return exitFailed }

func stay(_ *options, _, _ []string, log *logger) int {
	log.error("--on-change and --init need Linux")
	return exitFailed
}
