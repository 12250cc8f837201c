package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roostws/roost/bench/compare/results"
)

func TestDestination(t *testing.T) {
	for _, tt := range []struct {
		name        string
		c           runCommand
		interrupted bool
		want        string
	}{
		{"complete", runCommand{}, false, published},
		{"all works by name", runCommand{Works: []string{"slow", "idle", "echo", "wss", "fanout", "connect"}}, false, published},
		{"one work", runCommand{Works: []string{"echo"}}, false, partial},
		{"one case", runCommand{Cases: []string{"storm"}}, false, partial},
		{"one server", runCommand{Servers: []string{"gws"}}, false, partial},
		{"quick", runCommand{Quick: true}, false, partial},
		{"interrupted", runCommand{}, true, partial},
		{"added", runCommand{Works: []string{"echo"}, Add: true}, false, published},
		{"added of some servers", runCommand{Servers: []string{"gws"}, Add: true}, false, published},
		{"added and quick", runCommand{Quick: true, Add: true}, false, partial},
		{"added and interrupted", runCommand{Add: true}, true, partial},
		{"as told", runCommand{Quick: true, Out: "there"}, true, "there"},
	} {
		if got := tt.c.destination(tt.interrupted); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestEarlier(t *testing.T) {
	dir := t.TempDir()
	c := &runCommand{Out: dir, Add: true}
	if run, err := c.earlier(); run != nil || err != nil {
		t.Errorf("where there is nothing: %v, %v", run, err)
	}
	run := &results.Run{Schema: results.Schema, Settings: []results.Settings{{Works: []string{results.Echo}, Rounds: 7}}}
	if err := write(run, dir, io.Discard); err != nil {
		t.Fatal(err)
	}
	found, err := c.earlier()
	if err != nil || found.Settings[0].Rounds != 7 {
		t.Errorf("%+v, %v", found, err)
	}
	if found, err := (&runCommand{Out: dir}).earlier(); found != nil || err != nil {
		t.Errorf("without --add: %v, %v", found, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "compare.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.earlier(); err == nil || !strings.Contains(err.Error(), "compare.json: these results have schema 0") {
		t.Errorf("%v", err)
	}
	if _, err := (&runCommand{Out: filepath.Join(dir, "compare.json"), Add: true}).earlier(); err == nil {
		t.Error("a file is taken for a directory")
	}
}

// TestAdd: a work that is measured alone goes beside those that were measured before, and
// another choice of servers is refused before anything is measured.
func TestAdd(t *testing.T) {
	needs(t)
	out := t.TempDir()
	cpus := allowed(t)
	compare := func(names []string, work string) (string, error) {
		var said strings.Builder
		c := &runCommand{Quick: true, Add: true, Works: []string{work}, Seconds: 0.1, Warmup: 0.1, Out: out, ServerCPU: cpus[0], ClientCPU: cpus[1], progress: &said, summary: io.Discard}
		if err := c.check(); err != nil {
			t.Fatal(err)
		}
		entries, err := choose(names)
		if err != nil {
			t.Fatal(err)
		}
		return said.String(), c.compare(t.Context(), entries, t.TempDir())
	}
	for _, work := range []string{results.Connect, results.Echo} {
		if said, err := compare([]string{floorName}, work); err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
	}
	found, err := (&runCommand{Out: out, Add: true}).earlier()
	if err != nil {
		t.Fatal(err)
	}
	works := map[string]bool{}
	for _, s := range found.Samples {
		works[s.Work] = true
	}
	if len(works) != 2 || len(found.Settings) != 2 {
		t.Errorf("the works are %v, of %d sessions", works, len(found.Settings))
	}
	if said, err := compare([]string{floorName, "gws"}, results.Slow); err == nil || !strings.Contains(err.Error(), "the earlier results are of the servers [floor]") || strings.Contains(said, "build") {
		t.Errorf("%v\n%s", err, said)
	}
}
