package client

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"

	"github.com/roostws/roost/wsproto"
)

// Dial opens a connection to a ws:// or wss:// URL. A user and password in it are sent as basic authorization unless the header has
// one. The context, and Config.HandshakeTimeout, bound everything from the look-up of the name to the server's answer; once Dial has
// returned they mean nothing any more.
//
// The error is a *HandshakeError when there was an HTTP answer that opens no WebSocket, and wraps the context's error when that ended.
func Dial(ctx context.Context, address string, config Config) (*Conn, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	d, err := newDialer(address, config)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	if config.HandshakeTimeout > 0 {
		cause := fmt.Errorf("%w after %v (Config.HandshakeTimeout)", context.DeadlineExceeded, config.HandshakeTimeout)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, config.HandshakeTimeout, cause)
		defer cancel()
	}
	c, err := d.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("client: %s: %w", d.url.Redacted(), err)
	}
	return c, nil
}

// dialer opens one connection.
type dialer struct {
	config  Config
	url     *url.URL
	secure  bool
	offer   wsproto.ClientRequest
	key     [16]byte
	request []byte // offer with key, as it goes to the wire
}

func newDialer(address string, config Config) (*dialer, error) {
	u, err := url.Parse(address)
	if err != nil {
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err // the rest of the text may hold a password
		}
		return nil, configError("the URL cannot be read: %w", err)
	}
	d := &dialer{config: config, url: u, secure: u.Scheme == "wss"}
	switch {
	case u.Scheme != "ws" && u.Scheme != "wss":
		return nil, configError("the URL's scheme is %q: it must be ws or wss", u.Scheme)
	case u.Hostname() == "":
		return nil, configError("the URL %q has no host", u.Redacted())
	case u.Fragment != "":
		return nil, configError("the URL has a fragment, %q, which a WebSocket's may not: write # as %%23 (RFC 6455, section 3)", u.Fragment)
	}
	d.offer = wsproto.ClientRequest{
		Target:       u.RequestURI(),
		Host:         cmp.Or(config.Host, u.Host),
		Origin:       config.Origin,
		Subprotocols: slices.Clone(config.Subprotocols),
		Deflate:      config.Deflate,
	}
	for _, name := range slices.Sorted(maps.Keys(config.Header)) {
		for _, value := range config.Header[name] {
			d.offer.Header = append(d.offer.Header, wsproto.HeaderField{Name: name, Value: value})
		}
	}
	if u.User != nil && config.Header.Get("Authorization") == "" {
		d.offer.Header = append(d.offer.Header, wsproto.HeaderField{Name: "Authorization", Value: basicAuth(u.User)})
	}
	rand.Read(d.key[:])
	if d.request, err = wsproto.AppendRequest(nil, d.offer, d.key); err != nil {
		return nil, mistake{err}
	}
	return d, nil
}

func basicAuth(user *url.Userinfo) string {
	password, _ := user.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password))
}

func (d *dialer) dial(ctx context.Context) (*Conn, error) {
	proxy, err := d.proxy()
	if err != nil {
		return nil, err
	}
	to := hostPort(d.url)
	if proxy != nil {
		to = hostPort(proxy)
	}
	raw, err := d.config.DialContext(ctx, "tcp", to)
	if err != nil {
		return nil, during(ctx, "connecting", err)
	}
	// From here on a context that ends closes the socket, and what is under way fails by that.
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	c, err := d.open(ctx, raw, proxy)
	if !stop() && err == nil {
		err = during(ctx, "connecting", net.ErrClosed)
	}
	if err != nil {
		raw.Close()
		return nil, err
	}
	return c, nil
}

// open makes a WebSocket of a connection to the server, or to its proxy.
func (d *dialer) open(ctx context.Context, raw net.Conn, proxy *url.URL) (c *Conn, err error) {
	conn := raw
	if proxy != nil {
		if conn, err = d.throughProxy(ctx, conn, proxy); err != nil {
			return nil, err
		}
	}
	if d.secure {
		if conn, err = d.startTLS(ctx, conn, d.url.Hostname(), false); err != nil {
			return nil, during(ctx, "TLS handshake", err)
		}
	}
	response, rest, err := d.handshake(conn)
	if err != nil {
		return nil, during(ctx, "handshake", err)
	}
	return newConn(conn, raw, d.config, response, rest), nil
}

// startTLS speaks TLS to host on conn.
func (d *dialer) startTLS(ctx context.Context, conn net.Conn, host string, proxy bool) (net.Conn, error) {
	config := &tls.Config{}
	if d.config.TLS != nil {
		config = d.config.TLS.Clone()
	}
	if config.ServerName == "" || proxy {
		config.ServerName = host
	}
	config.NextProtos = []string{"http/1.1"} // a server that chose h2 would not understand us
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		var record tls.RecordHeaderError
		if errors.As(err, &record) {
			return nil, fmt.Errorf("the answer is not TLS: is this a port for ws:// or http://? %w", err)
		}
		return nil, err
	}
	return secure, nil
}

// during says what was under way, and that the context ended it if it did.
func during(ctx context.Context, what string, err error) error {
	var refused *HandshakeError
	if ctx.Err() == nil || errors.As(err, &refused) { // an answer says more than that reading its body took too long
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %w", what, contextError(ctx))
}

// hostPort is the address to dial for a URL.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "80"
		if u.Scheme == "wss" || u.Scheme == "https" {
			port = "443"
		}
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// asHTTP is the request that decides on the proxy.
func (d *dialer) asHTTP() *http.Request {
	u := *d.url
	u.Scheme = "http"
	if d.secure {
		u.Scheme = "https"
	}
	return &http.Request{Method: http.MethodGet, URL: &u, Host: d.offer.Host, Header: d.config.Header}
}
