package report

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"time"
)

// Phase is what a run is doing.
type Phase string

// A run goes through its phases in this order.
const (
	Ramp    Phase = "ramp"    // connections open
	Warmup  Phase = "warmup"  // messages flow and are not measured
	Measure Phase = "measure" // messages flow and are measured
	Drain   Phase = "drain"   // nothing new is sent; replies are waited for
	Closing Phase = "closing" // connections close
)

// Phases is all of them, in order.
var Phases = []Phase{Ramp, Warmup, Measure, Drain, Closing}

// Counters count events; they add up over workers and over time.
type Counters struct {
	Attempts int64 `json:"attempts"` // connections begun
	Opened   int64 `json:"opened"`   // handshakes completed
	Failed   int64 `json:"failed"`   // attempts that did not become open; why is in Failures
	Lost     int64 `json:"lost"`     // open connections that ended though the run did not want it; why is in Failures
	Left     int64 `json:"left"`     // open connections that the run ended

	Sent          int64 `json:"sent"`           // messages written, publications and subscribe requests included; pings not
	Received      int64 `json:"received"`       // data messages received, whatever they are
	SentBytes     int64 `json:"sent_bytes"`     // payload only
	ReceivedBytes int64 `json:"received_bytes"` // payload only
	Pings         int64 `json:"pings"`          // pings of the server, each answered

	Compressed   int64 `json:"compressed"`          // handshakes in which the server took the offer to compress
	Declined     int64 `json:"declined"`            // and in which it did not
	SentWire     int64 `json:"sent_wire_bytes"`     // of SentBytes, what went over the wire; counted where compression was offered
	ReceivedWire int64 `json:"received_wire_bytes"` // of ReceivedBytes, the same

	Replies    int64 `json:"replies"`    // echo: messages that answered one of ours
	Mismatched int64 `json:"mismatched"` // echo: messages that answer none that is under way
	Unanswered int64 `json:"unanswered"` // echo: sent, and no reply came by the end
	Unsent     int64 `json:"unsent"`     // open loop: due by the schedule, and never written

	Published  int64 `json:"published"`  // fanout: messages published in the measure phase
	Deliveries int64 `json:"deliveries"` // fanout: of those, received by subscribers
	Duplicates int64 `json:"duplicates"` // fanout: received by a subscriber that had it already
	Unmarked   int64 `json:"unmarked"`   // fanout, feed: data messages in which no mark or stamp was found
	Untracked  int64 `json:"untracked"`  // fanout: deliveries of more publications than the table holds

	Snapshots int64 `json:"snapshots"` // feed
	Updates   int64 `json:"updates"`   // feed
	Gaps      int64 `json:"gaps"`      // feed: updates whose prev is not the seq before it
	Repeats   int64 `json:"repeats"`   // feed: updates whose seq is not above the one before it

	SlowReceived int64 `json:"slow_received"` // messages that reached the slow clients
	SlowLost     int64 `json:"slow_lost"`     // slow clients that the server gave up on; not in Lost
	Vanished     int64 `json:"vanished"`      // clients that went away without a word; not in Left
	Noticed      int64 `json:"noticed"`       // of those, connections that the server has ended
}

func (c *Counters) add(o *Counters) {
	c.Attempts += o.Attempts
	c.Opened += o.Opened
	c.Failed += o.Failed
	c.Lost += o.Lost
	c.Left += o.Left
	c.Sent += o.Sent
	c.Received += o.Received
	c.SentBytes += o.SentBytes
	c.ReceivedBytes += o.ReceivedBytes
	c.Pings += o.Pings
	c.Compressed += o.Compressed
	c.Declined += o.Declined
	c.SentWire += o.SentWire
	c.ReceivedWire += o.ReceivedWire
	c.Replies += o.Replies
	c.Mismatched += o.Mismatched
	c.Unanswered += o.Unanswered
	c.Unsent += o.Unsent
	c.Published += o.Published
	c.Deliveries += o.Deliveries
	c.Duplicates += o.Duplicates
	c.Unmarked += o.Unmarked
	c.Untracked += o.Untracked
	c.Snapshots += o.Snapshots
	c.Updates += o.Updates
	c.Gaps += o.Gaps
	c.Repeats += o.Repeats
	c.SlowReceived += o.SlowReceived
	c.SlowLost += o.SlowLost
	c.Vanished += o.Vanished
	c.Noticed += o.Noticed
}

// Gauges say how things stand at the end of an interval. They add up over workers;
// over time the later one counts.
type Gauges struct {
	Connecting  int64 `json:"connecting"`  // attempts under way
	Open        int64 `json:"open"`        // connections open
	Subscribers int64 `json:"subscribers"` // fanout, feed: of those, the ones that are to receive, the slow ones not counted
	Slow        int64 `json:"slow"`        // of those open, the slow ones
	RSS         int64 `json:"rss"`         // resident bytes of the tool
	Cores       int64 `json:"cores"`       // processors that the tool may use
}

func (g *Gauges) add(o *Gauges) {
	g.Connecting += o.Connecting
	g.Open += o.Open
	g.Subscribers += o.Subscribers
	g.Slow += o.Slow
	g.RSS += o.RSS
	g.Cores += o.Cores
}

// Interval is what one worker, or all of them, saw in one second of one phase. Merge
// makes one of many, over workers or over time; the zero value is the neutral element.
type Interval struct {
	Second int   `json:"second"` // since the run began
	Phase  Phase `json:"phase"`
	// Length is how much of the second lies in the phase; over time it adds up.
	Length time.Duration `json:"length_ns"`
	Counters
	Gauges

	// Failures counts, by kind, what made Failed and Lost. Kinds are few: they name
	// an errno, an HTTP status, a close code, never what a peer sent. See Explain.
	Failures map[string]int64 `json:"failures,omitempty"`
	// Examples has for a kind the full text of one.
	Examples map[string]string `json:"examples,omitempty"`

	Latency *Histogram `json:"latency,omitempty"` // from the intended send, or the publication, to the arrival
	Service *Histogram `json:"service,omitempty"` // from the real send to the arrival
	Connect *Histogram `json:"connect,omitempty"` // from connect (churn: from when it was due) to the 101
	Slip    *Histogram `json:"slip,omitempty"`    // from when a send was due by the schedule to the real one
	Notice  *Histogram `json:"notice,omitempty"`  // halfopen: from vanishing to the server's end of it

	CPU time.Duration `json:"cpu_ns"` // processor time of the tool
	Lag time.Duration `json:"lag_ns"` // the longest that a loop of the tool was late for its own clock

	Messages  Messages   `json:"messages,omitempty"`  // fanout
	Receivers *Receivers `json:"receivers,omitempty"` // fanout, feed: in the last interval only
	Waves     []Wave     `json:"waves,omitempty"`     // storm: in the last interval only
	Memory    *Slope     `json:"memory,omitempty"`    // in the first interval after the ramp only
	Server    *Server    `json:"server,omitempty"`    // with --server-pid, from the coordinator only
}

// MergeWorker adds what another worker saw in the same second of the same phase.
func (i *Interval) MergeWorker(o *Interval) {
	i.Length = max(i.Length, o.Length)
	i.Gauges.add(&o.Gauges)
	i.merge(o)
}

// MergeLater adds what was seen after i, by the same workers.
func (i *Interval) MergeLater(o *Interval) {
	i.Length += o.Length
	i.Gauges = o.Gauges
	if o.Server != nil {
		i.Server = o.Server
	}
	i.merge(o)
}

// Pack makes the histograms small, for one that is kept.
func (i *Interval) Pack() {
	for _, h := range []*Histogram{i.Latency, i.Service, i.Connect, i.Slip, i.Notice} {
		h.Pack()
	}
}

// merge adds what adds up both ways.
func (i *Interval) merge(o *Interval) {
	i.Counters.add(&o.Counters)
	for kind, n := range o.Failures {
		if i.Failures == nil {
			i.Failures = map[string]int64{}
		}
		i.Failures[kind] += n
	}
	if len(o.Examples) > 0 {
		if i.Examples == nil {
			i.Examples = map[string]string{}
		}
		maps.Copy(i.Examples, o.Examples)
	}
	mergeHistogram(&i.Latency, o.Latency)
	mergeHistogram(&i.Service, o.Service)
	mergeHistogram(&i.Connect, o.Connect)
	mergeHistogram(&i.Slip, o.Slip)
	mergeHistogram(&i.Notice, o.Notice)
	i.CPU += o.CPU
	i.Lag = max(i.Lag, o.Lag)
	i.Messages.merge(o.Messages, &i.Messages)
	i.Receivers = i.Receivers.merge(o.Receivers)
	i.mergeWaves(o.Waves)
	i.Memory = i.Memory.merge(o.Memory)
}

func mergeHistogram(to **Histogram, from *Histogram) {
	if from.Count() == 0 {
		return
	}
	if *to == nil {
		*to = NewHistogram()
	}
	(*to).Merge(from)
}

// Message is how one publication arrived. Times are nanoseconds since 1970.
type Message struct {
	First, Last int64 // the first and the last arrival
	Count       int64 // arrivals
}

// Messages has the publications by publisher and sequence, or by stamp.
type Messages map[uint64]Message

func (Messages) merge(from Messages, to *Messages) {
	if len(from) == 0 {
		return
	}
	if *to == nil {
		*to = make(Messages, len(from))
	}
	for key, m := range from {
		have, ok := (*to)[key]
		if ok {
			m = Message{First: min(m.First, have.First), Last: max(m.Last, have.Last), Count: m.Count + have.Count}
		}
		(*to)[key] = m
	}
}

const packedMessage = 32

// MarshalJSON packs the table: 32 bytes each, little-endian key, first, last, count, in base64.
func (m Messages) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, len(m)*packedMessage)
	for key, x := range m {
		b = binary.LittleEndian.AppendUint64(b, key)
		b = binary.LittleEndian.AppendUint64(b, uint64(x.First))
		b = binary.LittleEndian.AppendUint64(b, uint64(x.Last))
		b = binary.LittleEndian.AppendUint64(b, uint64(x.Count))
	}
	return json.Marshal(base64.StdEncoding.EncodeToString(b))
}

// UnmarshalJSON reads what MarshalJSON made.
func (m *Messages) UnmarshalJSON(text []byte) error {
	var b []byte // encoding/json's own base64
	if err := json.Unmarshal(text, &b); err != nil {
		return err
	}
	if len(b)%packedMessage != 0 {
		return fmt.Errorf("messages: %d bytes are no table", len(b))
	}
	*m = make(Messages, len(b)/packedMessage)
	for ; len(b) > 0; b = b[packedMessage:] {
		(*m)[binary.LittleEndian.Uint64(b)] = Message{
			First: int64(binary.LittleEndian.Uint64(b[8:])),
			Last:  int64(binary.LittleEndian.Uint64(b[16:])),
			Count: int64(binary.LittleEndian.Uint64(b[24:])),
		}
	}
	return nil
}

// Receivers says how evenly the deliveries fell on the subscribers.
type Receivers struct {
	N          int64   `json:"n"`
	Sum        int64   `json:"sum"`         // deliveries of all
	SumSquares float64 `json:"sum_squares"` // of the deliveries of each, for Jain's index
	Min        int64   `json:"min"`         // deliveries of the one with the fewest
	Max        int64   `json:"max"`
	// Means has, for each subscriber, its mean latency.
	Means *Histogram `json:"means,omitempty"`
}

// Add counts one subscriber with its deliveries and the sum of their latencies.
func (r *Receivers) Add(deliveries int64, latencies time.Duration) {
	if r.N == 0 || deliveries < r.Min {
		r.Min = deliveries
	}
	r.N++
	r.Sum += deliveries
	r.SumSquares += float64(deliveries) * float64(deliveries)
	r.Max = max(r.Max, deliveries)
	if deliveries > 0 {
		if r.Means == nil {
			r.Means = NewHistogram()
		}
		r.Means.Record(latencies / time.Duration(deliveries))
	}
}

// Jain returns Jain's fairness index of the deliveries (Jain, Chiu, Hawe 1984): 1
// when all got the same, 1/N when one got everything.
func (r *Receivers) Jain() float64 {
	if r == nil || r.SumSquares == 0 {
		return 1
	}
	return float64(r.Sum) * float64(r.Sum) / (float64(r.N) * r.SumSquares)
}

func (r *Receivers) merge(o *Receivers) *Receivers {
	if o == nil || o.N == 0 {
		return r
	}
	if r == nil || r.N == 0 {
		c := *o
		if o.Means != nil {
			c.Means = o.Means.Clone()
		}
		return &c
	}
	r.N += o.N
	r.Sum += o.Sum
	r.SumSquares += o.SumSquares
	r.Min = min(r.Min, o.Min)
	r.Max = max(r.Max, o.Max)
	mergeHistogram(&r.Means, o.Means)
	return r
}

// Wave is one storm: all connections dropped at once and came back. Times are
// nanoseconds since 1970.
type Wave struct {
	Began   int64 `json:"began"`   // the drop
	Full    int64 `json:"full"`    // the last one was back
	Clients int64 `json:"clients"` // that dropped
	Back    int64 `json:"back"`    // that came back before the next wave or the end
}

// mergeWaves adds the waves of another worker: the first to the first, and so on.
func (i *Interval) mergeWaves(o []Wave) {
	for n, w := range o {
		if n == len(i.Waves) {
			i.Waves = append(i.Waves, w)
			continue
		}
		have := &i.Waves[n]
		have.Began = min(have.Began, w.Began)
		have.Full = max(have.Full, w.Full)
		have.Clients += w.Clients
		have.Back += w.Back
	}
}

// Slope is the tool's resident memory at two numbers of open connections.
type Slope struct {
	FewOpen  int64 `json:"few_open"`
	FewRSS   int64 `json:"few_rss"`
	ManyOpen int64 `json:"many_open"`
	ManyRSS  int64 `json:"many_rss"`
}

// PerConnection returns the bytes for one more connection, or 0 when too few were
// opened to tell.
func (s *Slope) PerConnection() float64 {
	if s == nil || s.ManyOpen <= s.FewOpen {
		return 0
	}
	return float64(s.ManyRSS-s.FewRSS) / float64(s.ManyOpen-s.FewOpen)
}

func (s *Slope) merge(o *Slope) *Slope {
	if o == nil {
		return s
	}
	if s == nil {
		c := *o
		return &c
	}
	s.FewOpen += o.FewOpen
	s.FewRSS += o.FewRSS
	s.ManyOpen += o.ManyOpen
	s.ManyRSS += o.ManyRSS
	return s
}

// Server is what the server's process and the kernel use, all in bytes. What the
// system does not tell is -1.
type Server struct {
	CPU     time.Duration `json:"cpu_ns"` // processor time since the process began
	RSS     int64         `json:"rss"`
	Threads int64         `json:"threads"`
	FDs     int64         `json:"fds"`
	TCP     int64         `json:"tcp"`  // memory of all TCP sockets' buffers on the machine (/proc/net/sockstat)
	Slab    int64         `json:"slab"` // slab memory of the machine (/proc/meminfo)
}
