package pool

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// Buffers of 64 B to 1 MiB come in classes, powers of two; a bigger one is an
// allocation of its own.
const (
	minClass = 6
	maxClass = 20
)

var classes [maxClass - minClass + 1]sync.Pool

// Buffer is memory lent by [Get]. It has one owner at a time, who may be any
// goroutine.
type Buffer struct {
	data []byte // of the length asked for and the capacity of its class
	lent atomic.Bool
}

// Get returns a buffer of n bytes, whose content is whatever its last user left.
// Sizes up to 1 MiB are rounded up to a power of two, at least 64, and come from
// a free list; bigger ones are allocated. n must not be negative.
func Get(n int) *Buffer {
	if n > 1<<maxClass {
		b := &Buffer{data: make([]byte, n)}
		b.lent.Store(true)
		return b
	}
	class := classOf(n)
	b, _ := classes[class].Get().(*Buffer)
	if b == nil {
		b = &Buffer{data: make([]byte, 1<<(class+minClass))}
	}
	b.data = b.data[:n]
	b.lent.Store(true)
	return b
}

// classOf returns the class of the smallest buffer that has n bytes.
func classOf(n int) int {
	if n <= 1<<minClass {
		return 0
	}
	return bits.Len(uint(n-1)) - minClass
}

// Bytes returns the buffer's memory, of the length given to [Get]; up to its
// capacity it may be resliced. Panics after Release.
func (b *Buffer) Bytes() []byte {
	if !b.lent.Load() {
		panic("pool: Bytes of a released Buffer")
	}
	return b.data
}

// Release gives the memory back. The owner must not use the buffer, nor what
// Bytes returned, from then on. A second Release panics, unless the buffer has a
// new owner by then.
func (b *Buffer) Release() {
	if !b.lent.CompareAndSwap(true, false) {
		panic("pool: Buffer released twice")
	}
	if c := cap(b.data); c <= 1<<maxClass {
		classes[classOf(c)].Put(b)
	}
}
