package bench

// flight is the messages of one connection that are due or unanswered, the oldest
// first: a server that echoes answers in order.
type flight struct {
	entries []entry // a ring
	head    int
	size    int
	unsent  int // of them, how many at the end are due and not written
}

// entry is one message. Times are nanoseconds since 1970.
type entry struct {
	intended int64  // when the schedule wanted it sent
	sent     int64  // when it was handed to the kernel, 0 when it was not yet
	sum      uint64 // a hash of the payload
}

// push adds a message at the end.
func (f *flight) push(e entry) {
	if f.size == len(f.entries) {
		f.grow()
	}
	f.entries[(f.head+f.size)%len(f.entries)] = e
	f.size++
	if e.sent == 0 {
		f.unsent++
	}
}

func (f *flight) grow() {
	larger := make([]entry, max(1, 2*len(f.entries)))
	for i := range f.size {
		larger[i] = f.entries[(f.head+i)%len(f.entries)]
	}
	f.entries, f.head = larger, 0
}

// answeredState is the sent of a message that was answered before an older one.
const answeredState = -1

// lookBack is how many messages are looked at for the one that a reply answers.
const lookBack = 1024

// answered takes the message whose payload has that hash: the oldest, as a rule, but a
// server may answer out of order, or not at all.
func (f *flight) answered(sum uint64) (entry, bool) {
	for i := range min(f.size-f.unsent, lookBack) {
		e := &f.entries[(f.head+i)%len(f.entries)]
		if e.sum != sum || e.sent == answeredState {
			continue
		}
		found := *e
		e.sent = answeredState
		f.tidy()
		return found, true
	}
	return entry{}, false
}

// tidy drops the oldest messages as long as they were answered.
func (f *flight) tidy() {
	for f.size > f.unsent && f.entries[f.head].sent == answeredState {
		f.head = (f.head + 1) % len(f.entries)
		f.size--
	}
}

// oldest takes the oldest message that was sent.
func (f *flight) oldest() (entry, bool) {
	if f.size == f.unsent {
		return entry{}, false
	}
	return f.take(), true
}

// take takes the oldest message, sent or not.
func (f *flight) take() entry {
	e := f.entries[f.head]
	f.head = (f.head + 1) % len(f.entries)
	f.size--
	if e.sent == 0 {
		f.unsent--
	}
	f.tidy()
	return e
}

// toSend returns the oldest message that was not sent, nil when there is none. Its
// sender calls sent.
func (f *flight) toSend() *entry {
	if f.unsent == 0 {
		return nil
	}
	return &f.entries[(f.head+f.size-f.unsent)%len(f.entries)]
}

func (f *flight) sent(e *entry, now int64, sum uint64) {
	e.sent, e.sum = now, sum
	f.unsent--
}
