//go:build !linux

package bench

import (
	"errors"

	"github.com/roostws/roost/bench/report"
)

// serverProbe needs /proc.
type serverProbe struct{}

func newServerProbe(int) (*serverProbe, error) {
	return nil, errors.New("the server's process can be watched on Linux only")
}

func (*serverProbe) look() *report.Server { return nil }
