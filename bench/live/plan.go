package live

import (
	"encoding/json"

	"github.com/roostws/roost/bench/report"
)

// The scenarios that are shown in a way of their own. Package bench, which has the
// names, stands above this one.
const (
	idle     = "idle"
	echo     = "echo"
	fanout   = "fanout"
	feeds    = "feed"
	churn    = "churn"
	storm    = "storm"
	slow     = "slow"
	halfopen = "halfopen"
)

// plan is what of a run's configuration decides what is shown.
type plan struct {
	scenario string
	on       string // what flows meanwhile in slow and halfopen, else empty
	waves    int64  // storm; 0 when unknown
}

func planOf(r report.Run) plan {
	var c struct {
		On    string `json:"on"`
		Storm struct {
			Waves int64 `json:"waves"`
		} `json:"storm"`
	}
	p := plan{scenario: r.Scenario}
	// A configuration that cannot be read leaves the defaults; the run has judged it.
	_ = json.Unmarshal(r.Config, &c)
	if p.scenario == slow || p.scenario == halfopen {
		p.on = c.On
		if p.on == "" {
			p.on = echo
		}
	}
	if p.scenario == storm {
		p.waves = c.Storm.Waves
	}
	return p
}

// opens reports whether the run is about connections that open, not messages.
func (p plan) opens() bool {
	return p.scenario == idle || p.scenario == churn || p.scenario == storm
}
