package report

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestJSONThereAndBack(t *testing.T) {
	all := makeAll(t)
	all["compressed"] = makeCompressed(t)
	for name, m := range all {
		r := m.report()
		r.Judge([]Assertion{parsed(t, "p99<1ms"), parsed(t, "lost==0")})
		var first, second bytes.Buffer
		if err := r.WriteJSON(&first); err != nil {
			t.Fatal(err)
		}
		text := first.String()
		back, err := ReadJSON(&first)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := back.WriteJSON(&second); err != nil {
			t.Fatal(err)
		}
		if second.String() != text {
			t.Errorf("%s: written, read and written again it differs", name)
		}
		if a, b := tableOf(t, r, false), tableOf(t, back, false); a != b {
			t.Errorf("%s: the table of what was read differs:\n%s\n%s", name, a, b)
		}
		if r.Latency != nil && !r.Latency.Histogram.Equal(back.Latency.Histogram) {
			t.Errorf("%s: the histogram differs", name)
		}
		if !reflect.DeepEqual(r.Assertions, back.Assertions) || !reflect.DeepEqual(r.Series, back.Series) {
			t.Errorf("%s: assertions or series differ", name)
		}
	}
}

func TestReadJSONSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ text, word string }{
		{``, "not a report"}, {`{`, "not a report"}, {`[]`, "not a report"}, {`{}`, "has no schema"}, {`{"schema":null}`, "has no schema"},
		{`{"schema":2}`, "the report has schema 2, and this version of roost reads 1"}, {`{"schema":0}`, "schema 0"},
		{`{"schema":"1"}`, "not a report"}, {`{"schema":1,"connections":7}`, "not a report"},
		{`{"schema":1,"latency":{"histogram":"x"}}`, "histogram"}, {`{"schema":1,"latency":{"histogram":"aaaa"}}`, "histogram"}, {`{"schema":1,"latency":{"histogram":7}}`, "not a report"},
	} {
		if _, err := ReadJSON(strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s: the error is %v, want one with %q", c.text, err, c.word)
		}
	}
	if _, err := ReadJSON(iotest.ErrReader(errBroken)); !errors.Is(err, errBroken) {
		t.Errorf("the reader's error came as %v", err)
	}
	if r, err := ReadJSON(strings.NewReader(`{"schema":1,"of_tomorrow":{"x":1}}`)); err != nil || r.Schema != 1 {
		t.Errorf("a field that nobody knows yet: %v", err)
	}
}

// Whatever ReadJSON takes can be shown.
func FuzzReadJSON(f *testing.F) {
	for _, name := range []string{"echo", "fanout", "storm", "halfopen"} {
		// Small ones: the fuzzer is slow with large ones.
		r := makeAll(f)[name].report()
		r.Series, r.Service, r.Slip, r.Connect, r.Fairness = r.Series[:3], nil, nil, nil, nil
		if r.Latency != nil {
			r.Latency.Histogram = spread(5, time.Second, 0.1, 1)
		}
		var b bytes.Buffer
		if err := r.WriteJSON(&b); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add([]byte(`{"schema":1}`))
	f.Add([]byte(`{"schema":1,"series":[{"seconds":1,"max_us":1e308},{"seconds":1}]}`))
	f.Add([]byte(`{"schema":1,"latency":{"count":1e18},"series":[{"seconds":-1e300,"open":-5,"p50_us":1e308,"max_us":-1},{"second":9,"seconds":1e308,"received_per_second":1e308}]}`))
	other := makeEcho(f).report()
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ReadJSON(bytes.NewReader(text))
		if err != nil {
			return
		}
		for _, err := range []error{r.Table(io.Discard, true), r.WriteJSON(io.Discard), Compare(io.Discard, r, other, true), WriteHTML(io.Discard, r)} {
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}
