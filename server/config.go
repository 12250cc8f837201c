package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"runtime"
	"slices"
	"time"

	"github.com/roostws/roost/gate"
	"github.com/roostws/roost/poller"
	"github.com/roostws/roost/pool"
	"github.com/roostws/roost/wsproto"
)

// SlowPolicy is what happens to a connection whose peer reads too slowly: one that has more unsent bytes than
// Config.MaxOutbound, or shares in more than Config.MaxOutboundTotal. Control frames go through in every policy.
type SlowPolicy uint8

const (
	// SlowClose closes the connection: 1013, ReasonSlow. What was not yet handed to the kernel is discarded, so that the Close
	// frame comes through. Up to 64 KiB that were gathered for one write go out whole before the Close frame.
	SlowClose SlowPolicy = iota
	// SlowDropOldest discards the oldest unsent messages to make room, and the new one if there are none. What is being written
	// is no longer unsent in this sense: up to half of MaxOutbound, or one message.
	SlowDropOldest
	// SlowConflate replaces an unsent message by a newer one with the same key (Conn.SendLatest); what has no key to share, or
	// does not fit even so, is treated as under SlowDropOldest.
	SlowConflate
)

// Config is everything that a Server can be told. Its zero value serves: it accepts handshakes from the same origin, or without
// an Origin, and ignores what it is sent. A Server copies it; changing it afterwards has no effect.
type Config struct {
	Handler Handler

	// Routes are paths with handlers and limits of their own. If there are any, the path of a handshake has to match one: other paths get
	// 404. Requests that ask for no WebSocket go to HTTP, whatever their path. None: Handler serves all paths.
	Routes []Route

	// Authorize decides on a handshake that is a correct one, before 101 is written: by its path, query, headers, Origin and
	// subprotocols, by the values in its path (Request.PathValue, with Routes), and by the client's certificates, which Request.TLS has
	// if TLS.ClientAuth asks for them. The request is valid until it returns. The error is the answer: a *wsproto.Refusal is written as
	// it is, any other becomes a 403 whose body does not quote the error. It runs on the pool, or on the loop with Inline; a panic in it is
	// a 500, and runtime.Goexit must not be called. nil: SameOrigin.
	Authorize func(*wsproto.Request) (Accept, error)

	// Inline runs all handlers on the loop that reads the socket: the fastest way, for handlers that never block. A handler that
	// does block stalls all connections of its loop. Default: on the pool.
	Inline bool

	// Origins is which web origins may open a connection; it is asked before Authorize. nil: SameOrigin, unless there is an Authorize,
	// which then decides on them: one that believes cookies must.
	Origins *gate.Origins

	// ProxyProtocol is for a proxy in front that hands on bytes, Forwarding for one that hands on requests: both tell whose connection it
	// is, and that address is what Conn.RemoteAddr, the limits and the log have. Default: neither is believed.
	ProxyProtocol gate.ProxyProtocol
	Forwarding    gate.Forwarding

	PerAddress gate.LimiterConfig // limits for each client address, more get 429; zero: none
	Rates      gate.RatesConfig   // how much one connection may send, more ends with 4429; Tick is the server's; zero: no limit

	// AuthTimeout is for tokens that come in the first message: a connection ends with 4401 after it, unless Accept.Expires said otherwise
	// or Conn.Renew has been called. 0: never.
	AuthTimeout time.Duration

	// HTTP answers requests that do not ask for a WebSocket, on the same port. Each has a connection of its own ("Connection:
	// close"), so that a later upgrade always meets the loops. nil: 426 Upgrade Required.
	HTTP http.Handler

	// Compression is whether messages may be compressed (permessage-deflate, RFC 7692). Default: they may not. Compressing takes several
	// times the processor time of everything else that is done for a message.
	Compression      Compression
	CompressFrom     int // messages of fewer bytes go as they are, of fewer than a quarter where they can refer to earlier ones; 0: 256
	CompressionLevel int // 1 (fast) to 9 (small), for peers that take the largest window; 0: 1
	MaxWindows       int // bytes in all for CompressionDedicated, connections past it are treated as under CompressionShared; 0: 256 MiB

	// TLS is what ListenTLS and ServeTLS speak, by the standard crypto/tls; it needs a certificate, or a way to get one, and must not be
	// changed afterwards. New puts what it lacks: TLS 1.2 at least, and http/1.1 as the only protocol (ALPN), since a WebSocket
	// needs that one. What GetConfigForClient returns should have the same, and DynamicRecordSizingDisabled. Its callbacks must not wait:
	// they use up the right to compute of other handshakes. nil: no TLS.
	TLS *tls.Config

	// KeepRequest keeps each connection's handshake for Conn.Request: about 0.5 to 8 KiB a connection. Default: it is forgotten.
	KeepRequest bool

	Loops   int    // event loops, each with its own listening socket; 0: GOMAXPROCS
	Engine  string // "epoll", "netpoll" or "auto"; "": "auto" (see poller.Open)
	Workers int    // goroutines at most that run handlers; 0: pool.DefaultWorkersPerProc (64) times GOMAXPROCS

	Logger *slog.Logger // nil: slog.Default()

	MaxConns         int // connections at most, refused ones not counted, more get 503; 0: 4 Mi
	MaxHTTP          int // connections handed to HTTP at once at most, more get 503; 0: 1,024
	MaxTLSHandshakes int // TLS handshakes that wait for their peer at once at most, up to 4,096 more wait for a place; 0: 1,024
	MaxHead          int // bytes of a request's head at most, more get 431; 0: 8 KiB; 65,535 is the most
	MaxMessage       int // bytes of a received message at most, more end with 1009; 0: 1 MiB
	MaxFragments     int // frames of a received message at most, more end with 1008; 0: 1,024
	MaxTopics        int // subscriptions of a connection at most; 0: 1,024
	MaxPending       int // publications at most that wait for a loop which cannot keep up, see Topic.Publish; 0: 65,536
	MailboxBytes     int // received bytes that wait for a connection's handler before its socket is not read any more; 0: 256 KiB

	Slow             SlowPolicy // what happens to a slow reader; zero: SlowClose
	MaxOutbound      int        // unsent bytes of a connection at most, also for a burst that the loop had no time to write yet; 0: 1 MiB
	MaxOutboundTotal int        // memory in bytes that unsent messages may take in the process, split evenly over the loops; 0: 256 MiB

	HandshakeTimeout time.Duration // from accept to the answer, Authorize included; 0: 10 s
	MessageTimeout   time.Duration // from a message's first byte to its last; 0: 30 s; < 0: none
	PingAfter        time.Duration // a connection that sent nothing for so long gets a ping; up to an eighth less, to spread them; 0: 30 s; < 0: never
	PingGrace        time.Duration // a connection that sends nothing for so long after the ping is ended; 0: 10 s
	CloseTimeout     time.Duration // from the call that closes to the peer's Close frame, what is unsent then included; 0: 5 s
	DrainWindow      time.Duration // Shutdown spreads its Close frames over so long; 0: 1 s; < 0: all at once

	// SilenceAfter and OnSilence are for the application's own heartbeat: a connection with a subscription that was sent nothing
	// for SilenceAfter gets the text message that OnSilence appends to dst (none, if it appends nothing). OnSilence runs on the
	// loop, as an inline handler does, and so sees exactly what has been published to the connection. 0 or nil: off.
	SilenceAfter time.Duration
	OnSilence    func(dst []byte, s *Silence) []byte
}

// largestMessage keeps a message's length within 31 bits.
const largestMessage = math.MaxInt32

// DefaultMaxMessage is Config.MaxMessage if that is 0, in bytes.
const DefaultMaxMessage = 1 << 20

// withDefaults returns c with every zero replaced by its default, or says which field is wrong.
func (c Config) withDefaults() (Config, error) {
	if err := c.defaultCounts(); err != nil {
		return c, err
	}
	if err := c.defaultTimes(); err != nil {
		return c, err
	}
	if c.Slow > SlowConflate {
		return c, fmt.Errorf("server: Config.Slow is %d: no such policy", c.Slow)
	}
	if c.Compression > CompressionDedicated {
		return c, fmt.Errorf("server: Config.Compression is %d: no such setting", c.Compression)
	}
	if c.CompressionLevel > 9 {
		return c, fmt.Errorf("server: Config.CompressionLevel is %d: 9 is the most", c.CompressionLevel)
	}
	if c.Engine == "" {
		c.Engine = "auto"
	}
	if c.Engine != "auto" && !slices.Contains(poller.Engines(), c.Engine) {
		return c, fmt.Errorf("server: Config.Engine is %q: this platform has %q", c.Engine, poller.Engines())
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.TLS != nil {
		var err error
		if c.TLS, err = loopTLS(c.TLS); err != nil {
			return c, err
		}
	}
	if c.OnSilence == nil {
		c.SilenceAfter = 0
	}
	return c, nil
}

func (c *Config) defaultCounts() error {
	for _, f := range []struct {
		name  string
		value *int
		def   int
	}{
		{"Loops", &c.Loops, runtime.GOMAXPROCS(0)},
		{"Workers", &c.Workers, pool.DefaultWorkersPerProc * runtime.GOMAXPROCS(0)},
		{"MaxConns", &c.MaxConns, 4 << 20},
		{"MaxHTTP", &c.MaxHTTP, 1024},
		{"CompressFrom", &c.CompressFrom, 256},
		{"CompressionLevel", &c.CompressionLevel, 1},
		{"MaxWindows", &c.MaxWindows, 256 << 20},
		{"MaxTLSHandshakes", &c.MaxTLSHandshakes, 1024},
		{"MaxHead", &c.MaxHead, 8 << 10},
		{"MaxMessage", &c.MaxMessage, DefaultMaxMessage},
		{"MaxFragments", &c.MaxFragments, 1024},
		{"MaxTopics", &c.MaxTopics, 1024},
		{"MaxPending", &c.MaxPending, 65536},
		{"MailboxBytes", &c.MailboxBytes, 256 << 10},
		{"MaxOutbound", &c.MaxOutbound, 1 << 20},
		{"MaxOutboundTotal", &c.MaxOutboundTotal, 256 << 20},
	} {
		if *f.value < 0 {
			return fmt.Errorf("server: Config.%s is %d: it must not be negative", f.name, *f.value)
		}
		if *f.value == 0 {
			*f.value = f.def
		}
	}
	if c.MaxMessage > largestMessage || c.MailboxBytes > math.MaxInt32 {
		return fmt.Errorf("server: Config.MaxMessage and MailboxBytes must be under 2 GiB")
	}
	if c.MaxHead > wsproto.MaxHead {
		return fmt.Errorf("server: Config.MaxHead is %d: %d is the most", c.MaxHead, wsproto.MaxHead)
	}
	return nil
}

func (c *Config) defaultTimes() error {
	for _, f := range []struct {
		name     string
		value    *time.Duration
		def      time.Duration
		negative bool // is a setting: off
	}{
		{"HandshakeTimeout", &c.HandshakeTimeout, 10 * time.Second, false},
		{"MessageTimeout", &c.MessageTimeout, 30 * time.Second, true},
		{"PingAfter", &c.PingAfter, 30 * time.Second, true},
		{"PingGrace", &c.PingGrace, 10 * time.Second, false},
		{"CloseTimeout", &c.CloseTimeout, 5 * time.Second, false},
		{"DrainWindow", &c.DrainWindow, time.Second, true},
		{"SilenceAfter", &c.SilenceAfter, 0, false},
		{"AuthTimeout", &c.AuthTimeout, 0, false},
	} {
		if *f.value < 0 && !f.negative {
			return fmt.Errorf("server: Config.%s is %v: it must not be negative", f.name, *f.value)
		}
		if *f.value > maxTimeout {
			return fmt.Errorf("server: Config.%s is %v: %v is the most", f.name, *f.value, maxTimeout)
		}
		if *f.value == 0 {
			*f.value = f.def
		}
	}
	if c.MessageTimeout > maxMessageTimeout {
		return fmt.Errorf("server: Config.MessageTimeout is %v: %v is the most", c.MessageTimeout, maxMessageTimeout)
	}
	return nil
}

const (
	// maxTimeout keeps every deadline well within the wheel's 32-bit ticks.
	maxTimeout = 365 * 24 * time.Hour
	// maxMessageTimeout keeps a message's age within the 16 bits that a connection has for it.
	maxMessageTimeout = 50 * time.Minute
)

// SameOrigin is the Authorize of a Config that has none: it accepts a handshake without an Origin (not from a browser) or with
// one that names the host the request was sent to (RFC 6455 10.2), and refuses others with 403. It chooses no subprotocol.
func SameOrigin(r *wsproto.Request) (Accept, error) {
	if !r.SameOrigin() {
		return Accept{}, errOrigin
	}
	return Accept{}, nil
}

// Accept is how a handshake that is welcome is answered.
type Accept struct {
	Subprotocol string                // one that the client offers (wsproto.Request.Subprotocols); "": as Route.Subprotocols says, else none
	Header      []wsproto.HeaderField // further fields of the response, none of the handshake's own
	Expires     time.Time             // when the connection ends with 4401, to about 50 ms, but see Conn.Renew; zero: AuthTimeout from now
	Value       any                   // what Conn.Value returns from OnOpen on: who the client is, say
}

var errOrigin = &wsproto.Refusal{Status: http.StatusForbidden, Reason: "origin", Body: "this origin may not connect\n"}
