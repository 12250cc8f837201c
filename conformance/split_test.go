package conformance

import (
	"math/rand/v2"
	"net"
)

// split is how the peer's bytes are cut into writes.
type split string

const (
	whole  split = "whole"
	bytely split = "byte by byte"
	random split = "cut at random"
)

var splits = []split{whole, bytely, random}

const (
	// singles is how many bytes go one by one: beyond them the row is about a length, and only its end is cut so finely again.
	singles = 100
	// lastSingles is how many of the last ones do.
	lastSingles = 8
)

// splitter cuts what is written to a connection.
type splitter struct {
	net.Conn
	how split
	rnd *rand.Rand
}

func (s *splitter) Write(b []byte) (sent int, err error) {
	for sent < len(b) && err == nil {
		n := s.piece(sent, len(b))
		var wrote int
		wrote, err = s.Conn.Write(b[sent : sent+n])
		sent += wrote
	}
	return sent, err
}

// piece is how many bytes go next, of those from at to end.
func (s *splitter) piece(at, end int) int {
	switch {
	case s.how == whole:
		return end - at
	case s.how == random:
		most := 1 << s.rnd.IntN(15) // short ones and long ones
		return min(end-at, 1+s.rnd.IntN(most))
	case at < singles || at >= end-lastSingles:
		return 1
	}
	return min(end-lastSingles-at, 4096)
}
