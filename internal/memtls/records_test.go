package memtls

import (
	"slices"
	"testing"
)

// FuzzPortions hands out streams of records as wire.take does. Pieces are whole
// records where a whole one fits, and a last whole record goes alone.
func FuzzPortions(f *testing.F) {
	f.Add([]byte{10, 0, 200, 3}, uint16(576), uint16(20))
	f.Add([]byte{1, 1, 1, 1, 1, 1, 1, 1}, uint16(30), uint16(1000))
	f.Add([]byte{255, 255}, uint16(100), uint16(7))
	f.Fuzz(func(t *testing.T, sizes []byte, room, feed uint16) {
		if room == 0 || feed == 0 || len(sizes) > 50 {
			return
		}
		var stream []byte
		ends := map[int]bool{0: true}
		for _, size := range sizes {
			n := int(size) * 5
			stream = append(append(stream, 23, 3, 3, byte(n>>8), byte(n)), make([]byte, n)...)
			ends[len(stream)] = true
		}
		var at records
		past := 0
		for chunk := range slices.Chunk(stream, int(feed)) {
			for len(chunk) > 0 {
				n := at.portion(chunk, int(room))
				if n <= 0 || n > len(chunk) || n > int(room) {
					t.Fatalf("%d of %d bytes for a room of %d", n, len(chunk), room)
				}
				mustBePortion(t, ends, past, n, len(chunk), int(room))
				at.pass(chunk[:n])
				if past += n; ends[past] != (at == records{}) {
					t.Fatalf("at %d: %+v", past, at)
				}
				chunk = chunk[n:]
			}
		}
	})
}

// mustBePortion checks n of the bytes there, which begin at past.
func mustBePortion(t *testing.T, ends map[int]bool, past, n, there, room int) {
	t.Helper()
	var whole []int // where records end in what is there
	for i := 1; i <= there; i++ {
		if ends[past+i] {
			whole = append(whole, i)
		}
	}
	switch {
	case len(whole) == 0 || whole[0] > room: // no whole one: as much as there is
		if n != min(there, room) {
			t.Fatalf("%d of %d bytes without a whole record, for a room of %d", n, there, room)
		}
	case !ends[past+n]:
		t.Fatalf("%d of %d bytes are no whole records, those end at %v", n, there, whole)
	case len(whole) > 1 && n == whole[len(whole)-1]:
		t.Fatalf("the last of %d records did not go alone", len(whole))
	case len(whole) > 2 && n < room && n != whole[len(whole)-2]:
		if next := whole[slices.Index(whole, n)+1]; next <= room {
			t.Fatalf("%d bytes, where %d would have fitted into %d", n, next, room)
		}
	}
}
