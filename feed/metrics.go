package feed

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/roostws/roost/server"
)

// metrics are the feed's own counters, and what a scrape collects from the server.
type metrics struct {
	registry *prometheus.Registry
	quotes   prometheus.Counter
	trades   prometheus.Counter
	dropped  prometheus.Counter
	requests *prometheus.CounterVec // by op
	errors   *prometheus.CounterVec // by code
}

func newMetrics(f *Feed) *metrics {
	counter := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: "roost_feed", Name: name, Help: help}
	}
	updates := prometheus.NewCounterVec(counter("updates_total", "Updates that the source delivered."), []string{"kind"})
	m := &metrics{
		registry: prometheus.NewRegistry(),
		quotes:   updates.WithLabelValues("quote"),
		trades:   updates.WithLabelValues("trade"),
		dropped:  prometheus.NewCounter(counter("updates_dropped_total", "Updates that are neither quote nor trade, or of a symbol that is none or one too many.")),
		requests: prometheus.NewCounterVec(counter("requests_total", "Requests of clients; op is invalid where none could be read."), []string{"op"}),
		errors:   prometheus.NewCounterVec(counter("errors_total", "Requests, and channels of requests, that were refused."), []string{"code"}),
	}
	m.registry.MustRegister(updates, m.dropped, m.requests, m.errors,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "roost_feed", Name: "symbols", Help: "Symbols that there are."},
			func() float64 { return float64(len(f.board.listed())) }),
		serverCollector{f.server.Stats},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if source, ok := f.config.Source.(interface{ Malformed() uint64 }); ok {
		m.registry.MustRegister(prometheus.NewCounterFunc(counter("malformed_lines_total", "Lines of the replayed file that were skipped."),
			func() float64 { return float64(source.Malformed()) }))
	}
	return m
}

// request counts a request by its op, without letting clients invent labels.
func (m *metrics) request(op string) {
	switch op {
	case opSubscribe, opUnsubscribe, opList, opPing:
	default:
		op = "invalid"
	}
	m.requests.WithLabelValues(op).Inc()
}

func (m *metrics) failure(code Code) { m.errors.WithLabelValues(string(code)).Inc() }

// serverCollector turns server.Stats into metrics at each scrape.
type serverCollector struct{ stats func() server.Stats }

// statMetrics are the figures of server.Stats that are one number.
var statMetrics = []struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*server.Stats) float64
}{
	{statDesc("connections", "Connections that are open now."), prometheus.GaugeValue, func(s *server.Stats) float64 { return float64(s.Open) }},
	{statDesc("accepted_total", "Connections accepted."), prometheus.CounterValue, func(s *server.Stats) float64 { return float64(s.Accepted) }},
	{statDesc("opened_total", "Connections whose handshake was answered with 101."), prometheus.CounterValue, func(s *server.Stats) float64 { return float64(s.Opened) }},
	{statDesc("plain_total", "Connections that were plain HTTP requests."), prometheus.CounterValue, func(s *server.Stats) float64 { return float64(s.Plain) }},
	{statDesc("messages_in_total", "Messages received."), prometheus.CounterValue, func(s *server.Stats) float64 { return float64(s.MessagesIn) }},
	{statDesc("messages_out_total", "Messages sent."), prometheus.CounterValue, func(s *server.Stats) float64 { return float64(s.MessagesOut) }},
	{statDesc("bytes_in_total", "Bytes received, handshakes and frame headers included."), prometheus.CounterValue, func(s *server.Stats) float64 { return float64(s.BytesIn) }},
	{statDesc("bytes_out_total", "Bytes sent, handshakes and frame headers included."), prometheus.CounterValue, func(s *server.Stats) float64 { return float64(s.BytesOut) }},
	{statDesc("pings_in_total", "Pings received."), prometheus.CounterValue, func(s *server.Stats) float64 { return float64(s.PingsIn) }},
	{statDesc("pongs_in_total", "Pongs received."), prometheus.CounterValue, func(s *server.Stats) float64 { return float64(s.PongsIn) }},
	{statDesc("pings_out_total", "Pings sent."), prometheus.CounterValue, func(s *server.Stats) float64 { return float64(s.PingsOut) }},
	{statDesc("dropped_total", "Messages discarded for slow readers."), prometheus.CounterValue, func(s *server.Stats) float64 { return float64(s.Dropped) }},
	{statDesc("conflated_total", "Messages replaced by newer ones for slow readers."), prometheus.CounterValue, func(s *server.Stats) float64 { return float64(s.Conflated) }},
	{statDesc("overruns_total", "Publications that a loop which could not keep up had no room for."), prometheus.CounterValue, func(s *server.Stats) float64 { return float64(s.Overruns) }},
	{statDesc("mailbox_stalls_total", "Times that a full mailbox stopped the reading of a connection."), prometheus.CounterValue, func(s *server.Stats) float64 { return float64(s.Stalls) }},
	{statDesc("accept_pauses_total", "Times that accepting stopped for want of descriptors or memory."), prometheus.CounterValue, func(s *server.Stats) float64 { return float64(s.AcceptPauses) }},
	{statDesc("handler_panics_total", "Panics of handlers."), prometheus.CounterValue, func(s *server.Stats) float64 { return float64(s.Panics) }},
	{statDesc("unsent_bytes", "Memory that outbound queues take now."), prometheus.GaugeValue, func(s *server.Stats) float64 { return float64(s.Unsent) }},
	{statDesc("turns_total", "Turns of the loops in which there was something to do."), prometheus.CounterValue, func(s *server.Stats) float64 { return float64(s.Turns) }},
	{statDesc("turn_seconds_total", "Time spent in turns of the loops."), prometheus.CounterValue, func(s *server.Stats) float64 { return s.TurnTime.Seconds() }},
	{statDesc("turn_max_seconds", "The longest turn of a loop."), prometheus.GaugeValue, func(s *server.Stats) float64 { return s.TurnMax.Seconds() }},
	{statDesc("upgrades_refused_total", "Requests of net/http servers that were not taken over; roost_handshakes_refused_total tells why."), prometheus.CounterValue, func(s *server.Stats) float64 { return float64(s.UpgradesRefused) }},
	{statDesc("tls_handshakes", "TLS handshakes that are under way now."), prometheus.GaugeValue, func(s *server.Stats) float64 { return float64(s.TLS.UnderWay) }},
	{statDesc("tls_handshakes_waiting", "TLS handshakes that wait for a place now."), prometheus.GaugeValue, func(s *server.Stats) float64 { return float64(s.TLS.Waiting) }},
	{statDesc("tls_handshakes_refused_total", "TLS handshakes that found too many waiting."), prometheus.CounterValue, func(s *server.Stats) float64 { return float64(s.TLS.Refused) }},
	{statDesc("addresses", "Client addresses that the limits per address know now."), prometheus.GaugeValue, func(s *server.Stats) float64 { return float64(s.Addresses.Addresses) }},
	{statDesc("address_connections_refused_total", "Connections over the limit of their address."), prometheus.CounterValue, func(s *server.Stats) float64 { return float64(s.Addresses.RefusedConns) }},
	{statDesc("address_handshakes_refused_total", "Connections that came faster than the limit of their address."), prometheus.CounterValue, func(s *server.Stats) float64 { return float64(s.Addresses.RefusedHandshakes) }},
	{statDesc("addresses_uncounted_total", "Connections that were let in uncounted because too many addresses are known."), prometheus.CounterValue, func(s *server.Stats) float64 { return float64(s.Addresses.Uncounted) }},
}

// What ended connections and refused handshakes are counted by.
var (
	endedDesc   = prometheus.NewDesc("roost_connections_ended_total", "Open connections that ended, by why.", []string{"reason"}, nil)
	refusedDesc = prometheus.NewDesc("roost_handshakes_refused_total", "Connections that were never opened, by why.", []string{"reason"}, nil)
)

func statDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("roost_"+name, help, nil, nil)
}

// Describe implements prometheus.Collector.
func (c serverCollector) Describe(out chan<- *prometheus.Desc) {
	for i := range statMetrics {
		out <- statMetrics[i].desc
	}
	out <- endedDesc
	out <- refusedDesc
}

// Collect implements prometheus.Collector.
func (c serverCollector) Collect(out chan<- prometheus.Metric) {
	st := c.stats()
	for i := range statMetrics {
		m := &statMetrics[i]
		out <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(&st))
	}
	for _, r := range server.Reasons() {
		desc := endedDesc
		if r.Refused() {
			desc = refusedDesc
		}
		out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(st.Reasons[r]), r.String())
	}
}
