package poller

import (
	"sync"
	"sync/atomic"
)

// A Buffer is memory that one read has filled. It is lent to Handler.Data; Retain
// turns the loan into ownership. A retained small read costs its own size and not
// that of a whole read buffer: the engine goes on reading into what is left behind
// it, and the memory is used again when all of its parts are released.
type Buffer struct {
	bytes []byte
	slab  *slab
	from  *lender
	state atomic.Uint32
}

const (
	lent uint32 = iota
	retained
	released
)

// Bytes returns what was read. The slice may be changed; its capacity ends with it.
func (b *Buffer) Bytes() []byte { return b.bytes }

// Retain makes the caller the owner of b until Release. It may be called once, and
// only within the Data call that lent b.
func (b *Buffer) Retain() {
	if !b.from.lending || b.from.buf != b || !b.state.CompareAndSwap(lent, retained) {
		panic("poller: Retain of a Buffer outside of its Data call, or twice")
	}
	b.slab.refs.Add(1)
	b.from.taken = true
}

// Release gives a retained Buffer back. It may be called from any goroutine, once;
// the bytes must not be touched any more.
func (b *Buffer) Release() {
	if !b.state.CompareAndSwap(retained, released) {
		panic("poller: Release of a Buffer that is not retained, or twice")
	}
	s, from := b.slab, b.from
	b.bytes, b.slab = nil, nil
	from.buffers.Put(b)
	from.drop(s)
}

// A slab is the memory of one read buffer. The lender holds one reference to the
// slab that it fills, and each retained Buffer one.
type slab struct {
	mem  []byte
	refs atomic.Int32
}

// A lender makes the Buffers of one engine. Only the loop may use it, except for
// the two pools and drop.
type lender struct {
	buf     *Buffer // the one to lend next
	slab    *slab   // the one being filled
	used    int     // bytes of it that were retained
	size    int     // bytes of a slab
	lending bool    // Data is running
	taken   bool    // ... and called Retain

	handedOver bool // bytes were retained since the loop last yielded

	buffers, slabs sync.Pool
}

func (l *lender) init(size int) {
	l.size = size
	l.slab, l.buf = l.newSlab(), l.newBuffer()
}

func (l *lender) newSlab() *slab {
	s, ok := l.slabs.Get().(*slab)
	if !ok {
		s = &slab{mem: make([]byte, l.size)}
	}
	s.refs.Store(1)
	return s
}

func (l *lender) newBuffer() *Buffer {
	b, ok := l.buffers.Get().(*Buffer)
	if !ok {
		b = &Buffer{from: l}
	}
	b.state.Store(lent)
	return b
}

func (l *lender) drop(s *slab) {
	if s.refs.Add(-1) == 0 {
		l.slabs.Put(s)
	}
}

// room is the memory for the next read.
func (l *lender) room() []byte {
	if l.used > 0 {
		l.makeRoom()
	}
	return l.slab.mem[l.used:]
}

func (l *lender) makeRoom() {
	switch {
	case l.slab.refs.Load() == 1: // all that was retained is released
		l.used = 0
	case l.used > l.size-(l.size+3)/4:
		// Less than a quarter is left: reads would become small. The parts that are
		// still out keep the old slab; the last Release frees it.
		old := l.slab
		l.slab, l.used = l.newSlab(), 0
		l.drop(old)
	}
}

// lend hands the first n bytes of room to the handler. Nothing is allocated, and
// no atomic operation is done, unless it retains them.
func (l *lender) lend(h Handler, t Token, n int) {
	b := l.buf
	b.bytes, b.slab = l.slab.mem[l.used:l.used+n:l.used+n], l.slab
	l.lending = true
	h.Data(t, b)
	l.lending = false
	if l.taken {
		l.taken, l.handedOver = false, true
		l.buf = l.newBuffer()
		// Whole cache lines: the retained part goes to another core, the rest stays.
		l.used = min(l.used+(n+63)&^63, l.size)
	}
}
