package conformance

import (
	"testing"

	"github.com/roostws/roost/server"
)

// TestOurPings: they are control frames as others, never compressed, and a pong with their data answers them (RFC 6455, sections 5.5.2
// and 5.5.3; RFC 7692, section 6.1). What a ping looks like is for the stream to judge.
func TestOurPings(t *testing.T) {
	targets := serverTargets(t, server.Config{Compression: server.CompressionDedicated, CompressFrom: 1})
	for _, tt := range append(targets, clientTargets()...) {
		offer := defaultOffer
		if tt.role == ourClient {
			offer = "permessage-deflate"
		}
		p := tt.open(t, offer, whole, seeded(tt.name))
		<-p.write(p.bytes(text("!ping")))
		e, err := p.next()
		if err != nil || e.op != opPing {
			t.Errorf("%s: RFC 6455, 5.5.2: %+v, %v, want a ping", tt.name, e, err)
		}
		<-p.write(p.bytes(pong("another's"), frame{op: opPong, payload: e.payload}))
		if tt.role == ourClient { // the server does not tell its application of pongs
			if e, err := p.next(); err != nil || string(e.payload) != "ponged" {
				t.Errorf("%s: RFC 6455, 5.5.3: %+v, %v, the application waits for its pong", tt.name, e, err)
			}
		}
		if err := (row{frames: []frame{text("x")}, echo: []frame{text("x")}}).run(p); err != nil {
			t.Errorf("%s: RFC 6455, 5.5.3: %v", tt.name, err)
		}
		held(tt.role, tt.secure, "5.5.2, 5.5.3", "our ping is a control frame, and the pong with its data is taken for its answer")
	}
}
