package wsproto

import "encoding/binary"

// The UTF-8 checker is a state machine whose transition is one load and one
// shift, so that it costs the same for every script and can stop between any
// two bytes: a state is a shift count, and a byte's row in utf8Rows holds, at
// each state's position, the state that follows. The nine states of RFC 3629's
// grammar (section 4) take six bits each, 54 of 64.
//
// 3 GB/s where unicode/utf8 has 1.4 to 2.4, and ASCII at its speed or above.
// Four such machines over four parts of the text at once were slower: 1.9 GB/s
// (the shift by a variable count wants one certain register).
//
// A byte after which no continuation can be valid leads to utf8Reject at once
// (ED A0, F4 90, F8...), which is what RFC 6455 wants seen early (section 8.1).
const (
	utf8Accept  = 6 * iota // between two characters
	utf8Reject             // nothing can make it valid: absorbs all
	utf8Tail1              // one byte of 80..BF to come
	utf8Tail2              // two of them
	utf8Tail3              // three
	utf8AfterE0            // A0..BF, then one: no overlong forms
	utf8AfterED            // 80..9F, then one: no surrogates
	utf8AfterF0            // 90..BF, then two: no overlong forms
	utf8AfterF4            // 80..8F, then two: nothing above U+10FFFF
)

// utf8Mask is the part of a shifted row that is the state; what lies above it
// are the following states' entries.
const utf8Mask = 63

const highBits = 0x8080808080808080

var utf8Rows = utf8Table()

func utf8Table() (rows [256]uint64) {
	for b := range rows {
		next := [...]uint64{
			utf8Accept: utf8Reject, utf8Reject: utf8Reject, utf8Tail1: utf8Reject,
			utf8Tail2: utf8Reject, utf8Tail3: utf8Reject, utf8AfterE0: utf8Reject,
			utf8AfterED: utf8Reject, utf8AfterF0: utf8Reject, utf8AfterF4: utf8Reject,
		}
		switch {
		case b < 0x80:
			next[utf8Accept] = utf8Accept
		case b < 0xC0:
			next[utf8Tail1], next[utf8Tail2], next[utf8Tail3] = utf8Accept, utf8Tail1, utf8Tail2
			if b >= 0xA0 {
				next[utf8AfterE0] = utf8Tail1
			} else {
				next[utf8AfterED] = utf8Tail1
			}
			if b >= 0x90 {
				next[utf8AfterF0] = utf8Tail2
			} else {
				next[utf8AfterF4] = utf8Tail2
			}
		case b == 0xE0:
			next[utf8Accept] = utf8AfterE0
		case b == 0xED:
			next[utf8Accept] = utf8AfterED
		case b == 0xF0:
			next[utf8Accept] = utf8AfterF0
		case b == 0xF4:
			next[utf8Accept] = utf8AfterF4
		case b >= 0xC2 && b < 0xE0:
			next[utf8Accept] = utf8Tail1
		case b >= 0xE1 && b < 0xF0:
			next[utf8Accept] = utf8Tail2
		case b >= 0xF1 && b < 0xF4:
			next[utf8Accept] = utf8Tail3
		}
		for state := 0; state <= utf8AfterF4; state += 6 {
			rows[b] |= next[state] << state
		}
	}
	return rows
}

// utf8Next runs the checker over b from state and returns the state after it.
// ASCII goes 32 bytes at a time between characters, the rest byte by byte.
func utf8Next(state uint64, b []byte) uint64 {
	b = b[:len(b):len(b)] // with no capacity beyond, slicing b below costs no fix-up
	asciiEnd := len(b) >= 8 && binary.LittleEndian.Uint64(b[len(b)-8:])&highBits == 0
	for len(b) > 8 {
		if state == utf8Accept {
			for len(b) > 32 && (binary.LittleEndian.Uint64(b)|binary.LittleEndian.Uint64(b[8:])|
				(binary.LittleEndian.Uint64(b[16:])|binary.LittleEndian.Uint64(b[24:])))&highBits == 0 {
				b = b[32:]
			}
			for len(b) > 8 && binary.LittleEndian.Uint64(b)&highBits == 0 {
				b = b[8:]
			}
			if len(b) <= 8 {
				break
			}
		}
		state = utf8Rows[b[0]] >> (state & utf8Mask)
		state = utf8Rows[b[1]] >> (state & utf8Mask)
		state = utf8Rows[b[2]] >> (state & utf8Mask)
		state = utf8Rows[b[3]] >> (state & utf8Mask)
		state = utf8Rows[b[4]] >> (state & utf8Mask)
		state = utf8Rows[b[5]] >> (state & utf8Mask)
		state = utf8Rows[b[6]] >> (state & utf8Mask)
		state = utf8Rows[b[7]] >> (state & utf8Mask)
		b = b[8:]
		if state &= utf8Mask; state == utf8Reject {
			return utf8Reject
		}
	}
	if asciiEnd && state == utf8Accept {
		return utf8Accept // what is left is part of that end
	}
	for _, c := range b {
		state = utf8Rows[c] >> (state & utf8Mask)
	}
	return state & utf8Mask
}
