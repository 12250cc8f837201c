// Package contract is what all servers of the comparison have in common: their flags,
// how they end, and the wait of slow mode. Everything that concerns a library is in
// the program that is written for it.
package contract

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// The modes.
const (
	Echo      = "echo"      // a message goes back
	Broadcast = "broadcast" // a message goes to all open connections
	Slow      = "slow"      // an echo that waits before some messages, see Wait
)

// Limits that are the same for all servers.
const (
	MaxMessage  = 4 << 20 // bytes of a message
	MaxUnsent   = 1 << 20 // bytes that wait for a slow reader, where a library counts bytes
	MaxMessages = 64      // messages that wait for a slow reader, where it counts messages: as many bytes where they are largest (16 KiB)
)

// Flags are those of every server.
type Flags struct {
	Addr string // address to listen on
	Mode string // Echo, Broadcast or Slow
	TLS  string // directory of cert.pem and key.pem; empty: no TLS
}

// Parse reads the command line and lets SIGTERM and SIGINT end the process with status
// 0. A server's own flags must be defined before. It ends the process with status 2 if
// the command line is wrong.
func Parse() Flags {
	var f Flags
	flag.StringVar(&f.Addr, "addr", "127.0.0.1:8080", "address to listen on")
	flag.StringVar(&f.Mode, "mode", Echo, "echo, broadcast or slow")
	flag.StringVar(&f.TLS, "tls", "", "speak TLS, with cert.pem and key.pem of this directory")
	flag.Parse()
	if f.Mode != Echo && f.Mode != Broadcast && f.Mode != Slow {
		Usage("--mode is echo, broadcast or slow, not %q", f.Mode)
	}
	if flag.NArg() > 0 {
		Usage("only flags are expected, not %q", flag.Arg(0))
	}
	go exitOnSignal()
	return f
}

// Listen listens at Addr, with TLS if it is asked for: that of crypto/tls with its defaults.
func (f Flags) Listen() net.Listener {
	l := listen(f.Addr)
	if f.TLS == "" {
		return l
	}
	return tls.NewListener(l, f.Secure())
}

// Serve serves HTTP there, and does not log who leaves before the TLS handshake.
func (f Flags) Serve(h http.Handler) error {
	return (&http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}).Serve(f.Listen())
}

// Secure is the TLS settings, the same for all servers in Go. It ends the process with status
// 1 if there is no certificate.
func (f Flags) Secure() *tls.Config {
	pair, err := tls.LoadX509KeyPair(filepath.Join(f.TLS, "cert.pem"), filepath.Join(f.TLS, "key.pem"))
	Must(err)
	return &tls.Config{Certificates: []tls.Certificate{pair}}
}

// ListenPlain is Listen for a server that does not speak TLS here: it ends the process with status 2
// if it is asked to.
func (f Flags) ListenPlain() net.Listener {
	if f.TLS != "" {
		Usage("this server speaks no TLS here")
	}
	return listen(f.Addr)
}

// listen listens without multipath TCP and without keepalive probes, which net.Listen
// sets for every connection and the servers that are not written with package net do
// not have: they cost a system call or two per connection, and memory of the kernel's.
// It ends the process with status 1 if it cannot listen.
func listen(addr string) net.Listener {
	config := net.ListenConfig{KeepAlive: -1}
	config.SetMultipathTCP(false)
	l, err := config.Listen(context.Background(), "tcp", addr)
	Must(err)
	return l
}

// Usage ends the process with status 2 and a sentence on what is wrong with the
// command line.
func Usage(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s: %s\n", name(), fmt.Sprintf(format, args...))
	os.Exit(2)
}

// Must ends the process with status 1 and err as a sentence, if there is an error.
func Must(err error) {
	if err == nil {
		return
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", name(), err)
	os.Exit(1)
}

// Wait is what a handler calls for a message in slow mode: if the message begins with
// the byte 's', it takes as long as a call to a database would.
func (f Flags) Wait(message []byte) {
	if f.Mode == Slow && len(message) > 0 && message[0] == 's' {
		time.Sleep(5 * time.Millisecond)
	}
}

func exitOnSignal() {
	end := make(chan os.Signal, 1)
	signal.Notify(end, os.Interrupt, syscall.SIGTERM)
	<-end
	os.Exit(0)
}

func name() string { return filepath.Base(os.Args[0]) }
