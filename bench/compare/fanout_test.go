package main

import (
	"testing"
	"time"

	"github.com/roostws/roost/bench"
	"github.com/roostws/roost/bench/report"
)

// TestOneRateForAll: publications are so many that all servers deliver as much.
func TestOneRateForAll(t *testing.T) {
	r := &rig{seconds: time.Second}
	for _, tt := range []struct {
		c       fanoutCase
		rate    float64 // publications a second
		lasting time.Duration
	}{
		{fanoutCase{conns: 1000, size: 128}, 20, 1200 * time.Millisecond},
		{fanoutCase{conns: 10_000, size: 1024}, 2, 3 * time.Second},
		{fanoutCase{conns: 18_000, size: 128}, 20.0 / 18, 5400 * time.Millisecond},
	} {
		c := tt.c.config(r, &server{port: 1}, bench.Fanout, time.Second)
		if c.Fanout.Rate != tt.rate || tt.c.lasting(r) != tt.lasting {
			t.Errorf("%s: %v a second for %v, want %v for %v", tt.c.name(), c.Fanout.Rate, tt.c.lasting(r), tt.rate, tt.lasting)
		}
	}
	if got := stalledFor(r); got != 5120*time.Millisecond {
		t.Errorf("8 MiB for each take %v", got)
	}
}

func TestReached(t *testing.T) {
	all := load{Report: &report.Report{Fanout: &report.Fanout{Expected: 10, Deliveries: 10, Reach: 1}}}
	if err := reached(all); err != nil {
		t.Error(err)
	}
	some := load{Report: &report.Report{Fanout: &report.Fanout{Expected: 10, Deliveries: 7, Reach: 0.7}}}
	if got := errorText(reached(some)); got != "3 of 10 deliveries did not come" {
		t.Error(got)
	}
}
