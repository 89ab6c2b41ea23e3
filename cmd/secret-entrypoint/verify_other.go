//go:build !linux

package main

import "errors"

// runCheck needs Linux: elsewhere nothing could be sure that nothing of the command is left.
func (*options) runCheck(string, []string, verification) ([]string, error) {
	return nil, errors.New("needs Linux")
}
