package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// clients is how many ask at the same time.
const clients = 8

// A load is clients that request a URL again and again, each time by a new connection.
type load struct {
	cancel func()
	done   sync.WaitGroup

	mu sync.Mutex
	tally
}

// A tally counts requests by their result.
type tally struct {
	answered []answers // the process that answered first comes first
	failed   int
	failure  error // the first
}

// answers counts those of one process.
type answers struct {
	process string
	n       int
}

func startLoad(ctx context.Context, url string) *load {
	ctx, cancel := context.WithCancel(ctx)
	l := &load{cancel: cancel}
	client := &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true},
		Timeout:   10 * time.Second,
	}

	for range clients {
		l.done.Go(func() {
			for ctx.Err() == nil {
				who, err := ask(client, url)
				l.count(who, err)
				pause(ctx, 2*time.Millisecond)
			}
		})
	}
	return l
}

// stop waits for the requests that are under way.
func (l *load) stop() {
	l.cancel()
	l.done.Wait()
}

// ask returns the process that answered.
func ask(client *http.Client, url string) (who string, err error) {
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}

	defer response.Body.Close()

	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}

	text := strings.TrimSpace(string(body))
	if response.StatusCode != http.StatusOK {
		return "", errors.New(response.Status + ": " + text)
	}
	return text, nil
}

func (l *load) count(who string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		if l.failed == 0 {
			l.failure = err
		}

		l.failed++
		return
	}

	for i := range l.answered {
		if l.answered[i].process == who {
			l.answered[i].n++
			return
		}
	}

	l.answered = append(l.answered, answers{process: who, n: 1})
}

// take returns the tally since the start or the last take.
func (l *load) take() tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tally
	l.tally = tally{}
	return t
}

// report prints a tally. It returns an error if a request failed, or if another number of processes
// answered.
func (t tally) report(processes int) error {
	all := t.failed
	var by []string
	for _, a := range t.answered {
		all += a.n
		by = append(by, fmt.Sprintf("%d by process %s", a.n, a.process))
	}
	if len(by) == 2 {
		by[0] += " (the old generation)"
		by[1] += " (the new one)"
	}

	fmt.Printf("-> %d requests, %d failed: answered %s\n", all, t.failed, strings.Join(by, ", "))

	if t.failed > 0 {
		return fmt.Errorf("a request failed: %w", t.failure)
	}
	if len(by) != processes {
		return fmt.Errorf("answered by %d processes and not by %d", len(by), processes)
	}
	return nil
}

// pause waits, but not longer than the context.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
