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

// backendWord makes this program the backend instead of the demo.
const backendWord = "backend"

// backend is a program that reads its configuration from the environment only. It
// serves what it sees until it is told to stop.
func backend() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "backend:", err)
		return 1
	}
	server := &http.Server{Handler: http.HandlerFunc(health), ReadHeaderTimeout: time.Second}
	go server.Serve(listener)
	fmt.Println(listener.Addr())
	<-ctx.Done()
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

// askBackend starts the backend behind the shim, asks it, and stops it.
func askBackend(cmd *exec.Cmd) error {
	show(cmd)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return fmt.Errorf("the backend did not start: %w", cmd.Wait())
	}
	url := "http://" + strings.TrimSpace(address) + "/health"
	fmt.Printf("$ curl %s        # the shim was started as process %d\n", url, cmd.Process.Pid)
	response, err := http.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(os.Stdout, response.Body); err != nil {
		return err
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	err = cmd.Wait()
	fmt.Println("-> stopped by SIGTERM:", cmd.ProcessState)
	return err
}
