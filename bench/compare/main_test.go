package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// TestMain lets the test's own program be what the driver starts: its client, and
// servers that misbehave.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "client":
			if err := run(context.Background(), os.Args[1:]); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		case "mortal":
			mortal(os.Args[3], 100, 3)
		case "dropping":
			mortal(os.Args[3], 0, 0)
		case "refusing":
			refusing(os.Args[3])
		case "deaf":
			deaf(os.Args[3])
		}
	}
	os.Exit(m.Run())
}

// mortal serves an echo and dies after some messages, with a status; with 0 it only ends
// the connection.
func mortal(addr string, messages int64, status int) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var left atomic.Int64
	left.Store(messages)
	for {
		c, err := l.Accept()
		if err != nil {
			os.Exit(1)
		}
		go func() {
			defer c.Close()
			if _, err := ws.Upgrade(c); err != nil {
				return
			}
			for {
				text, op, err := wsutil.ReadClientData(c)
				if err != nil {
					return
				}
				if left.Add(-1) < 0 {
					if status == 0 {
						return
					}
					fmt.Fprintln(os.Stderr, "out of luck")
					os.Exit(status)
				}
				if wsutil.WriteServerMessage(c, op, text) != nil {
					return
				}
			}
		}()
	}
}

// refusing accepts and closes.
func refusing(addr string) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		os.Exit(1)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			os.Exit(1)
		}
		c.Close()
	}
}

// rigs counts them: tests run at the same time, and each has ports of its own.
var rigs atomic.Int64

// testRig is one for short measurements, with the test's own program as the client.
func testRig(t *testing.T) *rig {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cpus := allowed(t)
	first := 12000 + 100*int(rigs.Add(1))
	return &rig{
		self: self, serverCPU: cpus[0], clientCPU: cpus[len(cpus)-1],
		seconds: 200 * time.Millisecond, warmup: 50 * time.Millisecond, pings: time.Second,
		quick: true, calm: quickCalm, patience: patience, ports: &portList{next: first, end: first + 100},
	}
}

// script is a server that is a line of shell.
func script(text string) *program {
	return &program{entry: entry{name: "script"}, command: []string{"sh", "-c", text, "sh"}}
}

// own is a server that the test's own program is.
func own(t *testing.T, what string) *program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &program{entry: entry{name: what}, command: []string{self, what}}
}

// deaf takes messages and answers none.
func deaf(addr string) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		os.Exit(1)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			os.Exit(1)
		}
		go func() {
			if _, err := ws.Upgrade(c); err == nil {
				_, _ = io.Copy(io.Discard, c) // to its end
			}
			c.Close()
		}()
	}
}
