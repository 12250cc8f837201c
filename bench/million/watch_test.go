//go:build linux

package main

import (
	"slices"
	"testing"
	"time"
)

// lines has the state hear one line of the load a value: messages a second.
func lines(s *state, in ...string) {
	for _, rate := range in {
		s.hear("30s measure open 20,000 out 0/s in "+rate+" p50 -", time.Now())
	}
}

func TestAMessageIsThroughWhenNoRetransmissionCanBeDue(t *testing.T) {
	// A line tells of five seconds.
	if covered := quietLines * 5 * time.Second; covered <= patience*time.Millisecond {
		t.Errorf("it waits for %v, and the kernel sends again after %d ms", covered, patience)
	}
	var s state
	lines(&s, slices.Repeat([]string{"0/s"}, 3*quietLines)...)
	if s.reached() {
		t.Error("nobody got it, and it is through")
	}
	lines(&s, "4,000/s")
	lines(&s, slices.Repeat([]string{"0/s"}, quietLines-1)...)
	lines(&s, "1.2/s")
	lines(&s, slices.Repeat([]string{"0/s"}, quietLines-1)...)
	if s.reached() {
		t.Error("it is through before it was quiet for long enough after the last message")
	}
	if lines(&s, "0/s"); !s.reached() {
		t.Error("it is not through")
	}
}

func TestEachStepIsDueOnce(t *testing.T) {
	quiet := append([]string{"9/s"}, slices.Repeat([]string{"0/s"}, quietLines)...)
	start := time.Now()
	for _, c := range []struct {
		name    string
		publish bool
		want    []step // of the turns below
	}{
		{"a message to all", true, []step{nothing, nothing, publishing, nothing, ending, nothing}},
		{"no message", false, []step{nothing, nothing, ending, nothing, nothing, nothing}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &watch{plan: plan{Publish: c.publish, Hold: time.Minute}}
			var got []step
			for _, turn := range []struct {
				phase string
				after time.Duration
				heard []string
			}{
				{"ramp", 0, nil}, {"measure", time.Minute, nil}, {"measure", 2*time.Minute + 1, nil},
				{"measure", 3 * time.Minute, nil}, {"measure", 4 * time.Minute, quiet}, {"measure", 5 * time.Minute, nil},
			} {
				lines(&w.state, turn.heard...)
				got = append(got, w.due(sample{Phase: turn.phase, At: turn.after}, start.Add(turn.after)))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("steps %v, want %v", got, c.want)
			}
			if w.held.At != 2*time.Minute+1 {
				t.Errorf("the sample of the end of the hold is that of %v", w.held.At)
			}
		})
	}
}
