package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roostws/roost/bench/compare/results"
)

func programsNamed(names ...string) []*program {
	var all []*program
	for _, n := range names {
		p := &program{entry: entry{name: n, kind: results.Peer}}
		if n == floorName {
			p.kind = results.Floor
		}
		all = append(all, p)
	}
	return all
}

func namesOf(programs []*program) string {
	var names []string
	for _, p := range programs {
		names = append(names, p.name)
	}
	return strings.Join(names, " ")
}

func TestOrder(t *testing.T) {
	for _, tt := range []struct {
		programs string
		round    int
		want     string
	}{
		{"floor", 4, "floor"},
		{"", 1, ""},
	} {
		if got := namesOf(order(programsNamed(strings.Fields(tt.programs)...), tt.round)); got != tt.want {
			t.Errorf("round %d of %q is %q, want %q", tt.round, tt.programs, got, tt.want)
		}
	}
}

// TestOrderIsShuffled: each round has all, in another order, and the same one each time.
func TestOrderIsShuffled(t *testing.T) {
	const names = "a b c d e f g h"
	seen := map[string]bool{}
	for round := range 5 {
		got := namesOf(order(programsNamed(strings.Fields("a b floor c d e f g h")...), round))
		all := strings.Fields(got)
		var inner string
		for i, name := range all {
			floor := i%(floorEvery+1) == 0 || i == len(all)-1
			if floor != (name == floorName) {
				t.Errorf("round %d is %q", round, got)
			}
			if !floor {
				inner += " " + name
			}
		}
		sorted := strings.Fields(inner)
		slices.Sort(sorted)
		if inner = inner[1:]; strings.Join(sorted, " ") != names || inner == names || seen[inner] {
			t.Errorf("round %d is %q", round, got)
		}
		seen[inner] = true
		if again := namesOf(order(programsNamed(strings.Fields("a b floor c d e f g h")...), round)); again != got {
			t.Errorf("round %d is %q, and then %q", round, got, again)
		}
	}
}

func TestPlan(t *testing.T) {
	programs := programsNamed(floorName, "a", "b")
	programs[2].works = []string{results.Idle}
	trials := []trial{{work: results.Idle, name: "plain", once: true}, {work: results.Echo, name: "x"}}
	var got []string
	for _, s := range byRound(append(plan(trials[1:], programs, 2), plan(trials[:1], programs, 2)...)) {
		got = append(got, strings.Join([]string{string(rune('1' + s.round)), s.trial.name, s.who.name}, " "))
	}
	want := []string{
		"1 x floor", "1 x a", "1 x floor",
		"1 plain floor", "1 plain a", "1 plain b", "1 plain floor",
		"2 x floor", "2 x a", "2 x floor",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the plan is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestCarryOutKeepsErrorsAndEndsWhenInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	measure := func(context.Context, *rig, *program) outcome {
		calls++
		if calls == 2 {
			return outcome{err: errors.New("it died")}
		}
		if calls == 3 {
			cancel()
		}
		return outcome{values: map[string]float64{"rate": 1}}
	}
	steps := plan([]trial{{work: results.Echo, name: "x", takes: time.Second, measure: measure}}, programsNamed("a", "b", "c", "d"), 1)
	var got []results.Sample
	carryOut(ctx, nil, steps, func(_ step, s results.Sample, left time.Duration) {
		if left < 0 {
			t.Errorf("%v left", left)
		}
		got = append(got, s)
	})
	if calls != 3 || len(got) != 2 {
		t.Fatalf("%d steps were made and %d samples kept, want 3 and 2", calls, len(got))
	}
	if got[0].Error != "" || got[1].Error != "it died" || got[1].Server != steps[1].who.name || got[0].Round != 1 {
		t.Errorf("the samples are %+v", got)
	}
}

func TestLine(t *testing.T) {
	s := results.Sample{
		Round: 2, Work: results.Echo, Case: "1000x512", Server: "gws",
		Values: map[string]float64{"cpu_us": 14.12, "rate": 70_900.4, "server_cores": 1},
	}
	if got, want := line(s, 5, 12*time.Second), "round 2/5 echo 1000x512 gws: 14.1 µs, 70,900/s (12 s left)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	s.Values, s.Marks, s.Error = nil, map[string][]results.Mark{"rate": {results.ClientBound}}, "it died"
	if got, want := line(s, 5, 5*time.Minute), "round 2/5 echo 1000x512 gws: rate client-bound, it died (5 min left)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestFigure(t *testing.T) {
	for _, tt := range []struct {
		v    float64
		unit string
		want string
	}{
		{999, "1/s", "999/s"},
		{1_234_567, "1/s", "1,234,567/s"},
		{-45_504, "bytes", "-45,504 bytes"},
		{0.5, "s", "0.5 s"},
		{3, "", "3"},
	} {
		if got := figure(tt.v, tt.unit); got != tt.want {
			t.Errorf("%v %s is %q, want %q", tt.v, tt.unit, got, tt.want)
		}
	}
}
