package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/roostws/roost/bench/compare/results"
)

// floorEvery is how many servers stand between two measurements of the floor at most. The
// machine's speed changes by a third within minutes: a ratio is to a floor of these minutes.
const floorEvery = 3

// order is how the servers follow each other in a case of a round, counted from 0. They
// are shuffled anew for each round, so that they have other neighbours. The floor, if it is
// there, is first, last, and after each floorEvery. The same round has the same order in
// every run.
func order(programs []*program, round int) []*program {
	var floor *program
	var others []*program
	for _, p := range programs {
		if p.kind == results.Floor {
			floor = p
		} else {
			others = append(others, p)
		}
	}
	random := rand.New(rand.NewPCG(uint64(round)+1, 0))
	random.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	if floor == nil {
		return others
	}
	all := []*program{floor}
	for some := range slices.Chunk(others, floorEvery) {
		all = append(append(all, some...), floor)
	}
	return all
}

// step is one measurement of the plan.
type step struct {
	round int // from 0
	trial trial
	who   *program
}

// plan lists all steps: round by round, in a round case by case. Some trials are
// made in the first round only.
func plan(trials []trial, programs []*program, rounds int) []step {
	var all []step
	for round := range rounds {
		for _, t := range trials {
			if t.once && round > 0 {
				continue
			}
			for _, p := range order(programs, round) {
				if p.does(t.work) {
					all = append(all, step{round, t, p})
				}
			}
		}
	}
	return all
}

// byRound sorts steps by their rounds, and keeps their order in each.
func byRound(steps []step) []step {
	slices.SortStableFunc(steps, func(a, b step) int { return a.round - b.round })
	return steps
}

// sequence names programs, each after a blank.
func sequence(programs []*program) string {
	var b strings.Builder
	for _, p := range programs {
		b.WriteString(" " + p.name)
	}
	return b.String()
}

func takes(steps []step) time.Duration {
	var sum time.Duration
	for _, s := range steps {
		sum += s.trial.takes
	}
	return sum
}

// carryOut makes the steps and hands on each sample. It ends with ctx, whose step is not
// handed on.
func carryOut(ctx context.Context, r *rig, steps []step, done func(s step, sample results.Sample, left time.Duration)) {
	began := time.Now()
	planned, all := time.Duration(0), takes(steps)
	for _, s := range steps {
		o := s.trial.measure(ctx, r, s.who)
		if ctx.Err() != nil {
			return
		}
		planned += s.trial.takes
		// What was planned is corrected by what it took so far.
		left := float64(all-planned) * float64(time.Since(began)) / float64(planned)
		done(s, o.sample(s), time.Duration(left))
	}
}

func (o *outcome) sample(s step) results.Sample {
	sample := results.Sample{
		Round: s.round + 1, Work: s.trial.work, Case: s.trial.name, Server: s.who.name,
		Values: o.values, Marks: o.marks,
	}
	if o.err != nil {
		sample.Error = o.err.Error()
	}
	return sample
}

// line is a sample in a line of the progress.
func line(s results.Sample, rounds int, left time.Duration) string {
	var figures []string
	for _, m := range results.Metrics {
		v, ok := s.Values[m.Name]
		if ok && m.Work == s.Work && len(figures) < 2 {
			figures = append(figures, figure(v, m.Unit))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Marks)) {
		for _, m := range s.Marks[name] {
			figures = append(figures, name+" "+string(m))
		}
	}
	if s.Error != "" {
		figures = append(figures, s.Error)
	}
	return fmt.Sprintf("round %d/%d %s %s %s: %s (%s left)",
		s.Round, rounds, s.Work, s.Case, s.Server, strings.Join(figures, ", "), about(left))
}

// about is a duration as a person wants it.
func about(d time.Duration) string {
	if d < 100*time.Second {
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f min", d.Minutes())
}

// figure is a value with its unit.
func figure(v float64, unit string) string {
	switch unit {
	case "1/s":
		return grouped(v) + "/s"
	case "bytes":
		return grouped(v) + " bytes"
	}
	return strings.TrimSpace(fmt.Sprintf("%.3g %s", v, unit))
}

// grouped is a whole number with commas between the thousands.
func grouped(v float64) string {
	digits := fmt.Sprintf("%.0f", v)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}
