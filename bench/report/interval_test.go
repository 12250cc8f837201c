package report

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// fill sets every counter of i to a number of its own, so that none can be forgotten.
func fill(v reflect.Value, from int64) {
	for n := range v.NumField() {
		v.Field(n).SetInt(from + int64(n))
	}
}

func filled(from int64) *Interval {
	i := &Interval{
		Length: time.Duration(from), CPU: time.Duration(from), Lag: time.Duration(from),
		Failures: map[string]int64{"x": from}, Examples: map[string]string{"x": "text"},
		Messages: Messages{1: {First: from, Last: from + 10, Count: from}},
		Waves:    []Wave{{Began: from, Full: from, Clients: from, Back: from}},
		Memory:   &Slope{from, from, from, from}, Server: &Server{RSS: from},
		Receivers: &Receivers{N: 1, Sum: from, SumSquares: float64(from * from), Min: from, Max: from, Means: spread(1, time.Millisecond, 0, 1)},
	}
	for _, h := range []**Histogram{&i.Latency, &i.Service, &i.Connect, &i.Slip, &i.Notice} {
		*h = spread(int(from), time.Millisecond, 1, uint64(from))
	}
	fill(reflect.ValueOf(&i.Counters).Elem(), from)
	fill(reflect.ValueOf(&i.Gauges).Elem(), from)
	return i
}

func TestWorkersAddUp(t *testing.T) {
	sum := &Interval{}
	sum.MergeWorker(filled(100))
	sum.MergeWorker(filled(200))
	counters, gauges := reflect.ValueOf(sum.Counters), reflect.ValueOf(sum.Gauges)
	for _, v := range []reflect.Value{counters, gauges} {
		for n := range v.NumField() {
			if got, want := v.Field(n).Int(), 300+2*int64(n); got != want {
				t.Errorf("%s is %d, want %d", v.Type().Field(n).Name, got, want)
			}
		}
	}
	if sum.Length != 200 || sum.CPU != 300 || sum.Lag != 200 || sum.Failures["x"] != 300 || sum.Examples["x"] != "text" {
		t.Errorf("length %d, cpu %d, lag %d, failures %v", sum.Length, sum.CPU, sum.Lag, sum.Failures)
	}
	for n, h := range []*Histogram{sum.Latency, sum.Service, sum.Connect, sum.Slip, sum.Notice} {
		if h.Count() != 300 {
			t.Errorf("histogram %d has %d values", n, h.Count())
		}
	}
	if m := sum.Messages[1]; m != (Message{First: 100, Last: 210, Count: 300}) {
		t.Errorf("the message is %+v", m)
	}
	if sum.Waves[0] != (Wave{Began: 100, Full: 200, Clients: 300, Back: 300}) || *sum.Memory != (Slope{300, 300, 300, 300}) {
		t.Errorf("wave %+v, memory %+v", sum.Waves[0], sum.Memory)
	}
	if r := sum.Receivers; r.N != 2 || r.Sum != 300 || r.Min != 100 || r.Max != 200 || r.SumSquares != 50000 || r.Means.Count() != 2 {
		t.Errorf("receivers are %+v", r)
	}
}

func TestLaterIntervalsKeepTheNewestGauges(t *testing.T) {
	sum := &Interval{}
	sum.MergeLater(filled(100))
	later := filled(200)
	later.Server = nil
	sum.MergeLater(later)
	if sum.Gauges != later.Gauges || sum.Length != 300 || sum.Server.RSS != 100 || sum.Attempts != 300 {
		t.Errorf("gauges %+v, length %d, server %+v", sum.Gauges, sum.Length, sum.Server)
	}
}

func TestMergingLeavesTheOtherAlone(t *testing.T) {
	other := filled(100)
	sum := &Interval{}
	sum.MergeWorker(other)
	sum.MergeWorker(filled(200))
	want := filled(100)
	if other.Latency.Count() != 100 || other.Receivers.N != 1 || other.Receivers.Means.Count() != 1 || other.Memory.FewOpen != 100 ||
		other.Waves[0] != want.Waves[0] || other.Failures["x"] != 100 || other.Messages[1] != want.Messages[1] {
		t.Errorf("the other is %+v now", other)
	}
}

func TestAnIntervalThereAndBack(t *testing.T) {
	i := filled(100)
	i.Second, i.Phase = 7, Measure
	text, err := json.Marshal(i)
	if err != nil {
		t.Fatal(err)
	}
	back := &Interval{}
	if err := json.Unmarshal(text, back); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(back)
	if err != nil {
		t.Fatal(err)
	}
	if string(again) != string(text) || back.Messages[1] != i.Messages[1] || back.Counters != i.Counters {
		t.Errorf("it came back as %s", again)
	}
	if err := json.Unmarshal([]byte(`{"messages":"AAAA"}`), back); err == nil || !strings.Contains(err.Error(), "3 bytes are no table") {
		t.Errorf("a cut table: %v", err)
	}
	if err := json.Unmarshal([]byte(`{"messages":7}`), back); err == nil {
		t.Error("a number is no table")
	}
}

func TestReceivers(t *testing.T) {
	r := &Receivers{}
	if r.Jain() != 1 || (*Receivers)(nil).Jain() != 1 {
		t.Error("nobody got less than others")
	}
	r.Add(10, 100*time.Millisecond)
	r.Add(0, 0)
	if r.N != 2 || r.Min != 0 || r.Max != 10 || r.Jain() != 0.5 || r.Means.Count() != 1 || (r.Means.Max()-10*time.Millisecond).Abs() > 10*time.Microsecond {
		t.Errorf("%+v, Jain %v, means up to %v", r, r.Jain(), r.Means.Max())
	}
}

func TestWavesOfDifferentLength(t *testing.T) {
	i := &Interval{Waves: []Wave{{Began: 5, Full: 9, Clients: 1, Back: 1}}}
	i.MergeWorker(&Interval{Waves: []Wave{{Began: 4, Full: 8, Clients: 2, Back: 1}, {Began: 20, Full: 21, Clients: 2, Back: 2}}})
	if len(i.Waves) != 2 || i.Waves[0] != (Wave{4, 9, 3, 2}) || i.Waves[1] != (Wave{20, 21, 2, 2}) {
		t.Errorf("%+v", i.Waves)
	}
}

func TestBytesPerConnection(t *testing.T) {
	if (&Slope{FewOpen: 10, FewRSS: 100, ManyOpen: 20, ManyRSS: 400}).PerConnection() != 30 {
		t.Error("ten connections and 300 bytes are 30 each")
	}
	if (&Slope{FewOpen: 10, ManyOpen: 10, ManyRSS: 5}).PerConnection() != 0 || (*Slope)(nil).PerConnection() != 0 {
		t.Error("no more connections tell nothing")
	}
}
