package wsproto

import (
	"bytes"
	"slices"
	"sync"
	"testing"

	"github.com/gobwas/ws"
)

// TestPreparedIsCompressedOnce sends one publication between other messages
// to connections of every kind.
func TestPreparedIsCompressedOnce(t *testing.T) {
	var d Deflater
	p := Prepare(ws.OpText, slices.Concat(quote(1), quote(2), quote(3)))
	for combination := range 16 {
		parameters := Deflate{ServerNoContextTakeover: combination&1 != 0, ServerMaxWindowBits: 8 + combination>>1, ClientMaxWindowBits: 15}
		from, to := newSide(Server, parameters, nil), newSide(Client, parameters, nil)
		var sent []byte
		for i := range 3 {
			sent = append(sent, from.send(&d, ws.OpText, quote(i))...)
			frame := p.Deflated(&d, from.bits)
			if again := p.Deflated(&d, from.bits); &again[0] != &frame[0] {
				t.Fatal("it was compressed twice")
			}
			_, compressed := parts(t, frame)
			if got, inflated, ok := puffMessage(compressed, nil); !ok || !bytes.Equal(got, p.Payload()) || inflated.farthest > 1<<from.bits {
				t.Fatalf("%d bits: the frame does not stand alone", from.bits)
			}
			sent = append(sent, frame...)
			from.out.Forget()
			sent = append(sent, from.send(&d, ws.OpText, quote(i))...)
			sent = append(sent, from.send(&d, ws.OpText, quote(i))...)
		}
		var want [][]byte
		for i := range 3 {
			want = append(want, quote(i), p.Payload(), quote(i), quote(i))
		}
		if got := to.receive(t, sent); !slices.EqualFunc(got, want, bytes.Equal) {
			t.Fatalf("%+v: %d messages came out, or others", parameters, len(got))
		}
	}
	if short := Prepare(ws.OpText, []byte("a")); &short.Deflated(&d, 15)[0] != &short.Frame()[0] {
		t.Fatal("what does not shrink is not the plain frame")
	}
}

func TestPreparedFromManyGoroutines(t *testing.T) {
	var d Deflater
	p := Prepare(ws.OpText, bytes.Repeat(quote(1), 10))
	var wg sync.WaitGroup
	frames := make([][]byte, 64)
	for i := range frames {
		wg.Go(func() { frames[i] = p.Deflated(&d, 8+i%8) })
	}
	wg.Wait()
	for i, frame := range frames {
		if &frame[0] != &frames[i%8][0] {
			t.Fatal("two goroutines got different frames")
		}
	}
}

// TestAPreparedFrameMayBeLost: behind Forget nothing refers to it.
func TestAPreparedFrameMayBeLost(t *testing.T) {
	var d Deflater
	parameters := Deflate{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}
	from, to := newSide(Server, parameters, nil), newSide(Client, parameters, nil)
	to.receive(t, from.send(&d, ws.OpText, quote(1)))
	from.out.Forget() // a publication would have gone here
	for range 2 {
		if got := to.receive(t, from.send(&d, ws.OpText, quote(2))); string(got[0]) != string(quote(2)) {
			t.Fatalf("%q", got)
		}
	}
}
