package report

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"io"
	"strings"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page is what the template shows.
type page struct {
	Tool, When, Scenario, Targets, Subtitle string

	Headline   []figure
	Warnings   []string
	Assertions []judged
	Charts     []chart
	Shaded     bool
	Columns    []string
	Spreads    []spreadRow
	Legend     string
	Rows       []row
	Failures   []shownFailure
	Config     string
}

// judged is an assertion's result.
type judged struct {
	OK         bool
	Text, Said string
}

// shownFailure is a Failure without control characters.
type shownFailure struct{ Number, Kind, Example, Hint string }

// WriteHTML writes r as one page that needs nothing else: no network, no scripts.
func WriteHTML(w io.Writer, r *Report) error {
	charts, err := r.charts()
	if err != nil {
		return err
	}
	p := page{
		Tool: printable(r.Run.Tool), When: r.Run.Started.Format("2 January 2006, 15:04:05 MST"),
		Scenario: printable(r.Run.Scenario), Targets: r.targets(), Subtitle: r.subtitle(),
		Headline: r.headline(), Charts: charts, Columns: columns, Spreads: r.spreads(), Legend: r.legend(),
		Rows: append(r.rows(), r.processRows()...), Config: indented(r.Run.Config),
	}
	for _, w := range r.Warnings {
		p.Warnings = append(p.Warnings, printable(w.Text))
	}
	for _, a := range r.Assertions {
		said := a.Found
		if !a.OK {
			said = a.Why
		}
		p.Assertions = append(p.Assertions, judged{a.OK, printable(a.Text), printable(said)})
	}
	for _, f := range r.Failures {
		p.Failures = append(p.Failures, shownFailure{count(f.Count), printable(f.Kind), printable(f.Example), printable(f.Hint)})
	}
	for _, point := range r.Series {
		p.Shaded = p.Shaded || point.Phase != Measure
	}
	var out bytes.Buffer
	if err := pageTemplate.Execute(&out, p); err != nil {
		return err
	}
	_, err = w.Write(out.Bytes())
	return err
}

// Keys reports whether the chart needs a legend.
func (c chart) Keys() bool { return len(c.Legend) > 1 }

// indented is empty for what is no JSON.
func indented(config json.RawMessage) string {
	var out bytes.Buffer
	if json.Indent(&out, config, "", "  ") != nil {
		return ""
	}
	return out.String()
}

// legend explains the names of the durations that the run has.
func (r *Report) legend() string {
	var said []string
	add := func(s *Summary, text string) {
		if s != nil {
			said = append(said, text)
		}
	}
	switch {
	case r.Load.Traffic == echoTraffic && r.Load.Rate > 0:
		add(r.Latency, "Latency counts from when a message was due by the schedule, so that what waited for the server counts in full.")
	case r.Load.Traffic == echoTraffic:
		add(r.Latency, "Latency counts from when a message was sent.")
	case r.Load.Traffic == noTraffic:
		add(r.Latency, "Latency is connect without the ramp.")
	default:
		add(r.Latency, "Latency counts from the publication.")
	}
	add(r.Service, "Service counts from when a message really left.")
	add(skew(r), "Skew is from the first arrival of a message to its last.")
	if r.Fairness != nil {
		add(r.Fairness.Means, "Per client spreads the mean latencies of the clients.")
	}
	add(notice(r), "Notice is from when a client vanished to when the server ended its connection.")
	add(r.Connect, "Connect is from the TCP connect to the 101.")
	add(r.Slip, "Slip is how late the tool itself sent.")
	said = append(said, "A dash stands where too few values lie beyond a percentile.")
	return strings.Join(said, " ")
}
