package server

import (
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/gate"
)

// TestARouteTakesNoMemoryOfItsConnections: those that have nothing else share what tells their route.
func TestARouteTakesNoMemoryOfItsConnections(t *testing.T) {
	opened := make(chan *Conn, 2)
	c := Config{Compression: CompressionShared, Handler: Handler{OnOpen: func(c *Conn) { opened <- c }, OnMessage: echo},
		Routes: []Route{{Pattern: "/a"}, {Pattern: "/b"}, {Pattern: "/paced", Rates: gate.RatesConfig{Messages: 100}}}}
	r := start(t, c)
	for _, tt := range []struct {
		path, offer string
		shared      bool
	}{{"/a", "", true}, {"/b", "", true}, {"/a", "permessage-deflate", true}, {"/b", "permessage-deflate; server_max_window_bits=9", true},
		{"/paced", "", false}, {"/paced", "permessage-deflate", false}} {
		var conns [2]*Conn
		for i := range conns {
			p := r.dialRawAt(tt.path, tt.offer)
			conns[i] = receive(t, "OnOpen", opened)
			if conns[i].Route() != tt.path || tt.offer != "" != (conns[i].deflate() != nil) {
				t.Errorf("%s %q: the connection is of %q, and its compression is %v", tt.path, tt.offer, conns[i].Route(), conns[i].deflate())
			}
			p.send(ws.OpText, "hello")
			p.want(ws.OpText, "hello")
		}
		if shared := conns[0].extra == conns[1].extra; shared != tt.shared {
			t.Errorf("%s %q: shared is %v", tt.path, tt.offer, shared)
		}
	}
	for i := range r.shared {
		if r.shared[i].route != 0 {
			t.Error("connections of no route are given one")
		}
	}
}

// dialRawAt is dialRaw at a path; an empty offer is none.
func (r *rig) dialRawAt(path, offer string) *peer {
	r.t.Helper()
	request := strings.Replace(handshakeTo(r.addr), "GET / ", "GET "+path+" ", 1)
	if offer != "" {
		request = strings.Replace(request, "\r\n\r\n", "\r\nSec-WebSocket-Extensions: "+offer+"\r\n\r\n", 1)
	}
	p := r.tcp()
	resp := p.exchange(request)
	if resp.StatusCode != 101 {
		r.t.Fatal(resp.Status)
	}
	p.extensions = resp.Header.Get("Sec-WebSocket-Extensions")
	return p
}

// opcode is that of the next frame, which may be compressed, and whose payload stays unread.
func (p *peer) opcode() ws.OpCode {
	p.t.Helper()
	p.SetReadDeadline(neverLate())
	h, err := ws.ReadHeader(p.br)
	if err != nil {
		p.t.Fatal(err)
	}
	return h.OpCode
}
