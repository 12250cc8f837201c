package conformance

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/roostws/roost/server"
	"github.com/roostws/roost/wsproto"
)

// seen counts what the combinations have shown, lest they show nothing.
type seen struct{ compressed, past atomic.Int64 }

// exercise sends random messages as was agreed on: compressed or not, in random fragments with control frames between. The echoes must
// be as was agreed on, too, which the stream looks at.
func (p *peer) exercise(section string, count *seen) error {
	r := row{section: section}
	vocabulary := words(p.rnd)
	for i := range 5 {
		var b strings.Builder
		for n := p.rnd.IntN(1 << (4 + p.rnd.IntN(8))); b.Len() < n || i == 2 && b.Len() < 1500; {
			b.WriteString(vocabulary[p.rnd.IntN(len(vocabulary))])
		}
		m := frame{op: byte(opText + p.rnd.IntN(2)), payload: []byte(b.String())}
		r.echo = append(r.echo, m)
		if p.z != nil && p.rnd.IntN(5) > 0 {
			m.rsv, m.payload = rsv1, p.z.compress(m.payload)
		}
		r.frames = append(r.frames, m.cut(p.rnd)...)
	}
	if err := r.run(p); err != nil {
		return err
	}
	if p.stream.z != nil {
		count.compressed.Add(int64(p.stream.z.messages))
		if p.stream.z.past {
			count.past.Add(1)
		}
	}
	return nil
}

// words make messages that are alike.
func words(rnd *rand.Rand) (all []string) {
	for range 40 {
		all = append(all, fmt.Sprintf(`{"symbol":"%08x","prix":"%d €"},`, rnd.Uint32(), rnd.IntN(1000)))
	}
	return all
}

// TestAllOffersToTheServer: every legal offer of the four parameters is answered legally, and both sides keep to the answer, with its
// messages cut in every way. RFC 7692, sections 7.1.1, 7.1.2, 7.2.
func TestAllOffersToTheServer(t *testing.T) {
	for _, c := range []server.Compression{server.CompressionShared, server.CompressionDedicated} {
		vs := variants(t, server.Config{Compression: c, CompressFrom: 1})
		var count seen
		t.Run(fmt.Sprint("compression=", c), func(t *testing.T) {
			for i, o := range allOffers() {
				if c == server.CompressionShared && i%7 > 0 {
					continue // it differs in that no message refers to another: a part will do, in which each value occurs
				}
				v, how := vs[i/7%len(vs)], splits[i%len(splits)]
				t.Run(v.name+"/"+o.element, func(t *testing.T) {
					t.Parallel()
					p := v.open(t, o.element, how, seeded(o.element))
					if !p.agreed.on {
						t.Error("a server with compression declines a legal offer: it may, but then nothing is tested")
					}
					if wrong := o.permits(p.agreed); wrong != "" {
						t.Errorf("RFC 7692, %s: %q is answered with %q", wrong, o.element, p.agreed)
					}
					if err := p.exercise("7.2", &count); err != nil {
						t.Errorf("RFC 7692: %q, answered with %q, sent %s: %v", o.element, p.agreed, how, err)
					}
					held(ourServer, v.secure, "RFC 7692, 7.1.1, 7.1.2, 7.2", "every legal offer of the four parameters is answered legally, and both sides keep to it, in random fragments")
				})
			}
		})
		if count.compressed.Load() == 0 || c == server.CompressionDedicated && count.past.Load() == 0 {
			t.Errorf("compression %d: no message was compressed, or none with takeover: nothing was tested", c)
		}
	}
}

// TestAllAnswersToTheClient: every legal answer of the four parameters, both flags and 8 to 15 bits each side, is kept to.
func TestAllAnswersToTheClient(t *testing.T) {
	var count seen
	t.Run("answers", func(t *testing.T) {
		for i := range 4 * 8 * 8 {
			a := params{on: true, serverNoTakeover: i&1 != 0, clientNoTakeover: i&2 != 0, serverBits: 8 + i>>2&7, clientBits: 8 + i>>5}
			how, tt := splits[i%len(splits)], clientTargets()[i/len(splits)%2]
			t.Run(tt.name+"/"+a.String(), func(t *testing.T) {
				t.Parallel()
				if err := tt.open(t, a.String(), how, seeded(a.String())).exercise("7.2", &count); err != nil {
					t.Errorf("RFC 7692: %q, sent %s: %v", a, how, err)
				}
				held(ourClient, tt.secure, "RFC 7692, 7.1.1, 7.1.2, 7.2", "every legal answer of the four parameters is kept to, in random fragments")
			})
		}
	})
	if count.compressed.Load() == 0 || count.past.Load() == 0 {
		t.Error("no message was compressed, or none with takeover: nothing was tested")
	}
}

// TestAllOffersOfTheClient: what the client offers can be answered as it is, and binds it even where the answer does not name it (sections
// 7.1.1.2 and 7.1.2.2).
func TestAllOffersOfTheClient(t *testing.T) {
	var count seen
	t.Run("offers", func(t *testing.T) {
		for i := range 4 * 8 * 8 {
			c := wsproto.DeflateConfig{ServerNoContextTakeover: i&1 != 0, ClientNoContextTakeover: i&2 != 0, ServerMaxWindowBits: 8 + i>>2&7, ClientMaxWindowBits: 8 + i>>5}
			a := params{on: true, serverNoTakeover: c.ServerNoContextTakeover, serverBits: c.ServerMaxWindowBits}
			if i%3 > 0 {
				a.clientNoTakeover, a.clientBits = c.ClientNoContextTakeover, c.ClientMaxWindowBits
			}
			t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
				t.Parallel()
				config := clientConfig(i%2 == 0)
				config.Deflate = &c
				d := dialOurs(t, i%2 == 0, config)
				if n := len(d.request.Header[http.CanonicalHeaderKey("Sec-WebSocket-Extensions")]); n != 1 {
					t.Fatalf("%d offers", n)
				}
				if _, err := d.conn.Write(d.answer([]string{"+Sec-WebSocket-Extensions: " + a.String()})); err != nil {
					t.Fatal(err)
				}
				result := <-d.dialed
				if result.err != nil {
					t.Fatal(result.err)
				}
				told := make(chan ending, 1)
				go func() { told <- echoClient(context.Background(), result.conn) }()
				how := splits[i%len(splits)]
				agreed := a // and what the client has said of itself
				agreed.clientNoTakeover, agreed.clientBits = c.ClientNoContextTakeover, c.ClientMaxWindowBits
				if err := newPeer(t, d.conn, d.br, ourClient, agreed, how, seeded(fmt.Sprint(c)), told).exercise("7.1", &count); err != nil {
					t.Errorf("RFC 7692: %+v answered with %q, sent %s: %v", c, a, how, err)
				}
				held(ourClient, i%2 == 0, "RFC 7692, 7.1.1.2, 7.1.2.2", "what the client's offer says of itself binds it, whether the answer repeats it or not")
			})
		}
	})
	if count.compressed.Load() == 0 {
		t.Error("no message was compressed: nothing was tested")
	}
}
