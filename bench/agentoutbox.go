package bench

import "sync"

// outbox holds lines for a coordinator that may read slowly, up to a number of bytes.
type outbox struct {
	most int

	mu      sync.Mutex
	changed sync.Cond // on mu
	lines   [][]byte
	bytes   int
	dropped bool // nothing but the last lines is taken
	ended   bool
}

func newOutbox(most int) *outbox {
	o := &outbox{most: most}
	o.changed.L = &o.mu
	return o
}

// put adds a line. When there are too many bytes all that waits is dropped, and false
// says that the stream has a hole from now on.
func (o *outbox) put(line []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.bytes+len(line) > o.most {
		o.dropLocked()
	}
	if o.dropped {
		return false
	}
	o.lines = append(o.lines, line)
	o.bytes += len(line)
	o.changed.Signal()
	return true
}

// last adds an event that is never dropped; with Ended it is the end.
func (o *outbox) last(e event) {
	line, _ := appendEvent(nil, e) // only intervals can be bad JSON
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines = append(o.lines, line)
	o.bytes += len(line)
	o.ended = o.ended || e.Ended
	o.changed.Signal()
}

// drop forgets what waits and takes no more.
func (o *outbox) drop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dropLocked()
}

func (o *outbox) dropLocked() { o.lines, o.bytes, o.dropped = nil, 0, true }

// next waits for a line; false says that the last one was had.
func (o *outbox) next() ([]byte, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.lines) == 0 && !o.ended {
		o.changed.Wait()
	}
	if len(o.lines) == 0 {
		return nil, false
	}
	line := o.lines[0]
	o.lines = o.lines[1:]
	o.bytes -= len(line)
	return line, true
}
