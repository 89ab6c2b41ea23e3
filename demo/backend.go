package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// backend is a server that reads its configuration from the environment only. It serves until
// SIGTERM, or until the other end of its standard input is closed.
func backend(args []string) int {
	address := "127.0.0.1:0"
	if len(args) == 1 {
		address = args[0]
	}

	// SIGTERM is handled to the end of the process: it may come when the standard input has closed,
	// and this is about to return.
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	listener, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, "backend:", err)
		return 1
	}

	mux := http.NewServeMux()
	mux.HandleFunc("/health", health)
	mux.HandleFunc("/orders", orders)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	go server.Serve(listener)
	closed := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(closed)
	}()

	fmt.Println(listener.Addr())
	select {
	case <-terminated:
	case <-closed:
	}
	server.Shutdown(context.Background())
	return 0
}

func health(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintf(w, "pid %d\n", os.Getpid())
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		fmt.Fprintf(w, "%-20s %3d bytes\n", name, len(value))
	}
}

// orders answers with the process that did it, if the database lets it in.
func orders(w http.ResponseWriter, _ *http.Request) {
	if err := askDatabase(); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	fmt.Fprintln(w, os.Getpid())
}

// A process is the backend behind the shim.
type process struct {
	cmd     *exec.Cmd
	hold    io.Closer // its standard input, which closes when this process ends
	address string
	lines   <-chan string // of the log, already shown; closed at its end
}

// start starts the backend behind the shim, and waits for it to listen.
func (s *stage) start(args ...string) (*process, error) {
	cmd := s.command(s.shim, append([]string{"--dir", s.secrets}, args...)...)
	show(cmd)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}

	log, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}

	hold, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}

	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(log); scanner.Scan(); {
			fmt.Println(scanner.Text())
			lines <- scanner.Text()
		}
	}()

	p := &process{cmd: cmd, hold: hold, lines: lines}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the backend did not start: %w", p.end())
	}

	p.address = strings.TrimSpace(address)
	return p, nil
}

// stop asks the backend to stop, and shows how it ended.
func (p *process) stop() error {
	p.cmd.Process.Signal(syscall.SIGTERM)
	err := p.end()
	fmt.Println("-> stopped by SIGTERM:", p.cmd.ProcessState)
	return err
}

// end waits for the end of the backend and of its log.
func (p *process) end() error {
	p.hold.Close()
	for range p.lines {
		// They have been shown.
	}
	return p.cmd.Wait()
}

// askBackend starts the backend behind the shim, asks it, and stops it.
func (s *stage) askBackend() error {
	p, err := s.start("--", "demo", backendWord)
	if err != nil {
		return err
	}

	url := "http://" + p.address + "/health"
	fmt.Printf("$ curl %s        # the shim was started as process %d\n", url, p.cmd.Process.Pid)
	if err := show200(url); err != nil {
		p.end()
		return err
	}
	return p.stop()
}

func show200(url string) error {
	response, err := http.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}
