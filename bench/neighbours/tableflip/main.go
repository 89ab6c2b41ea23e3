// Tableflip is the server of servers/goserver as github.com/cloudflare/tableflip has it: HUP starts the next process,
// which takes the socket.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cloudflare/tableflip"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	upgrader, err := tableflip.New(tableflip.Options{})
	if err != nil {
		return err
	}
	defer upgrader.Stop()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM)
	go func() {
		for s := range signals {
			if s == syscall.SIGTERM {
				upgrader.Stop()
				return
			}
			if err := upgrader.Upgrade(); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	}()

	listener, err := upgrader.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, os.Getpid())
	})}
	go server.Serve(listener)
	if err := upgrader.Ready(); err != nil {
		return err
	}

	<-upgrader.Exit()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return server.Shutdown(ctx)
}
