package wsproto

import (
	"encoding/binary"

	"github.com/gobwas/ws"
)

const (
	bitFin      = 0x80
	bitsRsv     = 0x70
	bitRsv1     = 0x40
	bitsOp      = 0x0f
	bitMask     = 0x80
	bitsLength  = 0x7f
	maxHeader   = 14 // two bytes, eight of length, four of mask
	shortest16  = ws.MaxControlFramePayloadSize + 1
	shortest64  = 1 << 16
	lengthIn16  = 126
	lengthIn64  = 127
	lengthBytes = 8
)

// frame is a parsed header. It is not ws.Header because the key is wanted as a
// word and the payload's position beside it.
type frame struct {
	op     ws.OpCode // with bitRsv1 where a Codec with Deflate found it
	fin    bool
	key    uint32 // little-endian; zero when not masked
	length uint64
}

// parseHeader reads a frame's header from b and checks it (RFC 6455, section
// 5.2 and what it refers to). It returns the header's size, or 0 while bytes
// are missing. open says that a fragmented message is under way.
//
// The rules are those of ws.CheckHeader, which wants a whole header; here each
// is checked at the first byte that shows it broken, in the order of the
// bytes, so that the verdict is the same wherever a read cuts.
func (c *Codec) parseHeader(b []byte, open bool) (f frame, size int, err error) {
	if len(b) == 0 {
		return f, 0, nil
	}
	f.op, f.fin = ws.OpCode(b[0]&bitsOp), b[0]&bitFin != 0
	rsv := b[0] & bitsRsv
	switch {
	case rsv != 0 && (rsv != bitRsv1 || !c.Deflate || f.op.IsControl() || f.op == ws.OpContinuation):
		return f, 0, errReservedBits
	case f.op.IsReserved():
		return f, 0, errReservedOp
	case f.op.IsControl():
		if !f.fin {
			return f, 0, errControlNotFinal
		}
	case f.op == ws.OpContinuation && !open:
		return f, 0, errContinuation
	case f.op != ws.OpContinuation && open:
		return f, 0, errWantContinuation
	}
	f.op |= ws.OpCode(rsv)
	if len(b) < 2 {
		return f, 0, nil
	}
	masked := b[1]&bitMask != 0
	if masked != (c.Role == Server) {
		if masked {
			return f, 0, errMaskUnexpected
		}
		return f, 0, errMaskRequired
	}
	f.length = uint64(b[1] & bitsLength)
	if f.op.IsControl() && f.length > ws.MaxControlFramePayloadSize {
		return f, 0, errControlTooLong
	}
	size = 2
	switch f.length {
	case lengthIn16:
		if len(b) < 4 {
			return f, 0, nil
		}
		f.length = uint64(binary.BigEndian.Uint16(b[2:]))
		if f.length < shortest16 {
			return f, 0, errLengthForm
		}
		size = 4
	case lengthIn64:
		if len(b) < 10 {
			return f, 0, nil
		}
		f.length = binary.BigEndian.Uint64(b[2:])
		if f.length>>63 != 0 {
			return f, 0, errLengthTopBit
		}
		if f.length < shortest64 {
			return f, 0, errLengthForm
		}
		size = 10
	}
	if f.op.IsData() && f.length > uint64(c.maxSent(f.op)) {
		return f, 0, errTooBig
	}
	if masked {
		if len(b) < size+4 {
			return f, 0, nil
		}
		f.key = binary.LittleEndian.Uint32(b[size:])
		size += 4
	}
	return f, size, nil
}
