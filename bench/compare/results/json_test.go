package results_test

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/roostws/roost/bench/compare/results"
)

func TestJSONHasAll(t *testing.T) {
	r := made()
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	got, err := results.ReadJSON(&b)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, r) {
		t.Errorf("read back:\n%+v\nwritten:\n%+v", got, r)
	}
}

func TestJSONOfWhatIsNotFinite(t *testing.T) {
	r := made()
	r.Samples[0].Values = values{"rate": math.NaN(), "cpu_us": math.Inf(1), "p99_at_80": 7}
	r.Samples[0].Error = "it stalled"
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	got, err := results.ReadJSON(&b)
	if err != nil {
		t.Fatal(err)
	}
	want := results.Sample{Round: 1, Work: results.Echo, Case: "1000x512", Server: "floor", Values: values{"p99_at_80": 7},
		Error: "it stalled; no finite number was measured for cpu_us, rate"}
	if !reflect.DeepEqual(got.Samples[0], want) {
		t.Errorf("the sample is %+v, want %+v", got.Samples[0], want)
	}
	if len(r.Samples[0].Values) != 3 || r.Samples[0].Error != "it stalled" {
		t.Errorf("writing changed the run: %+v", r.Samples[0])
	}
}

func TestReadJSONRefuses(t *testing.T) {
	for name, test := range map[string]struct{ text, why string }{
		"nothing":        {"", "no results of a comparison"},
		"no JSON":        {"# Results", "no results of a comparison"},
		"another schema": {`{"schema": 2, "rounds": "no number"}`, "have schema 2, and this program reads schema 1"},
		"no schema":      {`{"samples": []}`, "have schema 0"},
		"wrong types":    {`{"schema": 1, "samples": 7}`, "no results of a comparison"},
		"more behind it": {`{"schema": 1} {"schema": 1}`, "no results of a comparison"},
		"a stranger":     {`{"schema": 1, "servers": [{"name": "a"}], "samples": [{"server": "a"}, {"server": "b"}]}`, `sample 2 is of the server "b"`},
	} {
		r, err := results.ReadJSON(strings.NewReader(test.text))
		if err == nil || !strings.Contains(err.Error(), test.why) {
			t.Errorf("%s: the error is %v, want one with %q", name, err, test.why)
		}
		if r != nil {
			t.Errorf("%s: there is a run beside the error", name)
		}
	}
	if _, err := results.ReadJSON(failing{}); !errors.Is(err, errFull) {
		t.Errorf("of a reader that fails: %v", err)
	}
}

func TestWritersReportErrors(t *testing.T) {
	for name, err := range map[string]error{
		"JSON":     made().WriteJSON(failing{}),
		"Markdown": made().WriteMarkdown(failing{}),
		"summary":  made().WriteSummary(failing{}),
	} {
		if !errors.Is(err, errFull) {
			t.Errorf("%s: %v, want %v", name, err, errFull)
		}
	}
}
