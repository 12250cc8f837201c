package conformance

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
)

// verdict sends a response and waits for what our client makes of it: an open connection that works, or an error and the end of the
// stream (RFC 6455, section 4.1: _Fail the WebSocket Connection_).
func (d *dialing) verdict(t *testing.T, response []byte, how split, opens bool, section string) {
	t.Helper()
	rnd := seeded(string(response))
	// One behind the other in the same bytes: what follows the head are frames already.
	early := text("early").append(nil, false, rnd)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		(&splitter{d.conn, how, rnd}).Write(append(response, early...))
		if !opens && !strings.HasPrefix(string(response), "HTTP/1.1 101") {
			newPeer(t, d.conn, d.br, ourClient, params{}, whole, rnd, nil).halfClose() // who reads a body waits for its end
		}
	}()
	result := <-d.dialed
	if (result.err == nil) != opens {
		t.Errorf("%s: %.300q, sent %s: Dial's error is %v", section, response, how, result.err)
	}
	<-sent
	if result.err != nil {
		d.failed(t, section)
		return
	}
	defer result.conn.CloseNow()
	if !opens {
		return
	}
	told := make(chan ending, 1)
	go func() { told <- echoClient(context.Background(), result.conn) }()
	p := newPeer(t, d.conn, d.br, ourClient, params{}, how, rnd, told)
	if err := (row{frames: []frame{text("x")}, echo: []frame{text("early"), text("x")}, told: 1000}).run(p); err != nil {
		t.Errorf("%s: %.300q: %v", section, response, err)
	}
}

// failed checks that a client which has failed the connection sends nothing more, and ends it.
func (d *dialing) failed(t *testing.T, section string) {
	if n, err := io.Copy(io.Discard, d.br); n > 0 || err != nil && !isEnd(err) {
		t.Errorf("%s: behind the failed handshake come %d bytes, %v", section, n, err)
	}
}

func TestOpeningOfTheClient(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for i, a := range answerings {
			ways := splits
			if secure { // the bytes are the same: one way each is enough
				ways = splits[i%len(splits):][:1]
			}
			t.Run(fmt.Sprintf("tls=%v/%s %s", secure, a.section, a.rule), func(t *testing.T) {
				t.Parallel()
				for _, how := range ways {
					config := clientConfig(secure)
					config.Subprotocols = []string{"chat", "superchat"}
					d := dialOurs(t, secure, config)
					d.verdict(t, d.answer(a.edits), how, a.opens == (a.deviates == ""), rfc(a.section)+": "+a.rule)
					if a.deviates == "" {
						held(ourClient, secure, a.section, a.rule)
					} else {
						deviates(a.section, a.rule, a.deviates)
					}
				}
			})
		}
	}
}

// TestTheAnswerIsCut: a response that ends too early opens nothing (section 4.1).
func TestTheAnswerIsCut(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for _, part := range []float64{0, 0.1, 0.5, 0.9, 1} {
			d := dialOurs(t, secure, clientConfig(secure))
			response := d.answer(nil)
			n := min(int(part*float64(len(response))), len(response)-1)
			if _, err := d.conn.Write(response[:n]); err != nil {
				t.Fatal(err)
			}
			newPeer(t, d.conn, d.br, ourClient, params{}, whole, nil, nil).halfClose()
			if result := <-d.dialed; result.err == nil {
				result.conn.CloseNow()
				t.Errorf("RFC 6455, 4.1: %d bytes of a response of %d opened the connection", n, len(response))
			}
			d.failed(t, "RFC 6455, 4.1")
			held(ourClient, secure, "4.1", "a response that is cut opens nothing")
		}
	}
}
