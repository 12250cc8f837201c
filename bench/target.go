package bench

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/roostws/roost/wsproto"
)

// target is one URL, resolved, with the request that opens a WebSocket there.
type target struct {
	url     string
	addr    netip.AddrPort
	request wsproto.ClientRequest
	tls     *tls.Config // nil for ws://
}

// parseTarget checks a ws:// or wss:// URL.
func parseTarget(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%q is no URL (%w): write ws://host:port/path or wss://", raw, errors.Unwrap(err))
	}
	switch u.Scheme {
	case "ws", "wss":
	case "http", "https":
		return nil, fmt.Errorf("%q is an HTTP URL: write %s", raw, "ws"+strings.TrimPrefix(raw, "http"))
	default:
		return nil, fmt.Errorf("%q is no WebSocket URL: write ws://host:port/path or wss://", raw)
	}
	if u.Hostname() == "" {
		return nil, fmt.Errorf("%q names no host: write ws://host:port/path", raw)
	}
	if u.Fragment != "" {
		return nil, fmt.Errorf("%q has a fragment, which a WebSocket URL must not have (RFC 6455, section 3)", raw)
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return nil, fmt.Errorf("%q has no valid port", raw)
		}
	}
	return u, nil
}

// resolve makes a target of a URL.
func resolve(ctx context.Context, raw string, c *Connect) (*target, error) {
	u, err := parseTarget(raw)
	if err != nil {
		return nil, err
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"ws": "80", "wss": "443"}[u.Scheme]
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		var dns *net.DNSError
		if errors.As(err, &dns) && dns.IsNotFound {
			return nil, fmt.Errorf("there is no host %q", u.Hostname())
		}
		return nil, fmt.Errorf("cannot look up %q: %w", u.Hostname(), err)
	}
	number, _ := strconv.ParseUint(port, 10, 16)
	t := &target{url: raw, addr: netip.AddrPortFrom(choose(addrs), uint16(number))}
	t.request = wsproto.ClientRequest{
		Target:       requestTarget(u, c.Query),
		Host:         u.Host,
		Origin:       c.Origin,
		Subprotocols: c.Subprotocols,
		Header:       headerFields(c.Headers, u.User),
	}
	if c.Compress {
		t.request.Deflate = &deflateOffer
	}
	if _, err := wsproto.AppendRequest(nil, t.request, [16]byte{}); err != nil {
		return nil, &ConfigError{fmt.Errorf("no request can be made of %q: %s", redactURL(raw), plain(err))}
	}
	if u.Scheme == "wss" {
		if t.tls, err = tlsConfig(c, u.Hostname()); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// choose prefers IPv4, as most load runs go to one machine by a name for both.
func choose(addrs []netip.Addr) netip.Addr {
	for _, a := range addrs {
		if a = a.Unmap(); a.Is4() {
			return a
		}
	}
	return addrs[0].Unmap()
}

func requestTarget(u *url.URL, query []string) string {
	q := u.RawQuery
	for _, pair := range query {
		name, value, _ := strings.Cut(pair, "=")
		if q != "" {
			q += "&"
		}
		q += url.QueryEscape(name) + "=" + url.QueryEscape(value)
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	if q != "" {
		path += "?" + q
	}
	return path
}

func headerFields(lines []string, user *url.Userinfo) []wsproto.HeaderField {
	var fields []wsproto.HeaderField
	if user != nil {
		password, _ := user.Password()
		token := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		fields = append(fields, wsproto.HeaderField{Name: "Authorization", Value: "Basic " + token})
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		fields = append(fields, wsproto.HeaderField{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	return fields
}

func tlsConfig(c *Connect, host string) (*tls.Config, error) {
	config := &tls.Config{
		ServerName:         host,
		InsecureSkipVerify: c.Insecure,
		NextProtos:         []string{"http/1.1"},
		// Every client is one of its own: no session is shared between them.
	}
	if c.ServerName != "" {
		config.ServerName = c.ServerName
	}
	if c.CA != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(c.CA)) {
			return nil, &ConfigError{errors.New("the file of certificate authorities has no certificate in PEM")}
		}
	}
	return config, nil
}
