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
	row("server", "%s resident, %d bytes a connection", size(o.Held.Server), (o.Held.Server-o.Before.Server)/n)
	row("load", "%s resident, %.0f bytes a connection", size(o.Held.Client), o.ClientEach)
	kernel := o.Before.Free - o.Held.Free - (o.Held.Anon - o.Before.Anon)
	row("kernel", "%d bytes a connection (both ends), %d of them slab", kernel/n, (o.Held.Slab-o.Before.Slab)/n)
	row("guest", "%s memory, %s free at the end of the hold", size(p.Memory), size(o.Held.Free))
	if p.Publish {
		row("message to all", "%s of %s got it: half after %v, 99 %% after %v, the last after %v",
			count(o.Delivered), count(int64(p.Conns)), tenth(o.P50), tenth(o.P99), tenth(o.Last))
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

func tenth(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }
