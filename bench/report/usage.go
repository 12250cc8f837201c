package report

import "time"

// shortest is the length from which on an interval's own CPU share means something:
// the kernel counts processor time in ticks of up to 10 ms.
const shortest = 200 * time.Millisecond

func (b *builder) tool() Tool {
	t := Tool{Lag: micros(b.measured.Lag), BytesPerClient: b.total.Memory.PerConnection()}
	var available time.Duration // processor time that was there
	for _, i := range b.intervals {
		t.RSS = max(t.RSS, i.RSS)
		t.Cores = max(t.Cores, i.Cores)
		if i.Phase != Measure {
			continue
		}
		available += i.Length * time.Duration(i.Cores)
		if i.Length >= shortest {
			t.CPUShareMax = max(t.CPUShareMax, cpuShare(i))
		}
	}
	t.CPUShare = ratio(float64(b.measured.CPU), float64(available))
	t.CPUShareMax = max(t.CPUShareMax, t.CPUShare)
	return t
}

// cpuShare is the part of its cores that the tool used in i.
func cpuShare(i *Interval) float64 {
	return ratio(float64(i.CPU), float64(i.Length)*float64(i.Cores))
}

// sample is what the server used when a number of connections was open.
type sample struct {
	server *Server
	open   int64
}

// watch follows the server's process over the intervals.
type watch struct {
	first, ramped *sample
	rss           int64
	newest        *Server  // the newest sample up to now
	covered       Interval // of the measure phase, what lies between two samples
	pending       Interval // what came after the newest sample
	used          time.Duration
}

func (w *watch) see(i *Interval) {
	if i.Phase == Measure && w.newest != nil {
		w.pending.Length += i.Length
		w.pending.Sent += i.Sent
		w.pending.Received += i.Received
	}
	if i.Server == nil {
		return
	}
	s := &sample{i.Server, i.Open}
	if w.first == nil {
		w.first = s
	}
	if i.Phase == Ramp {
		w.ramped = s
	}
	w.rss = max(w.rss, i.Server.RSS)
	if i.Phase == Measure && w.newest != nil {
		w.used += i.Server.CPU - w.newest.CPU
		w.covered.Length += w.pending.Length
		w.covered.Sent += w.pending.Sent
		w.covered.Received += w.pending.Received
		w.pending = Interval{}
	}
	w.newest = i.Server
}

// server returns nil when nobody watched the server's process.
func (b *builder) server() *ServerProcess {
	w := watch{rss: -1}
	if b.end.Before != nil {
		w.first = &sample{server: b.end.Before}
	}
	for _, i := range b.intervals {
		w.see(i)
	}
	if w.first == nil {
		return nil
	}
	p := &ServerProcess{RSS: known(w.rss)}
	if w.covered.Length > 0 && w.newest.CPU >= 0 {
		cores := ratio(float64(w.used), float64(w.covered.Length))
		p.CPUCores = &cores
		if n := max(w.covered.Sent, w.covered.Received); n > 0 {
			each := float64(w.used) / float64(time.Microsecond) / float64(n)
			p.CPUPerMessage = &each
		}
	}
	perConnection(p, w.first, w.ramped)
	return p
}

func perConnection(p *ServerProcess, first, ramped *sample) {
	if ramped == nil || ramped.open <= first.open {
		return
	}
	n := float64(ramped.open - first.open)
	a, z := first.server, ramped.server
	if a.RSS >= 0 && z.RSS >= 0 {
		v := float64(z.RSS-a.RSS) / n
		p.BytesPerConnection = &v
	}
	if a.TCP >= 0 && a.Slab >= 0 && z.TCP >= 0 && z.Slab >= 0 {
		v := float64(z.TCP+z.Slab-a.TCP-a.Slab) / n
		p.KernelBytesPerConnection = &v
	}
}

// known returns nil for what the system did not tell.
func known(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}
