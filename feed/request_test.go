package feed

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRequestIsRead(t *testing.T) {
	for _, c := range []struct {
		text, op, id string
		channels     []string
	}{
		{`{"op":"subscribe","id":1,"channels":["ticker:EURUSD","trades:*"]}`, "subscribe", "1", []string{"ticker:EURUSD", "trades:*"}},
		{` { "channels" : ["a"], "id" : "x-7" , "op" : "unsubscribe" } ` + "\n", "unsubscribe", `"x-7"`, []string{"a"}},
		{`{"op":"list"}`, "list", "", nil},
		{`{"op":"ping","id":-1.50e3}`, "ping", "-1.50e3", nil},
		{`{"op":"ping","id":12345678901234567890123}`, "ping", "12345678901234567890123", nil},
		{`{"op":"ping","id":"\u00e9\"<"}`, "ping", `"\u00e9\"<"`, nil},
	} {
		r, failure := parseRequest([]byte(c.text), 1000)
		if failure != nil || r.op != c.op || string(r.id) != c.id || !slices.Equal(r.channels, c.channels) {
			t.Errorf("%s: %+v, %v", c.text, r, failure)
		}
	}
}

func TestRequestIsRefused(t *testing.T) {
	for _, c := range []struct {
		name, text string
		code       Code
		id         string // is known all the same
	}{
		{"nothing", ``, CodeBadJSON, ""},
		{"no JSON", `subscribe please`, CodeBadJSON, ""},
		{"an array", `[{"op":"list"}]`, CodeBadJSON, ""},
		{"a string", `"list"`, CodeBadJSON, ""},
		{"two objects", `{"op":"list"}{"op":"list"}`, CodeBadJSON, ""},
		{"a cut object", `{"op":"list"`, CodeBadJSON, ""},
		{"a comma too many", `{"op":"list",}`, CodeBadJSON, ""},
		{"single quotes", `{'op':'list'}`, CodeBadJSON, ""},
		{"deep nesting", strings.Repeat("[", 20000), CodeBadJSON, ""},
		{"no op", `{"id":4}`, CodeBadRequest, "4"},
		{"an empty op", `{"op":"","id":4}`, CodeBadRequest, "4"},
		{"an op that is null", `{"op":null,"id":4}`, CodeBadRequest, "4"},
		{"an op that is a number", `{"op":1,"id":4}`, CodeBadRequest, "4"},
		{"an op given twice", `{"op":"list","op":"ping","id":4}`, CodeBadRequest, "4"},
		{"an op in capitals", `{"OP":"list","id":4}`, CodeBadRequest, "4"},
		{"an unknown op", `{"op":"buy","id":4}`, CodeUnknownOp, "4"},
		{"an unknown op of any length", `{"op":"` + strings.Repeat("x", 5000) + `","id":4}`, CodeUnknownOp, "4"},
		{"an unknown field", `{"op":"list","depth":5,"id":4}`, CodeBadRequest, "4"},
		{"an unknown field of any length", `{"op":"list","` + strings.Repeat("x", 5000) + `":5,"id":4}`, CodeBadRequest, "4"},
		{"an id that is an object", `{"op":"list","id":{}}`, CodeBadRequest, ""},
		{"an id that is null", `{"op":"list","id":null}`, CodeBadRequest, ""},
		{"an id that is true", `{"op":"list","id":true}`, CodeBadRequest, ""},
		{"an id of any length", `{"op":"list","id":"` + strings.Repeat("x", 100) + `"}`, CodeBadRequest, ""},
		{"an id given twice", `{"op":"list","id":1,"id":2}`, CodeBadRequest, "1"},
		{"subscribe without channels", `{"op":"subscribe","id":4}`, CodeBadRequest, "4"},
		{"unsubscribe with none", `{"op":"unsubscribe","channels":[],"id":4}`, CodeBadRequest, "4"},
		{"channels that are a string", `{"op":"subscribe","channels":"ticker:A","id":4}`, CodeBadRequest, "4"},
		{"channels that are numbers", `{"op":"subscribe","channels":[1],"id":4}`, CodeBadRequest, "4"},
		{"channels given twice", `{"op":"subscribe","channels":["a"],"channels":["b"],"id":4}`, CodeBadRequest, "4"},
		{"too many channels", `{"op":"subscribe","channels":["a","b","c","d"],"id":4}`, CodeTooManySubscriptions, "4"},
		{"list with channels", `{"op":"list","channels":["a"],"id":4}`, CodeBadRequest, "4"},
		{"ping with channels", `{"op":"ping","channels":["a"],"id":4}`, CodeBadRequest, "4"},
	} {
		r, failure := parseRequest([]byte(c.text), 3)
		if failure == nil {
			t.Errorf("%s was read as %+v", c.name, r)
			continue
		}
		if failure.Code != c.code || string(r.id) != c.id || failure.Message == "" || len(failure.Message) > 200 {
			t.Errorf("%s: id %s, %v: want id %s, %s", c.name, r.id, failure, c.id, c.code)
		}
	}
}

// FuzzRequest: whatever comes is a request that fits its own rules or a typed error, and the reply to it is valid JSON that
// echoes the id.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		`{"op":"subscribe","id":1,"channels":["ticker:EURUSD","trades:*"]}`, `{"op":"list","id":"a\u0000b"}`, `{"id":1,"op":"ping","id":2}`,
		`{"op":"ping","id":1e999}`, `{"channels":[null],"op":"subscribe"}`, `[`, `{"op":"\ud800"}`, "{\"op\":\"\xff\",\"id\":\"\xff\"}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := string(text)
		r, failure := parseRequest(text, 5)
		if string(text) != before {
			t.Fatal("the borrowed text was changed")
		}
		if failure == nil {
			takes := r.op == opSubscribe || r.op == opUnsubscribe
			if !takes && r.op != opList && r.op != opPing || takes != (len(r.channels) > 0) || len(r.channels) > 5 {
				t.Fatalf("%q was read as %+v", text, r)
			}
			var fields map[string]json.RawMessage
			var op string
			if json.Unmarshal(text, &fields) != nil || json.Unmarshal(fields["op"], &op) != nil || op != r.op {
				t.Fatalf("%q was read as op %q", text, r.op)
			}
		}
		var got struct {
			ID    json.RawMessage
			Error *requestError
		}
		out := encode(reply{Type: "reply", Op: r.op, ID: r.id, Error: failure})
		if err := json.Unmarshal(out, &got); err != nil || string(got.ID) != string(r.id) || (got.Error == nil) != (failure == nil) {
			t.Fatalf("%q gave the reply %s", text, out)
		}
	})
}

func TestHeartbeat(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_123)
	for _, c := range []struct {
		seqs map[string]uint64
		want string
	}{
		{nil, `{"type":"heartbeat","n":3,"ts":1700000000123,"seqs":{}}`},
		{map[string]uint64{"ticker:EURUSD": 18}, `{"type":"heartbeat","n":3,"ts":1700000000123,"seqs":{"ticker:EURUSD":18}}`},
		{map[string]uint64{"a": 1, "b": 1<<64 - 1}, `{"type":"heartbeat","n":3,"ts":1700000000123,"seqs":{"a":1,"b":18446744073709551615}}`},
	} {
		sorted := func(yield func(string, uint64) bool) {
			for _, name := range slices.Sorted(maps.Keys(c.seqs)) {
				if !yield(name, c.seqs[name]) {
					return
				}
			}
		}
		if got := string(appendHeartbeat([]byte("x"), 3, now, sorted)); got != "x"+c.want {
			t.Errorf("got %s, want x%s", got, c.want)
		}
	}
}

// parts are one publication's three as a subscriber sees them.
func parts(c *channel) (update, snapshot string) {
	return string(c.head) + fmt.Sprint(c.seq-1) + string(c.tail), string(c.snapshot)
}

func decimal(t testing.TB, s string) Decimal {
	t.Helper()
	if s == "" {
		return Decimal{}
	}
	d, err := ParseDecimal(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestInstrumentEncodes(t *testing.T) {
	in := newInstrument("EURUSD", 0)
	now := time.UnixMilli(1_700_000_000_123)
	check := func(c *channel, wantUpdate, wantSnapshot string) {
		t.Helper()
		update, snapshot := parts(c)
		if update != wantUpdate || snapshot != wantSnapshot {
			t.Errorf("got  %s\n     %s\nwant %s\n     %s", update, snapshot, wantUpdate, wantSnapshot)
		}
		if !json.Valid([]byte(update)) || !json.Valid([]byte(snapshot)) {
			t.Error("it is no JSON")
		}
	}
	in.quote(&Update{Bid: decimal(t, "1.121200"), Ask: decimal(t, "1.121720"), Size: decimal(t, "0"), Time: time.UnixMilli(1_577_916_000_065)}, now)
	check(&in.channels[ticker],
		`{"ch":"ticker:EURUSD","type":"update","seq":1,"prev":0,"ts":1700000000123,"src_ts":1577916000065,"bid":"1.121200","ask":"1.121720","open":"1.121200","volume":"0"}`,
		`{"ch":"ticker:EURUSD","type":"snapshot","seq":1,"prev":0,"ts":1700000000123,"src_ts":1577916000065,"bid":"1.121200","ask":"1.121720","open":"1.121200","volume":"0"}`)
	in.trade(&Update{Price: decimal(t, "1.121720"), Size: decimal(t, "2.50"), Side: Buy}, now.Add(time.Millisecond))
	check(&in.channels[trades],
		`{"ch":"trades:EURUSD","type":"update","seq":1,"prev":0,"ts":1700000000124,"price":"1.121720","size":"2.50","side":"buy"}`,
		`{"ch":"trades:EURUSD","type":"snapshot","seq":1,"prev":0,"ts":1700000000124,"price":"1.121720","size":"2.50","side":"buy"}`)
	check(&in.channels[ticker],
		`{"ch":"ticker:EURUSD","type":"update","seq":2,"prev":1,"ts":1700000000124,"bid":"1.121200","ask":"1.121720","last":"1.121720","last_size":"2.50","open":"1.121200","volume":"2.50"}`,
		`{"ch":"ticker:EURUSD","type":"snapshot","seq":2,"prev":0,"ts":1700000000124,"bid":"1.121200","ask":"1.121720","last":"1.121720","last_size":"2.50","open":"1.121200","volume":"2.50"}`)
	in.trade(&Update{Price: decimal(t, "1.1"), Size: decimal(t, "1"), Side: Sell}, now)
	check(&in.channels[trades],
		`{"ch":"trades:EURUSD","type":"update","seq":2,"prev":1,"ts":1700000000123,"price":"1.1","size":"1","side":"sell"}`,
		`{"ch":"trades:EURUSD","type":"snapshot","seq":2,"prev":0,"ts":1700000000123,"price":"1.1","size":"1","side":"sell"}`)
	in.quote(&Update{Bid: decimal(t, "2"), Ask: decimal(t, "3"), BidSize: decimal(t, "10"), AskSize: decimal(t, "20")}, now)
	check(&in.channels[ticker],
		`{"ch":"ticker:EURUSD","type":"update","seq":4,"prev":3,"ts":1700000000123,"bid":"2","ask":"3","bid_size":"10","ask_size":"20","last":"1.1","last_size":"1","open":"1.121200","volume":"3.50"}`,
		`{"ch":"ticker:EURUSD","type":"snapshot","seq":4,"prev":0,"ts":1700000000123,"bid":"2","ask":"3","bid_size":"10","ask_size":"20","last":"1.1","last_size":"1","open":"1.121200","volume":"3.50"}`)
}

func TestInstrumentAllocatesNothingPerUpdate(t *testing.T) {
	in := newInstrument("EURUSD", 0)
	now := time.UnixMilli(1_700_000_000_123)
	q := Update{Bid: NewDecimal(112120, 5), Ask: NewDecimal(112122, 5), BidSize: NewDecimal(1e6, 0), AskSize: NewDecimal(1e6, 0), Time: now}
	tr := Update{Price: NewDecimal(112120, 5), Size: NewDecimal(1e6, 0), Side: Buy, Time: now}
	in.trade(&tr, now)
	if n := testing.AllocsPerRun(100, func() { in.quote(&q, now); in.trade(&tr, now) }); n != 0 {
		t.Errorf("%v allocations for a quote and a trade", n)
	}
}

func BenchmarkInstrumentQuote(b *testing.B) {
	in := newInstrument("EURUSD", 0)
	now := time.UnixMilli(1_700_000_000_123)
	q := Update{Bid: NewDecimal(112120, 5), Ask: NewDecimal(112122, 5), BidSize: NewDecimal(1e6, 0), AskSize: NewDecimal(1e6, 0)}
	b.ReportAllocs()
	for b.Loop() {
		in.quote(&q, now)
	}
}
