package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

func TestTheHDRLogHasEverything(t *testing.T) {
	m := makeEcho(t)
	// A second with two phases is one line.
	m.intervals[11].Second, m.intervals[11].Latency = 10, spread(50, time.Second, 0.1, 3)
	started := began.Add(250 * time.Millisecond)
	var out bytes.Buffer
	if err := WriteHDR(&out, m.intervals, started); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	sums := map[string]*Histogram{"latency": NewHistogram(), "service": NewHistogram(), "connect": NewHistogram()}
	lines := map[string]int{}
	log := hdrhistogram.NewHistogramLogReader(&out)
	for {
		h, err := log.NextIntervalHistogram()
		if err != nil {
			t.Fatal(err)
		}
		if h == nil {
			break
		}
		sum := sums[h.Tag()]
		if sum == nil {
			t.Fatalf("a line has the tag %q", h.Tag())
		}
		if at := h.StartTimeMs(); lines[h.Tag()] == 0 && h.Tag() == "latency" && at != started.UnixMilli()+1000 {
			t.Errorf("the first second of latencies begins at %d ms, want %d", at, started.UnixMilli()+1000)
		}
		if took := h.EndTimeMs() - h.StartTimeMs(); lines[h.Tag()] == 0 && took != 1000 {
			t.Errorf("the first second of %s takes %d ms", h.Tag(), took)
		}
		lines[h.Tag()]++
		sum.h.Merge(h)
	}
	r := m.report()
	for tag, s := range map[string]*Summary{"latency": r.Latency, "service": r.Service, "connect": r.Connect} {
		if !s.Histogram.Equal(sums[tag]) {
			t.Errorf("the lines of %s do not add up to the total: %d values, not %d", tag, sums[tag].Count(), s.Count)
		}
	}
	if lines["latency"] != 10 || lines["service"] != 10 || lines["connect"] != 1 {
		t.Errorf("lines: %v", lines)
	}
	for _, head := range []string{"#[Histogram log format version 1.3]\n", "#[StartTime: 1772366400 ", "#[BaseTime: 1772366400 ", `"StartTimestamp"`} {
		if !strings.Contains(text, head) {
			t.Errorf("the log lacks %s", head)
		}
	}
	if strings.Contains(text, "slip") {
		t.Error("the log has the tool's slip")
	}
}
