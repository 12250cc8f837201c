package memtls

import "encoding/binary"

// headerLen is how long the header of a record is: type, version, length
// (RFC 8446, 5.1; RFC 5246, 6.2.1).
const headerLen = 5

// records follows a stream of records. It knows how far into a record the
// stream has come, and so where the next one begins.
type records struct {
	header [headerLen]byte
	have   uint8  // bytes of the header that have passed
	body   uint16 // bytes of the body that have passed
}

// end returns where in b the record ends that b begins in, or -1 if that is
// past b.
func (r records) end(b []byte) int {
	n := copy(r.header[r.have:], b)
	if int(r.have)+n < headerLen {
		return -1
	}
	end := n + int(binary.BigEndian.Uint16(r.header[3:])) - int(r.body)
	if end > len(b) {
		return -1
	}
	return end
}

// pass moves on by b.
func (r *records) pass(b []byte) {
	for len(b) > 0 {
		end := r.end(b)
		if end < 0 {
			n := copy(r.header[r.have:], b)
			r.have += uint8(n)
			r.body += uint16(len(b) - n)
			return
		}
		*r, b = records{}, b[end:]
	}
}

// portion returns how many bytes of b to hand to crypto/tls, which has room for
// so many. It is whole records, as many as fit, for two reasons. A part of one
// that is read ahead makes the buffer of crypto/tls grow, for as long as the
// connection lives. And when the last whole record of b went alone and gave
// plaintext, there is no more: it need not be asked for, which would allocate.
func (r records) portion(b []byte, room int) int {
	n := r.end(b)
	if n < 0 || n > room {
		return min(len(b), room)
	}
	next := records{}.end(b[n:])
	for next > 0 && n+next <= room {
		after := records{}.end(b[n+next:])
		if after < 0 {
			break // next is the last one
		}
		n, next = n+next, after
	}
	return n
}
