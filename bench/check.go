package bench

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/roostws/roost/poller"
	"github.com/roostws/roost/wsproto"
)

// complete returns c with its defaults filled in, or says in one sentence what is
// wrong with it.
func (c Config) complete() (Config, error) {
	if !slices.Contains(Scenarios, c.Scenario) {
		return c, fmt.Errorf("there is no scenario %q: there are %s", c.Scenario, strings.Join(Scenarios, ", "))
	}
	if len(c.Targets) == 0 {
		return c, errors.New("nothing to connect to: give a URL like ws://127.0.0.1:8080/")
	}
	c.fill()
	for _, check := range []func() error{c.checkNumbers, c.checkConnect, c.checkMessages, c.checkScenario} {
		if err := check(); err != nil {
			return c, err
		}
	}
	return c, nil
}

// traffic is the scenario that says what messages flow.
func (c *Config) traffic() string {
	switch c.Scenario {
	case Slow, HalfOpen:
		return c.On
	}
	return c.Scenario
}

// scheduled tells whether something is sent by a schedule.
func (c *Config) scheduled() bool {
	switch c.traffic() {
	case Echo:
		return c.Echo.Rate > 0
	case Fanout:
		return c.Fanout.Stamp == ""
	}
	return c.Scenario == Churn
}

// publishers is how many connections publish.
func (c *Config) publishers() int {
	if c.traffic() != Fanout || c.Fanout.Post != "" || c.Fanout.Stamp != "" {
		return 0
	}
	return c.Fanout.Publishers
}

func (c *Config) fill() {
	set(&c.Conns, 100)
	switch c.Scenario {
	case Slow:
		set(&c.On, Fanout)
	case HalfOpen:
		set(&c.On, Echo)
	}
	set(&c.Storm.Waves, 3)
	set(&c.Storm.Every, Duration(10*time.Second))
	if c.Scenario == Storm {
		set(&c.Duration, Duration(c.Storm.Waves)*Duration(c.Storm.Every.length()))
	}
	set(&c.Duration, Duration(10*time.Second))
	if c.traffic() == Fanout {
		// A server may still be at work on the last subscription when its 101 is here.
		set(&c.Warmup, Duration(500*time.Millisecond))
	}
	set(&c.Connect.AtOnce, 256)
	set(&c.Connect.Timeout, Duration(10*time.Second))
	if c.Scenario == Churn {
		set(&c.Drain, c.Connect.Timeout) // so that the last attempts end one way or the other
	}
	set(&c.Drain, Duration(5*time.Second))
	set(&c.Messages.Size, "128")
	if len(c.Messages.Templates) > 0 {
		set(&c.Messages.Type, "text")
	}
	set(&c.Messages.Type, "binary")
	set(&c.Messages.MaxSize, 16<<20)
	set(&c.Echo.InFlight, 1)
	set(&c.Echo.Reply, SameReply)
	set(&c.Echo.Backlog, 1<<16)
	set(&c.Fanout.Rate, 10)
	set(&c.Fanout.Publishers, 1)
	if len(c.Feed.Channels) == 0 {
		c.Feed.Channels = []string{"ticker:*"}
	}
	set(&c.Churn.Rate, 100)
	set(&c.Churn.Hold, Duration(time.Second))
	set(&c.Slow.Share, 0.1)
	set(&c.HalfOpen.Share, 0.1)
	set(&c.HalfOpen.How, Silent)
	set(&c.Engine, "auto")
}

func set[T comparable](field *T, value T) {
	*field = cmp.Or(*field, value)
}

// The bounds of what can be asked for.
const (
	maxConns    = 10_000_000
	maxInFlight = 1 << 16
	// maxPublications is how many messages a fanout's table of arrivals holds.
	maxPublications = 1_000_000
)

func (c *Config) checkNumbers() error {
	for _, b := range []struct {
		name      string
		v, lo, hi float64
	}{
		{"connections", float64(c.Conns), 1, maxConns},
		{"connect rate", orOne(c.Connect.Rate), 1e-3, 1e6},
		{"handshakes at once", float64(c.Connect.AtOnce), 1, 1e6},
		{"largest message", float64(c.Messages.MaxSize), 1, maxSize},
		{"echo rate", orOne(c.Echo.Rate), 1e-3, 1e8},
		{"messages in flight", float64(c.Echo.InFlight), 1, maxInFlight},
		{"backlog", float64(c.Echo.Backlog), 1, 1 << 24},
		{"publication rate", c.Fanout.Rate, 1e-3, 1e6},
		{"publishers", float64(c.Fanout.Publishers), 1, 256},
		{"churn rate", c.Churn.Rate, 1e-3, 1e6},
		{"waves", float64(c.Storm.Waves), 1, 10_000},
		{"share of slow clients", c.Slow.Share, 0, 1},
		{"bytes a second of a slow client", float64(c.Slow.Rate), 0, 1 << 30},
		{"share of vanishing clients", c.HalfOpen.Share, 0, 1},
		{"event loops", float64(c.Loops), 0, 1024},
	} {
		if !(b.v >= b.lo && b.v <= b.hi) {
			return fmt.Errorf("%s: %v is not between %v and %v", b.name, b.v, b.lo, b.hi)
		}
	}
	return c.checkDurations()
}

// orOne makes of no rate one that is within every bound.
func orOne(rate float64) float64 { return cmp.Or(rate, 1) }

func (c *Config) checkDurations() error {
	const day = 24 * time.Hour
	for _, b := range []struct {
		name   string
		d      Duration
		lo, hi time.Duration
	}{
		{"duration", c.Duration, time.Millisecond, 30 * day},
		{"warm-up", c.Warmup, 0, day},
		{"drain", c.Drain, 0, time.Hour},
		{"connect timeout", c.Connect.Timeout, time.Millisecond, time.Hour},
		{"hold", c.Churn.Hold, 0, day},
		{"time between waves", c.Storm.Every, 100 * time.Millisecond, day},
	} {
		if d := time.Duration(b.d); d < b.lo || d > b.hi {
			text, _ := b.d.MarshalText() // never fails
			return fmt.Errorf("%s: %s is not between %v and %v", b.name, text, b.lo, b.hi)
		}
	}
	return nil
}

func (c *Config) checkConnect() error {
	for _, t := range c.Targets {
		if _, err := parseTarget(t); err != nil {
			return err
		}
	}
	if !slices.Contains(append(poller.Engines(), "auto"), c.Engine) {
		return fmt.Errorf("there is no engine %q: there are auto, %s", c.Engine, strings.Join(poller.Engines(), ", "))
	}
	if p := c.Connect.Ports; p != "" && p != "kernel" {
		if _, _, err := parsePorts(p); err != nil {
			return err
		}
	}
	for _, h := range c.Connect.Headers {
		if name, _, ok := strings.Cut(h, ":"); !ok || strings.TrimSpace(name) == "" {
			return fmt.Errorf("header %q: write it as \"Name: value\"", h)
		}
	}
	for _, q := range c.Connect.Query {
		if name, _, ok := strings.Cut(q, "="); !ok || name == "" {
			return fmt.Errorf("query %q: write it as name=value", q)
		}
	}
	// What makes a request at all is for wsproto to say.
	probe := wsproto.ClientRequest{
		Target: "/", Host: "localhost", Origin: c.Connect.Origin,
		Subprotocols: c.Connect.Subprotocols, Header: headerFields(c.Connect.Headers, nil),
	}
	if _, err := wsproto.AppendRequest(nil, probe, [16]byte{}); err != nil {
		return fmt.Errorf("the handshake's request cannot be made: %w", err)
	}
	return nil
}

func (c *Config) checkMessages() error {
	if t := c.Messages.Type; t != "text" && t != "binary" {
		return fmt.Errorf("message type %q: there are text and binary", t)
	}
	if _, err := parseTemplates(c.Messages.Hello); err != nil {
		return err
	}
	p, err := newPayloads(&c.Messages, nil)
	if err != nil {
		return err
	}
	if c.traffic() == Fanout && c.Fanout.Stamp == "" {
		return p.checkMarks()
	}
	return nil
}

func (c *Config) checkScenario() error {
	if on := c.On; on != "" && on != Echo && on != Fanout && on != Feed {
		return fmt.Errorf("slow and halfopen go on beside echo, fanout or feed, not %q", on)
	}
	if c.Scenario == Slow && c.On == Echo {
		return errors.New("slow needs clients that are sent more than they ask for: let it go on beside fanout or feed")
	}
	if r := c.Echo.Reply; r != SameReply && r != AnyReply {
		return fmt.Errorf("a reply is the %s message or %s, not %q", SameReply, AnyReply, r)
	}
	if c.HalfOpen.How != Silent && c.HalfOpen.How != Reset {
		return fmt.Errorf("clients vanish %s or by %s, not %q", Silent, Reset, c.HalfOpen.How)
	}
	if c.traffic() != Fanout {
		return nil
	}
	f := &c.Fanout
	if f.Stamp != "" {
		if f.Post != "" {
			return errors.New("a fan-out has either a stamp of the server or messages that are posted, not both")
		}
		_, err := ParseStamp(f.Stamp)
		return err
	}
	if n := f.Rate * (time.Duration(c.Duration) + c.Warmup.length()).Seconds(); n > maxPublications {
		return fmt.Errorf("%.0f publications are more than the %d that are kept: lower the rate, the duration or the warm-up", n, maxPublications)
	}
	if f.Post != "" {
		if u, err := url.Parse(f.Post); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("%q is no HTTP URL to post to", f.Post)
		}
		if _, err := http.NewRequest(http.MethodPost, f.Post, nil); err != nil {
			return err
		}
	}
	if f.PublishTo != "" {
		if _, err := parseTarget(f.PublishTo); err != nil {
			return err
		}
	}
	return nil
}
