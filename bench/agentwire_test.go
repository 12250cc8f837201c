package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/roostws/roost/bench/report"
)

// sample is something that was seen in a second of a phase.
type sample struct {
	moment moment
	took   time.Duration
	kind   string
}

// splitSeconds is how many seconds the samples spread over.
const splitSeconds = 2

// intervalsOf makes the intervals of a source that has seen samples, in order, as a
// worker sends them.
func intervalsOf(t testing.TB, samples []sample) []byte {
	var stream []byte
	for second := range splitSeconds {
		for phase, name := range report.Phases {
			i := &report.Interval{Second: second, Phase: name, Length: time.Second / 5}
			for _, s := range samples {
				if s.moment == (moment{second, phase}) {
					if i.Latency == nil {
						i.Latency, i.Failures = report.NewHistogram(), map[string]int64{}
					}
					i.Latency.Record(s.took)
					i.Failures[s.kind]++
					i.Replies++
				}
			}
			var err error
			if stream, err = appendEvent(stream, event{Interval: i}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return append(stream, "{\"ended\":true}\n"...)
}

func events(t testing.TB, stream []byte) (all []event) {
	t.Helper()
	if err := readEvents(bytes.NewReader(stream), func(e event) { all = append(all, e) }); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestAnySplitAddsUp spreads samples over sources at random, sends them over a wire,
// and delivers them in any order between the sources: the sum is always that of one
// source that has seen everything.
func TestAnySplitAddsUp(t *testing.T) {
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var samples []sample
		for range rng.IntN(200) {
			samples = append(samples, sample{
				moment: moment{rng.IntN(splitSeconds), rng.IntN(len(report.Phases))},
				took:   time.Duration(rng.ExpFloat64() * float64(time.Duration(1)<<rng.IntN(43))), // to over an hour
				kind:   []string{"refused", "timeout"}[rng.IntN(2)],
			})
		}
		sources := 1 + rng.IntN(5)
		parts := make([][]sample, sources)
		for _, s := range samples {
			at := rng.IntN(sources)
			parts[at] = append(parts[at], s)
		}
		a := newAssembler(sources)
		streams := make([][]event, sources)
		for i, p := range parts {
			streams[i] = events(t, intervalsOf(t, p))
		}
		var got []*report.Interval
		for left := sources; left > 0; {
			source := rng.IntN(sources)
			switch {
			case a.ended[source]:
				continue
			case len(streams[source]) == 0:
				a.end(source)
				left--
			default:
				a.add(source, streams[source][0].Interval)
				streams[source] = streams[source][1:]
			}
			got = append(got, a.ready()...)
		}
		want := events(t, intervalsOf(t, samples))
		if len(got) != len(want) {
			t.Fatalf("seed %d: %d intervals, want %d", seed, len(got), len(want))
		}
		for n, i := range got {
			if !same(t, i, want[n].Interval) {
				t.Errorf("seed %d, %d sources, second %d, %s: differs", seed, sources, i.Second, i.Phase)
			}
		}
	}
}

// same compares intervals by what they are on the wire.
func same(t testing.TB, a, b *report.Interval) bool {
	t.Helper()
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	if errX != nil || errY != nil {
		t.Fatal(errX, errY)
	}
	return bytes.Equal(x, y)
}

func TestReadEvents(t *testing.T) {
	const first = `{"interval":{"second":0,"phase":"ramp"}}` + "\n"
	broken := errors.New("broken")
	tests := []struct {
		name, stream string
		read         int
		garbled      bool
		err          error // with garbled it does not matter
	}{
		{"whole", first + `{"ramped":true}` + "\n" + `{"ended":true}` + "\n", 2, false, nil},
		{"after the end", `{"ended":true}` + "\nwhatever", 0, false, nil},
		{"nothing", "", 0, false, io.ErrUnexpectedEOF},
		{"cut", first + `{"ended":true}`, 1, false, io.ErrUnexpectedEOF},
		{"broken", first + "broken", 1, false, broken},
		{"no JSON", first + "nonsense\n", 1, true, nil},
		{"empty", "{}\n", 0, true, nil},
		{"two in one", `{"ramped":true,"ended":true}` + "\n", 0, true, nil},
		{"twice", first + first, 1, true, nil},
		{"backwards", `{"interval":{"second":1,"phase":"ramp"}}` + "\n" + first, 1, true, nil},
		{"no second", `{"interval":{"second":-1,"phase":"ramp"}}` + "\n", 0, true, nil},
		{"no phase", `{"interval":{"second":1,"phase":"rest"}}` + "\n", 0, true, nil},
		{"bad histogram", `{"interval":{"phase":"ramp","latency":"x"}}` + "\n", 0, true, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stream io.Reader = strings.NewReader(tt.stream)
			if tt.err == broken {
				stream = io.MultiReader(strings.NewReader(tt.stream), iotest.ErrReader(broken))
			}
			read := 0
			err := readEvents(stream, func(event) { read++ })
			var garbled errGarbled
			if read != tt.read || errors.As(err, &garbled) != tt.garbled || !tt.garbled && err != tt.err {
				t.Errorf("%d events, %v", read, err)
			}
		})
	}
}

func TestEventsAreBounded(t *testing.T) {
	// What is no JSON shows which check comes first, without parsing all of it.
	line := bytes.Repeat([]byte("x"), maxEvent)
	line[maxEvent-1] = '\n'
	err := readEvents(bytes.NewReader(line), nil)
	if err == nil || !strings.Contains(err.Error(), "invalid character") {
		t.Errorf("a line of %d bytes: %v", len(line), err)
	}
	line[maxEvent-1] = 'x'
	err = readEvents(io.MultiReader(bytes.NewReader(line), strings.NewReader("\n")), nil)
	if err == nil || !strings.Contains(err.Error(), "an event is longer than 67108864 bytes") {
		t.Errorf("a line of %d bytes: %v", len(line)+1, err)
	}
}

func TestEventsAreCleaned(t *testing.T) {
	all := events(t, []byte(`{"failed":"a\u001b[2J\nb"}`+"\n"+`{"interval":{"phase":"ramp","server":{"rss":1}}}`+"\n"+`{"ended":true}`+"\n"))
	if all[0].Failed != "a [2J b" {
		t.Errorf("sentence %q", all[0].Failed)
	}
	if all[1].Interval.Server != nil {
		t.Error("an agent speaks for the server's process")
	}
}

func TestOrderRoundTrip(t *testing.T) {
	d := (&double{}).start(t)
	for _, scenario := range Scenarios {
		o := anOrder(t, d)
		o.Config.Scenario = scenario
		o.Config, _ = o.Config.complete()
		o.Ahead, o.Guest = Duration(-1234567891), true
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readOrder(bytes.NewReader(text))
		if err != nil && !strings.Contains(err.Error(), "away from now") {
			t.Fatal(err)
		}
		again, err := json.Marshal(order{agentProtocol, got})
		if err != nil || !bytes.Equal(text, again) {
			t.Errorf("%s became %s, %v", text, again, err)
		}
	}
}

func TestAssignmentCounts(t *testing.T) {
	a := assignment{Config: Config{Scenario: Fanout, Conns: 10, Fanout: FanoutConfig{Publishers: 3}}, Share: share{0, 2}}
	b := a
	b.Share.Index = 1
	if a.conns() != 7 || b.conns() != 6 {
		t.Errorf("%d and %d connections, want 7 and 6", a.conns(), b.conns())
	}
}

// FuzzReadOrder: whatever comes, an order that is taken can be carried out and sent on.
func FuzzReadOrder(f *testing.F) {
	c, err := Config{Scenario: Echo, Targets: []string{"ws://127.0.0.1:1/"}}.complete()
	if err != nil {
		f.Fatal(err)
	}
	text, err := json.Marshal(order{agentProtocol, assignment{Config: c, Share: share{0, 1}, Run: 7, Start: time.Now().UnixNano()}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"protocol":1,"config":{"scenario":"fanout","targets":["wss://h/"]},"share":{"index":0,"of":2}}`))
	f.Add([]byte(`{"protocol":2}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := readOrder(bytes.NewReader(text))
		if err != nil {
			return
		}
		if a.Run == 0 || a.Share.Index >= a.Share.Of || a.conns() < 0 {
			t.Errorf("an assignment that cannot be carried out: %+v", a)
		}
		again, err := json.Marshal(order{agentProtocol, a})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := readOrder(bytes.NewReader(again)); err != nil {
			t.Errorf("%s: %v", again, err)
		}
	})
}

// FuzzReadEvents: whatever comes, the events that are taken can be put together and
// sent on.
func FuzzReadEvents(f *testing.F) {
	f.Add([]byte("{\"interval\":{\"second\":0,\"phase\":\"ramp\"}}\n{\"ramped\":true}\n{\"failed\":\"x\"}\n{\"ended\":true}\n"))
	f.Add(intervalsOf(f, []sample{{moment{1, 2}, time.Second, "x"}}))
	f.Add([]byte("{\"interval\":{\"phase\":\"drain\",\"messages\":\"\",\"receivers\":{\"n\":1},\"waves\":[{}],\"memory\":{}}}\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		a := newAssembler(2)
		_ = readEvents(bytes.NewReader(stream), func(e event) {
			if _, err := appendEvent(nil, e); err != nil {
				t.Fatal(err)
			}
			if e.Interval != nil {
				a.add(0, e.Interval)
			}
		})
		a.end(0)
		a.end(1)
		last := moment{second: -1}
		for _, i := range a.ready() {
			if m := momentOf(i); compareMoments(m, last) <= 0 {
				t.Errorf("%v after %v", m, last)
			} else {
				last = m
			}
		}
	})
}
