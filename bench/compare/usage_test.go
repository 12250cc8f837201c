package main

import (
	"math"
	"strings"
	"testing"
	"time"
)

const stat = `cpu  300 0 100 900 0 1 2 3 0 0
cpu0 100 10 50 400 7 1 2 3 0 0
cpu1 200 0 50 500 0 0 0 0 0 0
cpu10 1 1 1 1 1 1 1 1 1 1
`

func TestBusy(t *testing.T) {
	for cpu, want := range map[int]time.Duration{0: 1660 * time.Millisecond, 1: 2500 * time.Millisecond, 2: 0} {
		if got := busy(stat, cpu); got != want {
			t.Errorf("processor %d was busy for %v, want %v", cpu, got, want)
		}
	}
}

func TestUsage(t *testing.T) {
	begin := moment{time.Unix(100, 0), time.Second, 5 * time.Second, 10 * time.Second}
	end := moment{time.Unix(102, 0), 2 * time.Second, 6500 * time.Millisecond, 13 * time.Second}
	u := begin.until(end)
	if u.serverCores() != 0.5 || u.clientCores() != 0.75 {
		t.Errorf("server %v, client %v processors, want 0.5 and 0.75", u.serverCores(), u.clientCores())
	}
	if got := u.perUnit(50_000); math.Abs(got-10) > 1e-9 {
		t.Errorf("%v µs for each, want 10", got)
	}
	if math.Abs(u.others-0.5) > 1e-9 {
		t.Errorf("others used %v s, want 0.5", u.others)
	}
	end.both = 11 * time.Second // ticks are coarse, so that the parts may exceed the whole
	if got := begin.until(end).others; got != 0 {
		t.Errorf("others used %v s, want none", got)
	}
}

func TestDisturbance(t *testing.T) {
	var d disturbance
	d.add(usage{}) // nothing was measured
	d.add(usage{seconds: 2, others: 0.1})
	d.add(usage{seconds: 2, others: 0.04})
	if got := d.String(); got != "" {
		t.Errorf("little is %q", got)
	}
	d.add(usage{seconds: 2, others: 2})
	if got := d.String(); !strings.Contains(got, "in 1 of 3 measurements, and 2 % in the median") {
		t.Errorf("much is %q", got)
	}
}

func TestSaturation(t *testing.T) {
	for _, tt := range []struct {
		server, client float64
		want           string
	}{
		{0.95, 0.5, ""},
		{0.95, 0.95, "client-bound"},
		{0.5, 0.5, "unsaturated"},
		{0.5, 0.95, "client-bound unsaturated"},
	} {
		o := newOutcome()
		u := usage{seconds: 2, server: 2 * tt.server, client: 2 * tt.client}
		o.saturation("rate", u)
		if len(o.marks) > 1 || len(o.marks["rate"]) != len(o.marks)*len(strings.Fields(tt.want)) {
			t.Errorf("the marks are %v", o.marks)
		}
		var got []string
		for _, m := range o.marks["rate"] {
			got = append(got, string(m))
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("server %v, client %v: %q, want %q", tt.server, tt.client, s, tt.want)
		}
	}
}
