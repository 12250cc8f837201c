package server

import "github.com/roostws/roost/poller"

// slots is the loop's table of connections by slot, in pages, so that growth copies nothing.
type slots struct{ pages []*[slotPage]*Conn }

const slotPage = 1024

func (s *slots) get(slot uint32) *Conn { return s.pages[slot/slotPage][slot%slotPage] }

// live returns the connection of t, nil if it is gone.
func (s *slots) live(t poller.Token) *Conn {
	if c := s.get(t.Slot()); c != nil && c.token == t {
		return c
	}
	return nil
}

func (s *slots) put(slot uint32, c *Conn) {
	for slot/slotPage >= uint32(len(s.pages)) {
		s.pages = append(s.pages, new([slotPage]*Conn))
	}
	s.pages[slot/slotPage][slot%slotPage] = c
}

// all yields the connections.
func (s *slots) all(yield func(*Conn) bool) {
	for _, page := range s.pages {
		for _, c := range page {
			if c != nil && !yield(c) {
				return
			}
		}
	}
}
