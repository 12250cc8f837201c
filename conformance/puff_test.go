package conformance

import "errors"

var errDeflate = errors.New("no deflate stream (RFC 1951)")

// puff inflates a stream as RFC 1951 describes it, slowly, and tells what other inflaters do not: how far back it refers.
type puff struct {
	in       []byte
	at       int // of the next bit
	out      []byte
	history  int  // bytes of out that were there before
	farthest int  // distance in bytes
	past     bool // it refers to what was there before
}

// The base values and extra bits of lengths and distances (RFC 1951, section 3.2.5).
var (
	lengthBase  = []int{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = []int{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = []int{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distExtra   = []int{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
)

// bits reads n bits, the least significant first.
func (p *puff) bits(n int) (v int) {
	for i := range n {
		if p.at >= 8*len(p.in) {
			panic(errDeflate)
		}
		v |= int(p.in[p.at/8]>>(p.at%8)&1) << i
		p.at++
	}
	return v
}

// code is a canonical Huffman code (section 3.2.2): how many codes there are of each length, and the symbols in order.
type code struct {
	count   [16]int
	symbols []int
}

func codeOf(lengths []int) (c code) {
	for n := 1; n < len(c.count); n++ {
		for symbol, length := range lengths {
			if length == n {
				c.count[n]++
				c.symbols = append(c.symbols, symbol)
			}
		}
	}
	return c
}

func (p *puff) symbol(c code) int {
	v, first, index := 0, 0, 0
	for n := 1; n < len(c.count); n++ {
		v |= p.bits(1)
		if v-first < c.count[n] {
			return c.symbols[index+v-first]
		}
		index += c.count[n]
		first = (first + c.count[n]) << 1
		v <<= 1
	}
	panic(errDeflate)
}

// inflate appends what in holds to history. in may be several streams, each of which ends at a byte.
func inflate(in, history []byte) (p *puff, err error) {
	p = &puff{in: in, out: append([]byte(nil), history...), history: len(history)}
	defer func() {
		if v := recover(); v != nil {
			if v != errDeflate {
				panic(v)
			}
			err = errDeflate
		}
	}()
	for p.at < 8*len(in) {
		final := p.bits(1)
		switch p.bits(2) {
		case 0:
			p.stored()
		case 1:
			p.block(fixedLiterals, fixedDistances)
		case 2:
			p.block(p.codes())
		default:
			return p, errDeflate
		}
		if final == 1 {
			p.align()
		}
	}
	return p, nil
}

func (p *puff) align() { p.at = (p.at + 7) / 8 * 8 }

func (p *puff) stored() {
	p.align()
	n, not := p.bits(16), p.bits(16)
	if n != not^0xFFFF || p.at/8+n > len(p.in) {
		panic(errDeflate)
	}
	p.out = append(p.out, p.in[p.at/8:][:n]...)
	p.at += 8 * n
}

var fixedLiterals, fixedDistances = fixedCodes()

func fixedCodes() (literals, distances code) {
	lengths := make([]int, 288)
	for i := range lengths {
		switch {
		case i < 144, i >= 280:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		default:
			lengths[i] = 7
		}
	}
	short := make([]int, 30)
	for i := range short {
		short[i] = 5
	}
	return codeOf(lengths), codeOf(short)
}

// codes reads those of a dynamic block (section 3.2.7).
func (p *puff) codes() (literals, distances code) {
	nl, nd, nc := p.bits(5)+257, p.bits(5)+1, p.bits(4)+4
	var first [19]int
	for _, i := range []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}[:nc] {
		first[i] = p.bits(3)
	}
	c := codeOf(first[:])
	var lengths []int
	repeat := func(v, times int) {
		for range times {
			lengths = append(lengths, v)
		}
	}
	for len(lengths) < nl+nd {
		switch s := p.symbol(c); {
		case s < 16:
			repeat(s, 1)
		case s == 16 && len(lengths) > 0:
			repeat(lengths[len(lengths)-1], 3+p.bits(2))
		case s == 17:
			repeat(0, 3+p.bits(3))
		case s == 18:
			repeat(0, 11+p.bits(7))
		default:
			panic(errDeflate)
		}
	}
	if len(lengths) != nl+nd {
		panic(errDeflate)
	}
	return codeOf(lengths[:nl]), codeOf(lengths[nl:])
}

func (p *puff) block(literals, distances code) {
	for {
		s := p.symbol(literals)
		switch {
		case s < 256:
			p.out = append(p.out, byte(s))
			continue
		case s == 256:
			return
		case s-257 >= len(lengthBase):
			panic(errDeflate)
		}
		n := lengthBase[s-257] + p.bits(lengthExtra[s-257])
		d := p.symbol(distances)
		far := distBase[d] + p.bits(distExtra[d])
		if far > len(p.out) {
			panic(errDeflate)
		}
		p.farthest = max(p.farthest, far)
		p.past = p.past || len(p.out)-far < p.history
		for range n {
			p.out = append(p.out, p.out[len(p.out)-far])
		}
	}
}
