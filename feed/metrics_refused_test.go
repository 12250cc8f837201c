package feed

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/roostws/roost/gate"
	"github.com/roostws/roost/server"
)

// TestWhatWasRefusedIsInTheMetrics: each figure under its own name.
func TestWhatWasRefusedIsInTheMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(serverCollector{func() server.Stats {
		return server.Stats{
			UpgradesRefused: 1,
			TLS:             server.TLSStats{UnderWay: 2, Waiting: 3, Refused: 4},
			Addresses:       gate.LimiterStats{Addresses: 5, RefusedConns: 6, RefusedHandshakes: 7, Uncounted: 8},
		}
	}})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		m := f.Metric[0]
		got[f.GetName()] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
	}
	for name, want := range map[string]float64{
		"roost_upgrades_refused_total":            1,
		"roost_tls_handshakes":                    2,
		"roost_tls_handshakes_waiting":            3,
		"roost_tls_handshakes_refused_total":      4,
		"roost_addresses":                         5,
		"roost_address_connections_refused_total": 6,
		"roost_address_handshakes_refused_total":  7,
		"roost_addresses_uncounted_total":         8,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
}
