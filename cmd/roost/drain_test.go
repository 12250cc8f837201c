package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/coder/websocket"

	"github.com/roostws/roost/server"
)

// parseServing parses the flags of a command that serves, as the command line does.
func parseServing(t *testing.T, args string) *cli {
	t.Helper()
	var c cli
	k, err := kong.New(&c, kong.Writers(io.Discard, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Parse(strings.Fields(args)); err != nil {
		t.Fatal(err)
	}
	return &c
}

// draining is an echo server with the flags of roost echo.
type draining struct {
	url   string
	addr  string
	end   context.CancelFunc // what the signal does
	ended chan error
}

func startDraining(t *testing.T, flags string) *draining {
	t.Helper()
	e := &parseServing(t, "echo "+flags).Echo
	config, err := e.config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	config.Handler.OnMessage = func(c *server.Conn, m server.Message) { c.Send(m.Op, m.Payload) }
	srv, err := server.New(config)
	if err != nil {
		t.Fatal(err)
	}
	addr, err := srv.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	d := &draining{url: "ws://" + addr.String() + "/", addr: addr.String(), end: cancel, ended: make(chan error, 1)}
	go func() { d.ended <- serve(ctx, srv, e.DrainTimeout) }()
	t.Cleanup(func() {
		cancel()
		if _, err := srv.Shutdown(context.Background()); err != nil { // it waits for the first one
			t.Error(err)
		}
	})
	return d
}

// refuses waits until nobody listens any more.
func (d *draining) refuses() {
	for {
		c, err := net.Dial("tcp", d.addr)
		if err != nil {
			return
		}
		c.Close()
	}
}

func dial(t *testing.T, url string) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	return c
}

func TestDrainOfAllAtOnce(t *testing.T) {
	d := startDraining(t, "--drain-window 0s")
	c := dial(t, d.url)
	d.end()
	if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the connection ended with %v", err)
	}
	if err := <-d.ended; err != nil {
		t.Error(err)
	}
}

// Over a long window, a connection goes on until its turn comes, and the end waits for it.
func TestDrainOverALongWindow(t *testing.T) {
	d := startDraining(t, "--drain-window 1h --drain-timeout 2h")
	c := dial(t, d.url)
	d.end()
	d.refuses()
	if err := c.Write(t.Context(), websocket.MessageText, []byte("still here")); err != nil {
		t.Fatal(err)
	}
	if _, echo, err := c.Read(t.Context()); err != nil || string(echo) != "still here" {
		t.Fatalf("%q came back: %v", echo, err)
	}
	select {
	case err := <-d.ended:
		t.Fatalf("it ended: %v", err)
	default:
	}
	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	if err := <-d.ended; err != nil {
		t.Error(err)
	}
}

// Who does not answer the Close frame is cut off at the timeout, and not after what the server gives a closing handshake, 5 s.
func TestDrainIsOverAtItsTimeout(t *testing.T) {
	d := startDraining(t, "--drain-window 0s --drain-timeout 500ms")
	c, err := net.Dial("tcp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", d.addr)
	r := bufio.NewReader(c)
	response, err := http.ReadResponse(r, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", response, err)
	}
	began := time.Now()
	d.end()
	frame := make([]byte, 4)
	if _, err := io.ReadFull(r, frame); err != nil || frame[0] != 0x88 || int(frame[2])<<8|int(frame[3]) != 1001 {
		t.Errorf("% x came: %v", frame, err)
	}
	if err := <-d.ended; err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took < 500*time.Millisecond || took > 4*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestTheFeedDrainsAsLong(t *testing.T) {
	f := &parseServing(t, "feed --drain-window 7s --drain-timeout 8s").Feed
	config, err := f.config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c := f.feed(nil, config); c.Drain != 8*time.Second || c.Server.DrainWindow != 7*time.Second {
		t.Errorf("a timeout of %v, a window of %v", c.Drain, c.Server.DrainWindow)
	}
}

func TestDrainWindows(t *testing.T) {
	const atOnce = -1
	for args, want := range map[string]time.Duration{
		"": time.Second, "--drain-window 3s": 3 * time.Second, "--drain-window 0s": atOnce, "--drain-window=-5s": -5 * time.Second,
	} {
		c, err := parseServing(t, "echo "+args).Echo.config(t.Context())
		if err != nil || c.DrainWindow != want {
			t.Errorf("roost echo %s: %v, %v, want %v", args, c.DrainWindow, err, want)
		}
	}
}

func TestDrainsThatCannotBe(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel() // what is not refused ends at once
	for _, args := range []string{"--drain-timeout 1s", "--drain-timeout 0s --drain-window 0s", "--drain-window 10s", "--drain-timeout=-1s", "--drain-window=-2s --drain-timeout=-1s"} {
		for _, command := range []string{"echo ", "feed "} {
			err := run(over, strings.Fields(command+"--addr 127.0.0.1:0 "+args))
			var usage usageError
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), "--drain-timeout is ") {
				t.Errorf("roost %s%s: %v", command, args, err)
			}
		}
	}
	for _, args := range []string{"--drain-timeout 1001ms", "--drain-window 9999ms", "--drain-window=-1s --drain-timeout 1ns"} {
		if _, err := parseServing(t, "echo "+args).Echo.config(t.Context()); err != nil {
			t.Errorf("roost echo %s: %v", args, err)
		}
	}
}
