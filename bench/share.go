package bench

// share is one part of a whole that is divided evenly: worker index of n, or loop
// index of n.
type share struct {
	Index int `json:"index"`
	Of    int `json:"of"`
}

// part returns how many of total belong to s: the first total%Of shares get one more.
func (s share) part(total int) int {
	n := total / s.Of
	if s.Index < total%s.Of {
		n++
	}
	return n
}

// before returns how many of total belong to the shares before s.
func (s share) before(total int) int {
	return s.Index*(total/s.Of) + min(s.Index, total%s.Of)
}

// within returns the share that t, a part of s, has of the whole: of every Of events
// in a row s gets one, and of every Of of those t gets one.
func (s share) within(t share) share {
	return share{Index: t.Index*s.Of + s.Index, Of: s.Of * t.Of}
}
