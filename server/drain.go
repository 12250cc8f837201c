package server

import (
	"github.com/roostws/roost/poller"
)

// drain is a loop's part of a shutdown.
type drain struct {
	on       bool
	window   uint32         // ticks from the first Close frame to the last
	from     uint32         // the tick of the first
	sent     int            // connections that have theirs
	queue    []poller.Token // all that were open, in random order
	finished func()         // called once, when no connection is left
}

// startDrain closes the listeners and begins to say goodbye: 1001 to every open connection, spread over window ticks in random
// order, so that the clients do not come back all at once.
func (l *loop) startDrain(window uint32, finished func()) {
	l.stopAccepting()
	l.drain = drain{on: true, window: window, from: l.now(), finished: finished}
	var refused []*Conn
	for c := range l.conns.all {
		switch {
		case c.State() == Open:
			l.drain.queue = append(l.drain.queue, c.token)
		case c.State() == Connecting && c.phase != phaseDiscard:
			refused = append(refused, c)
		}
	}
	for _, c := range refused {
		if c.phase == phaseHello || c.phase == phaseShaking || c.phase == phaseProxy { // no answer can be sent yet
			l.end(c, Close{Reason: ReasonRefusedFull})
			continue
		}
		l.refuse(c, errFull)
	}
	l.rand.Shuffle(len(l.drain.queue), func(i, j int) {
		q := l.drain.queue
		q[i], q[j] = q[j], q[i]
	})
	l.drainStep()
	l.drained()
}

// drainStep sends the Close frames that are due by now.
func (l *loop) drainStep() {
	d := &l.drain
	if !d.on || d.sent == len(d.queue) {
		return
	}
	upTo := len(d.queue)
	if passed := l.tick - d.from; passed < d.window {
		upTo = int(uint64(len(d.queue)) * uint64(passed+1) / uint64(d.window+1))
	}
	for ; d.sent < upTo; d.sent++ {
		t := d.queue[d.sent]
		c := l.conns.get(t.Slot())
		if c == nil || c.token != t {
			continue
		}
		c.mu.Lock()
		if c.State() == Open {
			row := &reasonTable[ReasonShutdown]
			c.closeLocked(Close{Reason: ReasonShutdown, Code: row.code, Text: row.text}, 0)
			l.dirtyLocked(c)
		}
		c.mu.Unlock()
	}
}

// drained tells the shutdown that this loop has no connection left.
func (l *loop) drained() {
	if l.drain.on && l.open == 0 && l.drain.finished != nil {
		l.drain.finished()
		l.drain.finished = nil
	}
}

// force ends every connection at once and returns how many of them were open. Those are told so first, as far as their sockets take it.
func (l *loop) force() int {
	l.drain.window = 0
	l.drainStep()
	var all []*Conn
	for c := range l.conns.all {
		all = append(all, c)
	}
	opened := 0
	for _, c := range all {
		if c.State() != Connecting {
			opened++
			l.flush(c)
		}
		l.end(c, Close{Reason: ReasonShutdown})
	}
	return opened
}
