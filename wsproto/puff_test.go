package wsproto

import "slices"

// puff is a DEFLATE decoder (RFC 1951) that shares nothing with the package's:
// slow, bit by bit, after the description in section 3.2. It reads a whole
// permessage-deflate payload as RFC 7692, section 7.2.2 says.
type puff struct {
	in       []byte
	bit      int    // position in in
	out      []byte // history, then the message
	farthest int    // distance of the farthest reference
	streams  int
}

// puffMessage returns what payload inflates to behind history. ok is false
// when payload and the tail do not end with a block.
func puffMessage(payload, history []byte) (message []byte, p puff, ok bool) {
	p = puff{in: slices.Concat(payload, []byte{0, 0, 0xff, 0xff}), out: slices.Clone(history)}
	defer func() {
		if v := recover(); v != nil {
			if v != errPuff {
				panic(v)
			}
			ok = false
		}
	}()
	for p.streams = 1; ; {
		final := p.bits(1) == 1
		switch p.bits(2) {
		case 0:
			p.stored()
		case 1:
			p.codes(fixedLengths, fixedDistances)
		case 2:
			p.dynamic()
		default:
			panic(errPuff)
		}
		if final {
			p.align()
			if p.bit == 8*len(payload) {
				return p.out[len(history):], p, true
			}
			if p.bit > 8*len(payload) && p.bit < 8*len(p.in) {
				panic(errPuff)
			}
			p.streams++
		}
		if p.bit == 8*len(p.in) {
			return p.out[len(history):], p, true
		}
	}
}

const errPuff = "corrupt"

func (p *puff) bits(n int) (v int) {
	for i := range n {
		if p.bit == 8*len(p.in) {
			panic(errPuff)
		}
		v |= int(p.in[p.bit/8]>>(p.bit%8)&1) << i
		p.bit++
	}
	return v
}

func (p *puff) align() { p.bit = (p.bit + 7) &^ 7 }

func (p *puff) stored() {
	p.align()
	n, check := p.bits(16), p.bits(16)
	if n != ^check&0xffff {
		panic(errPuff)
	}
	for range n {
		p.out = append(p.out, byte(p.bits(8)))
	}
}

// code is a Huffman code: symbols by length and code (section 3.2.2).
type code map[[2]int]int

func makeCode(lengths []int) code {
	var count, next [16]int
	for _, n := range lengths {
		count[n]++
	}
	count[0] = 0
	left, c := 1, 0
	for n := 1; n < 16; n++ {
		left = left<<1 - count[n]
		if left < 0 {
			panic(errPuff)
		}
		c = (c + count[n-1]) << 1
		next[n] = c
	}
	used := 0
	for _, n := range lengths {
		if n > 0 {
			used++
		}
	}
	if left > 0 && used > 0 && !(used == 1 && count[1] == 1) {
		panic(errPuff)
	}
	m := code{}
	for symbol, n := range lengths {
		if n > 0 {
			m[[2]int{n, next[n]}] = symbol
			next[n]++
		}
	}
	return m
}

var fixedLengths, fixedDistances = func() (code, code) {
	lengths := slices.Concat(slices.Repeat([]int{8}, 144), slices.Repeat([]int{9}, 112), slices.Repeat([]int{7}, 24), slices.Repeat([]int{8}, 8))
	return makeCode(lengths), makeCode(slices.Repeat([]int{5}, 32))
}()

func (p *puff) symbol(c code) int {
	v := 0
	for n := 1; n < 16; n++ {
		v = v<<1 | p.bits(1)
		if symbol, ok := c[[2]int{n, v}]; ok {
			return symbol
		}
	}
	panic(errPuff)
}

func (p *puff) codes(lengths, distances code) {
	for {
		s := p.symbol(lengths)
		switch {
		case s < 256:
			p.out = append(p.out, byte(s))
			continue
		case s == 256:
			return
		case s > 285:
			panic(errPuff)
		}
		n := 258 // section 3.2.5: the extra bits grow by one every four codes
		if s < 265 {
			n = s - 254
		} else if s < 285 {
			extra := (s - 261) / 4
			n = 3 + (4+(s-261)%4)<<extra + p.bits(extra)
		}
		d := p.symbol(distances)
		if d > 29 {
			panic(errPuff)
		}
		distance := d + 1
		if d > 3 {
			extra := d/2 - 1
			distance = 1 + (2+d%2)<<extra + p.bits(extra)
		}
		if distance > len(p.out) || distance > 32768 {
			panic(errPuff)
		}
		p.farthest = max(p.farthest, distance)
		for range n {
			p.out = append(p.out, p.out[len(p.out)-distance])
		}
	}
}

func (p *puff) dynamic() {
	nlen, ndist, ncode := p.bits(5)+257, p.bits(5)+1, p.bits(4)+4
	if nlen > 286 || ndist > 30 {
		panic(errPuff)
	}
	order := []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	lengths := make([]int, 19)
	for _, at := range order[:ncode] {
		lengths[at] = p.bits(3)
	}
	c := makeCode(lengths)
	lengths = lengths[:0]
	for len(lengths) < nlen+ndist {
		s, repeat, of := p.symbol(c), 1, 0
		switch s {
		case 16:
			if len(lengths) == 0 {
				panic(errPuff)
			}
			of, repeat = lengths[len(lengths)-1], 3+p.bits(2)
		case 17:
			repeat = 3 + p.bits(3)
		case 18:
			repeat = 11 + p.bits(7)
		default:
			of = s
		}
		lengths = append(lengths, slices.Repeat([]int{of}, repeat)...)
	}
	if len(lengths) > nlen+ndist {
		panic(errPuff)
	}
	p.codes(makeCode(lengths[:nlen]), makeCode(lengths[nlen:]))
}
