package memtls

import (
	"io"
	"testing"
)

// pieces cuts b at the points that cuts chooses: each byte is the length of
// the next piece, zero a very long one.
func pieces(b, cuts []byte) (chunks [][]byte) {
	for len(b) > 0 {
		n := len(b)
		if len(cuts) > 0 {
			if cuts[0] != 0 {
				n = min(n, int(cuts[0]))
			}
			cuts = cuts[1:]
		}
		chunks, b = append(chunks, b[:n]), b[n:]
	}
	return chunks
}

// FuzzCuts: however the streams are cut, in the handshake and after it, what
// arrives is what was sent.
func FuzzCuts(f *testing.F) {
	f.Add([]byte{}, []byte("message"), false)
	f.Add([]byte{1, 4, 5, 0, 3, 200}, []byte(""), true)
	f.Add([]byte{255, 1, 1, 1, 1, 1}, make([]byte, 20_000), true)
	f.Fuzz(func(t *testing.T, cuts, message []byte, new bool) {
		version := versions["TLS 1.2"]
		if new {
			version = versions["TLS 1.3"]
		}
		cut := func(b []byte) [][]byte { return pieces(b, cuts) }
		p := handshakeCut(t, version, cut)
		for range 2 {
			var up, down []byte // many records, of sizes as the cuts are
			for _, piece := range pieces(message, cuts) {
				up = append(up, seal(t, p.client, string(piece))...)
				down = append(down, seal(t, p.server, string(piece))...)
			}
			p.feedServer(up, noWait)
			p.feedClient(down, noWait)
		}
		p.feedServer(p.client.CloseNotify(nil), noWait)
		if p.serverErr != io.EOF || p.clientErr != nil {
			t.Fatalf("server: %v, client: %v", p.serverErr, p.clientErr)
		}
		if want := string(message) + string(message); string(p.toServer) != want || string(p.toClient) != want {
			t.Fatalf("%d and %d bytes, want %d", len(p.toServer), len(p.toClient), len(want))
		}
	})
}

// FuzzFeed: what is no TLS ends in an error or waits for more. It never panics
// and never gives plaintext.
func FuzzFeed(f *testing.F) {
	f.Add([]byte{5}, []byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	f.Add([]byte{}, []byte{23, 3, 3, 0, 1, 0})
	f.Add([]byte{1}, []byte{21, 3, 3, 0, 2, 1, 0})
	f.Fuzz(func(t *testing.T, cuts, b []byte) {
		p := handshakeByNotify(t, versions["TLS 1.3"])
		var err error
		for _, piece := range pieces(b, cuts) {
			var plain []byte
			if plain, err = p.client.Feed(nil, piece); len(plain) > 0 {
				t.Fatalf("plaintext %x out of %x", plain, b)
			}
		}
		if len(b) > 5+1<<14+256 && err == nil {
			t.Fatalf("%d bytes of no TLS are no error", len(b))
		}
	})
}
