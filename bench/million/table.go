//go:build linux

package main

import (
	"fmt"
	"strings"
	"time"
)

// table is the result for people.
func table(p plan, o *outcome) string {
	var b strings.Builder
	n := max(o.Held.Open, 1)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-22s %s\n", name, fmt.Sprintf(format, args...))
	}
	b.WriteString("\n")
	row("asked", "%s connections, held %v, pinged when silent for %v", count(int64(p.Conns)), p.Hold, p.Ping)
	row("alive", "%s at the end, %s lost, %s failed to open", count(o.Alive), count(o.Lost), count(o.Failed))
	row("opened", "%s in %v, %s a second", count(o.Opened), o.Ramp.Round(time.Second), perSecond(o.Opened, o.Ramp))
	row("pings answered", "%s", count(o.Pings))
	row("server", "%s resident, %d bytes a connection, %d of them anonymous",
		size(o.Held.Server), (o.Held.Server-o.Before.Server)/n, (o.Held.ServerAnon-o.Before.ServerAnon)/n)
	each := "too few connections for a slope"
	if o.ClientEach > 0 {
		each = fmt.Sprintf("%.0f bytes a connection (slope in the ramp)", o.ClientEach)
	}
	row("load", "%s resident, %s", size(o.Held.Client), each)
	kernel := o.Before.Free - o.Held.Free - (o.Held.anon() - o.Before.anon())
	row("kernel", "%d bytes a connection (both ends), %d of them slab", kernel/n, (o.Held.Slab-o.Before.Slab)/n)
	row("guest", "%s memory, %s free at the end of the hold", size(p.Memory), size(o.Held.Free))
	if p.Publish {
		row("message to all", "%s of %s got it; of those who got it half after %s, 99 %% after %s, the last after %s",
			count(o.Delivered), count(int64(p.Conns)), after(o.P50), after(o.P99), after(o.Last))
	}
	for _, f := range o.Failures {
		row("failure", "%s", f)
	}
	return b.String()
}

func perSecond(n int64, d time.Duration) string {
	if d <= 0 {
		return "-"
	}
	return count(int64(float64(n) / d.Seconds()))
}

// after writes d in tenths of a second; 0 was not measured.
func after(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return d.Round(100 * time.Millisecond).String()
}
