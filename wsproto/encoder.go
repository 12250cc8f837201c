package wsproto

import (
	"encoding/binary"
	"slices"

	"github.com/gobwas/ws"
)

// HeaderSize returns the size in bytes of the header of an unmasked frame
// with a payload of n bytes: 2, 4 or 10. A masked one's has four more.
func HeaderSize(n int) int {
	switch {
	case n < shortest16:
		return 2
	case n < shortest64:
		return 4
	}
	return 10
}

// AppendHeader appends a frame's header in its shortest form (RFC 6455,
// section 5.2). It does not judge h: [ws.CheckHeader] does.
func AppendHeader(dst []byte, h ws.Header) []byte {
	b0 := byte(h.OpCode)&bitsOp | h.Rsv<<4&bitsRsv
	if h.Fin {
		b0 |= bitFin
	}
	var masked byte
	if h.Masked {
		masked = bitMask
	}
	dst = appendLength(dst, b0, masked, h.Length)
	if h.Masked {
		dst = append(dst, h.Mask[:]...)
	}
	return dst
}

func appendLength(dst []byte, b0, masked byte, n int64) []byte {
	switch {
	case n < shortest16:
		return append(dst, b0, masked|byte(n))
	case n < shortest64:
		return append(dst, b0, masked|lengthIn16, byte(n>>8), byte(n))
	}
	dst = append(dst, b0, masked|lengthIn64)
	return binary.BigEndian.AppendUint64(dst, uint64(n))
}

// AppendFrame appends a server's frame: final and not masked. A control
// frame's payload must not exceed 125 bytes.
func AppendFrame(dst []byte, op ws.OpCode, payload []byte) []byte {
	return appendFrame(dst, byte(op)|bitFin, payload)
}

// appendFrame is AppendFrame for a first byte.
func appendFrame(dst []byte, b0 byte, payload []byte) []byte {
	dst = slices.Grow(dst, HeaderSize(len(payload))+len(payload))
	dst = appendLength(dst, b0, 0, int64(len(payload)))
	return append(dst, payload...)
}

// AppendMaskedFrame appends a client's frame: final and masked with mask,
// which must be fresh random bytes for each frame (RFC 6455, section 5.3).
// payload is left as it is. A control frame's must not exceed 125 bytes.
func AppendMaskedFrame(dst []byte, op ws.OpCode, payload []byte, mask [4]byte) []byte {
	return appendMaskedFrame(dst, byte(op)|bitFin, payload, mask)
}

// appendMaskedFrame is AppendMaskedFrame for a first byte.
func appendMaskedFrame(dst []byte, b0 byte, payload []byte, mask [4]byte) []byte {
	dst = slices.Grow(dst, HeaderSize(len(payload))+4+len(payload))
	dst = appendLength(dst, b0, bitMask, int64(len(payload)))
	dst = append(dst, mask[:]...)
	start := len(dst)
	dst = append(dst, payload...)
	Mask(dst[start:], mask, 0)
	return dst
}
