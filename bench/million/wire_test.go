//go:build linux

package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestTheHostHearsWhatTheGuestTells(t *testing.T) {
	var b bytes.Buffer
	want := sample{At: 7 * time.Second, Phase: "ramp", Open: 12, Server: 3, Slab: 4}
	if err := tell(&b, told{Sample: &want}); err != nil {
		t.Fatal(err)
	}
	// The console may put a carriage return or a kernel's message before it.
	got, ok := hear("\r[ 1.0] x" + strings.TrimSpace(b.String()) + "\r")
	if !ok || got.Sample == nil || *got.Sample != want {
		t.Errorf("%+v, %v, want %+v", got.Sample, ok, want)
	}
	for _, line := range []string{"", "server: echoing", prefix + "{", "@million"} {
		if _, ok := hear(line); ok {
			t.Errorf("%q was taken for a line of the guest's", line)
		}
	}
	if err := tell(&full{}, told{}); err != errFull {
		t.Errorf("%v, want the writer's error", err)
	}
}

func TestTheTableSaysWhatAConnectionTakes(t *testing.T) {
	o := &outcome{
		Opened: 1000, Alive: 999, Lost: 1, Failed: 2, Pings: 3456, ClientEach: 180.4, Ramp: 2 * time.Second,
		Before:   sample{Server: 20e6, ServerAnon: 4e6, ClientAnon: 6e6, Free: 900e6, Slab: 30e6},
		Held:     sample{Server: 20e6 + 250_000, Client: 21e6, ServerAnon: 4e6 + 200_000, ClientAnon: 6e6 + 800_000, Free: 900e6 - 9_400_000, Slab: 37e6, Open: 1000},
		Failures: []string{"2 connect timed out: x"}, Delivered: 998, P50: time.Second, P99: 1940 * time.Millisecond, Last: 2 * time.Second,
	}
	p := plan{Conns: 1002, Hold: time.Minute, Ping: time.Second, Publish: true, Memory: 1 << 30}
	text := table(p, o)
	for _, want := range []string{
		"1,002 connections, held 1m0s", "999 at the end, 1 lost, 2 failed to open", "1,000 in 2s, 500 a second", "3,456",
		" 250 bytes a connection, 200 of them anonymous", "180 bytes a connection (slope in the ramp)", " 8400 bytes a connection (both ends), 7000 of them slab",
		"998 of 1,002 got it; of those who got it half after 1s, 99 % after 1.9s, the last after 2s", "2 connect timed out: x",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the table lacks %q:\n%s", want, text)
		}
	}
	o.Delivered, o.P50, o.P99, o.Last = 0, 0, 0, 0
	if text = table(p, o); !strings.Contains(text, "0 of 1,002 got it; of those who got it half after -, 99 % after -, the last after -") {
		t.Errorf("without a delivery:\n%s", text)
	}
	p.Publish, o.Ramp, o.Held.Open = false, 0, 0
	o.ClientEach = 0 // as of fewer than the slope begins with
	if text = table(p, o); strings.Contains(text, "message") || !strings.Contains(text, "resident, too few connections for a slope") || !strings.Contains(text, "- a second") {
		t.Errorf("without a message and a ramp:\n%s", text)
	}
}
