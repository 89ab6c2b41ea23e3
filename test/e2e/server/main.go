// Command server is a Go program for the tests: it answers with its secret at the addresses that it is told, and serves
// what it has on TERM. As a later generation it can be a bad one.
//
//	server [-bad MODE] [-hold MB] [tcp=ADDRESS | tcp4=... | tcp6=... | unix=PATH | udp=ADDRESS]...
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

var (
	bad  = flag.String("bad", "", "what a generation does whose secret does not end in -0: dies, dies-listening, deaf, fails, moves, late")
	hold = flag.Int("hold", 0, "megabytes of memory to fill")
)

func main() {
	flag.Parse()
	if strings.HasSuffix(os.Getenv("KEY"), "-0") {
		*bad = ""
	}
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

func serve() error {
	filled := make([]byte, *hold<<20)
	for i := range filled {
		filled[i] = byte(i)
	}
	switch *bad {
	case "dies":
		return fmt.Errorf("this generation dies")
	case "late":
		time.Sleep(40 * time.Second)
	}

	server := &http.Server{Handler: http.HandlerFunc(answer)}
	failed := make(chan error, 1)
	for _, arg := range flag.Args() {
		network, address, _ := strings.Cut(arg, "=")
		if network == "udp" {
			conn, err := net.ListenPacket(network, address)
			if err != nil {
				return err
			}
			defer conn.Close()
			continue
		}
		if *bad == "moves" {
			address = strings.Replace(address, ":8000", ":8001", 1)
		}
		l, err := net.Listen(network, address)
		if err != nil {
			return err
		}
		defer l.Close()
		if *bad == "deaf" {
			continue
		}
		if strings.HasSuffix(address, ":0") {
			fmt.Printf("port %d\n", l.Addr().(*net.TCPAddr).Port)
		}
		go func() { failed <- server.Serve(l) }()
	}
	if *bad == "dies-listening" {
		return fmt.Errorf("this generation dies")
	}

	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	select {
	case err := <-failed:
		return err
	case <-term:
		_ = filled
		return server.Shutdown(context.Background())
	}
}

func answer(w http.ResponseWriter, r *http.Request) {
	if *bad == "fails" {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if r.URL.Path == "/slow" {
		time.Sleep(2 * time.Second)
	}
	io.WriteString(w, os.Getenv("KEY"))
}
