package bench

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/gobwas/ws"
)

// payloads makes the messages of one loop.
type payloads struct {
	op        ws.OpCode
	sizes     sizes
	pattern   []byte // as long as the longest size
	templates []template
	next      int // template
	rng       *rand.ChaCha8
}

func newPayloads(c *Messages, rng *rand.ChaCha8) (*payloads, error) {
	p := &payloads{op: ws.OpBinary, rng: rng}
	if c.Type == "text" {
		p.op = ws.OpText
	}
	var err error
	if p.templates, err = parseTemplates(c.Templates); err != nil {
		return nil, err
	}
	if p.sizes, err = parseSizes(c.Size); err != nil {
		return nil, err
	}
	p.pattern = make([]byte, p.sizes.longest())
	for i := range p.pattern {
		p.pattern[i] = 'a' + byte(i%26)
	}
	return p, nil
}

// values is what a template can name.
type values struct {
	seq  int64 // of the message on its connection
	now  int64 // when it was to be sent
	id   uint32
	mark mark
}

// make appends the next payload to b. With a mark and without templates the mark
// comes first.
func (p *payloads) make(b []byte, v values) []byte {
	if len(p.templates) > 0 {
		t := p.templates[p.next]
		p.next = (p.next + 1) % len(p.templates)
		return t.append(b, v, p.rng)
	}
	n := p.sizes.pick(p.rng)
	if v.mark.run == 0 {
		from := len(b)
		b = append(b, p.pattern[:n]...)
		number(b[from:min(len(b), from+numberSize)], v.seq)
		return b
	}
	b = v.mark.append(b)
	return append(b, p.pattern[:max(n-markSize, 0)]...)
}

// numberSize is how many letters at the start of a message number it, so that it is told
// from the others of its connection when it comes back.
const numberSize = 8

// number writes n in letters, the last one first, as many as there is room for.
func number(b []byte, n int64) {
	for i := range b {
		b[i] = 'a' + byte(n%26)
		n /= 26
	}
}

// mark names a publication and says when it was to be published, in text that a JSON
// string may hold, so that a server may wrap it into something of its own.
type mark struct {
	run  uint32 // of which run, never 0
	key  uint64 // publisher << 32 | sequence
	time int64  // nanoseconds since 1970
}

const (
	markPrefix = "roost="
	markSize   = len(markPrefix) + 2*markBytes
	markBytes  = 4 + 8 + 8
)

func (m mark) append(b []byte) []byte {
	var raw [markBytes]byte
	binary.BigEndian.PutUint32(raw[:4], m.run)
	binary.BigEndian.PutUint64(raw[4:12], m.key)
	binary.BigEndian.PutUint64(raw[12:], uint64(m.time))
	b = append(b, markPrefix...)
	return hex.AppendEncode(b, raw[:])
}

// findMark returns the first mark in a message.
func findMark(payload []byte) (mark, bool) {
	for {
		at := bytes.Index(payload, []byte(markPrefix))
		if at < 0 || len(payload)-at < markSize {
			return mark{}, false
		}
		payload = payload[at+len(markPrefix):]
		var raw [markBytes]byte
		if _, err := hex.Decode(raw[:], payload[:2*markBytes]); err == nil {
			return mark{run: binary.BigEndian.Uint32(raw[:4]), key: binary.BigEndian.Uint64(raw[4:12]), time: int64(binary.BigEndian.Uint64(raw[12:]))}, true
		}
	}
}

// sizes is a distribution of message sizes.
type sizes struct {
	low, high int
	weights   []weight
	total     int // of all weights
}

type weight struct{ size, share int }

// maxSize is the largest message to send.
const maxSize = 1 << 30

func parseSizes(text string) (sizes, error) {
	bad := func() (sizes, error) {
		return sizes{}, fmt.Errorf("size %q: write bytes like 512, a range like 64-1024, or shares like 64:80%%,1024:20%%", text)
	}
	if strings.Contains(text, ":") {
		var s sizes
		for _, part := range strings.Split(text, ",") {
			size, share, _ := strings.Cut(part, ":")
			n, errN := strconv.Atoi(strings.TrimSpace(size))
			w, errW := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(share), "%"))
			if errN != nil || errW != nil || n < 0 || n > maxSize || w < 1 || w > 1_000_000 {
				return bad()
			}
			s.weights = append(s.weights, weight{n, w})
			s.total += w
		}
		return s, nil
	}
	low, high, ranged := strings.Cut(text, "-")
	a, err := strconv.Atoi(low)
	b := a
	if ranged && err == nil {
		b, err = strconv.Atoi(high)
	}
	if err != nil || a < 0 || b < a || b > maxSize {
		return bad()
	}
	return sizes{low: a, high: b}, nil
}

func (s *sizes) longest() int {
	n := s.high
	for _, w := range s.weights {
		n = max(n, w.size)
	}
	return n
}

func (s *sizes) shortest() int {
	if len(s.weights) == 0 {
		return s.low
	}
	n := s.weights[0].size
	for _, w := range s.weights {
		n = min(n, w.size)
	}
	return n
}

func (s *sizes) pick(rng *rand.ChaCha8) int {
	if s.total == 0 {
		if s.low == s.high {
			return s.low
		}
		return s.low + int(rng.Uint64()%uint64(s.high-s.low+1))
	}
	n := int(rng.Uint64() % uint64(s.total))
	for _, w := range s.weights {
		if n -= w.share; n < 0 {
			return w.size
		}
	}
	panic("unreachable: the shares add up to the total")
}

// template is a message with holes: text between them, and what fills each.
type template struct {
	text  []string // one more than holes
	holes []hole
}

type hole uint8

const (
	holeSeq hole = iota
	holeNow
	holeRand
	holeID
	holeMark
)

var holes = map[string]hole{"seq": holeSeq, "now": holeNow, "rand": holeRand, "id": holeID, "mark": holeMark}

func parseTemplates(texts []string) ([]template, error) {
	var all []template
	for _, text := range texts {
		t, err := parseTemplate(text)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

func parseTemplate(text string) (template, error) {
	var t template
	for {
		before, rest, found := strings.Cut(text, "{{")
		t.text = append(t.text, before)
		if !found {
			return t, nil
		}
		name, after, closed := strings.Cut(rest, "}}")
		h, known := holes[strings.TrimSpace(name)]
		if !closed {
			return template{}, fmt.Errorf("template: there is no }} behind {{%s", strings.TrimSpace(name))
		}
		if !known {
			return template{}, fmt.Errorf("template: {{%s}} is none of {{seq}} {{now}} {{rand}} {{id}} {{mark}}", strings.TrimSpace(name))
		}
		t.holes = append(t.holes, h)
		text = after
	}
}

// has tells whether the template has a hole of that kind.
func (t *template) has(h hole) bool {
	for _, x := range t.holes {
		if x == h {
			return true
		}
	}
	return false
}

func (t *template) append(b []byte, v values, rng *rand.ChaCha8) []byte {
	for i, text := range t.text {
		b = append(b, text...)
		if i == len(t.holes) {
			break
		}
		switch t.holes[i] {
		case holeSeq:
			b = strconv.AppendInt(b, v.seq, 10)
		case holeNow:
			b = strconv.AppendInt(b, v.now, 10)
		case holeRand:
			b = strconv.AppendUint(b, rng.Uint64(), 10)
		case holeID:
			b = strconv.AppendUint(b, uint64(v.id), 10)
		case holeMark:
			b = v.mark.append(b)
		}
	}
	return b
}

// checkMarks says what keeps fanout's messages from carrying a mark.
func (p *payloads) checkMarks() error {
	for _, t := range p.templates {
		if !t.has(holeMark) {
			return errors.New("fanout finds its messages again by a mark: put {{mark}} into every template")
		}
	}
	if len(p.templates) == 0 && p.sizes.shortest() < markSize {
		return fmt.Errorf("fanout's messages carry a mark of %d bytes: give a --size of at least that", markSize)
	}
	return nil
}
