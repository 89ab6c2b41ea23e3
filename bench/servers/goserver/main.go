// Goserver answers with its process, and finishes its requests on TERM. It takes the socket that start_server
// hands down, where there is one.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// listen takes over HOST:PORT=DESCRIPTOR of SERVER_STARTER_PORT, or binds.
func listen() (net.Listener, error) {
	_, descriptor, handed := strings.Cut(os.Getenv("SERVER_STARTER_PORT"), "=")
	if !handed {
		return net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	}
	var fd uintptr
	if _, err := fmt.Sscan(descriptor, &fd); err != nil {
		return nil, err
	}
	return net.FileListener(os.NewFile(fd, "listener"))
}

func main() {
	listener, err := listen()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, os.Getpid())
	})}
	done := make(chan struct{})
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		server.Shutdown(ctx)
		close(done)
	}()
	server.Serve(listener)
	<-done
}
