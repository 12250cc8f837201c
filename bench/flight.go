package bench

// flight is the messages of one connection that are due or unanswered, the oldest
// first. A server that echoes answers in order, or nearly so.
type flight struct {
	entries []entry // a ring
	head    int
	size    int // entries, of which some may be answered already
	live    int // of them, how many are not
	unsent  int // of those, how many at the end are due and not written
	first   int // the number of the entry at head, counted from the first of all
	passed  []entry
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
	f.live++
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

// reorder is how far replies may overtake each other. A message that was passed by a
// reply to one further behind it gets none any more.
const reorder = 128

// lookBack is how many messages are looked at for the one that a reply answers.
const lookBack = 1024

// answered takes the message whose payload has that hash: the oldest, as a rule, but a
// server may answer out of order, or not at all. What it has left out is in passed then.
func (f *flight) answered(sum uint64) (entry, bool) {
	looked := 0
	for i := 0; i < f.size-f.unsent && looked < lookBack; i++ {
		e := &f.entries[(f.head+i)%len(f.entries)]
		if e.sent == answeredState {
			continue
		}
		if looked++; e.sum != sum {
			continue
		}
		found, number := *e, f.first+i
		e.sent = answeredState
		f.live--
		f.tidy()
		f.passed = f.passed[:0]
		for f.size > f.unsent && f.first < number-reorder {
			f.passed = append(f.passed, f.take())
		}
		return found, true
	}
	return entry{}, false
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
	e := f.drop()
	f.live--
	if e.sent == 0 {
		f.unsent--
	}
	f.tidy()
	return e
}

// tidy drops the oldest entries as long as they were answered.
func (f *flight) tidy() {
	for f.size > f.unsent && f.entries[f.head].sent == answeredState {
		f.drop()
	}
}

func (f *flight) drop() entry {
	e := f.entries[f.head]
	f.head = (f.head + 1) % len(f.entries)
	f.size--
	f.first++
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
