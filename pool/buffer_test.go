package pool

import (
	"encoding/binary"
	"sync"
	"testing"
)

func TestBufferClasses(t *testing.T) {
	tests := []struct{ n, capacity int }{
		{0, 64}, {1, 64}, {63, 64}, {64, 64},
		{65, 128}, {128, 128}, {129, 256},
		{1<<15 + 1, 1<<16 + room}, {1<<16 + room, 1<<16 + room}, {1<<16 + room + 1, 1<<17 + room},
		{1<<20 + 8<<10, 1<<20 + 8<<10}, {1<<20 + 8<<10 + 1, 1<<21 + room},
		{1<<20 + 10, 1<<20 + room}, {3 << 20, 1<<22 + room},
		{1<<22 + room, 1<<22 + room}, {1<<22 + room + 1, 1<<22 + room + 1},
	}
	for range 2 { // new ones, then perhaps old ones
		for _, tt := range tests {
			b := Get(tt.n)
			// A plain allocation may be rounded up by the runtime.
			if len(b.Bytes()) != tt.n || cap(b.Bytes()) < tt.capacity || tt.n <= 1<<22+room && cap(b.Bytes()) != tt.capacity {
				t.Errorf("Get(%d): length %d and capacity %d, want capacity %d", tt.n, len(b.Bytes()), cap(b.Bytes()), tt.capacity)
			}
			b.Release()
		}
	}
}

func TestBufferMisuse(t *testing.T) {
	for _, n := range []int{0, 64, 1 << 20, 1<<22 + room + 1} {
		b := Get(n)
		b.Release()
		panics(t, "released twice", b.Release)
		panics(t, "released Buffer", func() { b.Bytes() })
	}
}

// TestBufferHasOneOwner passes buffers between goroutines; the race detector and
// the contents tell if two have the same.
func TestBufferHasOneOwner(t *testing.T) {
	passed := make(chan *Buffer, 16)
	var makers, takers sync.WaitGroup
	for m := range 4 {
		makers.Go(func() {
			for i := range 2000 {
				b := Get(8 << (i % 6))
				for j := 0; j < len(b.Bytes()); j += 8 {
					binary.LittleEndian.PutUint64(b.Bytes()[j:], uint64(m<<32|i))
				}
				passed <- b
			}
		})
		takers.Go(func() {
			for b := range passed {
				first := binary.LittleEndian.Uint64(b.Bytes())
				for j := 8; j < len(b.Bytes()); j += 8 {
					if got := binary.LittleEndian.Uint64(b.Bytes()[j:]); got != first {
						t.Errorf("a buffer holds %x and %x: two owners wrote to it", first, got)
					}
				}
				b.Release()
			}
		})
	}
	makers.Wait()
	close(passed)
	takers.Wait()
}
