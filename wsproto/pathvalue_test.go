package wsproto

import (
	"crypto/tls"
	"testing"
)

func TestPathValues(t *testing.T) {
	var r Request
	parse := func() {
		t.Helper()
		if err := r.Parse([]byte("GET /chat/lobby HTTP/1.1\r\nHost: h\r\n\r\n"), Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	parse()
	if v := r.PathValue("room"); v != "" {
		t.Errorf("nobody has set %q", v)
	}
	r.SetPathValue("room", "hall")
	r.SetPathValue("kind", "chat")
	r.SetPathValue("room", "lobby")
	r.TLS = &tls.ConnectionState{ServerName: "h"}
	c := r.Clone()
	c.SetPathValue("room", "the clone's")
	if room, kind := r.PathValue("room"), r.PathValue("kind"); room != "lobby" || kind != "chat" {
		t.Errorf("the request's values are %q and %q", room, kind)
	}
	if room, kind := c.PathValue("room"), c.PathValue("kind"); room != "the clone's" || kind != "chat" || c.TLS != nil {
		t.Errorf("the clone's values are %q and %q, its TLS %v", room, kind, c.TLS)
	}
	parse()
	if r.PathValue("room") != "" || r.TLS != nil {
		t.Error("the next request has what the last one had")
	}
}
