package report

import (
	"bytes"
	"encoding/xml"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"
)

func pageOf(t testing.TB, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteHTML(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestThePageNeedsNothingElse(t *testing.T) {
	outside := regexp.MustCompile(`(?i)<script|<link|<img|<iframe|<object|src=|href=|url\(|@import|http://|https://`)
	for name, m := range makeAll(t) {
		page := pageOf(t, m.report())
		if found := outside.FindString(page); found != "" {
			t.Errorf("%s: the page has %q", name, found)
		}
		if !strings.Contains(page, "<h1>"+name+" <span>ws://127.0.0.1:9001/</span></h1>") {
			t.Errorf("%s: the page does not say what it is of", name)
		}
	}
}

func TestWhatComesFromOutsideIsEscaped(t *testing.T) {
	m := makeBad(t)
	m.run.Config = []byte(`{"headers":["</pre><script>alert(2)</script>"]}`)
	r := m.report()
	r.Warnings = append(r.Warnings, Warning{"x", "<b>bold</b>"})
	r.Assertions = []AssertionResult{{Text: "<i>p99</i>", Why: "<u>why</u>"}}
	r.Run.Tool, r.Run.Scenario = "<tt>\x1b", "<scenario>\x1b"
	r.Load.Size = "<size>"
	page := pageOf(t, r)
	for _, bad := range []string{"<img", "<script", "</pre><", "<b>bold", "<i>p99", "<u>", "<tt>", "<scenario>", "<size>", "\x1b", "\x07"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	for _, text := range []string{"&lt;script&gt;alert(1)&lt;/script&gt;", "&lt;img src=x onerror=alert(1)&gt;", "&lt;b&gt;bold&lt;/b&gt;", "alert(2)"} {
		if !strings.Contains(page, text) {
			t.Errorf("the page lacks %q", text)
		}
	}
}

var pictures = regexp.MustCompile(`(?s)<figcaption>([^<]+)<.*?(<svg.*?</svg>)`)

// chartsOf returns the pictures of a page by their titles.
func chartsOf(page string) map[string]string {
	all := map[string]string{}
	for _, m := range pictures.FindAllStringSubmatch(page, -1) {
		all[m[1]] = m[2]
	}
	return all
}

func TestChartsFollowThePage(t *testing.T) {
	for title, svg := range chartsOf(pageOf(t, makeBad(t).report())) {
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s is no XML: %v", title, err)
			}
		}
		if found := regexp.MustCompile(`#[0-9A-Fa-f]{6}|Liberation`).FindString(svg); found != "" {
			t.Errorf("%s: %q is fixed, and does not follow the page", title, found)
		}
		if !strings.Contains(svg, "var(--") || !strings.Contains(svg, "<text") || !strings.Contains(svg, `aria-label="`+strings.ReplaceAll(title, "&#39;", "'")) && !strings.Contains(svg, `aria-label="`+title) {
			t.Errorf("%s lacks colours, text or its name", title)
		}
	}
}

func TestEachRunHasItsCharts(t *testing.T) {
	all := makeAll(t)
	all["bad"] = makeBad(t)
	for name, want := range map[string][]string{
		"bad":  {"Latency over time", "Latency by percentile", "Connections", "Messages per second", "Failures", "Processors busy", "Server&#39;s resident memory"},
		"echo": {"Latency over time", "Latency by percentile", "Connections", "Messages per second", "Processors busy", "Server&#39;s resident memory"},
		"idle": {"Time to connect by percentile", "Connections"}, "churn": {"Time to connect by percentile", "Connections", "Failures"},
	} {
		got := chartsOf(pageOf(t, all[name].report()))
		if len(got) != len(want) {
			t.Errorf("%s has %d charts, want %d", name, len(got), len(want))
		}
		for _, title := range want {
			if got[title] == "" {
				t.Errorf("%s lacks the chart %q", name, title)
			}
		}
	}
	empty := Build(Run{Scenario: "echo", Started: time.Time{}}, nil, End{})
	if got := chartsOf(pageOf(t, empty)); len(got) != 0 {
		t.Errorf("nothing has %d charts", len(got))
	}
}

func TestALongRunIsDrawnWithFewPoints(t *testing.T) {
	r := makeEcho(t).report()
	peak := 77777.0
	one := r.Series[3]
	r.Series = nil
	for n := range 10*mostPoints + 1 {
		p := one
		p.Second = n
		if n == 4321 {
			p.Max = &peak
		}
		r.Series = append(r.Series, p)
	}
	runs := r.over(largest, func(p *Point) *float64 { return p.Max })
	if len(runs) != 1 || len(runs[0]) > mostPoints {
		t.Fatalf("%d points became %d lines of %d", len(r.Series), len(runs), len(runs[0]))
	}
	most := 0.0
	for _, xy := range runs[0] {
		most = max(most, xy.Y)
	}
	if most != peak {
		t.Errorf("the peak of %v became %v", peak, most)
	}
	if size := len(pageOf(t, r)); size > 300_000 {
		t.Errorf("the page has %d bytes", size)
	}
}

func TestSecondsThatWereNotMeasuredAreOneBand(t *testing.T) {
	r := makeEcho(t).report()
	r.Series[1].Phase, r.Series[2].Phase = Ramp, Warmup
	_, bands := r.timePlot()
	if len(bands) != 2 || bands[0] != (band{0, 3}) || bands[1] != (band{11, 12}) {
		t.Errorf("the bands are %v", bands)
	}
}

func TestALineEndsWhereNothingIsKnown(t *testing.T) {
	r := makeEcho(t).report()
	r.Series[5].P50 = nil
	runs := r.over(largest, func(p *Point) *float64 { return p.P50 })
	if len(runs) != 2 || len(runs[0]) != 4 || len(runs[1]) != 5 {
		t.Errorf("the lines are %v", runs)
	}
	r.Series[4].P50, r.Series[3].P50, r.Series[2].P50 = nil, nil, nil
	if svg := chartsOf(pageOf(t, r))["Latency over time"]; !strings.Contains(svg, "A2,2") {
		t.Error("a single second is not drawn as a dot")
	}
}

func TestTheHeadline(t *testing.T) {
	all := makeAll(t)
	for name, first := range map[string]string{
		"echo": "latency, median", "fanout": "of the deliveries arrived", "halfopen": "until a vanished client was noticed, median", "idle": "to connect, median", "churn": "to connect, median",
	} {
		figures := all[name].report().headline()
		if len(figures) > mostFigures || figures[0].Name != first {
			t.Errorf("%s: %+v", name, figures)
		}
		if last := figures[len(figures)-1]; last.Bad != (name == "churn") {
			t.Errorf("%s: failures are %+v", name, last)
		}
	}
}
