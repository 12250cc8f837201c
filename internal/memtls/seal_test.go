package memtls

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"testing/synctest"
)

// recordsIn counts the records of b, which must be whole.
func recordsIn(t *testing.T, b []byte) (n int) {
	t.Helper()
	for ; len(b) > 0; n++ {
		end := records{}.end(b)
		if end < 0 {
			t.Fatal("a record is cut off")
		}
		b = b[end:]
	}
	return n
}

// suites is one of each kind; a zero is TLS 1.3's.
var suites = map[string]uint16{
	"TLS 1.2 GCM":     tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	"TLS 1.2 ChaCha":  tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	"TLS 1.2 CBC":     tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
	"TLS 1.2 CBC 256": tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
	"TLS 1.3":         0,
}

func TestSealedLen(t *testing.T) {
	for name, suite := range suites {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := clientConfig(tls.VersionTLS13), serverConfig()
				if suite != 0 {
					client = clientConfig(tls.VersionTLS12)
					client.CipherSuites, server.CipherSuites = []uint16{suite}, []uint16{suite}
				}
				server.DynamicRecordSizingDisabled = true
				p := shaken(t, client, server)
				for _, n := range []int{0, 1, 15, 16, 17, 512, MaxPlaintext - 1, MaxPlaintext, MaxPlaintext + 1, 100_000} {
					b, err := p.server.Seal(nil, make([]byte, n))
					if err != nil || len(b) < n || len(b) > SealedLen(n) {
						t.Errorf("%d bytes became %d, %v, and SealedLen is %d", n, len(b), err, SealedLen(n))
					}
					if got, want := recordsIn(t, b), (n+MaxPlaintext-1)/MaxPlaintext; got != want {
						t.Errorf("%d bytes became %d records, want %d", n, got, want)
					}
				}
			})
		})
	}
}

func TestSealFrames(t *testing.T) {
	frames := func(sizes ...int) (frames [][]byte) {
		for i, n := range sizes {
			frames = append(frames, bytes.Repeat([]byte{byte('a' + i)}, n))
		}
		return frames
	}
	tests := map[string]struct {
		frames  [][]byte
		scratch int
		records int
	}{
		"none":                         {nil, 100, 0},
		"nothing":                      {frames(0, 0), 100, 0},
		"one":                          {frames(50), 100, 1},
		"one that is longer":           {frames(500), 100, 1},
		"together as long as scratch":  {frames(50, 50), 100, 1},
		"together a byte longer":       {frames(50, 51), 100, 2},
		"many":                         {frames(10, 20, 30, 40, 50, 60), 100, 3}, // 100, 50, 60
		"a long one between short":     {frames(10, 200, 1), 100, 3},
		"a long one at the end":        {frames(10, 10, 200), 100, 2},
		"no scratch":                   {frames(10, 10), 0, 2},
		"a whole record":               {frames(MaxPlaintext/2, MaxPlaintext/2), MaxPlaintext, 1},
		"a record and a byte, by copy": {frames(MaxPlaintext, 1), 2 * MaxPlaintext, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := serverConfig()
				server.DynamicRecordSizingDisabled = true
				p := shaken(t, clientConfig(tls.VersionTLS13), server)
				b, err := p.server.SealFrames([]byte("before"), tt.frames, make([]byte, 0, tt.scratch))
				if err != nil || string(b[:6]) != "before" {
					t.Fatalf("SealFrames: %q, %v", b[:6], err)
				}
				if n := recordsIn(t, b[6:]); n != tt.records {
					t.Errorf("%d records, want %d", n, tt.records)
				}
				p.feedClient(b[6:], noWait)
				if want := bytes.Join(tt.frames, nil); p.clientErr != nil || !bytes.Equal(p.toClient, want) {
					t.Errorf("%d bytes arrived, %v, want %d", len(p.toClient), p.clientErr, len(want))
				}
			})
		})
	}
}

// TestSealFramesFails at each place where it seals.
func TestSealFramesFails(t *testing.T) {
	for _, sizes := range [][]int{{10}, {10, 200, 10}, {200, 10}} {
		each(t, func(t *testing.T, p *pair) {
			var frames [][]byte
			for _, n := range sizes {
				frames = append(frames, make([]byte, n))
			}
			p.server.CloseNotify(nil)
			if b, err := p.server.SealFrames(nil, frames, make([]byte, 100)); err == nil || len(b) > 0 {
				t.Errorf("after CloseNotify: %d bytes, %v", len(b), err)
			}
			p.server.Close()
			if b, err := p.server.SealFrames(nil, frames, nil); err != net.ErrClosed || len(b) > 0 {
				t.Errorf("after Close: %d bytes, %v", len(b), err)
			}
		})
	}
}

// TestWhatReadingCausedGoesFirst: an alert, though nothing can be sent any more.
func TestWhatReadingCausedGoesFirst(t *testing.T) {
	each(t, func(t *testing.T, p *pair) {
		p.feedServer([]byte{23, 3, 3, 0xff, 0xff}, noWait)
		b, err := p.server.SealFrames(nil, [][]byte{{1}}, nil)
		if err == nil || recordsIn(t, b) != 1 {
			t.Fatalf("SealFrames: %d records, %v", recordsIn(t, b), err)
		}
		if p.feedClient(b, noWait); p.clientErr == nil || p.clientErr == io.EOF {
			t.Errorf("the client is told %v", p.clientErr)
		}
	})
}
