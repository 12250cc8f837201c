package bench

import (
	"cmp"
	"fmt"
	"time"
)

// Duration is a time.Duration that is written "90s" in YAML and JSON. Where a zero
// value means a default, "0s" in a text means none at all, and is kept as a nanosecond.
type Duration time.Duration

// none is what a Duration of "0s" is kept as.
const none = Duration(time.Nanosecond)

// length is how long d really is.
func (d Duration) length() time.Duration {
	if d == none {
		return 0
	}
	return time.Duration(d)
}

// MarshalText writes d as time.Duration does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.length().String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration: write 500ms, 30s, 5m", text)
	}
	*d = cmp.Or(Duration(v), none)
	return nil
}

// The scenarios.
const (
	Idle     = "idle"
	Echo     = "echo"
	Fanout   = "fanout"
	Feed     = "feed"
	Churn    = "churn"
	Storm    = "storm"
	Slow     = "slow"
	HalfOpen = "halfopen"
)

// What answers a message of an echo.
const (
	SameReply = "same"
	AnyReply  = "any"
)

// How clients vanish in halfopen.
const (
	Silent = "silent"
	Reset  = "reset"
)

// Scenarios is all of them.
var Scenarios = []string{Idle, Echo, Fanout, Feed, Churn, Storm, Slow, HalfOpen}

// Config is a whole run, as a scenario file holds it and as agents get it. The zero
// value of a field means its default, which Run fills in.
type Config struct {
	// Scenario is one of Scenarios.
	Scenario string `json:"scenario" yaml:"scenario"`
	// On is what the other clients do meanwhile: in slow fanout (default) or feed, in
	// halfopen echo (default), fanout or feed.
	On string `json:"on,omitempty" yaml:"on"`
	// Targets are ws:// or wss:// URLs. Connections go round them.
	Targets []string `json:"targets" yaml:"targets"`
	// Conns is the number of connections, publishers not counted. Default 100.
	Conns int `json:"conns" yaml:"conns"`
	// Warmup is how long messages flow before they are measured. Default 0,
	// of a fan-out 500 ms.
	Warmup Duration `json:"warmup" yaml:"warmup"`
	// Duration is how long is measured. Default 10 s.
	Duration Duration `json:"duration" yaml:"duration"`
	// Drain is how long replies are waited for at the end. Default 5 s, in churn
	// Connect.Timeout.
	Drain Duration `json:"drain" yaml:"drain"`

	Connect  Connect  `json:"connect" yaml:"connect"`
	Messages Messages `json:"messages" yaml:"messages"`

	Echo     EchoConfig     `json:"echo" yaml:"echo"`
	Fanout   FanoutConfig   `json:"fanout" yaml:"fanout"`
	Feed     FeedConfig     `json:"feed" yaml:"feed"`
	Churn    ChurnConfig    `json:"churn" yaml:"churn"`
	Storm    StormConfig    `json:"storm" yaml:"storm"`
	Slow     SlowConfig     `json:"slow" yaml:"slow"`
	HalfOpen HalfOpenConfig `json:"halfopen" yaml:"halfopen"`

	// Loops is the number of event loops of each process. Default: one per processor.
	Loops int `json:"loops,omitempty" yaml:"loops"`
	// Engine is poller.Open's name. Default auto.
	Engine string `json:"engine,omitempty" yaml:"engine"`
}

// Connect says how connections are made.
type Connect struct {
	// Rate is the most new connections a second, over all processes; 0 means as fast
	// as AtOnce allows.
	Rate float64 `json:"rate,omitempty" yaml:"rate"`
	// AtOnce is the most handshakes under way at a time while connections are first
	// opened, in each process; every loop has its part of it, and one at least. Default 256.
	AtOnce int `json:"at_once" yaml:"at_once"`
	// Timeout is how long connect and handshake may take together. Default 10 s.
	Timeout Duration `json:"timeout" yaml:"timeout"`
	// Sources are addresses or prefixes (127.0.0.0/8) to connect from, used in turn.
	// Default: the kernel's choice, and for a target in 127.0.0.0/8 as many addresses
	// of it as keep the source ports from running out.
	Sources []string `json:"sources,omitempty" yaml:"sources"`
	// Ports is who picks source ports: kernel (default), or a range 1024-65535
	// that is used in order, which stays fast where the kernel's search does not.
	Ports string `json:"ports,omitempty" yaml:"ports"`

	// Headers are "Name: value".
	Headers      []string `json:"headers,omitempty" yaml:"headers"`
	Subprotocols []string `json:"subprotocols,omitempty" yaml:"subprotocols"`
	Origin       string   `json:"origin,omitempty" yaml:"origin"`
	// Query is "name=value", each added to the targets' query.
	Query []string `json:"query,omitempty" yaml:"query"`

	// Compress offers permessage-deflate (RFC 7692), without context takeover. A server that declines gets, and may send, messages as they
	// are, which the report counts.
	Compress bool `json:"compress,omitempty" yaml:"compress"`

	// Insecure takes any certificate of a wss:// target.
	Insecure bool `json:"insecure,omitempty" yaml:"insecure"`
	// CA is the PEM of the authorities to trust instead of the system's.
	CA string `json:"ca,omitempty" yaml:"ca"`
	// ServerName is the name to ask for and to check. Default: the target's host.
	ServerName string `json:"server_name,omitempty" yaml:"server_name"`
}

// Messages says what is sent.
type Messages struct {
	// Size of the payload in bytes: "512", a range "64-1024", or weights
	// "64:80%,1024:15%,65536:5%". Default 128.
	Size string `json:"size" yaml:"size"`
	// Type is text or binary. Default text with templates, else binary.
	Type string `json:"type,omitempty" yaml:"type"`
	// Templates are sent in turn instead of bytes of Size. {{seq}} is the number of
	// the message on its connection, {{now}} nanoseconds since 1970, {{rand}} a
	// random integer of 64 bits without sign, {{id}} the number of the connection,
	// {{mark}} fanout's mark.
	Templates []string `json:"templates,omitempty" yaml:"templates"`
	// Hello are templates of text messages that every client sends when it is
	// open: logins, subscriptions.
	Hello []string `json:"hello,omitempty" yaml:"hello"`
	// MaxSize is the largest message taken from the server, in bytes. Default 16 MiB.
	MaxSize int `json:"max_size" yaml:"max_size"`
}

// EchoConfig is for echo.
type EchoConfig struct {
	// Rate is messages a second in all, sent by a schedule made in advance (open
	// loop). 0 means closed loop: the next message leaves when a reply comes.
	Rate float64 `json:"rate,omitempty" yaml:"rate"`
	// InFlight is how many messages of a connection are under way in a closed loop.
	// Default 1.
	InFlight int `json:"in_flight" yaml:"in_flight"`
	// Reply is what answers a message: SameReply (default), the same message, or
	// AnyReply, whatever comes next on its connection.
	Reply string `json:"reply" yaml:"reply"`
	// Backlog is how many messages of a connection may be due or under way in an
	// open loop; those over it count as unsent. Default 65536.
	Backlog int `json:"backlog" yaml:"backlog"`
}

// FanoutConfig is for fanout.
type FanoutConfig struct {
	// Rate is publications a second in all, on a schedule. Default 10.
	Rate float64 `json:"rate" yaml:"rate"`
	// Publishers is how many connections of their own publish, 256 at most. Default 1; with Post or
	// Stamp none.
	Publishers int `json:"publishers" yaml:"publishers"`
	// PublishTo is the publishers' URL. Default: the first target.
	PublishTo string `json:"publish_to,omitempty" yaml:"publish_to"`
	// Post is a URL to which each message is posted instead.
	Post string `json:"post,omitempty" yaml:"post"`
	// Stamp says where the server puts its own time, and that it publishes by
	// itself. See ParseStamp.
	Stamp string `json:"stamp,omitempty" yaml:"stamp"`
}

// FeedConfig is for feed, the protocol of docs/feed-protocol.md.
type FeedConfig struct {
	// Channels are subscribed to. Default ticker:*.
	Channels []string `json:"channels" yaml:"channels"`
}

// ChurnConfig is for churn.
type ChurnConfig struct {
	// Rate is new connections a second in all, on a schedule. Default 100. Conns then
	// is the most that are open at a time.
	Rate float64 `json:"rate" yaml:"rate"`
	// Hold is how long each stays. Default 1 s.
	Hold Duration `json:"hold" yaml:"hold"`
	// Abort ends them by a reset, not by a close handshake.
	Abort bool `json:"abort,omitempty" yaml:"abort"`
}

// StormConfig is for storm.
type StormConfig struct {
	// Waves is how often all drop and come back. Default 3.
	Waves int `json:"waves" yaml:"waves"`
	// Every is the time from one wave to the next. Default 10 s. Config.Duration's
	// default is that of all waves.
	Every Duration `json:"every" yaml:"every"`
	// Close ends them by a close handshake. Default is a reset, as when a network
	// breaks.
	Close bool `json:"close,omitempty" yaml:"close"`
}

// SlowConfig is for slow.
type SlowConfig struct {
	// Share of the clients that is slow, 0 to 1. Default 0.1.
	Share float64 `json:"share" yaml:"share"`
	// Rate is how many bytes a second each of them reads. 0 means none ever.
	Rate int `json:"rate" yaml:"rate"`
}

// HalfOpenConfig is for halfopen.
type HalfOpenConfig struct {
	// Share of the clients that vanishes when measuring begins, 0 to 1. Default 0.1.
	Share float64 `json:"share" yaml:"share"`
	// How is silent (the socket stays, nobody reads it, pings go unanswered: what a
	// server sees of a peer that lost its network; a packet filter apart, no nearer
	// thing exists on one machine), or reset (SO_LINGER 0). Default silent.
	How string `json:"how" yaml:"how"`
}
