package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
)

// The coordinator and its agents speak HTTP with JSON bodies, see agentServer.handler.
// An agent answers to a wrong request with a sentence as plain text.

// agentProtocol goes up whenever a coordinator and an agent of before and after would
// misunderstand each other.
const agentProtocol = 1

const (
	// maxAssignment bounds an assignment in bytes: templates and certificates are in it.
	maxAssignment = 16 << 20
	// maxEvent bounds an event in bytes. The arrivals of a million publications make
	// the largest, of 41 MiB.
	maxEvent = 64 << 20
	// maxSentence bounds what an agent's answer says in case of an error, in bytes.
	maxSentence = 1 << 10
)

// reading is what an agent's clock shows.
type reading struct {
	Protocol int   `json:"protocol"`
	Now      int64 `json:"now"` // nanoseconds since 1970
}

// order is an assignment on its way.
type order struct {
	Protocol int `json:"protocol"`
	assignment
}

// instant is when traffic begins, or ends.
type instant struct {
	At int64 `json:"at"` // the coordinator's clock, nanoseconds since 1970
}

// protocolError says that the two do not understand each other, or returns nil.
func protocolError(agent, coordinator int) error {
	if agent == coordinator {
		return nil
	}
	return fmt.Errorf("the agent speaks version %d of the agents' protocol and the coordinator version %d: use the same roost for both", agent, coordinator)
}

// readOrder reads an assignment that can be carried out. Errors are sentences for the
// coordinator's user.
func readOrder(r io.Reader) (assignment, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return assignment{}, fmt.Errorf("the assignment did not arrive: %w", err)
	}
	// Another version may have other fields: look at the version alone first.
	var version struct{ Protocol int }
	if err := json.Unmarshal(text, &version); err != nil {
		return assignment{}, fmt.Errorf("the assignment is no JSON: %w", err)
	}
	if err := protocolError(agentProtocol, version.Protocol); err != nil {
		return assignment{}, err
	}
	// A field that is not known here would make another run than was asked for.
	var o order
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil {
		return assignment{}, fmt.Errorf("the assignment is not understood: %w", err)
	}
	return o.assignment, o.check()
}

const (
	// maxLate is how far a run's start may be from when an agent hears of it: it cuts
	// an interval for every second between.
	maxLate = time.Minute
	// maxAhead bounds the difference between two clocks; an unset one shows 1970.
	maxAhead = 100 * 365 * 24 * time.Hour
)

// check says what is wrong with an assignment, and fills in what its configuration
// leaves open.
func (a *assignment) check() error {
	c, err := a.Config.complete()
	if err != nil {
		return err
	}
	a.Config = c
	ahead := time.Duration(a.Ahead)
	late := newClock(ahead).now() - a.Start
	switch {
	case a.Share.Of < 1 || a.Share.Of > maxConns || a.Share.Index < 0 || a.Share.Index >= a.Share.Of:
		return fmt.Errorf("worker %d of %d does not exist", a.Share.Index, a.Share.Of)
	case a.Run == 0:
		return errors.New("the assignment has no number of its run")
	case ahead < -maxAhead || ahead > maxAhead:
		return fmt.Errorf("the clocks are %v apart: set them", ahead.Abs())
	case late < -int64(maxLate) || late > int64(maxLate):
		return fmt.Errorf("the run's start is %v away from now: the clocks were set meanwhile, or the network is too slow", time.Duration(late).Abs())
	}
	return nil
}

// conns is how many connections the assignment asks for.
func (a *assignment) conns() int {
	return a.Share.part(a.Config.Conns) + a.Share.part(a.Config.publishers())
}

// appendEvent appends an event as a line.
func appendEvent(line []byte, e event) ([]byte, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	return append(append(line, text...), '\n'), nil
}

// errGarbled says that a stream of events is none.
type errGarbled struct{ error }

// readEvents reads lines until the Ended one, and hands on the events before it. The
// stream's own error, or io.ErrUnexpectedEOF, says that it broke off.
func readEvents(r io.Reader, take func(event)) error {
	lines := bufio.NewReaderSize(r, 64<<10)
	reached := moment{second: -1}
	var line []byte
	for {
		var err error
		if line, err = appendLine(line[:0], lines); err != nil {
			return err
		}
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			return errGarbled{err}
		}
		if err := e.check(&reached); err != nil {
			return errGarbled{err}
		}
		if e.Ended {
			return nil
		}
		take(e)
	}
}

// appendLine reads a whole line.
func appendLine(line []byte, r *bufio.Reader) ([]byte, error) {
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxEvent:
			return line, errGarbled{fmt.Errorf("an event is longer than %d bytes", maxEvent)}
		case errors.Is(err, io.EOF):
			return line, io.ErrUnexpectedEOF
		case !errors.Is(err, bufio.ErrBufferFull):
			return line, err
		}
	}
}

// check makes sure of what the coordinator relies on: one thing in an event, and
// intervals in order. reached is the last of them.
func (e *event) check(reached *moment) error {
	set := 0
	for _, is := range []bool{e.Interval != nil, e.Ramped, e.Failed != "", e.GaveUp != "", e.Ended} {
		if is {
			set++
		}
	}
	if set != 1 {
		return fmt.Errorf("an event with %d things in it", set)
	}
	e.Failed, e.GaveUp = sentence(e.Failed), sentence(e.GaveUp)
	if e.Interval == nil {
		return nil
	}
	m := momentOf(e.Interval)
	if m.phase < 0 || compareMoments(m, *reached) <= 0 {
		return fmt.Errorf("an interval of second %d, phase %q, out of order", m.second, e.Interval.Phase)
	}
	*reached = m
	e.Interval.Server = nil // the coordinator's to know
	return nil
}

// sentence makes what another process says fit for a terminal.
func sentence(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	return strings.TrimSpace(text)
}
