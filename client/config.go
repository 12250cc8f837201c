package client

import (
	"context"
	"crypto/tls"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/roostws/roost/wsproto"
)

// Config is everything that Dial can be told. Its zero value works. Dial copies what it keeps, but the header, the subprotocols and
// the TLS configuration must not change while it runs.
type Config struct {
	Header       http.Header // further fields of the request, such as Authorization and Cookie; none of the handshake's own
	Host         string      // the Host field; "": the URL's
	Origin       string      // the Origin field; "": none, which servers take from programs that are no browsers
	Subprotocols []string    // offered in this order; Conn.Subprotocol tells the server's choice

	// TLS is for wss, and for https proxies. ServerName is the host's unless it is set, which does not go for the proxy. NextProtos
	// is always http/1.1. nil: the defaults of crypto/tls.
	TLS *tls.Config

	// Proxy returns the proxy for a request, or nil for none; the request's URL has http for ws and https for wss. http and https
	// proxies are spoken to with CONNECT, with the user and password of the URL. nil: http.ProxyFromEnvironment (HTTP_PROXY for ws,
	// HTTPS_PROXY for wss, NO_PROXY; never for localhost).
	Proxy func(*http.Request) (*url.URL, error)

	// DialContext opens the transport, to the proxy if there is one: for Unix sockets, SOCKS and tests. nil: net.Dialer's.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)

	HandshakeTimeout time.Duration // from Dial to the open connection; 0: 10 s; < 0: only the context
	CloseTimeout     time.Duration // Close waits for the server's Close frame for so long; 0: 5 s

	// PingAfter and PingGrace are the heartbeat. While a Read waits, a server that sent nothing for PingAfter gets a ping, and if
	// it sends nothing for PingGrace after that, the connection ends with ErrSilent. So it does when the server takes nothing of a
	// Write for the sum of both. 0: 30 s and 10 s; PingAfter < 0: no heartbeat.
	PingAfter, PingGrace time.Duration

	// Deflate offers permessage-deflate (RFC 7692) as it says; its zero value offers all that compresses best, for up to 36 KiB of
	// memory. nil: no compression. Messages of fewer than 128 bytes go as they are.
	Deflate *wsproto.DeflateConfig

	MaxMessage int // bytes of a received message at most, more end with 1009; 0: 1 MiB
}

// withDefaults returns c with every zero replaced by its default, or says which field is wrong.
func (c Config) withDefaults() (Config, error) {
	for _, f := range []struct {
		name     string
		value    *time.Duration
		def      time.Duration
		negative bool // is a setting: off
	}{
		{"HandshakeTimeout", &c.HandshakeTimeout, 10 * time.Second, true},
		{"CloseTimeout", &c.CloseTimeout, 5 * time.Second, false},
		{"PingAfter", &c.PingAfter, 30 * time.Second, true},
		{"PingGrace", &c.PingGrace, 10 * time.Second, false},
	} {
		if *f.value < 0 && !f.negative {
			return c, configError("Config.%s is %v: it must not be negative", f.name, *f.value)
		}
		if *f.value == 0 {
			*f.value = f.def
		}
	}
	if c.MaxMessage < 0 || c.MaxMessage > math.MaxInt32 {
		return c, configError("Config.MaxMessage is %d: it must be under 2 GiB and not negative", c.MaxMessage)
	}
	if c.Proxy == nil {
		c.Proxy = http.ProxyFromEnvironment
	}
	if c.DialContext == nil {
		c.DialContext = new(net.Dialer).DialContext
	}
	return c, nil
}

// mistake is an error of the caller's: another try would not get further.
type mistake struct{ error }

func (m mistake) Unwrap() error { return m.error }

func configError(format string, args ...any) error { return mistake{fmt.Errorf(format, args...)} }
