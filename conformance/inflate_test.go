package conformance

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// params are what an answer agrees on (RFC 7692, section 7.1).
type params struct {
	on                                 bool
	serverNoTakeover, clientNoTakeover bool
	serverBits, clientBits             int // 0: not named, so 15
}

// String is the element that says so.
func (p params) String() string {
	s := "permessage-deflate"
	if p.serverNoTakeover {
		s += "; server_no_context_takeover"
	}
	if p.clientNoTakeover {
		s += "; client_no_context_takeover"
	}
	if p.serverBits > 0 {
		s += "; server_max_window_bits=" + strconv.Itoa(p.serverBits)
	}
	if p.clientBits > 0 {
		s += "; client_max_window_bits=" + strconv.Itoa(p.clientBits)
	}
	return s
}

// parseAnswer reads a response's Sec-WebSocket-Extensions, and says what is illegal about it as such.
func parseAnswer(values []string) (p params, err error) {
	switch {
	case len(values) == 0:
		return p, nil
	case len(values) > 1:
		return p, fmt.Errorf("RFC 6455, 11.3.2: the header comes %d times in a response", len(values))
	}
	parts := strings.Split(values[0], ";")
	if strings.TrimSpace(parts[0]) != "permessage-deflate" {
		return p, fmt.Errorf("RFC 6455, 9.1: the answer %q is no extension that was offered", values[0])
	}
	p.on = true
	seen := map[string]bool{}
	for _, part := range parts[1:] {
		name, value, has := strings.Cut(strings.TrimSpace(part), "=")
		if seen[name] {
			return p, fmt.Errorf("RFC 7692, 7.1: %q comes twice", name)
		}
		seen[name] = true
		value = strings.Trim(value, `"`)
		bits, _ := strconv.Atoi(value)
		if strconv.Itoa(bits) != value {
			bits = 0 // no leading zeros
		}
		switch {
		case name == "server_no_context_takeover" && !has:
			p.serverNoTakeover = true
		case name == "client_no_context_takeover" && !has:
			p.clientNoTakeover = true
		case name == "server_max_window_bits" && bits >= 8 && bits <= 15:
			p.serverBits = bits
		case name == "client_max_window_bits" && bits >= 8 && bits <= 15:
			p.clientBits = bits
		default:
			return p, fmt.Errorf("RFC 7692, 7.1: the parameter %q is not legal in a response", part)
		}
	}
	return p, nil
}

// of15 is a window that may not have been named.
func of15(bits int) int {
	if bits == 0 {
		return 15
	}
	return bits
}

// inflater reads what ours has compressed, and holds it to what was agreed on.
type inflater struct {
	bits     int
	takeover bool
	history  []byte
	past     bool // a message referred to an earlier one
	messages int  // that were compressed
}

func (z *inflater) inflate(payload []byte) ([]byte, error) {
	z.messages++
	in := append(bytes.Clone(payload), tail...)
	p, err := inflate(in, z.history)
	if err != nil {
		return nil, fmt.Errorf("RFC 7692, 7.2.2: a message of %d bytes with a history of %d bytes: %w", len(payload), len(z.history), err)
	}
	if p.farthest > 1<<z.bits {
		return nil, fmt.Errorf("RFC 7692, 7.1.2: a message refers back by %d bytes, but the window is of %d bits", p.farthest, z.bits)
	}
	message := p.out[p.history:]
	// A second opinion. The block behind the tail is the final one that the standard library waits for.
	std, err := io.ReadAll(flate.NewReaderDict(bytes.NewReader(append(in, "\x01\x00\x00\xff\xff"...)), z.history))
	if err != nil || !bytes.Equal(std, message) {
		return nil, fmt.Errorf("RFC 7692, 7.2.2: the standard library inflates %d bytes, RFC 1951 by the letter %d: %v", len(std), len(message), err)
	}
	z.past = z.past || p.past
	if z.takeover {
		z.history = bytes.Clone(lastOf(p.out, 1<<15))
	}
	return message, nil
}
