package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The bounds of a load: it ends by itself, whatever the test does.
const (
	loadClients  = 4
	loadPause    = 10 * time.Millisecond // of each client, between two requests
	loadMost     = 30_000                // requests of each client
	loadLongest  = 15 * time.Minute
	loadPatience = 20 * time.Second // how long a request is tried again
	loadForever  = loadLongest      // for tokens
)

// figures are what a load has counted.
type figures struct {
	served  int            // at the first try
	retried int            // served, but not at the first try
	failed  int            // not served within loadPatience
	first   map[string]int // why the first try of those two failed, and the last
	longest time.Duration  // from the first try to being served
}

func (f *figures) String() string {
	line := fmt.Sprintf("%d requests: %d served at once, %d by trying again (at most %d ms), %d failed",
		f.served+f.retried+f.failed, f.served, f.retried, f.longest.Milliseconds(), f.failed)
	for _, reason := range slices.Sorted(maps.Keys(f.first)) {
		line += fmt.Sprintf("; %d x %s", f.first[reason], reason)
	}
	return line
}

// add counts one request.
func (f *figures) add(problem error, tries int, took time.Duration, last error) {
	switch {
	case last != nil:
		f.failed++
	case tries > 1:
		f.retried++
		f.longest = max(f.longest, took)
	default:
		f.served++
	}
	if f.first == nil {
		f.first = make(map[string]int)
	}
	if problem != nil {
		f.first[reason(problem)]++
	}
	if last != nil {
		f.first["failed for good: "+reason(last)]++
	}
}

// reason is an error without what differs each time: addresses and ports.
func reason(err error) string {
	text := err.Error()
	return text[strings.LastIndex(text, ": ")+1:]
}

// try does a request again and again until it is served, or patience or the context ends.
func try(ctx context.Context, f *figures, mutex *sync.Mutex, request func() error) {
	began := time.Now()
	var first, last error
	tries := 0
	for {
		tries++
		if last = request(); last == nil {
			break
		}
		if first == nil {
			first = last
		}
		if time.Since(began) > loadPatience || ctx.Err() != nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	mutex.Lock()
	defer mutex.Unlock()
	f.add(first, tries, time.Since(began), last)
}

// load sends requests to the example backend on a loopback port: tokens, jobs with them, and the state of those jobs.
type load struct {
	t      *testing.T
	base   string
	life   time.Duration // how long a token is used
	cancel context.CancelFunc
	wait   sync.WaitGroup
	mutex  sync.Mutex // for what follows
	figures
}

// startLoad begins; the end is stop's.
func startLoad(t *testing.T, base string, life time.Duration) *load {
	ctx, cancel := context.WithTimeout(t.Context(), loadLongest)
	l := &load{t: t, base: base, life: life, cancel: cancel}
	for range loadClients {
		l.wait.Go(func() { l.client(ctx) })
	}
	t.Cleanup(func() { l.stop() })
	return l
}

// stop ends the load and returns its figures.
func (l *load) stop() figures {
	l.cancel()
	l.wait.Wait()
	return l.figures
}

// must is stop for a load of which no request may fail for good.
func (l *load) must(what string) {
	l.t.Helper()
	f := l.stop()
	l.t.Logf("%s: %v", what, &f)
	if f.failed > 0 || f.served == 0 {
		l.t.Errorf("%s: %d requests failed, %d were served", what, f.failed, f.served)
	}
}

// mustBeServed is must for a rotation by replacement: no request was refused or cut, and answers by which the server says
// that it must be tried again count only where those are expected.
func (l *load) mustBeServed(what string, expected ...string) {
	l.t.Helper()
	l.must(what)
	for reason, count := range l.first {
		if !slices.Contains(expected, strings.TrimSpace(reason)) {
			l.t.Errorf("%s: %d times %s", what, count, reason)
		}
	}
}

// client keeps a token for as long as it lives, as a user does over a rotation, and uses it in turns with the newest.
func (l *load) client(ctx context.Context) {
	var answer struct {
		Token string `json:"access_token"`
		ID    int    `json:"id"`
		State string `json:"state"`
	}
	do := func(method, path, token, body string, status int) {
		if ctx.Err() != nil {
			return
		}
		// Not the context of the load: a request under way is no failure.
		try(ctx, &l.figures, &l.mutex, func() error {
			return request(method, l.base+path, token, body, status, &answer)
		})
		time.Sleep(loadPause)
	}
	do("POST", "/token", "", `{"user": "first"}`, 200)
	oldest, since := answer.Token, time.Now()
	newest := oldest
	for n := 0; n < loadMost/2 && ctx.Err() == nil; n++ {
		if n%5 == 4 {
			do("POST", "/token", "", `{"user": "first"}`, 200)
			newest = answer.Token
			if time.Since(since) > l.life {
				oldest, since = newest, time.Now()
			}
		}
		token := oldest
		if n%2 == 0 {
			token = newest
		}
		do("POST", "/jobs", token, `{"payload": "something"}`, 201)
		do("GET", fmt.Sprintf("/jobs/%d", answer.ID), token, "", 200)
	}
}

// client speaks to published ports. Each request has its own connection, for a kept one would hide that none can be made.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}

// request expects a status, and decodes the answer if it is that.
func request(method, url, token, body string, status int, answer any) error {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != status {
		return fmt.Errorf("%s %s: status %d", method, url, resp.StatusCode)
	}
	return json.NewDecoder(bytes.NewReader(text)).Decode(answer)
}

// health is what the backend's /health answers.
type health struct {
	Status      string            `json:"status"`
	Environment string            `json:"environment"`
	Generations map[string]string `json:"generations"`
	Workers     map[string]map[string]string
}

// healthy waits until /health satisfies the condition too, and returns it.
func healthy(t *testing.T, base string, condition func(health) bool) health {
	t.Helper()
	var h health
	var problem error
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		h = health{}
		if problem = request("GET", base+"/health", "", "", 200, &h); problem == nil && condition(h) {
			return h
		}
	}
	t.Fatalf("not healthy as expected in two minutes: %v, %+v", problem, h)
	return h
}

// everywhere tells whether the API and all workers run with another generation of a secret than before, and the same.
func everywhere(h health, name, before string) bool {
	now := h.Generations[name]
	if now == before || len(h.Workers) == 0 {
		return false
	}
	for _, worker := range h.Workers {
		if worker[name] != now {
			return false
		}
	}
	return true
}
