package bench

import (
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/bench/report"
	"github.com/roostws/roost/wsproto"
)

const textMessage = ws.OpText

// work is what a scenario does on one loop. All methods run on the loop, and the
// loop's now is the time of what they are told.
type work interface {
	// role says what the client of that number is. Publishers are not asked for.
	role(number uint32) role
	// opened tells of a handshake that is done and how long it took. The connection
	// is corked, and its hello is sent.
	opened(c *conn, took time.Duration)
	// refused tells of an attempt that failed.
	refused(number uint32, r role)
	// message brings a text or binary message. The connection is corked.
	message(c *conn, m wsproto.Message)
	// writable says that what the kernel did not take at first is gone.
	writable(c *conn)
	// gone says that a connection is open no more.
	gone(c *conn)
	// turn does what is due and returns when something will be.
	turn() int64
	// drained tells, after the measure phase, whether nothing is awaited any more.
	drained() bool
	// finish counts what did not come. Connections close afterwards.
	finish()
	// gauge adds what only the scenario knows.
	gauge(g *report.Gauges)
	// release frees what is not the loop's.
	release()
}

func newWork(l *loop) (work, error) {
	switch l.config.Scenario {
	case Churn:
		return newChurn(l), nil
	case Storm:
		return newStorm(l), nil
	case Slow:
		return newSlow(l)
	case HalfOpen:
		return newHalfOpen(l)
	}
	return newTraffic(l, l.config.Scenario)
}

// newTraffic makes the work that can also go on beside slow and vanished clients.
func newTraffic(l *loop, scenario string) (work, error) {
	switch scenario {
	case Echo:
		return newEcho(l)
	case Fanout:
		return newFanout(l)
	case Feed:
		return newFeed(l)
	}
	return &idle{l: l}, nil
}

// idle holds connections and answers pings. Other scenarios begin with what it does
// not do.
type idle struct{ l *loop }

func (*idle) role(uint32) role               { return client }
func (*idle) opened(*conn, time.Duration)    {}
func (*idle) refused(uint32, role)           {}
func (*idle) message(*conn, wsproto.Message) {}
func (*idle) writable(*conn)                 {}
func (*idle) gone(*conn)                     {}
func (*idle) turn() int64                    { return never }
func (*idle) drained() bool                  { return true }
func (*idle) finish()                        {}
func (*idle) gauge(*report.Gauges)           {}
func (*idle) release()                       {}
