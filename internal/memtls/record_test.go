package memtls

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
)

func noWait() {}

// each runs a test for all versions, with a connection that has shaken hands.
func each(t *testing.T, test func(t *testing.T, p *pair)) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, openPair(t, version)) })
		})
	}
}

func TestRecordsCutOnceAtEveryByte(t *testing.T) {
	each(t, func(t *testing.T, p *pair) {
		const want = "first second third"
		for at := 0; ; at++ {
			b := seal(t, p.server, "first ")
			b = append(b, seal(t, p.server, "second ")...)
			b = append(b, seal(t, p.server, "third")...)
			if at > len(b) {
				break
			}
			p.toClient = nil
			p.feedClient(b[:at], noWait)
			p.feedClient(b[at:], noWait)
			if p.clientErr != nil || string(p.toClient) != want {
				t.Fatalf("cut at %d: %q, %v", at, p.toClient, p.clientErr)
			}
		}
	})
}

// TestPartial is true exactly when a Feed has ended within a record, whatever came before that.
func TestPartial(t *testing.T) {
	each(t, func(t *testing.T, p *pair) {
		if p.server.Partial() {
			t.Error("a record is begun after the handshake")
		}
		for at := 1; ; at++ {
			first := seal(t, p.client, "first")
			b := append(first, seal(t, p.client, "second")...)
			if at == len(b) {
				break
			}
			p.feedServer(b[:at], noWait)
			if got, want := p.server.Partial(), at != len(first); got != want {
				t.Errorf("after %d bytes of two records of %d: %v", at, len(first), got)
			}
			p.feedServer(b[at:], noWait)
			if p.server.Partial() || p.serverErr != nil {
				t.Fatalf("after two whole records: %v, %v", p.server.Partial(), p.serverErr)
			}
		}
	})
}

func TestManyRecordsInOneFeed(t *testing.T) {
	each(t, func(t *testing.T, p *pair) {
		var ciphertext, want []byte
		for i := range 1000 {
			message := fmt.Sprintf("message %d;", i)
			want = append(want, message...)
			ciphertext = append(ciphertext, seal(t, p.client, message)...)
		}
		got, err := p.server.Feed([]byte("before;"), ciphertext)
		if err != nil || !bytes.Equal(got, append([]byte("before;"), want...)) {
			t.Errorf("%d bytes, %v, want %d", len(got), err, len(want))
		}
	})
}

func TestALongMessageTakesManyRecords(t *testing.T) {
	each(t, func(t *testing.T, p *pair) {
		message := strings.Repeat("0123456789abcdef", 64<<10) // 1 MiB
		b := seal(t, p.client, message)
		for len(b) > 0 { // in reads of an odd size
			n := min(len(b), 4093)
			p.feedServer(b[:n], noWait)
			b = b[n:]
		}
		if p.serverErr != nil || string(p.toServer) != message {
			t.Errorf("%d bytes, %v, want %d", len(p.toServer), p.serverErr, len(message))
		}
	})
}

func TestSealAndFeedAppend(t *testing.T) {
	each(t, func(t *testing.T, p *pair) {
		buf := make([]byte, 0, 1000)
		b, err := p.client.Seal(append(buf, "before"...), []byte("message"))
		if err != nil || string(b[:6]) != "before" || &b[0] != &buf[:1][0] {
			t.Fatalf("Seal: %q, %v: not appended in place", b, err)
		}
		plain, err := p.server.Feed(append(buf[:500], "before"...), b[6:])
		if err != nil || string(plain[500:]) != "beforemessage" || &plain[0] != &b[0] {
			t.Errorf("Feed: %q, %v: not appended in place", plain[500:], err)
		}
		if b, err := p.client.Seal(nil, nil); err != nil || len(b) > 0 {
			t.Errorf("Seal of nothing: %x, %v", b, err)
		}
	})
}

// TestNoBufferIsHeldWhenIdle looks inside: outside, an empty buffer and none
// are the same.
func TestNoBufferIsHeldWhenIdle(t *testing.T) {
	each(t, func(t *testing.T, p *pair) {
		mustTalk(t, p)
		for name, c := range map[string]*Conn{"client": p.client, "server": p.server} {
			if c.wire.in != nil || c.wire.out != nil {
				t.Errorf("%s: buffers of %d and %d bytes", name, cap(c.wire.in), cap(c.wire.out))
			}
		}
	})
}

func TestCloseNotify(t *testing.T) {
	each(t, func(t *testing.T, p *pair) {
		b := p.client.CloseNotify(seal(t, p.client, "last"))
		p.feedServer(b, noWait)
		if string(p.toServer) != "last" || p.serverErr != io.EOF {
			t.Errorf("the server got %q, %v", p.toServer, p.serverErr)
		}
		if b := p.client.CloseNotify(nil); len(b) > 0 {
			t.Errorf("the second CloseNotify wrote %x", b)
		}
		if b, err := p.client.Seal(nil, []byte("more")); err == nil || len(b) > 0 {
			t.Errorf("Seal after CloseNotify: %x, %v", b, err)
		}
		// The other direction is still open.
		p.feedClient(seal(t, p.server, "answer"), noWait)
		if string(p.toClient) != "answer" || p.clientErr != nil {
			t.Errorf("the client got %q, %v", p.toClient, p.clientErr)
		}
		// Nothing comes behind the end, not even an end that was cut off.
		p.server.FeedEOF()
		if plain, err := p.server.Feed(nil, []byte("more")); err != io.EOF || len(plain) > 0 {
			t.Errorf("Feed after the end: %q, %v", plain, err)
		}
	})
}

func TestTruncatedStream(t *testing.T) {
	each(t, func(t *testing.T, p *pair) {
		for cut := range 2 { // between two records, and in the second one
			c, s := p.client, p.server
			if cut > 0 {
				c, s = s, c // the client's direction is at its end
			}
			b := seal(t, s, "first")
			b = append(b, seal(t, s, "second")[:cut*10]...)
			plain, err := c.Feed(nil, b)
			if err != nil || string(plain) != "first" {
				t.Fatalf("Feed: %q, %v", plain, err)
			}
			c.FeedEOF()
			for range 2 {
				if plain, err := c.Feed(nil, nil); !errors.Is(err, io.ErrUnexpectedEOF) || len(plain) > 0 {
					t.Errorf("Feed at the end: %q, %v", plain, err)
				}
			}
		}
	})
}

func TestBadRecordMAC(t *testing.T) {
	each(t, func(t *testing.T, p *pair) {
		b := seal(t, p.client, "good")
		b = append(b, seal(t, p.client, "forged")...)
		b[len(b)-1] ^= 1
		p.feedServer(append(b, seal(t, p.client, strings.Repeat("never read", 1000))...), noWait)
		if p.server.wire.in != nil {
			t.Error("the caller's bytes are kept")
		}
		const want = "bad record MAC"
		if string(p.toServer) != "good" || p.serverErr == nil || !strings.Contains(p.serverErr.Error(), want) {
			t.Errorf("the server got %q, %v", p.toServer, p.serverErr)
		}
		if _, err := p.server.Feed(nil, seal(t, p.client, "late")); err != p.serverErr {
			t.Errorf("Feed again: %v", err)
		}
		if b, err := p.server.Seal(nil, []byte("no more")); err == nil {
			t.Errorf("Seal wrote %d bytes", len(b))
		} else {
			p.feedClient(b, noWait) // the alert, which waited for Output
		}
		if p.clientErr == nil || !strings.Contains(p.clientErr.Error(), want) {
			t.Errorf("the client is told %v", p.clientErr)
		}
	})
}

func TestARecordThatIsTooLong(t *testing.T) {
	each(t, func(t *testing.T, p *pair) {
		p.feedServer([]byte{23, 3, 3, 0xff, 0xff}, noWait)
		if !errors.As(p.serverErr, new(tls.RecordHeaderError)) {
			t.Errorf("Feed: %v", p.serverErr)
		}
		p.feedClient(p.server.Output(nil), noWait)
		if p.clientErr == nil || !strings.Contains(p.clientErr.Error(), "record overflow") {
			t.Errorf("the client is told %v", p.clientErr)
		}
	})
}

func TestClosed(t *testing.T) {
	each(t, func(t *testing.T, p *pair) {
		p.client.Close()
		p.client.Close()
		if _, err := p.client.Feed(nil, seal(t, p.server, "message")); err != net.ErrClosed {
			t.Errorf("Feed: %v", err)
		}
		if b, err := p.client.Seal(nil, []byte("message")); err != net.ErrClosed || len(b) > 0 {
			t.Errorf("Seal: %x, %v", b, err)
		}
		if b := p.client.CloseNotify(nil); len(b) > 0 {
			t.Errorf("CloseNotify wrote %x", b)
		}
	})
}
