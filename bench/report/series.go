package report

// series makes one point of each second.
func (b *builder) series() []Point {
	points := []Point{}
	var before *Server
	for i := range bySecond(b.intervals) {
		points = append(points, point(i, before))
		before = i.Server
	}
	return points
}

// point describes one second; before is the server's sample of the one before, if there is one.
func point(i *Interval, before *Server) Point {
	s := i.Length.Seconds()
	p := Point{
		Second: i.Second, Phase: i.Phase, Seconds: s,
		Open: i.Open, Connecting: i.Connecting,
		Opened: ratio(float64(i.Opened), s), Sent: ratio(float64(i.Sent), s), Received: ratio(float64(i.Received), s),
		CPUShare: cpuShare(i),
	}
	for _, n := range i.Failures {
		p.Failures += n
	}
	if h := i.Latency; h.Count() > 0 {
		p.P50, p.P90, p.P99 = percentile(h, 0.5), percentile(h, 0.9), percentile(h, 0.99)
		longest := micros(h.Max())
		p.Max = &longest
	}
	if i.Server != nil {
		p.ServerRSS = known(i.Server.RSS)
		if before != nil && before.CPU >= 0 && i.Server.CPU >= 0 {
			cores := ratio(float64(i.Server.CPU-before.CPU), float64(i.Length))
			p.ServerCores = &cores
		}
	}
	return p
}
