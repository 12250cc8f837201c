//go:build !linux && !darwin && !freebsd && !dragonfly

package doctor

import "github.com/roostws/roost/poller"

// fileLimit fails with poller.ErrUnsupported on this platform.
func fileLimit() (Limit, error) { return Limit{}, poller.ErrUnsupported }
