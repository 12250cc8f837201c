package client

import (
	"context"
	"encoding/binary"
	"slices"
	"time"

	"github.com/gobwas/ws"
)

// urgent are the control frames that whoever reads has sent by whoever can write. A reader that waited for its turn to write, while
// the server does not read before it is read from, would wait for ever.
type urgent struct {
	pong    []byte // of the latest ping: the others need no answer (RFC 6455, section 5.5.3)
	hasPong bool
	beat    bool      // the heartbeat wants a ping
	beaten  time.Time // when that was sent; zero: not yet
}

// ping is one that waits for its pong.
type ping struct {
	number uint64
	done   chan struct{}
}

// Ping sends a ping and waits for its pong, which only a Read under way sees. A context that ends while it waits leaves the
// connection as it is; one that ends while the ping is being sent closes it.
func (c *Conn) Ping(ctx context.Context) error {
	p, err := c.sendPing(ctx)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-c.gone:
		return c.err()
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		c.waiting = slices.DeleteFunc(c.waiting, func(w ping) bool { return w.number == p.number })
		return contextError(ctx)
	}
}

func (c *Conn) sendPing(ctx context.Context) (ping, error) {
	if err := c.lock(ctx); err != nil {
		return ping{}, err
	}
	defer c.watch(ctx)()
	defer c.unlock()
	c.pings++
	p := ping{c.pings, make(chan struct{})}
	c.mu.Lock()
	c.waiting = append(c.waiting, p)
	c.mu.Unlock()
	return p, c.frame(ws.OpPing, binary.BigEndian.AppendUint64(nil, p.number))
}

// ponged ends the wait for a ping and for those before it: a server may answer the latest only (RFC 6455, section 5.5.3). A pong
// that answers none of ours is a heartbeat of the server's.
func (c *Conn) ponged(payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(payload) != 8 {
		return
	}
	number := binary.BigEndian.Uint64(payload)
	if !slices.ContainsFunc(c.waiting, func(p ping) bool { return p.number == number }) {
		return
	}
	for len(c.waiting) > 0 && c.waiting[0].number <= number {
		close(c.waiting[0].done)
		c.waiting = c.waiting[1:]
	}
}

// pong has a ping answered.
func (c *Conn) pong(payload []byte) {
	c.mu.Lock()
	c.urgent.pong, c.urgent.hasPong = append(c.urgent.pong[:0:0], payload...), true
	c.mu.Unlock()
	c.hurry()
}

// beat has the heartbeat's ping sent. Whatever comes back will do.
func (c *Conn) beat() {
	c.mu.Lock()
	c.urgent.beat, c.urgent.beaten = true, time.Time{}
	c.mu.Unlock()
	c.hurry()
}

// beaten returns when the heartbeat's ping was sent.
func (c *Conn) beaten() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.urgent.beaten
}

// hurry sends what is urgent, or leaves it to who writes.
func (c *Conn) hurry() {
	if c.tryLock() {
		c.unlock()
	}
}

func (c *Conn) isUrgent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failure == nil && (c.urgent.hasPong || c.urgent.beat)
}

// flushUrgent sends what is urgent. The caller is the writer. An error has ended the connection, which is where it is seen.
func (c *Conn) flushUrgent() {
	for c.isUrgent() {
		c.mu.Lock()
		u := c.urgent
		c.urgent.hasPong, c.urgent.beat = false, false
		c.mu.Unlock()
		if c.closeSent {
			return
		}
		if u.hasPong {
			c.frame(ws.OpPong, u.pong)
		}
		if u.beat && c.frame(ws.OpPing, nil) == nil {
			c.mu.Lock()
			c.urgent.beaten = time.Now()
			c.mu.Unlock()
		}
	}
}
