package server

import "time"

// maxIov is how many entries one write takes: past that the copy into the kernel is what costs, not the call.
const maxIov = 64

// maxRounds is how many writes of maxIov entries one connection may have in a turn.
const maxRounds = 16

// flush writes what a connection has queued, until the kernel takes no more.
func (l *loop) flush(c *Conn) {
	c.mu.Lock()
	resume := c.posted&postedResume != 0
	c.posted &^= postedFlush | postedResume
	if c.State() == Closed {
		c.mu.Unlock()
		return
	}
	if c.out != nil { // a blocked one is not written
		l.stepsLocked(c)
	}
	err := l.writeLocked(c)
	empty := c.out == nil
	life := c.life
	finish := life != nil && life.finish
	behind := empty && c.subs != nil && len(c.subs.stale) > 0
	c.mu.Unlock()

	if err != nil {
		l.end(c, Close{Reason: ReasonReset, Err: err})
		return
	}
	if resume && c.flags&flagPaused != 0 { // a closing one too: the peer's Close frame is to be read
		c.flags &^= flagPaused
		c.heard, c.partial = l.now(), uint16(l.now()) // the peer was silent because we did not listen
		l.engine.Resume(c.token)
	}
	switch {
	case life != nil:
		l.closing(c, life, empty, finish)
	case behind:
		l.catchUp(c)
	}
}

// writeLocked offers the queue to the engine until it is empty or the engine takes less, or others have had to wait long enough. The
// lock is not held while the kernel copies, so that a handler which sends does not wait for it: what is being written is pinned.
func (l *loop) writeLocked(c *Conn) error {
	for round := 0; c.out != nil && !c.out.blocked; round++ {
		if round == maxRounds { // it is filled as fast as it is emptied: go on in the next turn
			c.postLocked()
			return nil
		}
		l.stepsLocked(c)
		// No more than half of the bound is pinned: of the rest a policy can drop the oldest while a write is under way, and has
		// not to refuse the newest.
		sealed, most := c.out.sealed(), l.srv.config.MaxOutbound/2+1
		if c.flags&flagSecure != 0 && !sealed {
			most = min(most, maxSeal)
		}
		iov := c.out.gather(l.iov[:0], most)
		if len(iov) == 0 {
			c.advanceLocked(0)
			if len(c.out.queue) == 0 {
				c.emptyLocked()
			}
			return nil
		}
		total := 0
		for _, b := range iov {
			total += len(b)
		}
		c.mu.Unlock()
		n, rest, err := l.offer(c, iov, sealed)
		clear(iov)
		c.mu.Lock()
		if err != nil {
			return err
		}
		c.advanceLocked(n)
		if n > 0 && c.subs != nil {
			c.subs.sentAt = l.now()
		}
		if rest != nil {
			c.pushSealedLocked(entry{kind: entrySealed, owner: rest.owner, frame: rest.bytes})
			c.out.blocked = true
		} else if n < total {
			c.out.blocked = true
			if !l.engine.Holds() { // the rest is ours again, to be dropped or replaced
				c.out.pinned = 0
			}
		} else if len(c.out.queue) == 0 {
			c.emptyLocked()
		}
	}
	return nil
}

// closing goes on with a connection that is ending, or was refused, after a flush; finish says that nothing is waited for. Of
// life it may touch only what is the loop's.
func (l *loop) closing(c *Conn, life *lifecycle, flushed, finish bool) {
	if c.State() == Connecting && c.phase != phaseDiscard { // life holds a request, and TLS had something to write
		return
	}
	if flushed && (finish || c.phase == phaseDiscard && c.flags&flagEnding != 0) {
		l.end(c, Close{})
		return
	}
	if !life.timed {
		life.timed = true
		wait := l.srv.config.CloseTimeout
		if c.State() == Connecting {
			wait = min(wait, lingerRefused)
		}
		l.wheel.set(c.token.Slot(), l.now()+ticks(wait))
	}
	if flushed && c.phase == phaseDiscard && !life.shut { // we will read no answer: tell the peer that nothing more comes
		life.shut = true
		l.closeTLS(c)
		l.engine.CloseWrite(c.token)
	}
}

// lingerRefused is for how long a refused peer may take to end its stream after ours has ended.
const lingerRefused = time.Second
