package server

import (
	"sync"
	"time"

	"github.com/roostws/roost/gate"
)

// Stats is what a Server has done since New, summed over its loops. It is at most one turn of each loop old.
type Stats struct {
	Open         int    // connections that are open now, closing ones included
	Accepted     uint64 // connections taken from the listeners, and those that Upgrade took over
	Opened       uint64 // of these, whose handshake was answered with 101
	Plain        uint64 // of these, handed to Config.HTTP
	MessagesIn   uint64
	MessagesOut  uint64
	BytesIn      uint64 // on the wire, handshakes and frame headers included
	BytesOut     uint64
	PingsIn      uint64
	PongsIn      uint64
	PingsOut     uint64 // of the heartbeat
	Dropped      uint64 // messages discarded for slow readers
	Conflated    uint64 // messages replaced by newer ones for slow readers
	Overruns     uint64 // publications of plain topics that a loop had no room for (Config.MaxPending)
	Stalls       uint64 // times that a full mailbox stopped the reading of a connection
	AcceptPauses uint64 // times that accepting stopped for want of descriptors or memory
	Panics       uint64 // of handlers
	Unsent       int64  // bytes of memory that outbound queues take now
	Turns        uint64 // turns of the loops in which there was something to do
	TurnTime     time.Duration
	TurnMax      time.Duration // the longest turn: for how long a connection of that loop had to wait

	UpgradesRefused uint64            // requests that Upgrade and UpgradeTo have refused, which are in Reasons too, and not in Accepted
	TLS             TLSStats          // of the handshakes on listeners of ListenTLS
	Addresses       gate.LimiterStats // of Config.PerAddress
	Routes          []RouteStats      // of Config.Routes, in their order

	// Reasons counts connections by why they ended, or were refused: index it with a Reason.
	Reasons [reasons]uint64
}

// TLSStats is what is going on of TLS handshakes. Those that failed are Stats.Reasons' ReasonHandshakeTLS.
type TLSStats struct {
	UnderWay int    // handshakes that compute, or wait for their peer (Config.MaxTLSHandshakes)
	Waiting  int    // handshakes that wait for a place among those
	Refused  uint64 // handshakes that found too many waiting
}

// counters is a loop's part of Stats. Only the loop writes it; what others may read is a copy of the last turn's end, so that
// counting a message costs one plain addition.
type counters struct {
	Open, Accepted, Opened, Plain      uint64
	MessagesIn, MessagesOut            uint64
	BytesIn, BytesOut                  uint64
	PingsIn, PongsIn, PingsOut, Stalls uint64
	AcceptPauses, Turns                uint64
	TurnTime, TurnMax                  time.Duration
	Reasons                            [reasons]uint64
}

// published is the copy.
type published struct {
	mu sync.Mutex
	counters
}

func (p *published) update(c *counters) {
	p.mu.Lock()
	p.counters = *c
	p.mu.Unlock()
}

func (p *published) addTo(s *Stats) {
	p.mu.Lock()
	c := p.counters
	p.mu.Unlock()
	s.Open += int(c.Open)
	s.Accepted += c.Accepted
	s.Opened += c.Opened
	s.Plain += c.Plain
	s.MessagesIn += c.MessagesIn
	s.MessagesOut += c.MessagesOut
	s.BytesIn += c.BytesIn
	s.BytesOut += c.BytesOut
	s.PingsIn += c.PingsIn
	s.PongsIn += c.PongsIn
	s.PingsOut += c.PingsOut
	s.Stalls += c.Stalls
	s.AcceptPauses += c.AcceptPauses
	s.Turns += c.Turns
	s.TurnTime += c.TurnTime
	s.TurnMax = max(s.TurnMax, c.TurnMax)
	for i, n := range c.Reasons {
		s.Reasons[i] += n
	}
}

// Stats adds up the loops' counters. It takes no time from them but that of copying.
func (s *Server) Stats() Stats {
	st := Stats{Panics: s.panics.Load(), Addresses: s.gates.limiter.Stats(), Routes: s.routes.stats()}
	if s.crew != nil {
		st.TLS.UnderWay, st.TLS.Waiting = s.crew.Load()
		st.TLS.Refused = s.crew.Refused()
	}
	for i := range s.refused {
		n := s.refused[i].Load()
		st.UpgradesRefused += n
		st.Reasons[i] += n
	}
	s.mu.Lock()
	loops := s.loops
	s.mu.Unlock()
	for _, l := range loops {
		l.stats.addTo(&st)
		st.Dropped += l.dropped.Load()
		st.Conflated += l.conflated.Load()
		st.Overruns += l.overruns.Load()
		st.Unsent += l.unsent.Load()
	}
	return st
}
