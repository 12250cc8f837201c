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

// TestARecordAllocatesWhatCryptoTLSDoes: its Read allocates one small reader
// for each time that it asks the wire, which is once for a record and once to
// learn that there is no more.
func TestARecordAllocatesWhatCryptoTLSDoes(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			if n := testing.AllocsPerRun(200, roundTrip(t, handshakeByNotify(t, version))); n > 4 {
				t.Errorf("%v allocations for a round trip, want 4 readers of crypto/tls", n)
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

// BenchmarkIdle tells what two connections that shook hands and talked once
// keep in memory.
func BenchmarkIdle(b *testing.B) {
	for name, version := range versions {
		b.Run(name, func(b *testing.B) {
			var pairs []*pair
			before := heap()
			for b.Loop() {
				p := handshakeByNotify(b, version)
				roundTrip(b, p)()
				p.toClient, p.toServer = nil, nil
				pairs = append(pairs, p)
			}
			b.ReportMetric(float64(heap()-before)/float64(2*len(pairs)), "heap-B/conn")
			runtime.KeepAlive(pairs)
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
