package results_test

import (
	"strings"
	"testing"

	"github.com/roostws/roost/bench/compare/results"
)

func TestTheSummaryIsInOrder(t *testing.T) {
	r := made()
	add := func(server, of string, cpu float64) {
		r.Samples = append(r.Samples, results.Sample{Round: 1, Work: results.Echo, Case: of, Server: server, Values: values{"cpu_us": cpu}})
	}
	add("floor", "200x20", 5)
	add("roost-pool", "200x20", 6)
	add("roost-inline", "200x20", 7)
	add("gorilla", "200x20", 5.5)
	var names []string
	for _, line := range strings.Split(summary(t, r), "\n")[2:] {
		if line == "" {
			break
		}
		cells := strings.Split(line, " | ")
		names = append(names, strings.TrimPrefix(cells[0], "| "))
		switch names[len(names)-1] {
		case "gorilla":
			if cells[2] != "**1.10**" {
				t.Errorf("gorilla beats both of ours at 200 × 20 B, and is shown as %q", cells[2])
			}
		case "▸ roost-pool":
			if cells[1] != "3.00, 1 of 2 rounds" || cells[2] != "1.20" {
				t.Errorf("roost-pool is shown as %q", cells)
			}
		}
	}
	if got := strings.Join(names, ", "); got != "floor, gws, ▸ roost-inline, ▸ roost-pool, gorilla" {
		t.Errorf("the rows are %s", got)
	}
}

func TestTheSummaryLeavesOutWhatWasNotMeasured(t *testing.T) {
	r := made()
	r.Samples = r.Samples[:12] // only echo
	if head, _, _ := strings.Cut(summary(t, r), "\n"); head != "| server | echo, 1,000 × 512 B |" {
		t.Errorf("the columns are %s", head)
	}
}

func TestTheSummaryTellsOfItsRounds(t *testing.T) {
	r := made()
	if text := summary(t, r); !strings.Contains(text, "medians of 2 rounds (echo), 2 rounds (fanout), 1 round (connect), 2 rounds (idle), ▸") {
		t.Errorf("the summary says %s", text)
	}
	r.Samples = r.Samples[:12]
	if text := summary(t, r); !strings.Contains(text, "medians of 2 rounds, ▸") {
		t.Errorf("the summary of echo says %s", text)
	}
}
