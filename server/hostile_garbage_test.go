package server

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

func TestGarbageInsteadOfHTTPGetsAnAnswer(t *testing.T) {
	noise := make([]byte, 3000)
	for i := range noise {
		noise[i] = byte(i*i>>3 ^ i | 0x80)
	}
	attacks(t, func(t *testing.T, c Config) {
		c.Handler.OnMessage = echo
		r := start(t, c)
		other := r.bystander()
		refused := uint64(0)
		for _, tc := range []struct {
			what, bytes string
			status      int
		}{
			{"noise", string(noise), 400},
			{"zeros", strings.Repeat("\x00", 1000), 400},
			{"a frame without a handshake", string(frame(ws.OpText, true, []byte("hello"))), 400},
			{"SSH", "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", 400},
			{"SMTP", "EHLO example.org\r\n\r\n", 400},
			{"the PROXY protocol", "PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n", 400},
			{"the PROXY protocol, version 2", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c", 400},
			{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
			{"HTTP/0.9", "GET /\r\n\r\n", 400},
			{"lines that end in a bare LF", "GET / HTTP/1.1\nHost: h\n\n", 400},
			{"an endless method", strings.Repeat("GET", 100), 400},
			{"an endless target", "GET /" + strings.Repeat("x", 6000) + " HTTP/1.1\r\nHost: h\r\n\r\n", 414},
			{"a response", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 400},
		} {
			for _, size := range []int{len(tc.bytes), 7} { // in one piece, and in pieces
				p := r.tcp()
				p.t = t
				for piece := range slices.Chunk([]byte(tc.bytes), size) {
					if p.SetWriteDeadline(neverLate()); len(piece) > 0 {
						if _, err := p.Conn.Write(piece); err != nil {
							break // it was refused already
						}
					}
				}
				if body := p.wantStatus(tc.status); strings.Contains(tc.what, "PROXY") && !strings.Contains(body, "PROXY protocol") {
					t.Errorf("the answer to %s does not name it: %q", tc.what, body)
				}
				p.wantEnd()
				p.Close()
				refused++
			}
		}
		r.await("the counters", func(s Stats) bool {
			return s.Reasons[ReasonRefusedRequest]+s.Reasons[ReasonRefusedHead] == refused && s.Reasons[ReasonRefusedHead] == 2
		})
		other.finish()
		if st := r.Stats(); st.Open != 1 || st.Opened != 1 {
			t.Errorf("%d connections are open, %d were opened, want 1", st.Open, st.Opened)
		}
	})
}

func TestSixtyFourKiBOfHeadersGet431(t *testing.T) {
	const size = 64 << 10
	start431 := "GET / HTTP/1.1\r\nHost: h\r\n"
	attacks(t, func(t *testing.T, c Config) {
		c.Handler.OnMessage = echo
		r := start(t, c)
		other := r.bystander()
		refused := uint64(0)
		for what, head := range map[string]string{
			"one line":                  start431 + "X: " + strings.Repeat("x", size) + "\r\n\r\n",
			"a thousand lines":          start431 + strings.Repeat("X-Line: "+strings.Repeat("x", 54)+"\r\n", size/64) + "\r\n",
			"lines that never end":      start431 + strings.Repeat("X-Line: "+strings.Repeat("x", 54)+"\r\n", size/64),
			"many lines under the size": start431 + strings.Repeat("X: y\r\n", 1000) + "\r\n",
		} {
			for _, pieces := range []int{1, 50} {
				p := r.tcp()
				p.SetWriteDeadline(neverLate())
				for piece := range slices.Chunk([]byte(head), (len(head)+pieces-1)/pieces) {
					if _, err := p.Conn.Write(piece); err != nil {
						break // it was refused already
					}
				}
				p.wantStatus(http.StatusRequestHeaderFieldsTooLarge)
				p.wantEnd()
				p.Close()
				refused++
				r.await("the counter for "+what, func(s Stats) bool { return s.Reasons[ReasonRefusedHead] == refused })
			}
		}
		other.finish()
	})
}

func TestTLSOnThePlainPortIsToldSo(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		c.Handler.OnMessage = echo
		r := start(t, c)
		other := r.bystander()
		p := r.tcp()
		p.SetDeadline(neverLate())
		answer := &heard{Conn: p.Conn}
		err := tls.Client(answer, &tls.Config{ServerName: "localhost", MinVersion: tls.VersionTLS12}).Handshake()
		var header tls.RecordHeaderError
		if !errors.As(err, &header) {
			t.Fatalf("the TLS client got %v, want an answer in HTTP", err)
		}
		if _, err := io.Copy(io.Discard, answer); err != nil {
			t.Error(err)
		}
		if got := answer.b.String(); !strings.HasPrefix(got, "HTTP/1.1 400 Bad Request\r\n") || !strings.Contains(got, "not TLS: connect with ws://") {
			t.Errorf("the answer does not say that TLS is what is wrong: %q", got)
		}
		p.Close()
		r.await("the counter", func(s Stats) bool { return s.Reasons[ReasonRefusedRequest] == 1 })
		other.finish()
	})
}

// heard keeps what was read from a connection.
type heard struct {
	net.Conn
	b bytes.Buffer
}

func (h *heard) Read(b []byte) (int, error) {
	n, err := h.Conn.Read(b)
	h.b.Write(b[:n])
	return n, err
}

func TestFramesThatLieAboutTheirLengthCostNothing(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		const peers = 50
		c.Loops = 1
		c.MaxMessage = 256 << 20
		c.Handler.OnMessage = echo
		ch := closes(&c)
		r := start(t, c)
		ledger := r.ledger()
		other := r.bystander()
		over := "\x00\x00\x00\x00\x10\x00\x00\x01" // one byte over MaxMessage
		if c.Compression != CompressionOff {
			over = "\x00\x00\x00\x00\x12\x40\x00\x41" // and over what may come of what does not compress
		}
		for _, length := range []string{"\x7f\xff\xff\xff\xff\xff\xff\xff", over} { // the first is 2^63-1
			for _, open := range []string{"", string(frame(ws.OpBinary, false, []byte("a fragment before")))} {
				op := byte(ws.OpBinary)
				if open != "" {
					op = byte(ws.OpContinuation)
				}
				p := r.dial()
				p.write(p.begins([]byte(open + string([]byte{0x80 | op, 0xff}) + length + "mask" + "some payload")))
				p.wantClose(1009)
				p.wantEnd()
				p.Close()
				if how := receive(t, "OnClose", ch); how.Reason != ReasonTooBig || how.Code != 1009 {
					t.Errorf("OnClose got %+v", how)
				}
			}
		}
		r.await("the counter", func(s Stats) bool { return s.Reasons[ReasonTooBig] == 4 })
		ledger.wantNothing(t)

		// Within the bound a claim is believed, but what it costs is what arrives: four times of it, in the class above.
		claim := append([]byte{0x82, 0xff, 0, 0, 0, 0, 0x10, 0, 0, 0}, "mask"+strings.Repeat("x", 100)...)
		sent := r.Stats().BytesIn
		var all []*peer
		for range peers {
			p := r.dial()
			p.write(p.begins(claim))
			all = append(all, p)
			sent += uint64(len(claim))
		}
		r.await("the claims", func(s Stats) bool { return s.BytesIn >= sent })
		await(t, "the payloads", func() bool { return ledger.buffers.Load() >= peers })
		if most := ledger.most.Load(); most > peers*512+1024 {
			t.Errorf("%d bytes of memory were taken for %d claims of 256 MiB of which 100 bytes came", most, peers)
		}
		for _, p := range all {
			p.reset()
		}
		r.await("the ends", func(s Stats) bool { return s.Reasons[ReasonReset] == peers })
		other.finish()
		ledger.wantNothing(t)
	})
}

// TestAFloodOfGarbageLeavesNothing has many peers send bytes that are wrong at once, and leave or stay as they like.
func TestAFloodOfGarbageLeavesNothing(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		const peers = 100
		c.Handler.OnMessage = echo
		r := start(t, c)
		other := r.bystander()
		done := make(chan error, peers)
		for i := range peers {
			go func() {
				conn, _, err := r.connect()
				if err == nil {
					_, err = fmt.Fprintf(conn, "\x01\x02garbage %d", i)
					if i%2 == 0 {
						conn.SetReadDeadline(neverLate())
						_, err = io.Copy(io.Discard, conn)
					}
					conn.Close()
				}
				done <- err
			}()
		}
		for range peers {
			if err := receive(t, "the peers", done); err != nil {
				t.Error(err)
			}
		}
		// Over TLS who leaves has not read the server's tickets, and so resets the connection, perhaps before its garbage is seen.
		r.await("all to be refused", func(s Stats) bool {
			return s.Accepted == peers+1 && s.Reasons[ReasonRefusedRequest] >= peers/2 &&
				(s.Reasons[ReasonRefusedRequest] == peers || r.tls != nil && s.Reasons[ReasonRefusedRequest]+s.Reasons[ReasonHandshakeGone] == peers)
		})
		other.finish()
	})
}
