package server

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// throttled is a net.Conn that lets so many bytes go out, and keeps the rest.
type throttled struct {
	net.Conn
	left   int
	passed []int // how many bytes each Write had
}

func (c *throttled) Write(b []byte) (int, error) {
	c.passed = append(c.passed, len(b))
	n := min(len(b), c.left)
	c.left -= n
	if n > 0 {
		if _, err := c.Conn.Write(b[:n]); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// shake shakes hands with the server, of which it lets so many bytes go out, until the server ends that. The connection is open.
func (r *rig) shake(c *tls.Config, most int) (*throttled, error) {
	socket, err := net.Dial("tcp", r.addr)
	if err != nil {
		return nil, err
	}
	socket.SetDeadline(neverLate())
	conn := &throttled{Conn: socket, left: most}
	return conn, tls.Client(conn, c).Handshake()
}

// TestAHandshakeThatStallsAnywhereEndsInTime: within each message that a client sends, and between them.
func TestAHandshakeThatStallsAnywhereEndsInTime(t *testing.T) {
	const whole = 1 << 20
	for name, set := range map[string]func(server, client *tls.Config){
		"TLS 1.3": func(_, c *tls.Config) { c.MinVersion = tls.VersionTLS13 },
		"TLS 1.3 with a HelloRetryRequest": func(s, c *tls.Config) {
			c.CurvePreferences, s.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP384}, []tls.CurveID{tls.CurveP384}
		},
		"TLS 1.3 with a client's certificate": func(s, c *tls.Config) {
			s.ClientAuth, c.Certificates = tls.RequireAnyClientCert, []tls.Certificate{certificate()}
		},
		"TLS 1.2": func(_, c *tls.Config) { c.MaxVersion = tls.VersionTLS12 },
		"TLS 1.2 with a client's certificate": func(s, c *tls.Config) {
			c.MaxVersion = tls.VersionTLS12
			s.ClientAuth, c.Certificates = tls.RequireAnyClientCert, []tls.Certificate{certificate()}
		},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := serverTLS(), clientTLS()
			set(server, client)
			patient := start(t, Config{TLS: server, Handler: Handler{OnMessage: echo}})
			conn, err := patient.shake(client, whole)
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
			patient.await("the end of who said nothing in TLS", func(s Stats) bool { return s.Reasons[ReasonHandshakeGone] == 1 })

			r := start(t, Config{TLS: server, HandshakeTimeout: 500 * time.Millisecond, Handler: Handler{OnMessage: echo}})
			cuts := []int{0}
			for sent, i := 0, 0; i < len(conn.passed); i++ {
				n := conn.passed[i]
				cuts = append(cuts, sent+1, sent+n/2, sent+n-1, sent+n)
				sent += n
			}
			var shaking sync.WaitGroup
			for _, most := range cuts {
				shaking.Go(func() {
					conn, err := r.shake(client.Clone(), most)
					if conn == nil {
						t.Error(err)
						return
					}
					io.Copy(io.Discard, conn.Conn) // who is through gets 408
					conn.Close()
				})
			}
			r.await("all to be ended", func(s Stats) bool { return s.Reasons[ReasonHandshakeTimeout] == uint64(len(cuts)) })
			shaking.Wait()
			r.awaitCrew(0, 0)
		})
	}
}

// awaitCrew waits until so many handshakes are under way and so many wait for a place.
func (r *rig) awaitCrew(underWay, waiting int) {
	r.t.Helper()
	await(r.t, fmt.Sprintf("%d handshakes under way and %d that wait", underWay, waiting), func() bool {
		u, w := r.crew.Load()
		return u == underWay && w == waiting
	})
}

// hello is a ClientHello.
func hello(t *testing.T) []byte {
	t.Helper()
	client, server := net.Pipe()
	go func() {
		tls.Client(client, clientTLS()).Handshake()
	}()
	b := make([]byte, 4096)
	server.SetReadDeadline(neverLate())
	n, err := server.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	server.Close()
	client.Close()
	return b[:n]
}

// TestAThousandHalfOpenHandshakesKeepNobodyWaiting who is open. Who comes next has a place as long as there is one, and waits for one
// then.
func TestAThousandHalfOpenHandshakesKeepNobodyWaiting(t *testing.T) {
	const half, open, rounds = 1000, 10, 20
	r := start(t, Config{TLS: serverTLS(), HandshakeTimeout: time.Hour, MaxTLSHandshakes: half, Handler: Handler{OnMessage: echo}})
	var peers []*peer
	for range open {
		peers = append(peers, r.dial())
	}
	b := hello(t)
	var stalled []net.Conn
	stall := func() {
		conn := dialTCP(t, r.addr)
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
		stalled = append(stalled, conn)
	}
	for range half - 1 {
		stall()
	}
	r.awaitCrew(half-1, 0)
	exchange := func() {
		for _, p := range peers {
			p.send(ws.OpText, "hello")
		}
		for _, p := range peers {
			p.want(ws.OpText, "hello")
		}
	}
	for range rounds {
		exchange()
	}

	peers = append(peers, r.dial()) // in the last place
	r.awaitCrew(half-1, 0)
	stall()
	r.awaitCrew(half, 0)

	late, dialed := (*peer)(nil), make(chan error, 1)
	go func() {
		var err error
		late, _, err = r.dialWith(ws.Dialer{}, "/")
		dialed <- err
	}()
	r.awaitCrew(half, 1)
	for range rounds {
		exchange()
	}
	if got, waiting := r.crew.Load(); got != half || waiting != 1 || len(dialed) > 0 {
		t.Errorf("%d handshakes are under way and %d wait, want %d and 1", got, waiting, half)
	}
	stalled[0].Close()
	if err := receive(t, "the one who waited", dialed); err != nil {
		t.Fatal(err)
	}
	peers = append(peers, late)
	exchange()
	for _, conn := range stalled[1:] {
		conn.Close()
	}
	r.await("all of them to be gone", func(s Stats) bool { return s.Reasons[ReasonHandshakeGone] == half && s.Open == open+2 })
	r.awaitCrew(0, 0)
}

// TestGarbageInsteadOfTLSIsRefused: what could be HTTP by an answer, what could be TLS by an alert, all else without a word.
func TestGarbageInsteadOfTLSIsRefused(t *testing.T) {
	b := hello(t)
	tooLong := append([]byte{recordHandshake, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff}, make([]byte, 1000)...)
	overTLS13(t, func(t *testing.T, c Config) {
		c.Handler.OnMessage = echo
		r := start(t, c)
		other := r.bystander()
		refused := uint64(0)
		for _, tc := range []struct{ what, bytes, answer string }{
			{"zeros", strings.Repeat("\x00", 1000), ""},
			{"noise", string(noise(0, 1000)), ""},
			{"SSH", "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", ""},
			{"HTTP", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 400 "},
			{"a frame", "\x81\x85\x00\x00\x00\x00hello", ""},
			{"SSL 2", "\x80\x2e\x01\x03\x00" + strings.Repeat("\x00", 43), "\x15\x03\x01\x00\x02\x02\x46"},
			{"an alert", "\x15\x03\x01\x00\x02\x02\x28", ""},
			{"application data", "\x17\x03\x03\x00\x05hello", ""},
			{"an empty record", "\x16\x03\x01\x00\x00", ""},
			{"a ClientHello that is too long", string(tooLong), "\x15\x03\x01\x00\x02\x02\x32"},
			{"another message of the handshake", "\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00", ""},
			{"a ClientHello of noise", "\x16\x03\x01\x00\x24\x01\x00\x00\x20" + string(noise(1, 32)), "\x15\x03"},
			{"alerts behind a ClientHello", string(b) + strings.Repeat("\x15\x03\x03\x00\x02\x01\x5a", 20), "\x16\x03"},
			{"application data behind a ClientHello", string(b) + "\x17\x03\x03\x00\x20" + string(noise(2, 32)), "\x16\x03"},
			{"a second ClientHello", string(b) + string(b), "\x16\x03"},
		} {
			for _, size := range []int{len(tc.bytes), 7} { // in one piece, and in pieces
				p := &peer{Conn: dialTCP(t, r.addr), t: t}
				p.SetDeadline(neverLate())
				for piece := range slices.Chunk([]byte(tc.bytes), size) {
					if _, err := p.Conn.Write(piece); err != nil {
						break // it was refused already
					}
				}
				answer, _ := io.ReadAll(p.Conn) // to its end, or a reset where more was sent
				if !strings.HasPrefix(string(answer), tc.answer) || tc.answer == "" && len(answer) > 0 {
					t.Errorf("%s in pieces of %d was answered %.40q, want %q", tc.what, size, answer, tc.answer)
				}
				p.Close()
				refused++
				r.await("the counter for "+tc.what, func(s Stats) bool {
					return s.Reasons[ReasonHandshakeTLS]+s.Reasons[ReasonRefusedRequest] == refused
				})
			}
		}
		other.finish()
	})
}

func dialTCP(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// TestATLSHandshakeThatCannotBeAnsweredIsGone: it was never open, so it is no connection that was reset.
func TestATLSHandshakeThatCannotBeAnsweredIsGone(t *testing.T) {
	r := start(t, Config{TLS: serverTLS(), Loops: 1})
	socket, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	r.await("the connection", func(s Stats) bool { return s.Accepted == 1 })
	conns := make(chan *Conn, 1)
	l := r.loops[0]
	l.call(func() {
		for c := range l.conns.all {
			conns <- c
		}
	})
	breakWrites(receive(t, "the connection", conns))
	if _, err := socket.Write(hello(t)); err != nil {
		t.Fatal(err)
	}
	r.await("its end", func(s Stats) bool { return s.Reasons[ReasonHandshakeGone]+s.Reasons[ReasonReset] > 0 })
	if st := r.Stats(); st.Reasons[ReasonHandshakeGone] != 1 || st.Reasons[ReasonReset] != 0 {
		t.Errorf("it is counted as %v", st.Reasons)
	}
}
