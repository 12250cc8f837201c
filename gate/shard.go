package gate

import (
	"hash/maphash"
	"math/bits"
	"sync"
)

// shard is a table of addresses with a lock of its own: chained hashing over entries that lie in pages and link one another by
// number, so that the garbage collector has nothing to look at. Entries that are done with wait in a queue until they are at rest.
// Its methods need mu.
type shard struct {
	mu    sync.Mutex
	seed  maphash.Seed
	heads []uint32 // the first entry of each chain, 0 if none
	pages []*[pageSize]entry
	limit uint32 // entries at most
	used  uint32 // entries that were ever handed out; their numbers begin at 1
	known uint32 // entries that are in a chain
	free  uint32 // a list of entries that are in none

	first, last uint32 // the queue

	refusedConns, refusedHandshakes, uncounted uint64

	_ [64]byte // the next shard's lock is on another cache line
}

// entry is an address.
type entry struct {
	key   [16]byte
	full  int64  // when its burst is whole again, in nanoseconds; over: at rest
	conns uint32 // open
	chain uint32 // the next entry of its chain, or of the free list
	next  uint32 // the next entry of the queue
	self  uint32 // its own number; the top bit says that it is in the queue
}

const (
	pageSize = 256
	queued   = 1 << 31
	// sweepSteps is how many entries of the queue an Admit looks at. Each Admit brings one there at most, in the end: so two
	// shorten it.
	sweepSteps = 2
	// fullSteps is how many it looks at if the table is full.
	fullSteps = 16
)

func (s *shard) init(limit int, seed maphash.Seed) {
	s.seed = seed
	s.limit = uint32(limit)
	s.heads = make([]uint32, 1<<bits.Len(uint(limit-1)))
}

func (s *shard) at(n uint32) *entry { return &s.pages[(n-1)/pageSize][(n-1)%pageSize] }

func (s *shard) head(hash uint32) *uint32 { return &s.heads[hash&uint32(len(s.heads)-1)] }

func (s *shard) find(key [16]byte, hash uint32) *entry {
	for n := *s.head(hash); n != 0; {
		e := s.at(n)
		if e.key == key {
			return e
		}
		n = e.chain
	}
	return nil
}

// add makes an address known, or returns nil if there is no room.
func (s *shard) add(key [16]byte, hash uint32, now int64) *entry {
	if s.known == s.limit {
		s.sweep(now, fullSteps)
	}
	n := s.free
	switch {
	case n != 0:
		s.free = s.at(n).chain
	case s.used < s.limit:
		s.used++
		n = s.used
		if int(n-1)/pageSize == len(s.pages) {
			s.pages = append(s.pages, new([pageSize]entry))
		}
	default:
		return nil
	}
	head := s.head(hash)
	e := s.at(n)
	*e = entry{key: key, full: now, chain: *head, self: n}
	*head = n
	s.known++
	return e
}

// forget takes an address out of the table.
func (s *shard) forget(e *entry) {
	link := s.head(s.hash(e.key))
	for *link != e.self {
		link = &s.at(*link).chain
	}
	*link = e.chain
	e.chain, s.free = s.free, e.self
	s.known--
}

// rest queues an address that has no connection, to be forgotten.
func (s *shard) rest(e *entry) {
	if e.self&queued != 0 {
		return
	}
	n := e.self
	e.self |= queued
	e.next = 0
	if s.last == 0 {
		s.first = n
	} else {
		s.at(s.last).next = n
	}
	s.last = n
}

// sweep looks at the oldest entries of the queue: those in use leave it, those at rest are forgotten, the others go to its end.
func (s *shard) sweep(now int64, steps int) {
	for ; steps > 0 && s.first != 0; steps-- {
		e := s.at(s.first)
		if s.first = e.next; s.first == 0 {
			s.last = 0
		}
		e.self &^= queued
		switch {
		case e.conns > 0:
		case e.full <= now:
			s.forget(e)
		default:
			s.rest(e)
		}
	}
}

// hash is the part of a key's hash that chooses the chain.
func (s *shard) hash(key [16]byte) uint32 { return uint32(maphash.Bytes(s.seed, key[:])) }
