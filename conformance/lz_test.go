package conformance

import (
	"bytes"
	"compress/flate"
	"math/rand/v2"
)

// tail is what a compressed message lacks at its end (RFC 7692, section 7.2.1).
const tail = "\x00\x00\xff\xff"

// bitWriter writes a deflate stream bit by bit (RFC 1951, section 3.1.1).
type bitWriter struct {
	b []byte
	n int // bits
}

// low writes n bits of v, the least significant first; high, as Huffman codes are, the most significant first.
func (w *bitWriter) low(v, n int) {
	for i := range n {
		if w.n%8 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[w.n/8] |= byte(v>>i&1) << (w.n % 8)
		w.n++
	}
}

func (w *bitWriter) high(v, n int) {
	for i := range n {
		w.low(v>>(n-1-i)&1, 1)
	}
}

// symbol writes a literal or a length with the fixed codes (section 3.2.6).
func (w *bitWriter) symbol(s int) {
	switch {
	case s < 144:
		w.high(0x30+s, 8)
	case s < 256:
		w.high(0x190+s-144, 9)
	case s < 280:
		w.high(s-256, 7)
	default:
		w.high(0xC0+s-280, 8)
	}
}

// copy writes a reference.
func (w *bitWriter) copy(length, distance int) {
	l, d := len(lengthBase)-1, len(distBase)-1
	for lengthBase[l] > length {
		l--
	}
	for distBase[d] > distance {
		d--
	}
	w.symbol(257 + l)
	w.low(length-lengthBase[l], lengthExtra[l])
	w.high(d, 5)
	w.low(distance-distBase[d], distExtra[d])
}

// lz compresses payload with references into it and into history of no more than window bytes, the farthest that there are: so that
// a receiver which keeps less is found out. The result ends as a flush does, without the tail.
func lz(payload, history []byte, window int) []byte {
	all := append(append([]byte(nil), history...), payload...)
	seen := map[[3]byte][]int{}
	var w bitWriter
	w.low(2, 3) // not final, fixed codes
	for at := 0; at < len(all); {
		n, from := 0, 0
		if at >= len(history) {
			n, from = farMatch(all, at, seen, window)
		}
		switch {
		case at < len(history):
			n = 1
		case n == 0:
			w.symbol(int(all[at]))
			n = 1
		default:
			w.copy(n, at-from)
		}
		for end := at + n; at < end; at++ {
			if at+3 <= len(all) {
				key := [3]byte(all[at:])
				seen[key] = append(seen[key], at)
			}
		}
	}
	w.symbol(256)
	w.low(0, 3) // an empty stored block: its length is the tail
	return w.b
}

// farMatch returns the farthest match in the window, 0 if there is none.
func farMatch(all []byte, at int, seen map[[3]byte][]int, window int) (n, from int) {
	if at+3 > len(all) {
		return 0, 0
	}
	key := [3]byte(all[at:])
	places := seen[key]
	for len(places) > 0 && at-places[0] > window {
		places = places[1:]
	}
	seen[key] = places
	if len(places) == 0 {
		return 0, 0
	}
	for n, from = 3, places[0]; n < 258 && at+n < len(all) && all[at+n] == all[from+n]; {
		n++
	}
	return n, from
}

// compressor makes the peer's messages as was agreed on.
type compressor struct {
	bits     int
	takeover bool
	history  []byte // of a window under 15 bits

	sink  bytes.Buffer
	level int
	std   *flate.Writer // of 15 bits: the standard library's, kept between messages; nil before the first
}

func newCompressor(bits int, takeover bool, rnd *rand.Rand) *compressor {
	levels := []int{flate.NoCompression, flate.BestSpeed, flate.DefaultCompression, flate.BestCompression, flate.HuffmanOnly}
	return &compressor{bits: bits, takeover: takeover, level: levels[rnd.IntN(len(levels))]}
}

func (c *compressor) compress(payload []byte) []byte {
	if c.bits < 15 {
		b := lz(payload, c.history, 1<<c.bits)
		if c.takeover {
			c.history = lastOf(append(c.history, payload...), 1<<c.bits)
		}
		return b
	}
	c.sink.Reset()
	if c.std == nil {
		c.std, _ = flate.NewWriter(&c.sink, c.level)
	} else if !c.takeover {
		c.std.Reset(&c.sink)
	}
	c.std.Write(payload)
	c.std.Flush()
	return bytes.Clone(bytes.TrimSuffix(c.sink.Bytes(), []byte(tail)))
}

func lastOf(b []byte, n int) []byte { return b[max(0, len(b)-n):] }
