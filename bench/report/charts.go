package report

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
)

// mostPoints of a line; a longer run's seconds are drawn several at a time.
const mostPoints = 600

// briefest is the part of a second from which on a rate of it is drawn.
const briefest = 0.2

// charts draws what the run has, the most telling first.
func (r *Report) charts() ([]chart, error) {
	var all []chart
	for _, draw := range []func() (*chart, error){
		r.latencyChart, r.percentileChart, r.connectionChart, r.messageChart, r.failureChart, r.coreChart, r.memoryChart,
	} {
		c, err := draw()
		if err != nil {
			return nil, err
		}
		if c != nil {
			all = append(all, *c)
		}
	}
	return all, nil
}

// over makes a line of the seconds; get returns nil where there is nothing to draw.
// Of seconds that are drawn together, join says what counts.
func (r *Report) over(join func(values []float64) float64, get func(*Point) *float64) []plotter.XYs {
	together := (len(r.Series) + mostPoints - 1) / mostPoints
	var runs []plotter.XYs
	var run plotter.XYs
	for from := 0; from < len(r.Series); from += together {
		var found []float64
		var at float64
		for n := from; n < min(from+together, len(r.Series)); n++ {
			if v := get(&r.Series[n]); v != nil {
				found = append(found, drawable(*v))
				at = r.Series[n].end()
			}
		}
		if len(found) > 0 {
			run = append(run, plotter.XY{X: at, Y: join(found)})
		} else if len(run) > 0 {
			runs, run = append(runs, run), nil
		}
	}
	if len(run) > 0 {
		runs = append(runs, run)
	}
	return runs
}

func (p *Point) end() float64 { return drawable(float64(p.Second) + p.Seconds) }

// drawable bounds what a report from somewhere else may hold, so that no axis overflows.
func drawable(v float64) float64 { return min(max(v, 0), 1e15) }

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

func largest(values []float64) float64 {
	most := values[0]
	for _, v := range values {
		most = max(most, v)
	}
	return most
}

// timePlot makes a plot over the time of the run, with the seconds that were not
// measured shaded.
func (r *Report) timePlot() (*plot.Plot, []band) {
	p := newPlot()
	p.X.Tick.Marker = clock{}
	p.X.Min, p.X.Max = 0, 1
	var bands []band
	for _, point := range r.Series {
		p.X.Max = max(p.X.Max, point.end())
		if point.Phase == Measure {
			continue
		}
		if n := len(bands); n > 0 && bands[n-1].to >= float64(point.Second) {
			bands[n-1].to = point.end()
			continue
		}
		bands = append(bands, band{drawable(float64(point.Second)), point.end()})
	}
	return p, bands
}

// extent returns the least and the greatest y.
func extent(lines []line) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, l := range lines {
		for _, run := range l.runs {
			for _, xy := range run {
				low, high = min(low, xy.Y), max(high, xy.Y)
			}
		}
	}
	return low, high
}

// fromZero draws lines over time, on an axis that begins at 0 and ends at least at least.
func (r *Report) fromZero(title string, least float64, label func(v, step float64) string, lines ...line) (*chart, error) {
	_, high := extent(lines)
	if !(high > 0) || len(r.Series) < 2 {
		return nil, nil
	}
	p, bands := r.timePlot()
	p.Y.Tick.Marker = linear{label}
	p.Y.Min, p.Y.Max = 0, max(least, ceiling(high, 0))
	c, err := render(title, p, bands, lines)
	return &c, err
}

func (r *Report) latencyChart() (*chart, error) {
	part := func(name string, h hue, get func(*Point) *float64) line {
		positive := func(p *Point) *float64 {
			v := get(p)
			switch {
			case v == nil || p.Seconds < briefest: // a few stragglers
				return nil
			case *v < 0.1: // a logarithmic axis has no zero
				return number64(0.1)
			}
			return v
		}
		return line{name: name, hue: h, runs: r.over(largest, positive)}
	}
	lines := []line{
		part("max", hue4, func(p *Point) *float64 { return p.Max }),
		part("p99", hue3, func(p *Point) *float64 { return p.P99 }),
		part("p90", hue2, func(p *Point) *float64 { return p.P90 }),
		part("p50", hue1, func(p *Point) *float64 { return p.P50 }),
	}
	lines[0].dashed = true
	low, high := extent(lines)
	if low > high {
		return nil, nil
	}
	p, bands := r.timePlot()
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, logarithmic{short}
	p.Y.Min, p.Y.Max = around(low, high)
	c, err := render("Latency over time", p, bands, lines)
	return &c, err
}

// percentileChart has the percentiles on an axis on which each further nine is as far
// from the one before.
func (r *Report) percentileChart() (*chart, error) {
	var lines []line
	most := 10.0
	add := func(name string, h hue, s *Summary) {
		if s == nil || s.Histogram.Count() == 0 {
			return
		}
		lines = append(lines, line{name: name, hue: h, runs: []plotter.XYs{curve(s.Histogram)}})
		most = max(most, float64(s.Histogram.Count()))
	}
	title := "Latency by percentile"
	add("latency", hue1, r.Latency)
	add("service", hue3, r.Service)
	if len(lines) == 0 {
		title = "Time to connect by percentile"
		add("connect", hue1, r.Connect)
	}
	if len(lines) == 0 {
		return nil, nil
	}
	p := newPlot()
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, nines{}
	p.X.Min, p.X.Max = 1, most
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, logarithmic{short}
	p.Y.Min, p.Y.Max = around(extent(lines))
	c, err := render(title, p, nil, lines)
	return &c, err
}

// curve goes through the percentiles, sixteen for each nine, up to the maximum.
func curve(h *Histogram) plotter.XYs {
	var points plotter.XYs
	count := float64(h.Count())
	for n := 0; ; n++ {
		x := math.Pow(10, float64(n)/16)
		if x >= count {
			break
		}
		points = append(points, plotter.XY{X: x, Y: max(0.1, micros(h.Quantile(1-1/x)))})
	}
	return append(points, plotter.XY{X: count, Y: max(0.1, micros(h.Max()))})
}

func (r *Report) connectionChart() (*chart, error) {
	lines := []line{{name: "open", hue: hue1, filled: true, runs: r.over(mean, func(p *Point) *float64 { return number64(p.Open) })}}
	connecting := line{name: "connecting", hue: hue3, runs: r.over(mean, func(p *Point) *float64 { return number64(p.Connecting) })}
	if _, high := extent([]line{connecting}); high > 0 {
		lines = append(lines, connecting)
	}
	if runs := lines[0].runs; len(runs) > 0 {
		runs[0] = append(plotter.XYs{{}}, runs[0]...) // every run begins with none
	}
	return r.fromZero("Connections", 1, decimals, lines...)
}

// steady leaves out what is too short for a rate.
func steady(get func(*Point) float64) func(*Point) *float64 {
	return func(p *Point) *float64 {
		if p.Seconds < briefest {
			return nil
		}
		return number64(get(p))
	}
}

func (r *Report) messageChart() (*chart, error) {
	return r.fromZero("Messages per second", 1, decimals,
		line{name: "received", hue: hue1, filled: true, runs: r.over(mean, steady(func(p *Point) float64 { return p.Received }))},
		line{name: "sent", hue: hue3, dashed: true, runs: r.over(mean, steady(func(p *Point) float64 { return p.Sent }))})
}

func (r *Report) failureChart() (*chart, error) {
	return r.fromZero("Failures", 1, decimals,
		line{name: "in each second", hue: hue4, runs: r.over(largest, func(p *Point) *float64 { return number64(p.Failures) })})
}

func (r *Report) coreChart() (*chart, error) {
	server := line{name: "server", hue: hue1, filled: true, runs: r.over(mean, func(p *Point) *float64 {
		if p.Seconds < briefest {
			return nil
		}
		return p.ServerCores
	})}
	if len(server.runs) == 0 {
		return nil, nil
	}
	return r.fromZero("Processors busy", 1, decimals, server, line{name: "tool", hue: hue3, runs: r.over(mean, steady(func(p *Point) float64 {
		return p.CPUShare * float64(r.Tool.Cores)
	}))})
}

func (r *Report) memoryChart() (*chart, error) {
	return r.fromZero("Server's resident memory", 1, mebibytes,
		line{name: "server", hue: hue1, filled: true, runs: r.over(largest, func(p *Point) *float64 {
			if p.ServerRSS == nil {
				return nil
			}
			return number64(float64(*p.ServerRSS) / (1 << 20))
		})})
}
