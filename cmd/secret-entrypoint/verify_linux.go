package main

import (
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/internal/verify"
)

// runCheck runs one --verify. The error says how it ended.
func (o *options) runCheck(
	file string, words []string, v verification,
) (output []string, err error) {
	return verify.Check{
		File:    file,
		Args:    words,
		Env:     v.env,
		Timeout: o.verifyTimeout,
		Cancel:  v.cancel,
		Secrets: v.secrets,
	}.Run()
}

// verifyLimit is how long all of --verify may take, with what it takes to end what they leave; 0 if
// there is none.
func (o *options) verifyLimit() time.Duration {
	const toEnd = 10 * time.Second
	return time.Duration(len(o.verify)) * (o.verifyTimeout + toEnd)
}
