package main

import (
	"strings"
	"testing"

	"github.com/roostws/roost/bench/compare/results"
)

func TestEnoughFiles(t *testing.T) {
	for _, tt := range []struct {
		quick bool
		works []string
		conns int
	}{
		{false, allWorks, 18_001},
		{false, []string{results.Idle}, 18_000},
		{false, []string{results.Fanout, results.Slow}, 18_001},
		{false, []string{results.Connect}, 10_000},
		{false, []string{results.Echo}, 10_000},
		{false, []string{results.Slow}, 1010},
		{false, []string{results.WSS}, 18_000},
		{true, []string{results.WSS}, 200},
		{true, allWorks, 2000},
		{true, []string{results.Fanout}, 1001},
		{true, []string{results.Connect}, 64},
	} {
		if got := (&rig{quick: tt.quick}).mostConns(tt.works); got != tt.conns {
			t.Errorf("%v, quick %v: %d connections, want %d", tt.works, tt.quick, got, tt.conns)
		}
	}
	if err := enoughFiles(18_001, 18_501, allWorks); err != nil {
		t.Error(err)
	}
	err := enoughFiles(18_001, 18_500, []string{results.Idle, results.Fanout})
	if want := "a process needs 18501 open files for idle, fanout, and the hard limit is 18500: raise it"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	if limit, err := hardFiles(); err != nil || limit == 0 {
		t.Errorf("%d, %v", limit, err)
	}
}
