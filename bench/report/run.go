package report

import (
	"encoding/json"
	"time"
)

// Run says what was run; it is known before the first result.
type Run struct {
	Tool     string          `json:"tool"` // roost and its version
	Scenario string          `json:"scenario"`
	Targets  []string        `json:"targets"`
	Asked    int             `json:"asked"`             // connections
	Workers  []string        `json:"workers,omitempty"` // the agents' addresses, or none for this process alone
	Started  time.Time       `json:"started"`
	Duration time.Duration   `json:"duration_ns"` // of the measure phase, as asked for
	Skew     time.Duration   `json:"skew_ns"`     // by how much the workers' clocks may differ from the coordinator's
	Config   json.RawMessage `json:"config"`      // of the run, complete
}

// Progress is a run as it stands, for who watches it.
type Progress struct {
	Run     Run
	Elapsed time.Duration
	Phase   Phase
	// Left is what is left of the phase, negative when that is not known.
	Left time.Duration
	// Last is the newest second that all workers have told, nil before there is one.
	Last *Interval
	// Total is everything so far.
	Total *Interval
}
