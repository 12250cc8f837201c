package memtls

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
)

// These tests pin what crypto/tls does with errors of the net.Conn under it.
// memtls stands on it, and it is documented nowhere. If one fails with a new
// release of Go, memtls is broken, whatever the other tests say.

// TestCryptoTLSReadsOnAfterATemporaryError: also in the middle of a header, of
// a record, and between two records.
func TestCryptoTLSReadsOnAfterATemporaryError(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := openPair(t, version)
				dst := make([]byte, 100)
				for range 2 {
					record := seal(t, p.server, "message")
					for i := range record {
						if n, err := p.client.tls.Read(dst); n != 0 || err != error(errMore) {
							t.Fatalf("crypto/tls of %s no longer reads on after a temporary net.Error, on which memtls stands: "+
								"do not build with this version of Go (Read with %d of %d bytes of a record: %d, %v)",
								runtime.Version(), i, len(record), n, err)
						}
						p.client.wire.in = record[i : i+1]
					}
					if n, err := p.client.tls.Read(dst); err != nil || string(dst[:n]) != "message" {
						t.Fatalf("Read: %q, %v", dst[:n], err)
					}
				}
			})
		})
	}
}

// TestCryptoTLSKeepsAnErrorThatIsNotTemporary is why errMore must be temporary.
func TestCryptoTLSKeepsAnErrorThatIsNotTemporary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := openPair(t, tls.VersionTLS12)
		p.client.FeedEOF()
		dst := make([]byte, 100)
		for range 2 {
			if _, err := p.client.tls.Read(dst); err != errTruncated {
				t.Fatalf("Read: %v", err)
			}
			p.client.wire.eof, p.client.wire.in = false, seal(t, p.server, "message")
		}
	})
}

// scriptConn is a net.Conn whose reads fail.
type scriptConn struct {
	wire
	err error
}

func (c *scriptConn) Read([]byte) (int, error)    { return 0, c.err }
func (c *scriptConn) Write(p []byte) (int, error) { return len(p), nil }

// TestCryptoTLSKeepsATemporaryErrorOfTheHandshake is why the handshake needs a
// goroutine.
func TestCryptoTLSKeepsATemporaryErrorOfTheHandshake(t *testing.T) {
	conn := &scriptConn{err: errMore}
	c := tls.Client(conn, clientConfig(tls.VersionTLS13))
	if err := c.Handshake(); err != error(errMore) {
		t.Fatalf("Handshake: %v", err)
	}
	conn.err = io.ErrNoProgress
	if err := c.Handshake(); err != error(errMore) {
		t.Errorf("Handshake again: %v, want the first error", err)
	}
}

// TestCryptoTLSTurnsAnEndBetweenRecordsIntoEOF is why errTruncated is not
// io.ErrUnexpectedEOF itself.
func TestCryptoTLSTurnsAnEndBetweenRecordsIntoEOF(t *testing.T) {
	c := tls.Client(&scriptConn{err: io.ErrUnexpectedEOF}, clientConfig(tls.VersionTLS13))
	if err := c.Handshake(); err != io.EOF {
		t.Errorf("Handshake: %v", err)
	}
	if errTruncated == io.ErrUnexpectedEOF || !errors.Is(errTruncated, io.ErrUnexpectedEOF) {
		t.Errorf("errTruncated is %v", errTruncated)
	}
}

func TestTheWireIsANetConnWithoutDeadlines(t *testing.T) {
	var w net.Conn = &wire{}
	if w.SetDeadline(past) != nil || w.SetReadDeadline(past) != nil || w.SetWriteDeadline(past) != nil {
		t.Error("deadlines are refused: crypto/tls sets one when it closes")
	}
	if w.LocalAddr().Network() != "memory" || w.RemoteAddr().String() != "" {
		t.Errorf("addresses %q, %q", w.LocalAddr(), w.RemoteAddr())
	}
	if errMore.Timeout() || errMore.Error() == "" {
		t.Error("errMore is a timeout, or has no text")
	}
}
