package pool

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// Buffers of 64 B to 4 MiB come in classes, powers of two; a bigger one is an
// allocation of its own. From 64 KiB on a class has one of Go's pages more, so that a message
// whose size is a power of two, as sizes of large messages like to be, takes no
// buffer of twice its size for the few bytes of its frame's header.
const (
	minClass = 6
	maxClass = 22
	roomy    = 16 // the first class with more
	room     = 8 << 10
)

// capacity is what the buffers of a class hold.
func capacity(class int) int {
	n := 1 << (class + minClass)
	if class+minClass >= roomy {
		n += room
	}
	return n
}

var classes [maxClass - minClass + 1]sync.Pool

// Buffer is memory lent by [Get]. It has one owner at a time, who may be any
// goroutine.
type Buffer struct {
	data  []byte // of the length asked for and the capacity of its class
	class int8   // -1: it has none
	lent  atomic.Bool
}

// Get returns a buffer of n bytes, whose content is whatever its last user left.
// Sizes up to 4 MiB and 8 KiB are rounded up to a class, of at least 64, and come
// from a free list; bigger ones are allocated. n must not be negative.
func Get(n int) *Buffer {
	class := classOf(n)
	if class >= len(classes) {
		b := &Buffer{data: make([]byte, n), class: -1}
		b.lent.Store(true)
		return b
	}
	b, _ := classes[class].Get().(*Buffer)
	if b == nil {
		b = &Buffer{data: make([]byte, capacity(class)), class: int8(class)}
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
	class := bits.Len(uint(n-1)) - minClass
	if n <= capacity(class-1) {
		return class - 1
	}
	return class
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
	if b.class >= 0 {
		classes[b.class].Put(b)
	}
}
