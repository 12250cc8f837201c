package wsproto

import (
	"fmt"
	"strconv"
)

const (
	deflateName = "permessage-deflate"
	// minWindowBits and maxWindowBits bound an LZ77 window: 256 bytes and
	// 32 KiB (RFC 7692, section 7.1.2).
	minWindowBits = 8
	maxWindowBits = 15
	// anyBits is a client_max_window_bits without a value.
	anyBits = -1
)

// Deflate is what both sides of a connection agreed on for permessage-deflate
// (RFC 7692, section 7.1). The zero value says that it was not negotiated.
type Deflate struct {
	// ServerNoContextTakeover says that the server compresses each message by
	// itself, ClientNoContextTakeover the same of the client.
	ServerNoContextTakeover bool
	ClientNoContextTakeover bool
	// ServerMaxWindowBits bounds how far back the server's messages refer, to
	// 1<<bits bytes, and ClientMaxWindowBits the client's: 8 to 15 each.
	ServerMaxWindowBits int
	ClientMaxWindowBits int
}

// DeflateConfig is what a side wants of permessage-deflate: for a server what
// it agrees to, for a client what it offers. The zero value takes everything
// that compresses best: context takeover and windows of 32 KiB.
type DeflateConfig struct {
	// ServerNoContextTakeover makes the server compress each message by
	// itself: it keeps no memory for what it sends, the client none for what
	// it reads. ClientNoContextTakeover is the other direction's.
	//
	// The server decides both for good. A client demands the first, and of
	// the second it says that it will act so.
	ServerNoContextTakeover bool
	ClientNoContextTakeover bool
	// ServerMaxWindowBits is the largest window of what the server sends, and
	// ClientMaxWindowBits of what the client sends, which is what the server
	// has to remember: 8 to 15, zero means 15.
	//
	// A client that does not offer to limit its window must not be asked to
	// (section 7.1.2.2). A server with a limit then asks for
	// client_no_context_takeover instead, and so remembers nothing.
	ServerMaxWindowBits int
	ClientMaxWindowBits int
}

// negotiated reports whether there is an extension at all.
func (d Deflate) negotiated() bool { return d != Deflate{} }

// deflateParams are the parameters of one permessage-deflate element as sent.
// Bits are zero where there are none.
type deflateParams struct {
	serverNoTakeover, clientNoTakeover bool
	serverBits, clientBits             int
	bad                                bool
}

// set takes one parameter. Anything that section 7 has a receiver decline or
// fail on makes the element bad: an unknown parameter, one that comes twice,
// a value where none belongs, none or a wrong one where one does.
func (p *deflateParams) set(q param) {
	flag := func(seen *bool) bool {
		ok := !*seen && q.value == nil
		*seen = true
		return ok
	}
	bits := func(seen *int) bool {
		ok := *seen == 0
		*seen = windowBits(q.value)
		return ok && *seen != 0
	}
	ok := false
	switch string(q.name) {
	case "server_no_context_takeover":
		ok = flag(&p.serverNoTakeover)
	case "client_no_context_takeover":
		ok = flag(&p.clientNoTakeover)
	case "server_max_window_bits":
		ok = bits(&p.serverBits)
	case "client_max_window_bits":
		if q.value == nil {
			ok, p.clientBits = p.clientBits == 0, anyBits
		} else {
			ok = bits(&p.clientBits)
		}
	}
	p.bad = p.bad || !ok
}

// windowBits returns the number 8 to 15 that value is, without leading zeros
// (section 7.1.2), or 0.
func windowBits(value []byte) int {
	switch {
	case len(value) == 1 && (value[0] == '8' || value[0] == '9'):
		return int(value[0] - '0')
	case len(value) == 2 && value[0] == '1' && '0' <= value[1] && value[1] <= '5':
		return 10 + int(value[1]-'0')
	}
	return 0
}

// deflateOffers calls yield with every well-formed permessage-deflate element.
func (f *fields) deflateOffers(yield func(deflateParams) bool) {
	var p deflateParams
	f.eachExtension(func(q param) { p.set(q) }, func(name []byte) bool {
		got := p
		p = deflateParams{}
		return string(name) != deflateName || got.bad || yield(got)
	})
}

// NegotiateDeflate returns what the first offer of permessage-deflate that
// can be accepted leads to, for Accept.Deflate, and zero when there is none:
// the connection is then one without compression. Call it after CheckUpgrade.
//
// An offer with an unknown, repeated or ill-valued parameter is passed over
// (RFC 7692, section 7). What it asks of the server is granted: no context
// takeover, a smaller window. What c asks of the client is answered where the
// offer allows that.
func (r *Request) NegotiateDeflate(c DeflateConfig) (d Deflate) {
	r.deflateOffers(func(offer deflateParams) bool {
		d = c.answer(offer)
		return false
	})
	return d
}

// answer is the server's choice for one offer.
func (c DeflateConfig) answer(offer deflateParams) Deflate {
	d := Deflate{
		ServerNoContextTakeover: c.ServerNoContextTakeover || offer.serverNoTakeover,
		ClientNoContextTakeover: c.ClientNoContextTakeover || offer.clientNoTakeover,
		ServerMaxWindowBits:     lesser(c.ServerMaxWindowBits, offer.serverBits),
		ClientMaxWindowBits:     lesser(c.ClientMaxWindowBits, offer.clientBits),
	}
	if offer.clientBits == 0 && d.ClientMaxWindowBits < maxWindowBits {
		d.ClientMaxWindowBits, d.ClientNoContextTakeover = maxWindowBits, true
	}
	return d
}

// lesser returns the lesser limit of two that may be none.
func lesser(a, b int) int {
	bits := maxWindowBits
	if a > 0 {
		bits = min(bits, a)
	}
	if b > 0 {
		bits = min(bits, b)
	}
	return bits
}

// permits reports whether d is a legal answer to the offer.
func (p deflateParams) permits(d Deflate) bool {
	return minWindowBits <= d.ServerMaxWindowBits && d.ServerMaxWindowBits <= lesser(p.serverBits, 0) &&
		minWindowBits <= d.ClientMaxWindowBits && d.ClientMaxWindowBits <= maxWindowBits &&
		(d.ClientMaxWindowBits == maxWindowBits || p.clientBits != 0 && d.ClientMaxWindowBits <= lesser(p.clientBits, 0)) &&
		(d.ServerNoContextTakeover || !p.serverNoTakeover)
}

// appendAnswer appends the response's header for d, by the first offer that
// permits it. ok is false when none does.
func (r *Request) appendAnswer(dst []byte, d Deflate) (out []byte, ok bool) {
	r.deflateOffers(func(offer deflateParams) bool {
		if ok = offer.permits(d); !ok {
			return true
		}
		answer := deflateParams{serverNoTakeover: d.ServerNoContextTakeover, clientNoTakeover: d.ClientNoContextTakeover}
		// A limit that was offered must be answered, even when it is none
		// (section 7.1.2.1).
		if d.ServerMaxWindowBits < maxWindowBits || offer.serverBits != 0 {
			answer.serverBits = d.ServerMaxWindowBits
		}
		if d.ClientMaxWindowBits < maxWindowBits {
			answer.clientBits = d.ClientMaxWindowBits
		}
		dst = answer.appendTo(dst)
		return false
	})
	return dst, ok
}

// appendTo appends the header with p.
func (p deflateParams) appendTo(dst []byte) []byte {
	dst = append(dst, "Sec-WebSocket-Extensions: "+deflateName...)
	if p.serverNoTakeover {
		dst = append(dst, "; server_no_context_takeover"...)
	}
	if p.clientNoTakeover {
		dst = append(dst, "; client_no_context_takeover"...)
	}
	if p.serverBits > 0 {
		dst = strconv.AppendInt(append(dst, "; server_max_window_bits="...), int64(p.serverBits), 10)
	}
	if p.clientBits != 0 {
		dst = append(dst, "; client_max_window_bits"...)
	}
	if p.clientBits > 0 {
		dst = strconv.AppendInt(append(dst, '='), int64(p.clientBits), 10)
	}
	return append(dst, "\r\n"...)
}

// offer returns what a client with c sends. It always says that its window can
// be limited.
func (c DeflateConfig) offer() (deflateParams, error) {
	for _, bits := range [...]int{c.ServerMaxWindowBits, c.ClientMaxWindowBits} {
		if bits != 0 && (bits < minWindowBits || bits > maxWindowBits) {
			return deflateParams{}, fmt.Errorf("wsproto: a window of %d bits cannot be offered: 8 to 15 can", bits)
		}
	}
	p := deflateParams{
		serverNoTakeover: c.ServerNoContextTakeover,
		clientNoTakeover: c.ClientNoContextTakeover,
		clientBits:       anyBits,
	}
	if c.ServerMaxWindowBits < maxWindowBits {
		p.serverBits = c.ServerMaxWindowBits
	}
	if c.ClientMaxWindowBits != 0 && c.ClientMaxWindowBits < maxWindowBits {
		p.clientBits = c.ClientMaxWindowBits
	}
	return p, nil
}

// checkExtensions returns what a server's answer to the offer of c agrees on,
// or what is wrong with it (RFC 7692, section 7.1; RFC 6455, section 9.1). c
// is nil when nothing was offered.
func (f *fields) checkExtensions(c *DeflateConfig) (d Deflate, reason string) {
	if f.known[extensionsField].count == 0 {
		return d, ""
	}
	if c == nil {
		return d, "an extension that was not asked for"
	}
	var p deflateParams
	elements, foreign := 0, false
	formed := f.eachExtension(func(q param) { p.set(q) }, func(name []byte) bool {
		elements++
		foreign = foreign || string(name) != deflateName
		return true
	})
	switch {
	case !formed || elements == 0:
		return d, "a malformed Sec-WebSocket-Extensions"
	case foreign:
		return d, "an extension that was not asked for"
	case elements > 1:
		return d, deflateName + " twice"
	case p.bad || p.clientBits == anyBits:
		return d, "a parameter of " + deflateName + " that is unknown, repeated or has a wrong value"
	}
	offer, err := c.offer()
	if err != nil {
		return d, "an answer to an offer that cannot be made"
	}
	d = Deflate{
		ServerNoContextTakeover: p.serverNoTakeover,
		ClientNoContextTakeover: p.clientNoTakeover || c.ClientNoContextTakeover,
		ServerMaxWindowBits:     lesser(p.serverBits, 0),
		ClientMaxWindowBits:     lesser(p.clientBits, 0),
	}
	if p.clientBits > lesser(offer.clientBits, 0) || !offer.permits(d) {
		return Deflate{}, deflateName + " with less than was asked for"
	}
	// What was said to be the limit is one without an answer, too.
	d.ClientMaxWindowBits = lesser(d.ClientMaxWindowBits, c.ClientMaxWindowBits)
	return d, ""
}
