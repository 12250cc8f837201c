package main

import (
	"bytes"
	"os"
	"path/filepath"
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

func TestTheLogHasWhatTheGuestSays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	var shown bytes.Buffer
	l, err := newLog(&shown, path)
	if err != nil {
		t.Fatal(err)
	}
	if o := l.heard("hello \xff\r"); o != nil {
		t.Errorf("%+v is no result", o)
	}
	l.heard("\r")
	l.heard(prefix + `{"sample":{"At":5000000000,"Phase":"ramp","Open":5000,"Server":27000000}}`)
	l.heard(prefix + `{"sample":{"At":10000000000,"Phase":"ramp","Open":12000}}`)
	if o := l.heard(prefix + `{"outcome":{"Alive":7}}`); o == nil || o.Alive != 7 {
		t.Errorf("%+v, want the result", o)
	}
	l.keep("the table\n")
	l.close()
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := shown.String() + "the table\n"; string(kept) != want {
		t.Errorf("the file has %q, want %q", kept, want)
	}
	for _, want := range []string{"guest: hello ?\n", "open     5,000   1,000/s  server    27 MB", "open    12,000   1,400/s"} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("%q lacks %q", shown.String(), want)
		}
	}
	if n := strings.Count(shown.String(), "\n"); n != 3 {
		t.Errorf("%d lines, want 3", n)
	}
	if _, err := newLog(&shown, filepath.Join(path, "x")); err == nil {
		t.Error("a log that cannot be written was taken")
	}
}

func TestTheTableSaysWhatAConnectionTakes(t *testing.T) {
	o := &outcome{
		Opened: 1000, Alive: 999, Lost: 1, Failed: 2, Pings: 3456, ClientEach: 180.4, Ramp: 2 * time.Second,
		Before:   sample{Server: 20e6, Anon: 10e6, Free: 900e6, Slab: 30e6},
		Held:     sample{Server: 20e6 + 250_000, Client: 21e6, Anon: 11e6, Free: 900e6 - 9_400_000, Slab: 37e6, Open: 1000},
		Failures: []string{"2 connect timed out: x"}, Delivered: 998, P50: time.Second, P99: 1940 * time.Millisecond, Last: 2 * time.Second,
	}
	p := plan{Conns: 1002, Hold: time.Minute, Ping: time.Second, Publish: true, Memory: 1 << 30}
	text := table(p, o)
	for _, want := range []string{
		"1,002 connections, held 1m0s", "999 at the end, 1 lost, 2 failed to open", "1,000 in 2s, 500 a second", "3,456",
		" 250 bytes a connection", "180 bytes a connection", " 8400 bytes a connection (both ends), 7000 of them slab",
		"998 of 1,002 got it: half after 1s, 99 % after 1.9s, the last after 2s", "2 connect timed out: x",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the table lacks %q:\n%s", want, text)
		}
	}
	p.Publish, o.Ramp, o.Held.Open = false, 0, 0
	if text = table(p, o); strings.Contains(text, "message") || !strings.Contains(text, "- a second") {
		t.Errorf("without a message and a ramp:\n%s", text)
	}
}
