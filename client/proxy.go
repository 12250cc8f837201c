package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/roostws/roost/wsproto"
)

// proxy returns the proxy to go through, or nil for none.
func (d *dialer) proxy() (*url.URL, error) {
	u, err := d.config.Proxy(d.asHTTP())
	switch {
	case err != nil:
		return nil, mistake{fmt.Errorf("choosing a proxy: %w", err)}
	case u == nil:
		return nil, nil
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, configError("the proxy %s is none of http or https: for a SOCKS proxy set Config.DialContext, and Config.Proxy to a function that returns nil", u.Redacted())
	case u.Hostname() == "":
		return nil, configError("the proxy %q has no host", u.Redacted())
	}
	return u, nil
}

// throughProxy has a proxy connect to the server (RFC 9110, section 9.3.6; RFC 6455, section 4.1, step 2 of the connection).
func (d *dialer) throughProxy(ctx context.Context, conn net.Conn, proxy *url.URL) (net.Conn, error) {
	if proxy.Scheme == "https" {
		secure, err := d.startTLS(ctx, conn, proxy.Hostname(), true)
		if err != nil {
			return nil, during(ctx, "TLS handshake with the proxy", err)
		}
		conn = secure
	}
	to := hostPort(d.url)
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: to}, Host: to, Header: http.Header{}}
	if proxy.User != nil {
		request.Header.Set("Proxy-Authorization", basicAuth(proxy.User))
	}
	request.Header.Set("User-Agent", "") // net/http's own would be a lie
	err := request.Write(conn)
	if err == nil {
		err = connected(conn, request)
	}
	if err != nil {
		return nil, during(ctx, "proxy "+proxy.Redacted(), err)
	}
	return conn, nil
}

// connected reads a proxy's answer.
func connected(conn net.Conn, request *http.Request) error {
	br := bufio.NewReader(io.LimitReader(conn, wsproto.MaxHead))
	response, err := http.ReadResponse(br, request)
	if err != nil {
		return fmt.Errorf("its answer cannot be read: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return &HandshakeError{
			Status: response.StatusCode, Header: response.Header, Body: beginning(conn, response.Body),
			Proxy: true, Reason: "it does not connect to the server",
		}
	}
	// We speak first: bytes in front of the server's answer are nobody's.
	if br.Buffered() > 0 {
		return errors.New("it sent bytes before the server could")
	}
	return nil
}
