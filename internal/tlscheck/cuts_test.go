package tlscheck

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/client"
	"github.com/roostws/roost/wsproto"
)

var versions = map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13}

// pieces is a connection that writes otherwise than it is told.
type pieces struct {
	net.Conn
	cut func(b []byte) [][]byte
}

func (c *pieces) Write(b []byte) (int, error) {
	for _, piece := range c.cut(b) {
		if _, err := c.Conn.Write(piece); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// fragments puts handshake messages into records of at most n bytes (RFC 8446 5.1), each to be written by itself. From the first
// record on that may be encrypted they stay as they are.
func fragments(b []byte, n int) (all [][]byte) {
	for len(b) > 0 && b[0] == recordHandshake {
		header, content := b[:headerLen-2], b[headerLen:][:number(b[headerLen-2:])]
		b = b[headerLen+len(content):]
		for part := range slices.Chunk(content, n) {
			all = append(all, slices.Concat(header, long(part)))
		}
	}
	if len(b) > 0 {
		all = append(all, b)
	}
	return all
}

// TestTheHandshakeInPieces of every kind, over sockets.
func TestTheHandshakeInPieces(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			h := serve(t, flagged(ecdsaPair()))
			for name, cut := range map[string]func() func([]byte) [][]byte{
				"byte by byte": func() func([]byte) [][]byte {
					left := 4000 // and then whole: the echo is not meant
					return func(b []byte) [][]byte {
						n := min(left, len(b))
						left -= n
						return append(slices.Collect(slices.Chunk(b[:n], 1)), b[n:])
					}
				},
				"records of one byte":     func() func([]byte) [][]byte { return untilChanged(1) },
				"records of 7":            func() func([]byte) [][]byte { return untilChanged(7) },
				"records of 100":          func() func([]byte) [][]byte { return untilChanged(100) },
				"records of 571":          func() func([]byte) [][]byte { return untilChanged(571) },
				"records of 572":          func() func([]byte) [][]byte { return untilChanged(572) },
				"records in one segment":  func() func([]byte) [][]byte { return joined(untilChanged(50)) },
				"a byte, and then others": func() func([]byte) [][]byte { return func(b []byte) [][]byte { return [][]byte{b[:1], b[1:]} } },
			} {
				t.Run(name, func(t *testing.T) {
					config := trusting(ecdsaPair())
					config.MinVersion, config.MaxVersion = version, version
					h.wantService(client.Config{TLS: config, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
						c, err := new(net.Dialer).DialContext(ctx, network, addr)
						return &pieces{c, cut()}, err
					}})
				})
			}
		})
	}
}

// untilChanged makes fragments of what comes before ChangeCipherSpec, behind which all is encrypted.
func untilChanged(n int) func([]byte) [][]byte {
	changed := false
	return func(b []byte) [][]byte {
		if changed {
			return [][]byte{b}
		}
		all := fragments(b, n)
		changed = all[len(all)-1][0] != recordHandshake
		return all
	}
}

func joined(cut func([]byte) [][]byte) func([]byte) [][]byte {
	return func(b []byte) [][]byte { return [][]byte{bytes.Join(cut(b), nil)} }
}

// upgrade asks for a WebSocket, with the key of RFC 6455 1.3.
const upgrade = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// held is a connection that keeps what is written until it is released, and then writes it at once.
type held struct {
	net.Conn
	holding bool
	kept    []byte
}

func (c *held) Write(b []byte) (int, error) {
	if !c.holding {
		return c.Conn.Write(b)
	}
	c.kept = append(c.kept, b...)
	return len(b), nil
}

// release writes what was kept, and tells how that went. Who waits for it must read meanwhile.
func (c *held) release() <-chan error {
	c.holding = false
	sent := make(chan error, 1)
	go func() {
		_, err := c.Conn.Write(c.kept)
		sent <- err
	}()
	return sent
}

// TestBehindTheHandshakeInOneWrite: the client's Finished, the request and its first messages come in one segment or in one burst. In a whole
// handshake of TLS 1.2 the server's Finished is the last, so that nothing can come behind the client's; when a session is resumed it can.
func TestBehindTheHandshakeInOneWrite(t *testing.T) {
	for name, version := range versions {
		for size, label := range map[int]string{0: "nothing more", 1: "a byte", 2000: "2 kB", 300_000: "300 kB"} {
			t.Run(name+", "+label, func(t *testing.T) {
				h := serve(t, flagged(ecdsaPair()))
				config := trusting(ecdsaPair())
				config.MinVersion, config.MaxVersion = version, version
				config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
				if version == tls.VersionTLS12 {
					h.wantService(client.Config{TLS: config}) // fetches a ticket
				}
				line := &held{Conn: h.tcp()}
				c := tls.Client(&holdsFinished{line}, config)
				if err := c.Handshake(); err != nil {
					t.Fatal(err)
				}
				if !line.holding || len(line.kept) == 0 {
					t.Fatal("the client's Finished went before it was released")
				}
				message := bytes.Repeat([]byte("x"), size)
				early := []byte(upgrade)
				if size > 0 {
					early = wsproto.AppendMaskedFrame(early, ws.OpBinary, message, [4]byte{1, 2, 3, 4})
				}
				if _, err := c.Write(early); err != nil {
					t.Fatal(err)
				}
				sent := line.release()
				r := bufio.NewReader(c)
				resp, err := http.ReadResponse(r, nil)
				if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
					t.Fatalf("%v, %v", resp, err)
				}
				if size > 0 {
					wantFrame(t, r, message)
				}
				if err := <-sent; err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// holdsFinished begins to hold when the client has read something: from then on it writes its last flight.
type holdsFinished struct{ *held }

func (c *holdsFinished) Read(b []byte) (int, error) {
	c.holding = c.holding || c.kept == nil
	return c.held.Read(b)
}

// wantFrame reads a binary message in one frame.
func wantFrame(t *testing.T, r io.Reader, want []byte) {
	t.Helper()
	b := make([]byte, wsproto.HeaderSize(len(want))+len(want))
	_, err := io.ReadFull(r, b)
	frame := wsproto.AppendFrame(nil, ws.OpBinary, want)
	if err != nil || !bytes.Equal(b, frame) {
		t.Fatalf("%.40x came, want %.40x: %v", b, frame, err)
	}
}

// TestARecordTooLong of data, whose end never comes, is refused by its header.
func TestARecordTooLong(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			h := serve(t, flagged(ecdsaPair()))
			config := trusting(ecdsaPair())
			config.MaxVersion = version
			line := h.tcp()
			c := tls.Client(line, config)
			if _, err := io.WriteString(c, upgrade); err != nil {
				t.Fatal(err)
			}
			if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
				t.Fatal(err)
			}
			header := binary.BigEndian.AppendUint16([]byte{recordData, 3, 3}, 1<<14+2049)
			if _, err := line.Write(append(header, make([]byte, 100)...)); err != nil {
				t.Fatal(err)
			}
			_, err := c.Read(make([]byte, 1))
			if err == nil || !strings.Contains(err.Error(), "record overflow") {
				t.Errorf("the client is told %v", err)
			}
		})
	}
}
