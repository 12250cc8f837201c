package gate

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"

	"github.com/pires/go-proxyproto"

	"github.com/roostws/roost/wsproto"
)

// ProxyMode is what is expected at the start of a connection.
type ProxyMode uint8

// The modes.
const (
	// ProxyOff takes no PROXY header.
	ProxyOff ProxyMode = iota
	// ProxyOptional takes one from a trusted peer, if it sends one. A trusted peer that hands on connections without a header lets
	// its clients write their own: use ProxyRequired where every proxy is set to send it.
	ProxyOptional
	// ProxyRequired refuses connections without one, and all that do not come from a trusted peer.
	ProxyRequired
)

var proxyModes = [...]string{"off", "optional", "required"}

// String is the mode's name, as UnmarshalText reads it.
func (m ProxyMode) String() string {
	if int(m) >= len(proxyModes) {
		return "unknown"
	}
	return proxyModes[m]
}

// UnmarshalText reads off, optional or required.
func (m *ProxyMode) UnmarshalText(text []byte) error {
	for i, name := range proxyModes {
		if name == string(text) {
			*m = ProxyMode(i)
			return nil
		}
	}
	return fmt.Errorf("%q is no mode of the PROXY protocol: want off, optional or required", text)
}

// ProxyProtocol reads the header of the PROXY protocol, versions 1 and 2, by which a proxy that hands on bytes tells whose they are
// (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt). The zero value takes none. Any goroutine may use it.
type ProxyProtocol struct {
	Mode    ProxyMode
	Trusted Prefixes // the proxies: nobody else's bytes are a header

	// MaxHeader is how many bytes a header of version 2 may have; 0: 1,024; MaxProxyHeader at most. One of version 1 has 107 at
	// most. A proxy that sends clients' certificates along needs more.
	MaxHeader int
}

const (
	// DefaultProxyHeader is ProxyProtocol.MaxHeader if that is 0.
	DefaultProxyHeader = 1024
	// MaxProxyHeader is what the library below takes: 4 KiB behind the fixed part.
	MaxProxyHeader = fixedV2 + 4096

	maxV1   = 107 // section 2.1
	fixedV2 = 16  // section 2.2: signature, command, family, length
)

var (
	signatureV1 = []byte("PROXY ")
	signatureV2 = []byte("\r\n\r\n\x00\r\nQUIT\n")
)

// Check says what of p cannot be meant.
func (p *ProxyProtocol) Check() error {
	switch {
	case int(p.Mode) >= len(proxyModes):
		return fmt.Errorf("gate: ProxyProtocol.Mode is %d: no such mode", p.Mode)
	case p.Mode != ProxyOff && p.Trusted.Empty():
		return errors.New("gate: ProxyProtocol.Trusted is empty: say from which addresses the proxies come")
	case p.MaxHeader < 0 || p.MaxHeader > MaxProxyHeader:
		return fmt.Errorf("gate: ProxyProtocol.MaxHeader is %d: want 0 to %d", p.MaxHeader, MaxProxyHeader)
	}
	return nil
}

// ProxyHeader is what a proxy told. Both addresses are invalid if it told none: a connection of the proxy's own, such as a health
// check (LOCAL, UNKNOWN), or one over a UNIX socket. The socket's own are meant then.
type ProxyHeader struct {
	Source, Destination netip.AddrPort
}

// ErrMore says that the bytes so far may become a PROXY header: call again when there are more.
var ErrMore = errors.New("gate: the PROXY header is not complete")

// All that Read refuses with.
var (
	errProxyPeer      = &wsproto.Refusal{Status: http.StatusForbidden, Reason: "not from a proxy", Body: "this port takes connections from its proxies only\n"}
	errProxyMissing   = &wsproto.Refusal{Status: http.StatusBadRequest, Reason: "no PROXY header", Body: "this port wants the PROXY protocol: switch it on in the proxy\n"}
	errProxyMalformed = &wsproto.Refusal{Status: http.StatusBadRequest, Reason: "malformed PROXY header", Body: "malformed PROXY header\n"}
	errProxyTooLong   = &wsproto.Refusal{Status: http.StatusBadRequest, Reason: "PROXY header too long", Body: "the PROXY header is too long\n"}
)

// Expects says whether the first bytes from peer are to be given to Read. If not, they are the client's own, or err refuses the
// connection, before a byte is read.
func (p *ProxyProtocol) Expects(peer netip.Addr) (yes bool, err error) {
	switch {
	case p.Mode == ProxyOff:
		return false, nil
	case p.Trusted.Contains(peer):
		return true, nil
	case p.Mode == ProxyRequired:
		return false, errProxyPeer
	}
	return false, nil
}

// Read looks at b, all bytes that have come from a peer from which a header is expected. It returns the header and its size in
// bytes: what follows is the client's. The size is 0, without an error, if there is none and need be none. ErrMore asks for more
// bytes; it is not returned when there are as many as MaxHeader and 107. Any other error is a *wsproto.Refusal: as a proxy and not the
// client has broken the rules, it may be answered or not. b is not kept.
func (p *ProxyProtocol) Read(b []byte) (ProxyHeader, int, error) {
	limit := p.MaxHeader
	if limit == 0 {
		limit = DefaultProxyHeader
	}
	size, err := proxyHeaderSize(b, limit)
	if err != nil {
		return ProxyHeader{}, 0, err
	}
	if size == 0 {
		if p.Mode == ProxyRequired {
			return ProxyHeader{}, 0, errProxyMissing
		}
		return ProxyHeader{}, 0, nil
	}
	h, err := parseProxyHeader(b[:size])
	if err != nil {
		return ProxyHeader{}, 0, err
	}
	return h, size, nil
}

// proxyHeaderSize is the size of the header that b begins with, 0 if it begins with none.
func proxyHeaderSize(b []byte, limit int) (int, error) {
	switch {
	case starts(b, signatureV1):
		line := b[:min(len(b), maxV1)]
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			return i + 1, nil
		}
		if len(line) == maxV1 {
			return 0, errProxyTooLong
		}
		return 0, ErrMore
	case starts(b, signatureV2):
		if len(b) < fixedV2 {
			return 0, ErrMore
		}
		size := fixedV2 + int(binary.BigEndian.Uint16(b[fixedV2-2:]))
		switch {
		case size > limit:
			return 0, errProxyTooLong
		case len(b) < size:
			return 0, ErrMore
		}
		return size, nil
	}
	return 0, nil
}

// starts says whether b begins with a signature, or may once there is more of it.
func starts(b, signature []byte) bool {
	n := min(len(b), len(signature))
	return bytes.Equal(b[:n], signature[:n])
}

// proxyReaders are what the library reads from. Each is as large as the largest header, so that one read fills it: the library
// refuses a header of version 1 that comes in two.
var proxyReaders = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, MaxProxyHeader) }}

// parseProxyHeader parses b, which is one header by its own account. So the library has all it asks for, and nothing to block on.
func parseProxyHeader(b []byte) (ProxyHeader, error) {
	r := proxyReaders.Get().(*bufio.Reader)
	r.Reset(bytes.NewReader(b))
	h, err := proxyproto.Read(r)
	rest := r.Buffered()
	r.Reset(nil)
	proxyReaders.Put(r)
	if err != nil || rest > 0 {
		return ProxyHeader{}, errProxyMalformed
	}
	if h.Command.IsLocal() {
		return ProxyHeader{}, nil
	}
	return ProxyHeader{Source: addrPort(h.SourceAddr), Destination: addrPort(h.DestinationAddr)}, nil
}

// addrPort is an address of the library's; the invalid one for that of a UNIX socket.
func addrPort(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	switch a := a.(type) {
	case *net.TCPAddr:
		ap = a.AddrPort()
	case *net.UDPAddr: // a proxy that speaks QUIC
		ap = a.AddrPort()
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
