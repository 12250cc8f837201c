package server

import (
	"errors"
	"slices"
)

// subscription is one connection's place in one topic. It belongs to the loop.
type subscription struct {
	conn   *Conn
	topic  *Topic
	index  int    // in the shard, -1 if it is not there
	number uint64 // the newest publication that was queued for it, or that its snapshot holds
	seq    uint64
	stale  bool // it missed some, and stands in subscriptions.stale
}

// subscriptions is what a connection with at least one subscription keeps for them.
type subscriptions struct {
	list     []*subscription // guarded by Conn.mu; searched linearly: Config.MaxTopics bounds it
	stale    []*subscription // the loop's
	sentAt   uint32          // the loop's: the tick of the last write
	silences uint64          // the loop's: calls of Config.OnSilence
}

// ErrTooManyTopics is what Conn.Subscribe returns at Config.MaxTopics.
var ErrTooManyTopics = errors.New("server: the connection has as many subscriptions as Config.MaxTopics allows")

// Subscribe adds the connection to t's subscribers, after what was sent before and before what is sent from now on. What is
// published after it returns arrives. It is no error to do so twice. The error is ErrTooManyTopics, or wraps net.ErrClosed if the
// connection is closing or closed. A foreign server's topic panics.
func (c *Conn) Subscribe(t *Topic) error {
	if t.srv != c.loop.srv {
		panic("server: Subscribe to a topic of another server")
	}
	c.mu.Lock()
	if c.State() != Open {
		c.mu.Unlock()
		return errGone
	}
	if c.subs == nil {
		c.subs = new(subscriptions)
	}
	for _, s := range c.subs.list {
		if s.topic == t {
			c.mu.Unlock()
			return nil
		}
	}
	if len(c.subs.list) >= c.loop.srv.config.MaxTopics {
		c.mu.Unlock()
		return ErrTooManyTopics
	}
	s := &subscription{conn: c, topic: t, index: -1, number: t.expect(c.loop)}
	c.subs.list = append(c.subs.list, s)
	c.pushLocked(entry{kind: entrySubscribe, sub: s})
	c.unlockAndPost()
	return nil
}

// Unsubscribe removes the connection from t's subscribers, in order with what it is sent: a message sent after this call arrives
// after the topic's last one. It is no error if it was none. The error wraps net.ErrClosed if the connection is closing or closed.
func (c *Conn) Unsubscribe(t *Topic) error {
	c.mu.Lock()
	if c.State() != Open {
		c.mu.Unlock()
		return errGone
	}
	if c.subs != nil {
		for i, s := range c.subs.list {
			if s.topic == t {
				list := c.subs.list
				list[i] = list[len(list)-1]
				list[len(list)-1] = nil
				c.subs.list = list[:len(list)-1]
				c.pushLocked(entry{kind: entryUnsubscribe, sub: s})
				break
			}
		}
	}
	c.unlockAndPost()
	return nil
}

// steps does the subscribes and unsubscribes in c's queue.
func (l *loop) steps(c *Conn) {
	c.mu.Lock()
	if c.out != nil {
		l.stepsLocked(c)
	}
	c.mu.Unlock()
}

// stepsLocked puts, in the place of each subscribe in the queue, the topic's retained value, if it has one.
func (l *loop) stepsLocked(c *Conn) {
	o := c.out
	if o.steps == 0 {
		return
	}
	for i := o.head; i < len(o.queue) && o.steps > 0; i++ {
		e := &o.queue[i]
		if e.kind < entrySubscribe {
			continue
		}
		o.steps--
		if e.kind == entryUnsubscribe {
			l.leave(e.sub)
			if e.sub.stale && c.subs != nil {
				c.subs.stale = slices.DeleteFunc(c.subs.stale, func(s *subscription) bool { return s == e.sub })
			}
		} else if p := l.join(e.sub); p != nil {
			first := p.snapshot
			if first == nil {
				first = p.frame
			}
			e.frame, e.kind, e.sub = c.firstLocked(first), entryData, nil
			o.bytes += len(e.frame)
			continue
		}
		e.kind, e.sub = entryDropped, nil
		o.dead++
		c.forgetLocked(e)
	}
	c.trimLocked()
	o.compact()
	if l.srv.config.SilenceAfter > 0 && c.subs != nil && c.State() == Open {
		c.subs.sentAt = l.now()
		l.wheel.sooner(c.token.Slot(), l.now()+ticks(l.srv.config.SilenceAfter))
	}
}

// join enters s into its topic and returns the retained value, of which s is considered to have been told.
func (l *loop) join(s *subscription) *publication {
	t, sh := s.topic, l.shard(s.topic)
	s.index = len(sh.subs)
	sh.subs = append(sh.subs, s)
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.config.Retain || t.last == nil {
		return nil
	}
	s.number, s.seq = t.count, t.last.seq
	return t.last
}

// leave takes s out of its topic.
func (l *loop) leave(s *subscription) {
	t, sh := s.topic, l.shard(s.topic)
	t.mu.Lock()
	t.active[l.id]--
	t.mu.Unlock()
	if s.index < 0 { // it had not joined yet
		return
	}
	last := len(sh.subs) - 1
	sh.subs[s.index] = sh.subs[last]
	sh.subs[s.index].index = s.index
	sh.subs[last] = nil
	sh.subs = sh.subs[:last]
	s.index = -1
	if last == 0 {
		sh.subs, sh.bridge = nil, bridge{}
	}
}

func (l *loop) unsubscribeAll(subs *subscriptions) {
	for _, s := range subs.list {
		l.leave(s)
	}
}
