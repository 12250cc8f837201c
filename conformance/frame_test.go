package conformance

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

// The opcodes and reserved bits of RFC 6455, section 5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA

	rsv1 = 0x40
	rsv2 = 0x20
	rsv3 = 0x10
)

// frame is one as it is to be sent, right or wrong. Its zero value is an empty final continuation.
type frame struct {
	op      byte
	more    bool // FIN is 0
	rsv     byte
	payload []byte
	form    int      // bits in which the length is written: 7, 16 or 64; 0: the fewest
	claim   uint64   // the length that is written; 0: the payload's
	flip    bool     // masked by a server, or not masked by a client
	key     *[4]byte // nil: a random one
}

// append writes the frame down. masked is what the sender's role demands.
func (f frame) append(dst []byte, masked bool, rnd *rand.Rand) []byte {
	n, form := f.claim, f.form
	if n == 0 {
		n = uint64(len(f.payload))
	}
	if form == 0 {
		form = shortest(n)
	}
	first, bit := f.op|f.rsv, byte(0)
	if !f.more {
		first |= 0x80
	}
	if masked = masked != f.flip; masked {
		bit = 0x80
	}
	switch form {
	case 7:
		dst = append(dst, first, bit|byte(n))
	case 16:
		dst = binary.BigEndian.AppendUint16(append(dst, first, bit|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, first, bit|127), n)
	}
	if !masked {
		return append(dst, f.payload...)
	}
	key := f.key
	if key == nil {
		key = new([4]byte)
		binary.BigEndian.PutUint32(key[:], rnd.Uint32())
	}
	dst = append(dst, key[:]...)
	for i, c := range f.payload {
		dst = append(dst, c^key[i%4])
	}
	return dst
}

// shortest is the form that section 5.2 demands for a length.
func shortest(n uint64) int {
	switch {
	case n <= 125:
		return 7
	case n <= 0xFFFF:
		return 16
	}
	return 64
}

func text(s string) frame     { return frame{op: opText, payload: []byte(s)} }
func binaryOf(b string) frame { return frame{op: opBinary, payload: []byte(b)} }
func ping(s string) frame     { return frame{op: opPing, payload: []byte(s)} }
func pong(s string) frame     { return frame{op: opPong, payload: []byte(s)} }

// begin is the first fragment of a message, more a fragment between, last the last one.
func begin(op byte, s string) frame { return frame{op: op, more: true, payload: []byte(s)} }
func more(s string) frame           { return frame{more: true, payload: []byte(s)} }
func last(s string) frame           { return frame{payload: []byte(s)} }

func closing(code int, reason string) frame {
	return frame{op: opClose, payload: append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)}
}

// fragments cuts a message into one frame for each byte.
func fragments(op byte, s string) []frame {
	all := []frame{begin(op, "")}
	for i := range len(s) {
		all = append(all, more(s[i:i+1]))
	}
	return append(all, last(""))
}

// cut makes a message fragments, with control frames between them. The first has its reserved bits.
func (f frame) cut(rnd *rand.Rand) (all []frame) {
	first, rest := f, f.payload
	first.more = true
	for {
		n := rnd.IntN(len(rest) + 1)
		if rnd.IntN(4) == 0 {
			n = min(n, rnd.IntN(4))
		}
		first.payload, rest = rest[:n], rest[n:]
		all = append(all, first)
		first = frame{more: true}
		switch rnd.IntN(8) {
		case 0:
			all = append(all, ping(fmt.Sprint("between ", rnd.Uint32()))) // no two alike, so that pongs can be told apart
		case 1:
			all = append(all, pong("unasked"))
		}
		if rnd.IntN(4) == 0 || len(rest) == 0 && rnd.IntN(2) == 0 {
			return append(all, frame{payload: rest})
		}
	}
}
