package main

import (
	"testing"

	"github.com/roostws/roost/bench/report"
)

// TestServed: if the messages that wait fail, those beside them had nothing to wait for.
func TestServed(t *testing.T) {
	answered := report.Exchange{Received: 5}
	lost := &report.Report{Exchange: answered}
	lost.Connections.Lost = 2
	for _, tt := range []struct {
		last *news
		want string
	}{
		{nil, "the client whose messages wait gave no report"},
		{&news{Received: 5}, "the client whose messages wait gave no report"},
		{&news{Error: "no luck"}, "the client whose messages wait: no luck"},
		{&news{Report: &report.Report{}}, "none of the messages that wait was answered"},
		{&news{Report: lost}, "the client whose messages wait: 2 connections were lost"},
		{&news{Report: &report.Report{Exchange: answered}}, ""},
	} {
		k := &client{}
		if tt.last != nil {
			k.last.Store(tt.last)
		}
		if got := errorText(k.served()); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
