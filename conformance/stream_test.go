package conformance

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"unicode/utf8"
)

// largest is more than any row makes ours send, in bytes.
const largest = 1 << 20

// event is a message or a control frame of ours.
type event struct {
	op         byte
	payload    []byte
	compressed bool
}

// stream reads what ours sends, and holds each frame to the rules for senders.
type stream struct {
	br     *bufio.Reader
	masked bool      // ours is a client
	z      *inflater // nil: no compression was agreed on

	open event // a fragmented message
	keys []uint32
}

// header reads one (RFC 6455, section 5.2).
func (s *stream) header() (first byte, n uint64, err error) {
	var b [8]byte
	if _, err := io.ReadFull(s.br, b[:2]); err != nil {
		return 0, 0, err
	}
	first, n = b[0], uint64(b[1]&0x7F)
	if masked := b[1]&0x80 != 0; masked != s.masked {
		return 0, 0, fmt.Errorf("RFC 6455, 5.1: a frame with mask bit %v", masked)
	}
	switch n {
	case 126:
		_, err = io.ReadFull(s.br, b[:2])
		n = uint64(binary.BigEndian.Uint16(b[:]))
		if err == nil && n < 126 {
			return 0, 0, fmt.Errorf("RFC 6455, 5.2: the length %d in 16 bits", n)
		}
	case 127:
		_, err = io.ReadFull(s.br, b[:])
		n = binary.BigEndian.Uint64(b[:])
		if err == nil && n < 0x10000 {
			return 0, 0, fmt.Errorf("RFC 6455, 5.2: the length %d in 64 bits", n)
		}
	}
	return first, n, err
}

// frame reads one, its payload unmasked.
func (s *stream) frame() (first byte, payload []byte, err error) {
	first, n, err := s.header()
	if err != nil {
		return 0, nil, err
	}
	if op := first & 0x0F; op >= opClose && (n > 125 || first&0x80 == 0) {
		return 0, nil, fmt.Errorf("RFC 6455, 5.5: a control frame of %d bytes, first byte %#x", n, first)
	}
	if n > largest {
		return 0, nil, fmt.Errorf("a frame of %d bytes is more than was sent", n)
	}
	var key [4]byte
	if s.masked {
		if _, err := io.ReadFull(s.br, key[:]); err != nil {
			return 0, nil, err
		}
		s.keys = append(s.keys, binary.BigEndian.Uint32(key[:]))
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(s.br, payload)
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	return first, payload, err
}

// next reads up to the end of a message, or one control frame.
func (s *stream) next() (event, error) {
	for {
		first, payload, err := s.frame()
		if err != nil {
			return event{}, err
		}
		op, rsv := first&0x0F, first&0x70
		if rsv&^rsv1 != 0 || rsv != 0 && (s.z == nil || op != opText && op != opBinary) {
			return event{}, fmt.Errorf("RFC 6455, 5.2, RFC 7692, 6: a frame with the first byte %#x", first)
		}
		switch op {
		case opClose, opPing, opPong:
			return event{op: op, payload: payload}, nil
		case opText, opBinary:
			if s.open.op != 0 {
				return event{}, fmt.Errorf("RFC 6455, 5.4: a message begins within another")
			}
			s.open = event{op: op, compressed: rsv != 0}
		case opContinuation:
			if s.open.op == 0 {
				return event{}, fmt.Errorf("RFC 6455, 5.4: a continuation of nothing")
			}
		default:
			return event{}, fmt.Errorf("RFC 6455, 5.2: the reserved opcode %#x", op)
		}
		s.open.payload = append(s.open.payload, payload...)
		if first&0x80 != 0 {
			return s.message()
		}
	}
}

func (s *stream) message() (e event, err error) {
	e, s.open = s.open, event{}
	if e.compressed {
		if e.payload, err = s.z.inflate(e.payload); err != nil {
			return e, err
		}
	}
	if e.op == opText && !utf8.Valid(e.payload) {
		return e, fmt.Errorf("RFC 6455, 5.6: a text message that is not UTF-8")
	}
	return e, nil
}
