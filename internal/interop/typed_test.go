package interop

import (
	"bufio"
	"bytes"
	"compress/flate"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/server"
	"github.com/roostws/roost/wsproto"
)

// sampleKey is that of RFC 6455 1.3, and sampleAccept the answer to it.
const (
	sampleKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	sampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// typedRequest is a handshake as one types it.
const typedRequest = "GET /path HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: " + sampleKey + "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"

// typed are frames as one could type them, masked: a message, and with deflate the one of RFC 7692 7.2.3.1 that is compressed.
func typed(deflate bool) []byte {
	b := wsproto.AppendMaskedFrame(nil, ws.OpText, []byte("hello"), [4]byte{1, 2, 3, 4})
	if deflate {
		compressed := wsproto.AppendMaskedFrame(nil, ws.OpText, []byte("\xf2\x48\xcd\xc9\xc9\x07\x00"), [4]byte{5, 6, 7, 8})
		compressed[0] |= 0x40 // RSV1
		b = append(b, compressed...)
	}
	return b
}

// typedClose ends a connection.
func typedClose() []byte {
	return wsproto.AppendMaskedFrame(nil, ws.OpClose, []byte("\x03\xe8bye"), [4]byte{9, 9, 9, 9})
}

// readFrame reads a short frame.
func readFrame(r io.Reader) (f ws.Frame, err error) {
	if f.Header, err = ws.ReadHeader(r); err == nil && f.Header.Length <= 125 {
		f.Payload = make([]byte, f.Header.Length)
		_, err = io.ReadFull(r, f.Payload)
	}
	return f, err
}

// wantTyped reads the echoes of typed.
func wantTyped(t *testing.T, r io.Reader, deflate bool) {
	t.Helper()
	want := []string{"hello"}
	if deflate {
		want = append(want, "Hello")
	}
	for _, want := range want {
		f, err := readFrame(r)
		if err != nil {
			t.Fatal(err)
		}
		got := f.Payload
		if f.Header.Rsv1() != deflate {
			t.Errorf("%q came with RSV1 %v, want %v", want, f.Header.Rsv1(), deflate)
		} else if deflate {
			tail := strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff") // RFC 7692 7.2.2, and an end for the library
			if got, err = io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(f.Payload), tail))); err != nil {
				t.Fatal(err)
			}
		}
		if f.Header.OpCode != ws.OpText || string(got) != want {
			t.Errorf("the echo of %q is %d %q", want, f.Header.OpCode, got)
		}
	}
}

func wantTypedClose(t *testing.T, r io.Reader) {
	t.Helper()
	if f, err := readFrame(r); err != nil || f.Header.OpCode != ws.OpClose || !strings.HasPrefix(string(f.Payload), "\x03\xe8") {
		t.Errorf("instead of the Close frame %v %q, %v", f.Header, f.Payload, err)
	}
}

// wantSwitch reads the answer to the handshake.
func wantSwitch(t *testing.T, r *bufio.Reader, deflate bool) {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	agreed := strings.HasPrefix(resp.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate")
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Sec-WebSocket-Accept") != sampleAccept || agreed != deflate {
		t.Fatalf("the handshake is answered with %s %v", resp.Status, resp.Header)
	}
}

// eachTool runs a test with both versions of TLS, with and without compression.
func eachTool(t *testing.T, test func(t *testing.T, s *secure, version string, deflate bool)) {
	for version := range tlsVersions {
		for name, how := range map[string]server.Compression{"plain messages": server.CompressionOff, "compressed": server.CompressionDedicated} {
			t.Run("TLS "+version+", "+name, func(t *testing.T) {
				s := startTLS(t, server.Config{Compression: how, CompressFrom: 1, HTTP: http.HandlerFunc(page)}, 0)
				test(t, s, version, how != server.CompressionOff)
				s.wantClose(server.ReasonPeer, 1000, "bye", true)
			})
		}
	}
}
