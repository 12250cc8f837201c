package memtls

import (
	"runtime"
	"testing"
)

// roundTrip returns a function that sends 512 bytes to the server and back.
func roundTrip(tb testing.TB, p *pair) func() {
	var (
		message      = make([]byte, 512)
		cipher       = make([]byte, 0, 1024)
		plain        = make([]byte, 0, 1024)
		err1, err2   error
		err3, err4   error
		atServer, at []byte
	)
	return func() {
		cipher, err1 = p.client.Seal(cipher[:0], message)
		atServer, err2 = p.server.Feed(plain[:0], cipher)
		cipher, err3 = p.server.Seal(cipher[:0], atServer)
		at, err4 = p.client.Feed(plain[:0], cipher)
		if err1 != nil || err2 != nil || err3 != nil || err4 != nil || len(at) != len(message) {
			tb.Fatalf("%d bytes came back: %v, %v, %v, %v", len(at), err1, err2, err3, err4)
		}
	}
}

// TestARecordAllocatesWhatCryptoTLSDoes: its Read allocates one small reader for
// each time that it asks the wire, which is once for a record that comes alone.
func TestARecordAllocatesWhatCryptoTLSDoes(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			p := handshakeByNotify(t, version)
			if n := testing.AllocsPerRun(200, roundTrip(t, p)); n > 2 {
				t.Errorf("%v allocations for a round trip, want 2 readers of crypto/tls", n)
			}
			short := []byte("a short message")
			many := make([]byte, 0, 100_000)
			plain := make([]byte, 0, 100_000)
			n := testing.AllocsPerRun(20, func() {
				many = many[:0]
				for range 100 {
					many, _ = p.client.Seal(many, short) // Feed would tell
				}
				if got, err := p.server.Feed(plain, many); err != nil || len(got) != 100*len(short) {
					t.Fatalf("%d bytes, %v", len(got), err)
				}
			})
			if n > 15 {
				t.Errorf("%v allocations for 100 records of 40 bytes, want one for each 500 bytes", n)
			}
		})
	}
}

func BenchmarkSeal512(b *testing.B) {
	for name, version := range versions {
		b.Run(name, func(b *testing.B) {
			p := handshakeByNotify(b, version)
			message, cipher := make([]byte, 512), make([]byte, 0, 1024)
			b.SetBytes(512)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.server.Seal(cipher, message); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRoundTrip512(b *testing.B) {
	for name, version := range versions {
		b.Run(name, func(b *testing.B) {
			trip := roundTrip(b, handshakeByNotify(b, version))
			b.SetBytes(2 * 512)
			b.ReportAllocs()
			for b.Loop() {
				trip()
			}
		})
	}
}

// heap returns how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // a second time for what sync.Pool kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
