package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// uninterrupted changes the key that tokens are signed with, while clients ask every pod for tokens:
// no request fails, and no probe is refused, since somebody listens at every moment.
func (o *overlay) uninterrupted(t *testing.T, values secrets) {
	t.Helper()
	before := pods(t, o.namespace, o.selector())
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	load := &load{}
	for _, p := range before {
		for range 2 {
			load.clients.Go(func() { load.ask(ctx, p) })
		}
	}

	next := maps.Clone(values)
	next["JWT_SECRET_KEY"] = generation(3)["JWT_SECRET_KEY"]
	unheard := o.unheard(t)
	o.provide(t, o, next)
	o.serves(t, next)
	stop()
	load.clients.Wait()

	if load.failed != 0 || load.answered == 0 {
		t.Errorf("%d requests were answered, %d failed: %s",
			load.answered, load.failed, redacted(load.example))
	}
	for event := range o.unheard(t) {
		if !unheard[event] {
			t.Errorf("a probe found nobody during the replacement: %s", redacted(event))
		}
	}
	t.Logf("replaced under load: %d requests", load.answered)
}

// unheard are the probes of the backend that found nobody who listens. One that had no answer in
// time, or the answer that the database had none, says nothing of that.
func (o *overlay) unheard(t *testing.T) map[string]bool {
	t.Helper()
	var events struct {
		Items []struct {
			Message        string
			InvolvedObject struct{ Name string }
			Count          int
		}
	}
	read(t, &events, "get", "events", "-n", o.namespace, "--field-selector", "reason=Unhealthy")
	nobody := regexp.MustCompile("connection refused|connection reset|EOF")
	found := map[string]bool{}
	for _, e := range events.Items {
		isBackend := strings.HasPrefix(e.InvolvedObject.Name, o.deployment()+"-")
		if isBackend && nobody.MatchString(e.Message) {
			found[fmt.Sprintf("%s (%d): %s", e.InvolvedObject.Name, e.Count, e.Message)] = true
		}
	}
	return found
}

// load counts what clients have seen.
type load struct {
	clients  sync.WaitGroup
	mutex    sync.Mutex
	answered int
	failed   int
	example  string // of what failed
}

// ask asks a pod again and again, by a new connection each time.
func (l *load) ask(ctx context.Context, p pod) {
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	for ctx.Err() == nil {
		err := l.once(client, "http://"+p.Status.PodIP+":8000/token")
		l.mutex.Lock()
		if err != nil {
			l.failed++
			l.example = fmt.Sprintf("%s: %v", p.Metadata.Name, err)
		} else {
			l.answered++
		}
		l.mutex.Unlock()
	}
}

func (l *load) once(client http.Client, url string) error {
	response, err := client.Post(url, "application/json", strings.NewReader(`{"user": "somebody"}`))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}
