// Package results is what a comparison of servers measured, and what is made of it:
// medians, ratios to the floor, a ranking, and the Markdown, JSON and charts that are
// published.
package results

import "time"

// Schema is the version of the JSON. It goes up when a field changes its meaning.
const Schema = 1

// Run is one comparison.
type Run struct {
	Schema   int        `json:"schema"`
	Settings []Settings `json:"settings"` // of each session, as works may be measured one after the other
	Machine  Machine    `json:"machine"`
	Servers  []Server   `json:"servers"`
	Samples  []Sample   `json:"samples"`
}

// Settings is how some works were measured: those of one session.
type Settings struct {
	Works    []string  `json:"works"`
	Cases    []string  `json:"cases,omitempty"` // of those works, only these; none: all
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
	Notes    []string  `json:"notes,omitempty"` // what bent its figures

	Command string  `json:"command"`
	Quick   bool    `json:"quick"`
	Rounds  int     `json:"rounds"`
	Seconds float64 `json:"seconds"` // measured per case, after the warm-up
	Warmup  float64 `json:"warmup"`  // seconds
	Pings   float64 `json:"pings"`   // seconds of pings before the idle case "pinged"
	Every   float64 `json:"every"`   // seconds from one of these pings of a connection to the next
	// The processors that server and client are pinned to.
	ServerCPU int `json:"server_cpu"`
	ClientCPU int `json:"client_cpu"`
}

// Machine is where it was measured.
type Machine struct {
	CPU        string   `json:"cpu"`
	Processors int      `json:"processors"`
	Memory     int64    `json:"memory_bytes"`
	Kernel     string   `json:"kernel"`
	System     string   `json:"system"`
	Go         string   `json:"go"`
	CC         string   `json:"cc"`
	Notes      []string `json:"notes"` // what bends figures: virtual, a shared core, mitigations
}

// Server is one of what was compared.
type Server struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	About   string `json:"about"` // what it is, in a phrase
	Kind    Kind   `json:"kind"`
	// NotRun is why nothing of it was measured, empty if it was.
	NotRun string `json:"not_run,omitempty"`
}

// Kind says on which side of a comparison a server stands.
type Kind string

// The kinds.
const (
	Floor Kind = "floor"
	Ours  Kind = "ours"
	Peer  Kind = "peer"
	// Variant is ours in a form that no peer is held against.
	Variant Kind = "variant"
)

// Sample is what one server did in one case of one round.
type Sample struct {
	Round  int                `json:"round"`
	Work   string             `json:"work"`
	Case   string             `json:"case"`
	Server string             `json:"server"`
	Values map[string]float64 `json:"values"`
	// Marks are of the values that must not be ranked, by their names.
	Marks map[string][]Mark `json:"marks,omitempty"`
	// Error is why there are no values, or not all.
	Error string `json:"error,omitempty"`
}

// Mark says why a value must not be ranked.
type Mark string

// The marks.
const (
	ClientBound Mark = "client-bound" // the client used more than 90 % of its processor
	Unsaturated Mark = "unsaturated"  // the server was asked for all it can and used less than 90 % of its processor
)

// Metric is one figure of a work, in the order of the tables.
type Metric struct {
	Work   string
	Name   string // the key of Sample.Values
	Title  string
	Unit   string // bytes, µs, 1/s, s, cores, or none
	Better Better
	// Ratio metrics are shown beside their ratio to the floor.
	Ratio bool
}

// Better is the direction in which a metric is better.
type Better int

// The directions.
const (
	Neither Better = iota // shown, not ranked
	Lower
	Higher
)

// The works.
const (
	Idle    = "idle"
	Echo    = "echo"
	Fanout  = "fanout"
	Connect = "connect"
	Slow    = "slow"
	WSS     = "wss"
)

// Metrics are all that is measured.
var Metrics = []Metric{
	{Work: Idle, Name: "rss_bytes", Title: "resident", Unit: "bytes", Better: Lower},
	{Work: Idle, Name: "kernel_bytes", Title: "kernel", Unit: "bytes", Better: Neither},

	{Work: Echo, Name: "cpu_us", Title: "CPU per message", Unit: "µs", Better: Lower, Ratio: true},
	{Work: Echo, Name: "rate", Title: "messages", Unit: "1/s", Better: Higher},
	{Work: Echo, Name: "cross_cpu_us", Title: "CPU per message, C client", Unit: "µs", Better: Lower, Ratio: true},
	{Work: Echo, Name: "cross_rate", Title: "messages, C client", Unit: "1/s", Better: Higher},
	{Work: Echo, Name: "p50_at_50", Title: "p50 at 50 %", Unit: "µs", Better: Neither},
	{Work: Echo, Name: "p99_at_50", Title: "p99 at 50 %", Unit: "µs", Better: Neither},
	{Work: Echo, Name: "p999_at_50", Title: "p99.9 at 50 %", Unit: "µs", Better: Neither},
	{Work: Echo, Name: "p50_at_80", Title: "p50 at 80 %", Unit: "µs", Better: Neither},
	{Work: Echo, Name: "p99_at_80", Title: "p99 at 80 %", Unit: "µs", Better: Neither},
	{Work: Echo, Name: "p999_at_80", Title: "p99.9 at 80 %", Unit: "µs", Better: Neither},
	{Work: Echo, Name: "server_cores", Title: "server", Unit: "cores", Better: Neither},
	{Work: Echo, Name: "client_cores", Title: "client", Unit: "cores", Better: Neither},

	{Work: Fanout, Name: "cpu_us", Title: "CPU per delivery", Unit: "µs", Better: Lower, Ratio: true},
	{Work: Fanout, Name: "rate", Title: "deliveries", Unit: "1/s", Better: Higher},
	{Work: Fanout, Name: "p99_us", Title: "p99", Unit: "µs", Better: Lower},
	{Work: Fanout, Name: "skew_p99_us", Title: "skew p99", Unit: "µs", Better: Neither},
	{Work: Fanout, Name: "p99_base_us", Title: "p99 without stalled readers", Unit: "µs", Better: Neither},
	{Work: Fanout, Name: "rss_peak_bytes", Title: "peak resident above that", Unit: "bytes", Better: Neither},
	{Work: Fanout, Name: "slow_lost", Title: "stalled readers disconnected", Unit: "", Better: Neither},
	{Work: Fanout, Name: "server_cores", Title: "server", Unit: "cores", Better: Neither},
	{Work: Fanout, Name: "client_cores", Title: "client", Unit: "cores", Better: Neither},

	{Work: Connect, Name: "cpu_us", Title: "CPU per handshake", Unit: "µs", Better: Lower, Ratio: true},
	{Work: Connect, Name: "rate", Title: "handshakes", Unit: "1/s", Better: Higher},
	{Work: Connect, Name: "full_s", Title: "all back after", Unit: "s", Better: Lower},
	{Work: Connect, Name: "server_cores", Title: "server", Unit: "cores", Better: Neither},
	{Work: Connect, Name: "client_cores", Title: "client", Unit: "cores", Better: Neither},

	{Work: WSS, Name: "cpu_us", Title: "CPU per message", Unit: "µs", Better: Lower, Ratio: true},
	{Work: WSS, Name: "rate", Title: "messages", Unit: "1/s", Better: Higher},
	{Work: WSS, Name: "rss_bytes", Title: "resident", Unit: "bytes", Better: Lower},
	{Work: WSS, Name: "server_cores", Title: "server", Unit: "cores", Better: Neither},
	{Work: WSS, Name: "client_cores", Title: "client", Unit: "cores", Better: Neither},

	{Work: Slow, Name: "p50_us", Title: "p50 of the rest", Unit: "µs", Better: Lower},
	{Work: Slow, Name: "p99_us", Title: "p99 of the rest", Unit: "µs", Better: Lower},
	{Work: Slow, Name: "p999_us", Title: "p99.9 of the rest", Unit: "µs", Better: Lower},
	{Work: Slow, Name: "base_p50_us", Title: "p50 when none is slow", Unit: "µs", Better: Neither},
	{Work: Slow, Name: "base_p99_us", Title: "p99 when none is slow", Unit: "µs", Better: Neither},
	{Work: Slow, Name: "base_p999_us", Title: "p99.9 when none is slow", Unit: "µs", Better: Neither},
}
