package main

import (
	"context"
	"time"

	"github.com/roostws/roost/bench/compare/results"
)

// rig is what all trials are made with.
type rig struct {
	self                 string  // this program, for the client
	loader               cLoader // the C client
	serverCPU, clientCPU int
	seconds, warmup      time.Duration // of a measure phase, and before it
	pings                time.Duration // of the idle case "pinged"
	quick                bool
	calm                 time.Duration // without a change of memory
	patience             time.Duration // until a server listens
	ports                *portList
	certificate          string // directory of cert.pem and key.pem
	others               disturbance
}

// trial is one case of a work, for one server at a time.
type trial struct {
	work, name string
	takes      time.Duration // about, for one server
	once       bool          // in the first round only: memory does not swing
	measure    func(ctx context.Context, r *rig, p *program) outcome
}

// outcome is what came of a trial: what was measured until the error, if there is one.
type outcome struct {
	values map[string]float64
	marks  map[string][]results.Mark // of the values that they are named after
	err    error
}

func newOutcome() outcome {
	return outcome{values: map[string]float64{}, marks: map[string][]results.Mark{}}
}

// saturation marks a value that was measured with the server asked for all it can.
func (o *outcome) saturation(name string, u usage) {
	if u.clientCores() > 0.9 {
		o.marks[name] = append(o.marks[name], results.ClientBound)
	}
	if u.serverCores() < 0.9 {
		o.marks[name] = append(o.marks[name], results.Unsaturated)
	}
}

// set keeps a value that may not be known.
func (o *outcome) set(name string, value *float64) {
	if value != nil {
		o.values[name] = *value
	}
}

// failed keeps the first error that there is and tells whether there is one.
func (o *outcome) failed(err error) bool {
	if o.err == nil {
		o.err = err
	}
	return err != nil
}
