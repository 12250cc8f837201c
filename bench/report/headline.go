package report

// figure is one of the numbers at the head of the page.
type figure struct {
	Name, Value string
	Bad         bool
}

// mostFigures of the headline: a row of them, or three of two on a phone.
const mostFigures = 6

// headlines names metrics, the most telling first. What a run does not have falls out.
type headlines []struct{ metric, name string }

var (
	messageHeadlines = headlines{
		{"notice.p50", "until a vanished client was noticed, median"},
		{"reach", "of the deliveries arrived"},
		{"p50", "latency, median"},
		{"p99", "latency, 99th percentile"},
		{"p99.9", "latency, 99.9th percentile"},
		{"rate", "messages received"},
		{"alive", "connections open at the end"},
	}
	connectionHeadlines = headlines{
		{"storm.worst", "worst wave until all were back"},
		{"connect.p50", "to connect, median"},
		{"connect.p99", "to connect, 99th percentile"},
		{"open_rate", "connections opened"},
		{"alive", "connections open at the end"},
		{"server.bytes_per_connection", "server memory per connection"},
	}
)

func (r *Report) headline() []figure {
	var figures []figure
	list := messageHeadlines
	if r.Load.Traffic == noTraffic {
		list = connectionHeadlines
	}
	for _, h := range list {
		m, err := findMetric(h.metric)
		if err != nil {
			continue
		}
		v, why := m.get(r)
		if why != "" || v == 0 || len(figures) == mostFigures-1 {
			continue
		}
		figures = append(figures, figure{Name: h.name, Value: m.unit.format(v), Bad: h.metric == "reach" && v < 1})
	}
	c := r.Connections
	return append(figures, figure{Name: "connections failed or lost", Value: count(c.Failed + c.Lost), Bad: c.Failed+c.Lost > 0})
}
