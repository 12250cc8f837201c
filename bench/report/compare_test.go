package report

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func compared(t *testing.T, a, b *Report, color bool) string {
	t.Helper()
	var out bytes.Buffer
	if err := Compare(&out, a, b, color); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// rowOf returns the cells of the row of a metric.
func rowOf(text, metric string) string {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 0 && fields[0] == metric {
			return strings.Join(fields, " ")
		}
	}
	return ""
}

func TestCompare(t *testing.T) {
	m := makeEcho(t)
	for n, i := range m.intervals[1:11] {
		i.Latency = spread(20000, 450*time.Microsecond, 0.5, uint64(n))
		i.Service = spread(20000, 140*time.Microsecond, 0.4, uint64(n))
		i.Replies, i.Received = 25000, 25000
		i.CPU = 800 * time.Millisecond
	}
	m.intervals[3].Lost = 1
	text := compared(t, makeEcho(t).report(), m.report(), false)
	golden(t, "compare_echo", text)
	if strings.Contains(text, "not comparable") || strings.Contains(text, "\x1b") {
		t.Error("two runs of the same are comparable, and it was to have no colours")
	}
	for metric, want := range map[string]string{
		"p50": "p50 301 µs 451 µs 1.50 worse", "service.p50": "service.p50 281 µs 140 µs 0.50 better", "rate": "rate 20,000/s 25,000/s 1.25 better",
		"lost": "lost 0 1 - worse", "connect.p50": "connect.p50 2.00 ms 2.00 ms 1.00", "alive": "alive 1,000 1,000 1.00",
		"cpu": "", "sent": "", "failed": "", "gaps": "", "server.cpu": "server.cpu 0.80 0.80 1.00",
	} {
		if got := rowOf(text, metric); got != want {
			t.Errorf("%s: %q, want %q", metric, got, want)
		}
	}
	colored := compared(t, makeEcho(t).report(), m.report(), true)
	if escapes.ReplaceAllString(colored, "") != text || !strings.Contains(colored, red) || !strings.Contains(colored, green) {
		t.Error("colours change the text, or are not there")
	}
}

func TestVerdicts(t *testing.T) {
	of := func(name string) *metric {
		m, err := findMetric(name)
		if err != nil {
			t.Fatal(err)
		}
		return &m
	}
	for _, c := range []struct {
		metric string
		a, b   float64
		want   string
	}{
		{"p99", 1000, 1050, ""}, {"p99", 1000, 1051, "worse"}, {"p99", 1000, 950, ""}, {"p99", 1000, 949, "better"},
		{"rate", 1000, 949, "worse"}, {"rate", 1000, 1051, "better"}, {"rate", 1000, 950, ""},
		{"lost", 1000, 1001, "worse"}, {"lost", 1000, 999, "better"}, {"lost", 0, 0, ""}, {"lost", 0, 1, "worse"}, {"alive", 1000, 999, "worse"},
	} {
		if got, _ := of(c.metric).verdict(c.a, c.b); got != c.want {
			t.Errorf("%s from %v to %v is %q, want %q", c.metric, c.a, c.b, got, c.want)
		}
	}
	if times(0.001) != "< 0.01" || times(0) != "0.00" || times(0.01) != "0.01" || times(1234) != "1,234" {
		t.Error("ratios are written otherwise")
	}
}

func TestWhatMakesRunsIncomparable(t *testing.T) {
	for _, c := range []struct {
		word   string
		change func(*made)
	}{
		{"scenario: echo in a, idle in b", func(m *made) { m.run.Scenario = "idle" }},
		{"traffic: echo in a, fanout in b", func(m *made) { m.run.Scenario = "fanout" }},
		{"connections asked for: 1,000 in a, 999 in b", func(m *made) { m.run.Asked = 999 }},
		{"message size: 128 bytes in a, 256 bytes in b", func(m *made) { m.run.Config = []byte(`{"messages":{"size":"256"},"echo":{"rate":20000}}`) }},
		{"rate asked for: 20,000/s in a, none in b", func(m *made) { m.run.Config = []byte(`{"messages":{"size":"128"}}`) }},
		{"message size: 128 bytes in a, none in b", func(m *made) { m.run.Config = []byte(`{"echo":{"rate":20000}}`) }},
		{"compression: none in a, offered in b", func(m *made) {
			m.run.Config = []byte(`{"connect":{"compress":true},"messages":{"size":"128"},"echo":{"rate":20000}}`)
		}},
		{"b was interrupted", func(m *made) { m.end.Interrupted = true }},
		{"in b the tool was its own limit", func(m *made) { m.intervals[3].CPU = 2 * time.Second }},
	} {
		m := makeEcho(t)
		c.change(m)
		if text := compared(t, makeEcho(t).report(), m.report(), false); !strings.Contains(text, "not comparable") || !strings.Contains(text, c.word) {
			t.Errorf("it does not say %q:\n%s", c.word, text)
		}
	}
	// A warning about the server does not make the runs differ.
	m := makeEcho(t)
	m.intervals[3].Unanswered = 1
	m.run.Targets = []string{"ws://another.example/"}
	if text := compared(t, makeEcho(t).report(), m.report(), false); strings.Contains(text, "not comparable") {
		t.Errorf("it says that other servers cannot be compared:\n%s", text)
	}
}
