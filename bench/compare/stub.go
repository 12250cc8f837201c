package main

import (
	"context"
	"time"

	"github.com/roostws/roost/bench/compare/results"
)

func idleTrials(*rig) []trial                                   { return nil }
func fanoutTrials(*rig) []trial                                 { return nil }
func connectTrials(*rig) []trial                                { return nil }
func slowTrials(*rig) []trial                                   { return nil }
func pingedTakes(*rig, []*program) time.Duration                { return 0 }
func pinged(context.Context, *rig, []*program) []results.Sample { return nil }
