package report

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func parsed(t testing.TB, text string) Assertion {
	t.Helper()
	a, err := ParseAssertion(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestParseAssertion(t *testing.T) {
	for _, c := range []struct {
		text, metric, op string
		value            float64
	}{
		{"p99<20ms", "p99", "<", 20000}, {" p99.9 <= 1.5s ", "p99.9", "<=", 1.5e6}, {"latency.max>0s", "max", ">", 0},
		{"service.p99>=500us", "service.p99", ">=", 500}, {"connect.p50!=1h", "connect.p50", "!=", 3.6e9},
		{"lost==0", "lost", "==", 0}, {"sent>=1k", "sent", ">=", 1000}, {"received > 1.5M", "received", ">", 1.5e6},
		{"rate>=50k/s", "rate", ">=", 50000}, {"open_rate>1000", "open_rate", ">", 1000},
		{"reach>=99.9%", "reach", ">=", 0.999}, {"reach == 1", "reach", "==", 1}, {"cpu<85 %", "cpu", "<", 0.85}, {"reach<=120%", "reach", "<=", 1.2},
		{"bytes_per_client<=64KiB", "bytes_per_client", "<=", 65536}, {"server.rss<1.5GiB", "server.rss", "<", 1.5 * (1 << 30)},
		{"server.rss<2MiB", "server.rss", "<", 2 << 20}, {"server.rss<4096", "server.rss", "<", 4096}, {"server.rss<9B", "server.rss", "<", 9},
		{"server.cpu<1.5", "server.cpu", "<", 1.5}, {"storm.worst<10s", "storm.worst", "<", 1e7}, {"notice.p50<1m", "notice.p50", "<", 6e7},
	} {
		a, err := ParseAssertion(c.text)
		if err != nil || a.metric.name != c.metric || a.op != c.op || a.value != c.value || a.String() != strings.TrimSpace(c.text) {
			t.Errorf("%q is %s %s %v (%v), %v", c.text, a.metric.name, a.op, a.value, a, err)
		}
	}
}

func TestWhatIsNoAssertion(t *testing.T) {
	for _, c := range []struct{ text, word string }{
		{"", "has no operator"}, {"p99", "has no operator"}, {"p99=1ms", "= is no operator"}, {"p99!1ms", "! is no operator"},
		{"p98<1ms", "near it are p50, p90, p99"}, {"unanswred==0", "unanswered"}, {"bytes<1", "bytes_per_client"}, {"zzzzzz<1", "there are min, mean"},
		{"<1ms", "there is no metric"}, {"p99<20", "write 500us"}, {"p99<", "is no duration"}, {"p99<20%", "is no duration"},
		{"lost<x", "is no number"}, {"lost<", "is no number"}, {"lost<NaN", "is no number"}, {"lost<Inf", "is no number"}, {"lost<0x10", "is no number"},
		{"lost<1e3", "is no number"}, {"lost<1_000", "is no number"}, {"cpu<80", "write 80%"}, {"cpu<1.01", "more than all"}, {"cpu<x%", "is no number"},
		{"lost<" + strings.Repeat("9", 170) + "k", ""}, {"server.rss<1KB", "is no number"}, {"server.cpu<1s", "is no number"},
		{"p99<" + strings.Repeat("1", 200) + "ms", "too long"}, {"p99<<1ms", "is no duration"},
	} {
		a, err := ParseAssertion(c.text)
		if c.word == "" {
			if err != nil || math.IsInf(a.value, 0) {
				t.Errorf("%q: %v, %v", c.text, a.value, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%q: the error is %v, want one with %q", c.text, err, c.word)
		}
	}
	if _, err := ParseAssertion("p99<" + strings.Repeat("0", longestAssertion-len("p99<1ms")) + "1ms"); err != nil {
		t.Errorf("an assertion as long as may be: %v", err)
	}
	if _, err := ParseAssertion("p99<" + strings.Repeat("0", longestAssertion-len("p99<1ms")+1) + "1ms"); err == nil {
		t.Error("an assertion longer than may be is none")
	}
}

func TestCheck(t *testing.T) {
	all := makeAll(t)
	all["compressed"] = makeCompressed(t)
	for _, c := range []struct {
		scenario, text string
		ok             bool
		said           string // what was found, or why not
	}{
		{"echo", "lost<1", true, "0"}, {"echo", "lost<0", false, "lost is 0"}, {"echo", "lost<=0", true, "0"}, {"echo", "lost<=-1", false, ""},
		{"echo", "sent>199999", true, "200,000"}, {"echo", "sent>200k", false, "sent is 200,000"}, {"echo", "sent>=200k", true, ""}, {"echo", "sent>=200001", false, ""},
		{"echo", "alive==1k", true, "1,000"}, {"echo", "alive==999", false, ""}, {"echo", "alive!=999", true, ""}, {"echo", "alive!=1000", false, ""},
		{"echo", "p99<1s", true, ""}, {"echo", "p99<1us", false, "p99 is "}, {"echo", "rate>=20k", true, "20,000/s"}, {"echo", "cpu==32%", true, "32.0 %"},
		{"echo", "unsent==0", true, "0"}, {"echo", "mismatched==0", true, "0"}, {"echo", "server.cpu<1", true, "0.80"},
		{"echo", "bytes_per_client<5KiB", true, "4.55 KiB"}, {"echo", "attempts==1k", true, ""}, {"echo", "open_rate==1k", true, ""},
		{"echo", "lag<1ms", true, "700 µs"}, {"echo", "server.cpu_per_message==40us", true, "40.0 µs"}, {"echo", "server.rss<31MiB", true, "30.0 MiB"},
		{"fanout", "reach>=100%", true, "100 %"}, {"fanout", "jain==1", true, ""}, {"fanout", "skew.p50<6ms", true, ""}, {"fanout", "published==100", true, ""},
		{"fanout", "deliveries==100k", true, ""}, {"fanout", "duplicates==0", true, ""},
		{"feed", "gaps==1", true, "1"}, {"feed", "repeats==0", true, ""}, {"feed", "snapshots==1k", true, ""}, {"feed", "updates==499k", true, ""},
		{"halfopen", "notice.p50<6s", true, ""}, {"halfopen", "noticed==100", true, ""}, {"halfopen", "vanished==100", true, ""},
		{"slow", "slow.lost==0", true, ""}, {"slow", "slow.received==30", true, ""}, {"churn", "failed<=100", true, "100"}, {"idle", "pings==1k", true, ""},
		{"compressed", "declined==10", true, "10"}, {"compressed", "sent_share==25%", true, "25.0 %"}, {"compressed", "received_share<26%", false, "26.0 %"},
		{"echo", "declined==0", false, "only runs that offer compression"},
		// What the run does not have fails, whatever is asserted.
		{"idle", "p99<1h", false, "not in this run: the run measured no latency"}, {"idle", "service.max<1h", false, "no service latency"},
		{"fanout", "skew.p99<1h", false, "100 values are too few for p99, which takes 300"},
		{"echo", "gaps==0", false, "only runs with feed traffic"}, {"echo", "reach<=1", false, "only runs with fanout traffic"},
		{"echo", "skew.max<1h", false, "no skew"}, {"echo", "jain<=1", false, "no deliveries by receiver"}, {"echo", "notice.max<1h", false, "no notice times"},
		{"echo", "storm.worst<1h", false, "only storm runs"}, {"storm", "storm.worst<1h", false, "not every wave"}, {"echo", "noticed>=0", false, "only halfopen"},
		{"echo", "slow.lost>=0", false, "only slow runs"}, {"fanout", "unanswered==0", false, "only runs with echo traffic"},
		{"idle", "unsent==0", false, "only runs with a schedule"}, {"idle", "server.rss<1GiB", false, "was not watched"},
	} {
		got := parsed(t, c.text).Check(all[c.scenario].report())
		said := got.Found
		if !got.OK {
			said = got.Why
		}
		if got.OK != c.ok || !strings.Contains(said, c.said) || got.Text != c.text || got.OK != (got.Why == "") {
			t.Errorf("%s: %s gave %+v", c.scenario, c.text, got)
		}
	}
}

func TestTooFewConnectionsTellNothingOfAClient(t *testing.T) {
	m := makeEcho(t)
	m.intervals[0].Memory = nil
	if got := parsed(t, "bytes_per_client<1GiB").Check(m.report()); got.OK || !strings.Contains(got.Why, "too few") {
		t.Errorf("%+v", got)
	}
}

func TestJudge(t *testing.T) {
	r := makeEcho(t).report()
	yes, no := parsed(t, "lost==0"), parsed(t, "lost>0")
	if !r.Judge([]Assertion{yes, yes}) || len(r.Assertions) != 2 {
		t.Error("all hold, and it says no")
	}
	if r.Judge([]Assertion{no, yes}) || len(r.Assertions) != 2 || r.Assertions[0].OK || !r.Assertions[1].OK {
		t.Errorf("one does not hold: %+v", r.Assertions)
	}
	if !r.Judge(nil) || r.Assertions == nil {
		t.Error("nothing asserted is nothing failed, and an empty list")
	}
}

func TestMetricsAreNamedOnce(t *testing.T) {
	names := slices.Sorted(slices.Values(Metrics()))
	if len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("a name is there twice: %v", names)
	}
	for _, h := range slices.Concat(messageHeadlines, connectionHeadlines) {
		if !slices.Contains(names, h.metric) {
			t.Errorf("the headline knows the metric %s, which does not exist", h.metric)
		}
	}
}

func FuzzParseAssertion(f *testing.F) {
	for _, s := range []string{"p99<20ms", "reach>=99.9%", "bytes_per_client<=64KiB", "sent != 1.5M", "p99.9==0s", "<", "cpu<80"} {
		f.Add(s)
	}
	r := makeEcho(f).report()
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAssertion(text)
		if err != nil {
			return
		}
		if math.IsNaN(a.value) || math.IsInf(a.value, 0) {
			t.Fatalf("%q has the value %v", text, a.value)
		}
		again, err := ParseAssertion(a.String())
		if err != nil || again.value != a.value || again.op != a.op || again.metric.name != a.metric.name {
			t.Fatalf("%q read again is %+v, %v", text, again, err)
		}
		if got := a.Check(r); got.OK == (got.Why != "") {
			t.Fatalf("%q gave %+v", text, got)
		}
	})
}
