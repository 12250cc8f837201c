//go:build unix

package interop

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/client"
	"github.com/roostws/roost/wsproto"
)

// TestClientOverTLS has package client talk to servers that others wrote, over TLS.
func TestClientOverTLS(t *testing.T) {
	t.Parallel()
	for _, f := range foreigners {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			server := f.find(t)
			one := &wsproto.DeflateConfig{ServerNoContextTakeover: true, ClientNoContextTakeover: true}
			for _, tt := range []struct {
				name, version string
				deflate       *wsproto.DeflateConfig
			}{
				{"plain messages", "1.2", nil}, {"plain messages", "1.3", nil},
				{"compressed", "1.2", &wsproto.DeflateConfig{}}, {"compressed", "1.3", &wsproto.DeflateConfig{}},
				{"compressed one by one", "1.3", one},
			} {
				t.Run("TLS "+tt.version+", "+tt.name, func(t *testing.T) { clientOverTLS(t, server, tt.version, tt.deflate) })
			}
			t.Run("compression declined", func(t *testing.T) {
				c, p := dialTLS(t, server, "0", "1.3", &wsproto.DeflateConfig{})
				defer c.CloseNow()
				if c.Compressed() {
					t.Error("compression was agreed on")
				}
				echoesOf(t, c, 100)
				c.Close(ws.StatusNormalClosure, "")
				p.served()
			})
		})
	}
}

// dialTLS starts the server and connects to it, trusting its certificate only.
func dialTLS(t *testing.T, server foreign, compresses, version string, deflate *wsproto.DeflateConfig) (*client.Conn, *process) {
	t.Helper()
	cert, key := certificate(t)
	server.env = append([]string{"DEFLATE=" + compresses}, server.env...)
	p := server.start(t, "echo", "0", cert, key)
	pem, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tlsVersions[version], MaxVersion: tlsVersions[version]}
	config.RootCAs.AppendCertsFromPEM(pem)
	c, err := client.Dial(t.Context(), "wss://"+p.addr+"/", client.Config{TLS: config, Deflate: deflate, MaxMessage: maxMessage})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.NetConn().(*tls.Conn).ConnectionState().Version; got != tlsVersions[version] {
		t.Errorf("the connection has %s", tls.VersionName(got))
	}
	return c, p
}

func clientOverTLS(t *testing.T, server foreign, version string, deflate *wsproto.DeflateConfig) {
	c, p := dialTLS(t, server, "1", version, deflate)
	defer c.CloseNow()
	if c.Compressed() != (deflate != nil) {
		t.Errorf("compressed: %v", c.Compressed())
	}
	count, size := 0, 0
	for _, n := range []int{0, 1, 125, 126, 127, 128, 1024, 16355, 16384, 16385, 65535, 65536, 300_000, 1 << 20} {
		messages, bytes := echoesOf(t, c, n)
		count, size = count+messages, size+bytes
	}
	pingOver(t, c)
	count, size = count+1, size+len("the last")
	if err := c.Close(ws.StatusNormalClosure, "done"); err != nil {
		t.Error(err)
	}
	s := p.served()
	agree(t,
		figure{"connections, by the server", s.Opened, 1},
		figure{"connections closed with 1000, by the server", s.Clean, 1},
		figure{"messages, by the server", s.Received, int64(count)},
		figure{"bytes, by the server", s.ReceivedBytes, int64(size)})
}

// pingOver has a ping answered while a Read waits, which gets the message behind it.
func pingOver(t *testing.T, c *client.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	last := make(chan string, 1)
	go func() {
		_, b, _ := c.Read(ctx)
		last <- string(b)
	}()
	if err := c.Ping(ctx); err != nil {
		t.Error(err)
	}
	if err := c.Write(ctx, ws.OpText, []byte("the last")); err != nil {
		t.Error(err)
	}
	if got := <-last; got != "the last" {
		t.Errorf("%q came last", got)
	}
}

// echoesOf has messages of n bytes come back: text, and binary that can be compressed and that cannot.
func echoesOf(t *testing.T, c *client.Conn, n int) (messages, size int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	noise := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(noise)
	text := []byte(strings.Repeat("h\u00e9llo \u2603 \U0001f600 ", n/16+1))[:n/16*16]
	for _, m := range []struct {
		op      ws.OpCode
		payload []byte
	}{{ws.OpText, text}, {ws.OpBinary, make([]byte, n)}, {ws.OpBinary, noise}, {ws.OpText, text}} {
		err := c.Write(ctx, m.op, m.payload)
		if err != nil {
			t.Fatal(err)
		}
		op, got, err := c.Read(ctx)
		if err != nil || op != m.op || !bytes.Equal(got, m.payload) {
			t.Fatalf("%d bytes as %d came back as %d bytes as %d: %v", len(m.payload), m.op, len(got), op, err)
		}
		messages, size = messages+1, size+len(m.payload)
	}
	return messages, size
}
