package report

import "time"

// sections adds what only some scenarios have.
func (b *builder) sections(r *Report) {
	switch r.Load.Traffic {
	case fanoutTraffic:
		r.Fanout = b.fanout()
	case feedTraffic:
		r.Feed = b.feed()
	}
	r.Fairness = fairness(b.total.Receivers)
	switch r.Run.Scenario {
	case stormScenario:
		r.Storm = storm(b.total.Waves)
	case halfOpenScenario:
		r.HalfOpen = &HalfOpen{
			Vanished: b.total.Vanished, Noticed: b.total.Noticed, Notice: summarize(b.total.Notice),
		}
	case slowScenario:
		r.Slow = &Slow{
			Clients: b.first.Slow, Received: b.total.SlowReceived, Lost: b.total.SlowLost,
		}
	}
}

func (b *builder) fanout() *Fanout {
	t := &b.total
	f := &Fanout{
		Published: t.Published, Subscribers: b.first.Subscribers, Deliveries: t.Deliveries,
		Duplicates: t.Duplicates, Unmarked: t.Unmarked, Untracked: t.Untracked,
	}
	if f.Published == 0 {
		// The server published by itself: what arrived somewhere is all that is known.
		f.Published = int64(len(t.Messages))
	}
	f.Expected = f.Published * f.Subscribers
	f.Reach = ratio(float64(f.Deliveries), float64(f.Expected))
	var skew *Histogram
	for _, m := range t.Messages {
		if m.Count < 2 {
			continue
		}
		if skew == nil {
			skew = NewHistogram()
		}
		skew.Record(time.Duration(m.Last - m.First))
	}
	f.Skew = summarize(skew)
	return f
}

func (b *builder) feed() *Feed {
	t := &b.total
	return &Feed{
		Channels: append([]string{}, b.config.Feed.Channels...), Subscribers: b.first.Subscribers,
		Snapshots: t.Snapshots, Updates: t.Updates, Gaps: t.Gaps, Repeats: t.Repeats, Unmarked: t.Unmarked,
	}
}

// fairness returns nil when nothing was delivered: to nobody is not evenly.
func fairness(r *Receivers) *Fairness {
	if r == nil || r.Sum == 0 {
		return nil
	}
	return &Fairness{
		Receivers: r.N, Jain: r.Jain(), Fewest: r.Min, Most: r.Max, Means: summarize(r.Means),
	}
}

func storm(waves []Wave) *Storm {
	s := &Storm{Waves: []Recovery{}}
	worst, all := 0.0, len(waves) > 0
	for _, w := range waves {
		v := Recovery{Clients: w.Clients, Back: w.Back}
		if w.Back >= w.Clients {
			full := micros(max(0, time.Duration(w.Full-w.Began)))
			v.Full = &full
			worst = max(worst, full)
		} else {
			all = false
		}
		s.Waves = append(s.Waves, v)
	}
	if all {
		s.Worst = &worst
	}
	return s
}
