package conformance

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// row is a rule for what is received on an open connection. It is run for both roles unless only names one.
type row struct {
	section, rule string
	with          string // in what this row differs from others of its rule
	only          role
	frames        []frame
	raw           []byte // sent instead of frames
	cut           bool   // the peer's stream ends behind them

	// What the RFC demands: that messages come back and the connection stays, or that it ends. An end may be a Close frame with one of
	// codes, where none stands for one without a body; or the stream's, if drop allows that.
	echo  []frame
	codes []int
	drop  bool

	told   int    // the close code that our application must see; 0: not looked at
	reason string // and the reason, if told is set
}

const none = -1

// but is the row, and in what it differs from others of its rule.
func (r row) but(format string, args ...any) row {
	r.with = fmt.Sprintf(format, args...)
	return r
}

// alsoEcho are the codes of a row where the RFC leaves it to the receiver to go on: the peer then closes with 1000.
func alsoEcho(codes ...int) []int { return append(codes, 1000) }

// check runs the rows against the targets, each row on each of them but what turns leaves out.
func check(t *testing.T, targets []target, offer string, rows []row) {
	for i, tt := range targets {
		for j, r := range rows {
			ways := tt.turns(i, j)
			if len(ways) == 0 || r.only != "" && r.only != tt.role {
				continue
			}
			t.Run(strings.TrimSpace(tt.name+"/"+r.section+" "+r.rule+" "+r.with), func(t *testing.T) {
				t.Parallel()
				for _, how := range ways {
					rnd := seeded(tt.name + r.rule + r.with + string(how))
					if err := r.run(tt.open(t, offer, how, rnd)); err != nil {
						t.Errorf("%s: %s\n%s, sent %s: %v", rfc(r.section), r.rule, r.with, how, err)
					}
					held(tt.role, tt.secure, r.section, r.rule)
				}
			})
		}
	}
}

// turns is how the bytes of row j are cut for target i. Everything with everything would take minutes, most of it TLS handshakes: so a
// row's bytes go to a client over TCP in every way, while the ways take turns on all else, and half of the servers with TLS do at a row.
func (tt target) turns(i, j int) []split {
	switch {
	case tt.role == ourClient && !tt.secure:
		return splits
	case tt.role == ourServer && tt.secure && (i/2+j)%2 > 0:
		return nil
	}
	return splits[(i+j)%len(splits):][:1]
}

// seeded is a source of chance that is the same in every run.
func seeded(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(h.Sum64(), 1))
}

func (r row) run(p *peer) error {
	defer p.conn.Close()
	b := r.raw
	if b == nil {
		b = p.bytes(r.frames...)
	}
	end := r.stays
	if r.codes != nil || r.drop {
		end = r.ends
	}
	err := end(p, b)
	if err != nil || r.told == 0 {
		return err
	}
	if got := p.appEnding(); got.code != r.told || r.reason != "" && got.reason != r.reason {
		return fmt.Errorf("7.1.5: the application sees %d %q, want %d %q", got.code, got.reason, r.told, r.reason)
	}
	return nil
}

// pings are the payloads of those among frames.
func pings(frames []frame) (all []string) {
	for _, f := range frames {
		if f.op == opPing {
			all = append(all, string(f.payload))
		}
	}
	return all
}

// arrivals is what is still to come of a row.
type arrivals struct {
	echo  []frame
	pongs []string
}

// take accepts a message or a pong, or says that it is wrong. A pong may stand for those before it (section 5.5.3).
func (a *arrivals) take(e event) error {
	if e.op == opPong {
		i := slices.Index(a.pongs, string(e.payload))
		if i < 0 {
			return fmt.Errorf("a pong with %.60q, want one of %q", e.payload, a.pongs)
		}
		a.pongs = a.pongs[i+1:]
		return nil
	}
	if len(a.echo) == 0 || e.op != a.echo[0].op || !bytes.Equal(e.payload, a.echo[0].payload) {
		return fmt.Errorf("an unexpected frame, opcode %#x, %d bytes: %.60q, %d echoes are missing", e.op, len(e.payload), e.payload, len(a.echo))
	}
	a.echo = a.echo[1:]
	return nil
}

// stays is a row after which the connection is open: what is wanted comes, and then the closing handshake works.
func (r row) stays(p *peer, b []byte) error {
	wrote := p.write(b)
	defer func() { p.conn.Close(); <-wrote }()
	if err := p.collect(&arrivals{r.echo, pings(r.frames)}); err != nil {
		return err
	}
	<-wrote
	return p.goodbye()
}

// collect reads until nothing is missing.
func (p *peer) collect(a *arrivals) error {
	for len(a.echo) > 0 || len(a.pongs) > 0 {
		e, err := p.next()
		if err == nil {
			err = a.take(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// goodbye is the closing handshake, begun by the peer (section 7.1.2).
func (p *peer) goodbye() error {
	began := time.Now()
	if _, err := p.out.Write(p.bytes(closing(1000, ""))); err != nil {
		return err
	}
	e, err := p.next()
	if err != nil {
		return err
	}
	if e.op != opClose {
		return fmt.Errorf("an unexpected frame, opcode %#x: %.60q", e.op, e.payload)
	}
	if code := closeCode(e); code != 1000 && code != none {
		return fmt.Errorf("5.5.1: the answer to a Close frame with 1000 has %d", code)
	}
	return p.orderly(began)
}

// orderly waits for the end of TCP, which the server is to bring about first (section 7.1.1). A client may do so at any time. Ours waits
// for a second: where the peer was slower, its end need not be clean.
func (p *peer) orderly(began time.Time) error {
	if p.role == ourClient {
		p.halfClose()
	}
	err := p.end()
	if p.role == ourClient && isEnd(err) && time.Since(began) >= time.Second {
		return nil
	}
	if err != nil {
		return fmt.Errorf("7.1.1: no clean end of TCP: %w", err)
	}
	return nil
}

func closeCode(e event) int {
	if len(e.payload) < 2 {
		return none
	}
	return int(e.payload[0])<<8 | int(e.payload[1])
}

// ends is a row whose connection ends. What else the peer has sent by then must have no effect (section 7.1.7).
func (r row) ends(p *peer, b []byte) error {
	if !r.cut {
		b = append(b, p.bytes(closing(1000, ""), text("behind the end"))...)
	}
	wrote := p.write(b)
	defer func() { p.conn.Close(); <-wrote }()
	if r.cut {
		<-wrote
		p.halfClose()
	}
	a := arrivals{r.echo, pings(r.frames)}
	for {
		e, err := p.next()
		switch {
		case err != nil && r.drop && isEnd(err):
			return nil
		case err != nil:
			return fmt.Errorf("want a Close frame with one of %v: %w", r.codes, err)
		case e.op == opClose:
			if err := r.closed(e); err != nil {
				return err
			}
			<-wrote
			p.halfClose()
			if err := p.end(); err != nil && !isEnd(err) {
				return err
			}
			return nil
		}
		if err := a.take(e); err != nil {
			return err
		}
	}
}

// closed judges our Close frame.
func (r row) closed(e event) error {
	code := closeCode(e)
	switch {
	case len(e.payload) == 1:
		return fmt.Errorf("5.5.1: a Close frame with a body of one byte")
	case len(e.payload) > 2 && !utf8.Valid(e.payload[2:]):
		return fmt.Errorf("5.5.1: a Close frame whose reason is not UTF-8: %+q", e.payload[2:])
	}
	if !slices.Contains(r.codes, code) {
		return fmt.Errorf("a Close frame with %d, want one of %v", code, r.codes)
	}
	return nil
}

// isEnd tells the end of a stream, by a reset too, from a broken rule.
func isEnd(err error) bool {
	return err != nil && (err == io.EOF || err == io.ErrUnexpectedEOF || strings.Contains(err.Error(), "reset by peer"))
}
