package feed

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/roostws/roost/server"
)

// Config is everything that a Feed can be told. Its zero value serves a simulated market to pages of its own origin.
type Config struct {
	// Addr is where Run listens; "": 127.0.0.1:8080. Port 0 takes a free one.
	Addr string

	// Source delivers the market; nil: a Sim with its defaults.
	Source Source

	// WaitForSubscriber starts the source a quarter of a second after the first subscription has come, whose client so misses
	// nothing. Default: at once.
	WaitForSubscriber bool

	// Origins are the web origins, such as "https://app.example.com" or "https://*.example.com", whose pages may connect beside those
	// of the feed's own; "*" stands for all (see gate.ParseOrigins). Programs that send no Origin always may.
	Origins []string

	MaxSubscriptions int           // channels of a connection at most, more get too_many_subscriptions; 0: 1,000
	RequestRate      float64       // requests a second of a connection, in the long run; more get rate_limited; 0: 10
	RequestBurst     int           // requests of a connection at once; 0: 50
	MaxRefused       int           // requests of a connection refused in a row, one a second forgiven, before it is closed with 4429; 0: 20
	Silence          time.Duration // a subscribed connection that was sent nothing for so long gets a heartbeat; 0: 1 s; < 0: never
	Drain            time.Duration // what Run gives connections to end in order; 0: 5 s

	// Server is the rest of the server's settings. The feed sets Handler, Origins, HTTP, MaxMessage, MaxTopics, SilenceAfter
	// and OnSilence itself, and has no Routes. Authorize, if there is one, decides on handshakes that have the feed's path.
	Server server.Config

	Logger *slog.Logger // nil: slog.Default()
}

// withDefaults returns c with every zero replaced by its default, or says which field is wrong.
func (c Config) withDefaults() (Config, error) {
	if c.Addr == "" {
		c.Addr = "127.0.0.1:8080"
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Server.Logger == nil {
		c.Server.Logger = c.Logger
	}
	for _, f := range []struct {
		name  string
		value *int
		def   int
	}{
		{"MaxSubscriptions", &c.MaxSubscriptions, 1000},
		{"RequestBurst", &c.RequestBurst, 50},
		{"MaxRefused", &c.MaxRefused, 20},
	} {
		if *f.value < 0 {
			return c, fmt.Errorf("feed: Config.%s is %d: it must not be negative", f.name, *f.value)
		}
		if *f.value == 0 {
			*f.value = f.def
		}
	}
	if c.RequestRate == 0 {
		c.RequestRate = 10
	}
	if !(c.RequestRate > 0) {
		return c, fmt.Errorf("feed: Config.RequestRate is %v: it must not be negative", c.RequestRate)
	}
	if c.Drain < 0 {
		return c, fmt.Errorf("feed: Config.Drain is %v: it must not be negative", c.Drain)
	}
	if c.Drain == 0 {
		c.Drain = 5 * time.Second
	}
	if c.Silence == 0 {
		c.Silence = time.Second
	}
	if c.Source == nil {
		sim, err := NewSim(SimConfig{})
		if err != nil {
			return c, err
		}
		c.Source = sim
	}
	return c, nil
}
