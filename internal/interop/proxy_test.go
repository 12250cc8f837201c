//go:build unix

package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/roostws/roost/server"
)

// proxyPatience is after how long of silence the proxies of these tests cut a connection off, in seconds; the server's heartbeat
// is several times as fast.
const proxyPatience = 2

const nginxConfig = `
daemon off;
worker_processes 1;
pid nginx.pid;
events { worker_connections 256; }
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	map $http_upgrade $connection_upgrade { default upgrade; '' close; }
	server {
		listen %[1]s;
		location / {
			proxy_pass http://%[2]s;
			proxy_http_version 1.1;
			proxy_set_header Host $http_host;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $connection_upgrade;
			proxy_read_timeout %[3]ds;
			proxy_send_timeout %[3]ds;
		}
	}
}
`

const haproxyConfig = `
defaults
	mode http
	timeout connect 30s
	timeout client 30s
	timeout server 30s
	timeout tunnel %[3]ds
frontend front
	bind fd@3
	default_backend back
backend back
	server roost %[2]s
`

func TestNginxInFront(t *testing.T) {
	t.Parallel() // most of it is waiting
	nginx := command(t, "Debian's nginx", "nginx", "/usr/sbin/nginx")
	behind(t, nginxConfig, func(dir, config string, listener *os.File) {
		// NGINX names the descriptors of sockets that are open already: so nginx starts the next binary of itself.
		daemon(t, dir, listener, []string{"NGINX=3;"}, nginx, "-p", dir, "-c", config, "-e", "stderr")
	})
}

func TestHAProxyInFront(t *testing.T) {
	t.Parallel()
	haproxy := command(t, "Debian's haproxy", "haproxy", "/usr/sbin/haproxy")
	behind(t, haproxyConfig, func(dir, config string, listener *os.File) {
		daemon(t, dir, listener, nil, haproxy, "-db", "-f", config)
	})
}

// behind starts a server and a proxy in front of it, which is given its configuration and its listening socket, and has clients
// talk to the one through the other. As the socket listens already, nobody has to wait for the proxy to be ready.
func behind(t *testing.T, config string, launch func(dir, config string, listener *os.File)) {
	r := start(t, server.Config{HTTP: http.HandlerFunc(page), PingAfter: 300 * time.Millisecond, PingGrace: patience})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	front := l.Addr().String()
	file, err := l.(*net.TCPListener).File()
	l.Close()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "proxy.conf")
	if err := os.WriteFile(path, fmt.Appendf(nil, config, front, r.addr, proxyPatience), 0o600); err != nil {
		t.Fatal(err)
	}
	launch(dir, path, file)
	syscall.SetNonblock(int(file.Fd()), true) // starting a program with it has made it blocking, for the program too
	file.Close()
	through(t, r, front)
}

func through(t *testing.T, r *rig, front string) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	dial := func(origin string) (*websocket.Conn, *http.Response, error) {
		c, response, err := websocket.Dial(ctx, "ws://"+front+"/path?query", &websocket.DialOptions{
			HTTPClient: client, Subprotocols: []string{subprotocol}, HTTPHeader: http.Header{"Origin": {origin}},
		})
		if c != nil {
			c.SetReadLimit(maxMessage)
			t.Cleanup(func() { c.CloseNow() })
		}
		return c, response, err
	}
	open := func() *websocket.Conn {
		t.Helper()
		c, _, err := dial("http://" + front)
		if err != nil {
			t.Fatal(err)
		}
		if c.Subprotocol() != subprotocol {
			t.Errorf("the subprotocol is %q", c.Subprotocol())
		}
		return c
	}
	echo := func(c *websocket.Conn, kind websocket.MessageType, message string) {
		t.Helper()
		if err := c.Write(ctx, kind, []byte(message)); err != nil {
			t.Fatal(err)
		}
		got, b, err := c.Read(ctx)
		if err != nil || got != kind || string(b) != message {
			t.Fatalf("the echo of %.20q is %v %.20q, %v", message, got, b, err)
		}
	}

	response, err := client.Get("http://" + front + "/")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil || response.StatusCode != 200 || !bytes.Equal(body, []byte("a page\n")) {
		t.Errorf("a plain request gets %s %q, %v", response.Status, body, err)
	}
	if _, response, err := dial("http://elsewhere.example"); err == nil || response == nil || response.StatusCode != 403 {
		t.Errorf("another origin: %v, want 403", err)
	}

	c := open()
	echo(c, websocket.MessageText, "h\u00e9llo")
	echo(c, websocket.MessageBinary, strings.Repeat("\xff", 1<<20))
	pongs := r.Stats().PongsIn
	type message struct {
		b   []byte
		err error
	}
	next := make(chan message, 1)
	go func() { // answers pings while it waits
		_, b, err := c.Read(ctx)
		next <- message{b, err}
	}()
	r.await("pongs for longer than the proxy waits", func(s server.Stats) bool { return s.PongsIn >= pongs+5*proxyPatience })
	if err := c.Write(ctx, websocket.MessageText, []byte("still here")); err != nil {
		t.Fatal(err)
	}
	if m := <-next; m.err != nil || string(m.b) != "still here" {
		t.Fatalf("after the silence: %q, %v", m.b, m.err)
	}
	if err := c.Close(4001, "going"); err != nil {
		t.Errorf("the closing handshake: %v", err)
	}
	r.wantClose(server.ReasonPeer, 4001, "going", true)

	c = open()
	if err := c.Write(ctx, websocket.MessageText, []byte("close 4000 enough")); err != nil {
		t.Fatal(err)
	}
	var end websocket.CloseError
	if _, _, err := c.Read(ctx); !errors.As(err, &end) || end.Code != 4000 || end.Reason != "enough" {
		t.Errorf("the server's Close came through as %v", err)
	}
	r.wantClose(server.ReasonLocal, 4000, "enough", true)

	c = open()
	echo(c, websocket.MessageText, "and gone")
	c.CloseNow()
	r.wantClose(server.ReasonEOF, 1006, "", false)

	c = open()
	echo(c, websocket.MessageText, "to the end")
	go func() { r.Shutdown(ctx) }()
	if _, _, err := c.Read(ctx); !errors.As(err, &end) || end.Code != websocket.StatusGoingAway {
		t.Errorf("the server's goodbye came through as %v", err)
	}
	r.wantClose(server.ReasonShutdown, 1001, "server is shutting down", true)
}
