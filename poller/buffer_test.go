//go:build linux || darwin || freebsd || dragonfly

package poller

import (
	"bytes"
	"sync"
	"testing"
)

// Retained bytes stay what they were, whatever is read after them, until they are
// released somewhere else.
func TestRetainedBuffers(t *testing.T) {
	for _, name := range Engines() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, name, Config{ReadBuffer: 4096})
			sent := pattern(300_000)
			kept := make(chan *Buffer, len(sent))
			all := make(chan struct{})
			n, odd := 0, false
			r.script.data = func(_ Token, b *Buffer) {
				if odd = !odd; odd {
					b.Retain()
					kept <- b
				} else {
					copied := &Buffer{bytes: bytes.Clone(b.Bytes())}
					clear(b.Bytes()) // what is lent may be written to
					kept <- copied
				}
				if n += len(b.Bytes()); n == len(sent) {
					close(all)
				}
			}
			r.start()
			_, c := r.add()
			for i := 0; i < len(sent); { // in many reads of many sizes
				m, err := c.Write(sent[i:min(len(sent), i+1+i%5000)])
				must(t, err)
				i += m
			}
			wait(t, all)
			close(kept)
			var got []byte
			var wg sync.WaitGroup
			for b := range kept {
				got = append(got, b.Bytes()...)
				if b.slab != nil {
					wg.Go(b.Release)
				}
			}
			wg.Wait()
			if !bytes.Equal(got, sent) {
				t.Error("retained bytes changed")
			}
		})
	}
}

// retainer keeps what it is lent.
type retainer struct {
	script
	kept []*Buffer
}

func (r *retainer) Data(_ Token, b *Buffer) {
	b.Retain()
	r.kept = append(r.kept, b)
}

// Small retained reads share the memory of one read, which is used again when all of
// them are released.
func TestRetainedBuffersShareMemory(t *testing.T) {
	var l lender
	l.init(64 << 10)
	read := func(h Handler, n int) {
		l.room()
		l.lend(h, 1, n)
	}
	first := l.slab
	var h retainer
	for range 100 {
		read(&h, 20)
	}
	if l.slab != first || l.used != 100*64 {
		t.Errorf("100 reads of 20 bytes use %d bytes of slab %p, which was %p", l.used, l.slab, first)
	}
	for i, b := range h.kept {
		if len(b.Bytes()) != 20 || cap(b.Bytes()) != 20 {
			t.Errorf("%d bytes, capacity %d", len(b.Bytes()), cap(b.Bytes()))
		}
		if i > 0 {
			b.Release()
		}
	}
	read(&h, 20)
	if l.used != 101*64 {
		t.Error("memory is used again while a part of it is retained")
	}
	h.kept[0].Release()
	h.kept[len(h.kept)-1].Release()
	read(&script{data: func(_ Token, b *Buffer) {
		if &b.Bytes()[0] != &first.mem[0] {
			t.Error("memory that is free is not used again")
		}
	}}, 20)

	h.kept = nil
	read(&h, 60_000) // leaves less than a quarter
	if n := len(l.room()); l.slab == first || n != 64<<10 {
		t.Errorf("reads become small: %d bytes", n)
	}
	if first.refs.Load() != 1 {
		t.Errorf("%d references to a slab that one buffer holds", first.refs.Load())
	}
	h.kept[0].Release()
	if first.refs.Load() != 0 {
		t.Errorf("%d references to a slab that nobody holds", first.refs.Load())
	}
}

func TestMisuseOfBuffersPanics(t *testing.T) {
	var l lender
	l.init(100)
	panics := func(what string, f func()) {
		t.Helper()
		defer func() {
			t.Helper()
			if recover() == nil {
				t.Errorf("%s does not panic", what)
			}
		}()
		f()
	}
	var late *Buffer
	l.lend(&script{data: func(_ Token, b *Buffer) {
		panics("Release of what is lent", b.Release)
		late = b
	}}, 1, 10)
	panics("Retain after Data", late.Retain)
	l.lend(&script{data: func(_ Token, b *Buffer) {
		b.Retain()
		panics("Retain twice", b.Retain)
		b.Release()
		panics("Release twice", b.Release)
	}}, 1, 10)
}
