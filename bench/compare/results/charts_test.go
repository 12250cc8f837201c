package results_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/roostws/roost/bench/compare/results"
)

// charts writes those of a run, and returns them by their names.
func charts(t *testing.T, r *results.Run) (names []string, pictures map[string][]byte) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "new", "charts")
	names, err := r.WriteCharts(dir)
	if err != nil {
		t.Fatal(err)
	}
	pictures = map[string][]byte{}
	for _, name := range names {
		if pictures[name], err = os.ReadFile(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(names) {
		t.Errorf("there are %d files, and %d were told of", len(entries), len(names))
	}
	return names, pictures
}

// textsOf returns the texts of a picture; it fails if that is no XML.
func textsOf(t *testing.T, svg []byte) []string {
	t.Helper()
	var texts []string
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return texts
		}
		if err != nil {
			t.Fatal(err)
		}
		if c, ok := token.(xml.CharData); ok && strings.TrimSpace(string(c)) != "" {
			texts = append(texts, string(c))
		}
	}
}

func TestChartsOfWhatWasMeasured(t *testing.T) {
	names, pictures := charts(t, made())
	want := []string{"echo-cpu.svg", "idle-memory.svg", "fanout.svg", "connect.svg", "slow.svg", "wss.svg", "latency.svg"}
	if !slices.Equal(names, want) {
		t.Fatalf("the charts are %v, want %v", names, want)
	}
	for name, has := range map[string][]string{
		"echo-cpu.svg":    {"floor", "roost-inline", "roost-pool", "gws", "gorilla", "1.00", "1.08", "1.15", "3.00", "3.50", "1,000 × 512 B"},
		"idle-memory.svg": {"echoed", "0", "214", "12,300"},
		"fanout.svg":      {"1,000 × 128 B", "5.00", "8.50"},
		"connect.svg":     {"CPU per handshake (µs)", "CPU time of a handshake, and the time after which dropped connections are back. One round. Less is better.", "50.0", "0.750", "not measured"},
		"slow.svg":        {"p99 of the rest, 1in100", "600 µs", "750 µs", "280 µs"},
		"wss.svg":         {"1,000 × 512 B", "10.0", "15.0", "20.0"},
		"latency.svg":     {"155 µs", "500 µs"},
	} {
		texts := textsOf(t, pictures[name])
		for _, text := range has {
			if !slices.Contains(texts, text) {
				t.Errorf("%s has no %q, only %q", name, text, texts)
			}
		}
		if slices.Contains(texts, "bun") {
			t.Errorf("%s has a server that was not run", name)
		}
		for _, bad := range []string{"NaN", "Inf", "font-family:Liberation Sans"} {
			if bytes.Contains(pictures[name], []byte(bad)) {
				t.Errorf("%s has %s", name, bad)
			}
		}
	}
}

func TestAPanelOfFewerRounds(t *testing.T) {
	r := made()
	r.Samples = append(r.Samples, results.Sample{Round: 1, Work: results.Idle, Case: "pinged", Server: "gws", Values: values{"rss_bytes": 5000}})
	_, pictures := charts(t, r)
	texts := textsOf(t, pictures["idle-memory.svg"])
	for _, want := range []string{
		"echoed", "pinged, 1 round", "in bytes, on a logarithmic axis. Median of 2 rounds, lines from least to greatest. Less is better.",
	} {
		if !slices.Contains(texts, want) {
			t.Errorf("there is no %q: %q", want, texts)
		}
	}
}

func TestWhatChartsLeaveOut(t *testing.T) {
	r := made()
	r.Samples = append(r.Samples,
		results.Sample{Round: 1, Work: results.Fanout, Case: "1000x1024", Server: "gws", Values: values{"cpu_us": 9}},
		results.Sample{Round: 1, Work: results.Connect, Case: "churn", Server: "gws", Values: values{"cpu_us": 9000}})
	_, pictures := charts(t, r)
	if texts := textsOf(t, pictures["fanout.svg"]); strings.Contains(strings.Join(texts, "\n"), "1,000 × 1 KiB") {
		t.Errorf("the chart of fan-out has other messages than small ones: %q", texts)
	}
	if texts := textsOf(t, pictures["latency.svg"]); strings.Contains(texts[1], "Less is better") {
		t.Errorf("what is not ranked says %q", texts[1])
	}
	if texts := textsOf(t, pictures["connect.svg"]); !slices.Contains(texts, "0.4") || !slices.Contains(texts, "10,000") {
		t.Errorf("panels with other units have not axes of their own: %q", texts)
	}
}

func TestPanelsWithOneUnitHaveOneAxis(t *testing.T) {
	r := made()
	for of, rss := range map[string]float64{"plain": 4, "pinged": 2e6} {
		r.Samples = append(r.Samples, results.Sample{Round: 1, Work: results.Idle, Case: of, Server: "gws", Values: values{"rss_bytes": rss}})
	}
	_, pictures := charts(t, r)
	texts := textsOf(t, pictures["idle-memory.svg"])
	for label, want := range map[string]int{"1,000": 3, "1,000,000": 3, "100": 0, "10,000": 0} { // every third, as they are narrow
		n := 0
		for _, text := range texts {
			if text == label {
				n++
			}
		}
		if n != want {
			t.Errorf("%d axes have %s, want %d: %q", n, label, want, texts)
		}
	}
}

func TestThePageShowsTheCharts(t *testing.T) {
	r := made()
	names, _ := charts(t, r)
	text := page(t, r)
	for _, name := range names {
		if strings.Count(text, "]("+name+")") != 1 {
			t.Errorf("the page does not show %s once", name)
		}
	}
}

func TestChartsAreTheSameEachTime(t *testing.T) {
	_, first := charts(t, made())
	for range 3 {
		_, again := charts(t, made())
		for name := range first {
			if !bytes.Equal(first[name], again[name]) {
				t.Errorf("%s differs from time to time", name)
			}
		}
	}
}

func TestChartsOfLittle(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*results.Run)
		want   []string
	}{
		{"nothing", func(r *results.Run) { r.Samples = nil }, nil},
		{"echo only", func(r *results.Run) { r.Samples = r.Samples[:12] }, []string{"echo-cpu.svg", "latency.svg"}},
		{"no floor", func(r *results.Run) {
			r.Samples = slices.DeleteFunc(r.Samples[:12], func(s results.Sample) bool { return s.Server == "floor" })
		}, []string{"latency.svg"}},
		{"errors only", func(r *results.Run) {
			for n := range r.Samples {
				r.Samples[n].Values, r.Samples[n].Error = nil, "it left"
			}
		}, nil},
		{"nothing but zero", func(r *results.Run) {
			r.Samples = []results.Sample{{Round: 1, Work: results.Idle, Case: "plain", Server: "gws", Values: values{"rss_bytes": 0}}}
		}, nil},
		{"not a number", func(r *results.Run) {
			r.Samples = []results.Sample{{Round: 1, Work: results.Idle, Case: "plain", Server: "gws", Values: values{"rss_bytes": math.NaN()}}}
		}, nil},
	} {
		r := made()
		test.change(r)
		if names, _ := charts(t, r); !slices.Equal(names, test.want) {
			t.Errorf("%s: the charts are %v, want %v", test.name, names, test.want)
		}
	}
}

// From the least to the greatest a figure may go over many powers of ten.
func TestAxes(t *testing.T) {
	for _, test := range []struct {
		name           string
		file           string
		work, of, what string
		low, high      float64
		has, lacks     []string
	}{
		{"short", "idle-memory.svg", results.Idle, "plain", "rss_bytes", 150, 900, []string{"100", "200", "500", "1,000"}, nil},
		{"long", "idle-memory.svg", results.Idle, "plain", "rss_bytes", 20, 2e5, []string{"10", "100", "1,000", "10,000", "100,000"}, nil},
		{"too long", "idle-memory.svg", results.Idle, "plain", "rss_bytes", 1e-9, 5e5, []string{"1", "100", "10,000"}, []string{"0.01", "0.0001"}},
		{"equal", "idle-memory.svg", results.Idle, "plain", "rss_bytes", 1000, 1000, []string{"500", "1,000"}, nil},
		{"linear", "fanout.svg", results.Fanout, "1000x128", "cpu_us", 3, 38, []string{"0", "10", "20", "30", "40"}, nil},
		{"small", "fanout.svg", results.Fanout, "1000x128", "cpu_us", 0.01, 0.07, []string{"0", "0.02", "0.04", "0.06"}, nil},
		{"large", "fanout.svg", results.Fanout, "1000x128", "cpu_us", 1, 38000, []string{"0", "10,000", "20,000"}, nil},
		{"time", "slow.svg", results.Slow, "1in100", "p99_us", 90, 2e6, []string{"100 µs", "1 ms", "10 ms", "100 ms", "1 s"}, nil},
	} {
		r := only(test.work, test.of, test.what, map[string]results.Kind{"a": results.Ours, "b": results.Peer}, []string{"a", "b"}, 1,
			map[string][]float64{"a": {test.low}, "b": {test.high}})
		_, pictures := charts(t, r)
		texts := textsOf(t, pictures[test.file])
		for _, label := range test.has {
			if !slices.Contains(texts, label) {
				t.Errorf("%s: the axis has no %s: %q", test.name, label, texts)
			}
		}
		for _, label := range test.lacks {
			if slices.Contains(texts[6:len(texts)-4], label) {
				t.Errorf("%s: the axis has %s: %q", test.name, label, texts)
			}
		}
		if bytes.Contains(pictures[test.file], []byte("NaN")) {
			t.Errorf("%s: there is a NaN", test.name)
		}
	}
}

func TestChartsWithoutADirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := made().WriteCharts(file); err == nil {
		t.Error("charts were written into a file")
	}
	dir := t.TempDir()
	stale := made()
	stale.Samples = nil
	if err := os.WriteFile(filepath.Join(dir, "slow.svg"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := stale.WriteCharts(dir); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("the chart of an earlier run is left: %v, %v", left, err)
	}
	if err := os.Mkdir(filepath.Join(dir, "fanout.svg"), 0o700); err != nil {
		t.Fatal(err)
	}
	names, err := made().WriteCharts(dir)
	if err == nil || !slices.Equal(names, []string{"echo-cpu.svg", "idle-memory.svg"}) {
		t.Errorf("with the third chart's name taken: %v, %v", names, err)
	}
}
