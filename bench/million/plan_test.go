//go:build linux

package main

import (
	"strings"
	"testing"
	"time"
)

const gib = int64(1) << 30

func flags(change func(*cli)) *cli {
	c := &cli{Conns: 100_000, Hold: time.Minute, Ping: time.Minute, Publish: true, SMP: 2}
	change(c)
	return c
}

func TestMemoryGrowsWithTheConnections(t *testing.T) {
	for _, c := range []struct {
		name string
		cli  *cli
		want int64 // bytes, rounded up to a MiB
	}{
		{"a message to all", flags(func(*cli) {}), 100_000*(8600+700+1400) + 640<<20},
		{"no message", flags(func(c *cli) { c.Publish = false }), 100_000*(8600+700) + 640<<20},
		{"a million", flags(func(c *cli) { c.Conns = 1_000_000 }), 1_000_000*(8600+700+1400) + 640<<20},
		{"given", flags(func(c *cli) { c.Memory = "3G" }), 3 << 30},
		{"given in parts", flags(func(c *cli) { c.Memory = "2.5G" }), 5 << 29},
	} {
		p, err := c.cli.plan(64 * gib)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if p.Memory < c.want || p.Memory >= c.want+1<<20 || p.Memory%(1<<20) != 0 {
			t.Errorf("%s: %d bytes, want %d in whole MiB", c.name, p.Memory, c.want)
		}
	}
}

func TestWhatDoesNotFitIsRefusedWithTheSum(t *testing.T) {
	for _, c := range []struct {
		name string
		cli  *cli
		free int64
		want []string
	}{
		{"this machine", flags(func(c *cli) { c.Conns = 2_000_000 }), 10e9,
			[]string{"2,000,000 connections takes 22.07 GB", "8600 B of kernel, 700 B of roost and 1400 B for a message", "10.00 GB are free", "at most 821,686"}},
		{"this machine, no message", flags(func(c *cli) { c.Publish = false }), 1e9, []string{"8600 B of kernel and 700 B of roost", "ask for at most 0"}},
		{"the guest", flags(func(c *cli) { c.Memory = "1G" }), 64 * gib, []string{"--memory gives 1.07 GB", "at most 43,296 fit"}},
		{"a size", flags(func(c *cli) { c.Memory = "much" }), 64 * gib, []string{"--memory much: write 12G"}},
		{"a negative size", flags(func(c *cli) { c.Memory = "-1G" }), 64 * gib, []string{"write 12G"}},
		{"an endless size", flags(func(c *cli) { c.Memory = "9999999999G" }), 64 * gib, []string{"write 12G"}},
		{"no connection", flags(func(c *cli) { c.Conns = 0 }), 64 * gib, []string{"--conns"}},
		{"no processor", flags(func(c *cli) { c.SMP = 0 }), 64 * gib, []string{"--smp"}},
		{"a negative hold", flags(func(c *cli) { c.Hold = -1 }), 64 * gib, []string{"--hold"}},
		{"a ping without pause", flags(func(c *cli) { c.Ping = 1 }), 64 * gib, []string{"--ping"}},
		{"a negative timeout", flags(func(c *cli) { c.Timeout = -1 }), 64 * gib, []string{"--timeout"}},
		{"a negative rate", flags(func(c *cli) { c.Rate = -1 }), 64 * gib, []string{"--rate"}},
	} {
		_, err := c.cli.plan(c.free)
		if err == nil {
			t.Errorf("%s: it was not refused", c.name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", c.name, err, want)
			}
		}
	}
}

func TestThereAreNoMorePingsThanTheGuestCanDo(t *testing.T) {
	for _, c := range []struct {
		conns                          int
		hold, ping, wantHold, wantPing time.Duration
	}{
		{1000, 0, 0, 3 * time.Minute, 30 * time.Second},
		{1_000_000, 0, 0, 500 * time.Second, 500 * time.Second},
		{1_000_000, time.Minute, 0, time.Minute, 500 * time.Second},
		{1000, 0, 10 * time.Minute, 10 * time.Minute, 10 * time.Minute},
	} {
		p, err := flags(func(f *cli) { f.Conns, f.Hold, f.Ping = c.conns, c.hold, c.ping }).plan(64 * gib)
		if err != nil || p.Hold != c.wantHold || p.Ping != c.wantPing {
			t.Errorf("%d connections, hold %v, ping %v: hold %v, ping %v, %v; want %v and %v",
				c.conns, c.hold, c.ping, p.Hold, p.Ping, err, c.wantHold, c.wantPing)
		}
	}
}

func TestTheTimeoutLeavesTimeForEverything(t *testing.T) {
	fast, err := flags(func(*cli) {}).plan(64 * gib)
	if err != nil {
		t.Fatal(err)
	}
	slow, err := flags(func(c *cli) { c.Rate = 10 }).plan(64 * gib)
	if err != nil {
		t.Fatal(err)
	}
	if d := slow.Timeout - fast.Timeout; d != 10_000*time.Second {
		t.Errorf("10 connections a second make it %v longer, want the 10,000 s that 100,000 take", d)
	}
	given, err := flags(func(c *cli) { c.Timeout = time.Hour }).plan(64 * gib)
	if err != nil || given.Timeout != time.Hour {
		t.Errorf("%v, %v, want what was given", given.Timeout, err)
	}
}

func TestTheCacheIsMadeOrRefused(t *testing.T) {
	dir := t.TempDir()
	c := cli{Cache: dir + "/a/b"}
	if got, err := c.cache(); err != nil || got != c.Cache {
		t.Errorf("%q, %v", got, err)
	}
	c.Cache = "/dev/null/x"
	if _, err := c.cache(); err == nil || !strings.Contains(err.Error(), "--cache") {
		t.Errorf("%v, want a refusal that names --cache", err)
	}
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	c.Cache = ""
	if _, err := c.cache(); err == nil || !strings.Contains(err.Error(), "--cache") {
		t.Errorf("%v, want a refusal that names --cache", err)
	}
}
