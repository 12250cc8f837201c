package report

import "time"

// Schema is the version of the JSON that this package writes and reads. It goes up
// when a field changes its meaning or goes away, not when one is added.
const Schema = 1

// Report is what a run measured, as a reader wants it. Make one with Build or ReadJSON.
// Sections that do not apply to the scenario are nil. docs/load-report.md has every
// field. Not safe for use while Judge runs.
type Report struct {
	Schema      int       `json:"schema"`
	Run         Run       `json:"run"`
	Finished    time.Time `json:"finished"`
	Interrupted bool      `json:"interrupted"`
	Load        Load      `json:"load"`
	Seconds     Seconds   `json:"seconds"`

	Connections Connections  `json:"connections"`
	Exchange    Exchange     `json:"messages"`
	Compression *Compression `json:"compression,omitempty"`

	Latency *Summary `json:"latency,omitempty"`
	Service *Summary `json:"service,omitempty"`
	Connect *Summary `json:"connect,omitempty"`
	Slip    *Summary `json:"slip,omitempty"`

	Fanout   *Fanout   `json:"fanout,omitempty"`
	Feed     *Feed     `json:"feed,omitempty"`
	Fairness *Fairness `json:"fairness,omitempty"`
	Storm    *Storm    `json:"storm,omitempty"`
	HalfOpen *HalfOpen `json:"halfopen,omitempty"`
	Slow     *Slow     `json:"slow,omitempty"`

	Failures []Failure      `json:"failures"`
	Tool     Tool           `json:"tool"`
	Process  *ServerProcess `json:"server,omitempty"`

	Warnings   []Warning         `json:"warnings"`
	Assertions []AssertionResult `json:"assertions"`
	Series     []Point           `json:"series"`
}

// Load is what the run was to do, as far as two runs must agree on it to be compared.
type Load struct {
	Traffic string  `json:"traffic"`         // echo, fanout, feed, or none
	Rate    float64 `json:"rate_per_second"` // messages, or with churn connections; 0 without a schedule
	Size    string  `json:"size"`            // of the payload, as messages.size
}

// What flows in a run.
const (
	noTraffic     = "none"
	echoTraffic   = "echo"
	fanoutTraffic = "fanout"
	feedTraffic   = "feed"
)

// The scenarios that differ in more than their traffic.
const (
	idleScenario     = "idle"
	churnScenario    = "churn"
	stormScenario    = "storm"
	slowScenario     = "slow"
	halfOpenScenario = "halfopen"
)

// Seconds is how long each phase took.
type Seconds struct {
	Ramp    float64 `json:"ramp"`
	Warmup  float64 `json:"warmup"`
	Measure float64 `json:"measure"`
	Drain   float64 `json:"drain"`
	Closing float64 `json:"closing"`
}

// Connections says what became of the connections, in the whole run.
type Connections struct {
	Asked      int     `json:"asked"`
	Attempts   int64   `json:"attempts"`
	Opened     int64   `json:"opened"`
	Failed     int64   `json:"failed"`
	Lost       int64   `json:"lost"`
	Left       int64   `json:"left"`
	Most       int64   `json:"most"`         // open at the end of a second, publishers not counted where they are known
	AliveAtEnd int64   `json:"alive_at_end"` // open when the run began to close them
	PerSecond  float64 `json:"per_second"`   // opened, in the ramp; with churn, in the measure phase
}

// Exchange counts the messages: whole run, rates in the measure phase.
type Exchange struct {
	Sent          int64 `json:"sent"`
	Received      int64 `json:"received"`
	SentBytes     int64 `json:"sent_bytes"`
	ReceivedBytes int64 `json:"received_bytes"`

	SentRate          float64 `json:"sent_per_second"`
	ReceivedRate      float64 `json:"received_per_second"`
	SentBytesRate     float64 `json:"sent_bytes_per_second"`
	ReceivedBytesRate float64 `json:"received_bytes_per_second"`

	Replies    int64 `json:"replies"`
	Mismatched int64 `json:"mismatched"`
	Unanswered int64 `json:"unanswered"`
	Unsent     int64 `json:"unsent"`
	Pings      int64 `json:"pings"`
}

// Compression says what became of the offer of permessage-deflate, in the whole run.
type Compression struct {
	Agreed        int64   `json:"agreed"`         // handshakes in which the server took it
	Declined      int64   `json:"declined"`       // and in which it did not: messages went as they are
	SentBytes     int64   `json:"sent_bytes"`     // of Exchange.SentBytes, what went over the wire
	ReceivedBytes int64   `json:"received_bytes"` // of Exchange.ReceivedBytes, the same
	SentShare     float64 `json:"sent_share"`     // of Exchange.SentBytes
	ReceivedShare float64 `json:"received_share"` // of Exchange.ReceivedBytes
}

// Fanout says how publications spread.
type Fanout struct {
	Published   int64    `json:"published"`
	Subscribers int64    `json:"subscribers"` // at the end of the first second that was measured
	Expected    int64    `json:"expected"`    // published times subscribers
	Deliveries  int64    `json:"deliveries"`
	Reach       float64  `json:"reach"` // deliveries by expected
	Duplicates  int64    `json:"duplicates"`
	Unmarked    int64    `json:"unmarked"`
	Untracked   int64    `json:"untracked"`      // not in skew, and with a stamp not in published
	Skew        *Summary `json:"skew,omitempty"` // of each message that arrived more than once: first to last arrival
}

// Feed counts what came by the feed protocol.
type Feed struct {
	Channels    []string `json:"channels"`
	Subscribers int64    `json:"subscribers"` // at the end of the first second that was measured
	Snapshots   int64    `json:"snapshots"`
	Updates     int64    `json:"updates"`
	Gaps        int64    `json:"gaps"`
	Repeats     int64    `json:"repeats"`
	Unmarked    int64    `json:"unmarked"`
}

// Fairness says how evenly the subscribers were served.
type Fairness struct {
	Receivers int64    `json:"receivers"`
	Jain      float64  `json:"jain"`
	Fewest    int64    `json:"fewest"` // deliveries of the receiver with the fewest
	Most      int64    `json:"most"`
	Means     *Summary `json:"means,omitempty"` // of each receiver's mean latency
}

// Storm has the waves.
type Storm struct {
	Waves []Recovery `json:"waves"`
	// Worst is the longest time to full service, nil when a wave did not get there.
	Worst *float64 `json:"worst_us,omitempty"`
}

// Recovery is one wave of a storm.
type Recovery struct {
	Clients int64 `json:"clients"`
	Back    int64 `json:"back"`
	// Full is from the drop until the last was back, nil when not all came back.
	Full *float64 `json:"full_us,omitempty"`
}

// HalfOpen says how the server found out that clients had gone.
type HalfOpen struct {
	Vanished int64    `json:"vanished"`
	Noticed  int64    `json:"noticed"`
	Notice   *Summary `json:"notice,omitempty"`
}

// Slow says what became of the slow clients.
type Slow struct {
	Clients  int64 `json:"clients"` // at the end of the first second that was measured
	Received int64 `json:"received"`
	Lost     int64 `json:"lost"`
}

// Failure is one kind of failure.
type Failure struct {
	Kind    string `json:"kind"`
	Count   int64  `json:"count"`
	Example string `json:"example,omitempty"` // the text of one; parts may come from the server
	Hint    string `json:"hint"`
}

// Tool is what the load tool itself used, all its processes together.
type Tool struct {
	Cores          int64   `json:"cores"`
	CPUShare       float64 `json:"cpu_share"`     // of its cores, mean of the measure phase
	CPUShareMax    float64 `json:"cpu_share_max"` // of the second of it with the most
	RSS            int64   `json:"rss_bytes"`     // the most in the run
	BytesPerClient float64 `json:"bytes_per_client"`
	Lag            float64 `json:"lag_us"` // the longest in the measure phase
}

// ServerProcess is what the server's process used. Fields are nil where the system does not tell.
type ServerProcess struct {
	CPUCores      *float64 `json:"cpu_cores,omitempty"`          // processors busy, mean of the measure phase
	CPUPerMessage *float64 `json:"cpu_us_per_message,omitempty"` // by the larger of sent and received
	RSS           *int64   `json:"rss_bytes,omitempty"`          // the most in the run
	// Bytes per connection: from before the first (or the first sample) to the end of the ramp.
	BytesPerConnection       *float64 `json:"bytes_per_connection,omitempty"`
	KernelBytesPerConnection *float64 `json:"kernel_bytes_per_connection,omitempty"`
}

// Point is one second of the run.
type Point struct {
	Second  int     `json:"second"`
	Phase   Phase   `json:"phase"` // the one that most of the second lies in
	Seconds float64 `json:"seconds"`

	Open       int64   `json:"open"`
	Connecting int64   `json:"connecting"`
	Opened     float64 `json:"opened_per_second"`
	Sent       float64 `json:"sent_per_second"`
	Received   float64 `json:"received_per_second"`

	P50 *float64 `json:"p50_us,omitempty"`
	P90 *float64 `json:"p90_us,omitempty"`
	P99 *float64 `json:"p99_us,omitempty"`
	Max *float64 `json:"max_us,omitempty"`

	Failures    int64    `json:"failures"`
	CPUShare    float64  `json:"cpu_share"`
	ServerCores *float64 `json:"server_cpu_cores,omitempty"`
	ServerRSS   *int64   `json:"server_rss_bytes,omitempty"`
}
