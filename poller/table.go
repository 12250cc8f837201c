package poller

const (
	pageBits = 10
	pageSize = 1 << pageBits
	noSlot   = -1
)

// A slot holds what the engine knows of one socket, in 12 bytes.
type slot struct {
	fd         int32  // the descriptor; in a free slot the next free one, or noSlot
	generation uint32 // never 0; counted up when the socket goes
	flags      flags
}

// flags say what a socket is and what the engine may do with it.
type flags uint8

const (
	inUse     flags = 1 << iota // the slot has a socket
	listening                   // accepts instead of reading
	paused                      // Pause was called, or accepting failed
	ended                       // Closed was called: there is nothing left to read
	wanting                     // a Write was short: Writable is due
	armedIn                     // the kernel is asked for readability
	armedOut                    // the kernel is asked for writability
)

// armed returns what the kernel is asked for.
func (f flags) armed() interest { return interest(f / armedIn) }

// wanted returns what the kernel should be asked for.
func (f flags) wanted() (w interest) {
	if f&(paused|ended) == 0 {
		w |= in
	}
	if f&wanting != 0 {
		w |= out
	}
	return w
}

// interest is what a socket is watched for; 0 means that it is not registered with
// the kernel at all, as epoll reports a hang-up even to who asks for nothing.
type interest uint8

const (
	in interest = 1 << iota
	out
)

// A table holds the slots of one engine. It grows by pages, so that growth copies
// nothing and a slot never moves.
type table struct {
	pages []*[pageSize]slot
	top   uint32 // slots below it have been used
	free  int32  // head of the list of free slots, linked through fd; the last freed is the first used
}

func (tb *table) init() { tb.free = noSlot }

// get returns the slot of t, or nil if t is stale.
func (tb *table) get(t Token) *slot {
	i := t.Slot()
	if int(i>>pageBits) >= len(tb.pages) {
		return nil
	}
	s := &tb.pages[i>>pageBits][i&(pageSize-1)]
	if s.generation != t.generation() {
		return nil
	}
	return s
}

func (tb *table) at(i uint32) *slot { return &tb.pages[i>>pageBits][i&(pageSize-1)] }

// add puts fd into a free slot.
func (tb *table) add(fd int, f flags) (Token, *slot) {
	i := tb.top
	if tb.free != noSlot {
		i = uint32(tb.free)
		tb.free = tb.at(i).fd
	} else {
		if int(i>>pageBits) == len(tb.pages) {
			tb.pages = append(tb.pages, new([pageSize]slot))
		}
		tb.at(i).generation = 1
		tb.top++
	}
	s := tb.at(i)
	s.fd, s.flags = int32(fd), f|inUse
	return makeToken(i, s.generation), s
}

// remove frees the slot of t and makes t stale. A token that is kept while its slot
// is used 2^32-1 times more would be taken for a new one.
func (tb *table) remove(t Token, s *slot) {
	if s.generation++; s.generation == 0 {
		s.generation = 1
	}
	s.flags = 0
	s.fd, tb.free = tb.free, int32(t.Slot())
}

// all calls f for every socket. f may remove it.
func (tb *table) all(f func(Token, *slot)) {
	for i := range tb.top {
		if s := tb.at(i); s.flags&inUse != 0 {
			f(makeToken(i, s.generation), s)
		}
	}
}
