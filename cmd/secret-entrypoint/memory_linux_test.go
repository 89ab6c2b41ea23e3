package main

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The supervisor's memory holds no secret at any step of a replacement.
func TestNoSecretInTheSupervisorAtEachStep(t *testing.T) {
	for _, step := range append(steps, choosing) {
		t.Run(step.name, func(t *testing.T) {
			r := beginReplacement(t, false)
			step.hold(r)
			if inMemory(t, r.pid, []byte(canary+"-")) {
				t.Error("a value is in the supervisor's memory")
			}
			if !inMemory(t, r.old, []byte(canary+"-")) {
				t.Error("a value is not found in the command's memory: this test sees nothing")
			}
			r.clients.end()
			r.signal(syscall.SIGTERM)
			r.ends(0)
		})
	}
}

// Beside a program that gets a thousand new connections a second, and is replaced meanwhile, the supervisor stays
// small. The figures of the benchmarks are smaller; this is for what grows.
func TestMemoryUnderLoad(t *testing.T) {
	v := newVolume(t)
	v.set("0")
	address := ownAddress()
	s := serveProgram(t, false, []string{built(t)}, v, []string{"--on-change", "replace"}, "listen="+address)
	s.reports.await(t, 1, "start 0 0")
	var due atomic.Int64
	c := &clients{t: t, address: address}
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for n, begun := int64(0), time.Now(); ; {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
			for ; n < time.Since(begun).Milliseconds(); n++ {
				if _, err := c.request(); err != nil {
					t.Error(err)
					return
				}
				due.Store(n + 1)
			}
		}
	}()
	const times = 4
	for n := range times {
		v.set(fmt.Sprint(n + 1))
		s.log.await(t, n+1, "replaced after")
		s.reports.await(t, n+1, "stop")
	}
	from := due.Load()
	waitUntil(t, func() bool { return due.Load() >= from+1000 })
	close(stop)
	<-ended
	_, resident := s.resources()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "RssAnon:")
	var anonymous int
	if _, err := fmt.Sscan(after, &anonymous); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d kB resident, %d kB of them anonymous, after %d connections and %d replacements", resident, anonymous, due.Load(), times)
	if resident > 6500 || anonymous > 3000 {
		t.Error("that is too much")
	}
	s.signal(syscall.SIGTERM)
	s.ends(0)
}
