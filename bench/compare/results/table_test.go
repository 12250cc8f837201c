package results_test

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/roostws/roost/bench/compare/results"
)

func TestTables(t *testing.T) {
	text := page(t, made())
	for _, test := range []struct {
		heading string
		rows    [][]string
		verdict string
	}{
		{"### CPU per message, ratio to the floor", [][]string{
			{"server", "1,000 × 512 B"},
			{"floor", "1.00 (0.800 to 1.20)"},         // 0.8, 1.2 of 10; 0.95, 1.05 of 20
			{"gws", "**1.08 (1.08 to 1.08)**"},        // 10.8/10, 21.6/20
			{"▸ roost-inline", "1.15 (1.10 to 1.20)"}, // 11/10, 24/20
			{"▸ roost-pool", "3.00, 1 of 2 rounds"},   // 30/10
			{"gorilla", "3.50 (3.00 to 4.00)"},        // 40/10, 60/20
		}, "Better than roost (bold): gws."},
		{"### 1,000 × 512 B, closed loop", [][]string{
			{"server", "CPU per message (µs)", "messages (1/s)"},
			{"floor", "15.5 (8.00 to 21.0)", "105,000 (90,000 to 120,000)"},
			{"gws", "**16.2 (10.8 to 21.6)**", "92,500 (90,000 to 95,000) †"},
			{"▸ roost-inline", "17.5 (11.0 to 24.0)", "85,000 (80,000 to 90,000)"},
			{"▸ roost-pool", "30.0, 1 of 2 rounds", "33,000, 1 of 2 rounds"},
			{"gorilla", "50.0 (40.0 to 60.0)", "20,500 (16,000 to 25,000)"},
		}, "Better than roost (bold): gws. " +
			"† client-bound: the client used more than 90 % of its processor, so the server may do more; not ranked."},
		{"### Resident (bytes)", [][]string{
			{"server", "echoed"},
			{"floor", "0 (0 to 0)"},
			{"▸ roost-inline", "214 (209 to 218)"}, // 213.5
			{"gorilla", "12,300 (12,300 to 12,300)"},
		}, "No peer is better than roost in a ranked figure of this table."},
		{"### CPU per delivery, ratio to the floor", [][]string{
			{"server", "1,000 × 128 B"},
			{"▸ roost-inline", "n/a"},
			{"gws", "n/a"},
		}, "Nothing in this table is ranked."},
		{"### Churn", [][]string{
			{"server", "CPU per handshake, ratio to the floor", "CPU per handshake (µs)"},
			{"floor", "1.00 (1.00 to 1.00)", "40.0 (40.0 to 40.0)"},
			{"▸ roost-inline", "1.25", "50.0"},
		}, "This table has no ranked figure of a peer beside one of roost's."},
	} {
		rows, verdict := tableOf(t, text, test.heading)
		if !reflect.DeepEqual(rows, test.rows) {
			t.Errorf("%s:\n%q\nwant\n%q", test.heading, rows, test.rows)
		}
		if verdict != test.verdict {
			t.Errorf("%s: it says %q, want %q", test.heading, verdict, test.verdict)
		}
	}
}

func TestMedians(t *testing.T) {
	for _, test := range []struct {
		name   string
		rounds int
		values []float64
		want   string
	}{
		{"one round", 1, []float64{7}, "7.00"},
		{"an odd number", 3, []float64{9, 1, 4}, "4.00 (1.00 to 9.00)"},
		{"an even number", 4, []float64{9, 1, 4, 6}, "5.00 (1.00 to 9.00)"},
		{"one is not finite", 3, []float64{9, math.NaN(), 5}, "7.00 (5.00 to 9.00), 2 of 3 rounds"},
		{"none is finite", 2, []float64{math.Inf(-1), math.NaN()}, "–"},
		{"all are zero", 2, []float64{0, 0}, "0 (0 to 0)"},
		{"below zero", 2, []float64{-12, -14}, "-13.0 (-14.0 to -12.0)"},
	} {
		// Another server keeps the table when the first has nothing.
		r := only(results.Idle, "plain", "rss_bytes", nil, []string{"a", "b"}, test.rounds, map[string][]float64{"a": test.values, "b": {1}})
		rows, _ := tableOf(t, page(t, r), "### Resident (bytes)")
		got := ""
		for _, row := range rows {
			if row[0] == "a" {
				got = row[1]
			}
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.00123: "0.00123", 0.0996: "0.0996", 0.9996: "1.00", 1: "1.00", 9.996: "10.0", 12.34: "12.3", 99.96: "100",
		123.4: "123", 999.6: "1,000", 1234: "1,230", 123456: "123,000", 1999999: "2,000,000", -1234: "-1,230",
	} {
		r := only(results.Idle, "plain", "rss_bytes", nil, []string{"a"}, 1, map[string][]float64{"a": {v}})
		if rows, _ := tableOf(t, page(t, r), "### Resident (bytes)"); rows[1][1] != want {
			t.Errorf("%v is written %q, want %q", v, rows[1][1], want)
		}
	}
	for v, want := range map[float64]string{0: "0", 50: "50", 1234: "1,234", 49.5: "49.5"} { // what is counted is not rounded
		r := only(results.Fanout, "stalled", "slow_lost", nil, []string{"a"}, 1, map[string][]float64{"a": {v}})
		if rows, _ := tableOf(t, page(t, r), "### Stalled"); rows[1][1] != want {
			t.Errorf("the count %v is written %q, want %q", v, rows[1][1], want)
		}
	}
}

func TestRanking(t *testing.T) {
	kinds := map[string]results.Kind{"ours": results.Ours, "ours2": results.Ours, "peer": results.Peer, "peer2": results.Peer, "floor": results.Floor, "variant": results.Variant}
	all := []string{"floor", "ours", "variant", "peer", "ours2", "peer2"}
	for _, test := range []struct {
		name, metric, heading string
		values                map[string][]float64
		marked                string
		order, bold           string
		verdict               string
	}{
		{"less is better", "rss_bytes", "### Resident (bytes)", map[string][]float64{"floor": {1}, "ours": {30}, "peer": {20}, "ours2": {25}, "peer2": {27}}, "",
			"floor peer ours2 peer2 ours", "peer", "Better than roost (bold): peer."},
		{"more is better", "rate", "### Churn", map[string][]float64{"floor": {90}, "ours": {30}, "peer": {60}, "ours2": {25}, "peer2": {70}}, "",
			"floor peer2 peer ours ours2", "peer peer2", "Better than roost (bold): peer2, peer."},
		{"equal is not better", "rss_bytes", "### Resident (bytes)", map[string][]float64{"ours": {30}, "peer": {30}, "peer2": {31}}, "",
			"ours peer peer2", "", "No peer is better than roost in a ranked figure of this table."},
		{"equal is not better where more is", "rate", "### Churn", map[string][]float64{"ours": {30}, "peer": {30}, "peer2": {29}}, "",
			"ours peer peer2", "", "No peer is better than roost in a ranked figure of this table."},
		{"a mark takes a peer out", "rate", "### Churn", map[string][]float64{"ours": {30}, "peer": {60}, "peer2": {20}}, "peer",
			"ours peer2 peer", "", "No peer is better than roost in a ranked figure of this table."},
		{"a mark takes ours out", "rate", "### Churn", map[string][]float64{"ours": {90}, "ours2": {30}, "peer": {60}}, "ours",
			"peer ours2 ours", "peer", "Better than roost (bold): peer."},
		{"a variant of ours is not ours", "rss_bytes", "### Resident (bytes)", map[string][]float64{"ours": {30}, "variant": {10}, "peer": {20}, "peer2": {31}}, "",
			"variant peer ours peer2", "peer", "Better than roost (bold): peer."},
		{"a variant alone", "rss_bytes", "### Resident (bytes)", map[string][]float64{"variant": {30}, "peer": {20}}, "",
			"peer variant", "", "This table has no ranked figure of a peer beside one of roost's."},
		{"ours is not there", "rss_bytes", "### Resident (bytes)", map[string][]float64{"peer": {30}, "peer2": {20}}, "",
			"peer2 peer", "", "This table has no ranked figure of a peer beside one of roost's."},
		{"not to be ranked", "kernel_bytes", "### Kernel (bytes)", map[string][]float64{"ours": {30}, "peer": {20}}, "",
			"ours peer", "", "Nothing in this table is ranked."},
	} {
		work, of := results.Idle, "plain"
		if test.metric == "rate" {
			work, of = results.Connect, "churn"
		}
		r := only(work, of, test.metric, kinds, all, 1, test.values)
		for n := range r.Samples {
			if r.Samples[n].Server == test.marked {
				r.Samples[n].Marks = marksOf(test.metric, results.Unsaturated)
			}
		}
		rows, verdict := tableOf(t, page(t, r), test.heading)
		var order, bold []string
		for _, row := range rows[1:] {
			name := strings.TrimPrefix(row[0], "▸ ")
			order = append(order, name)
			if strings.HasPrefix(row[1], "**") {
				bold = append([]string{name}, bold...)
			}
		}
		if got := strings.Join(order, " "); got != test.order {
			t.Errorf("%s: the order is %s, want %s", test.name, got, test.order)
		}
		if got := strings.Join(bold, " "); got != test.bold {
			t.Errorf("%s: bold is %q, want %q", test.name, got, test.bold)
		}
		if !strings.HasPrefix(verdict, test.verdict) {
			t.Errorf("%s: it says %q, want %q", test.name, verdict, test.verdict)
		}
	}
}

func TestOneMarkedRoundIsEnough(t *testing.T) {
	r := made()
	rows, _ := tableOf(t, page(t, r), "### 1,000 × 512 B, closed loop")
	if rows[2][0] != "gws" || !strings.HasSuffix(rows[2][2], "†") || strings.Contains(rows[2][2], "**") {
		t.Errorf("gws was marked in one of two rounds, and its rate is shown as %q", rows[2])
	}
	if strings.Contains(rows[2][1], "†") {
		t.Errorf("the mark of a rate is at the CPU: %q", rows[2][1])
	}
	r.Samples[3].Marks = marksOf("rate", results.Unsaturated, results.ClientBound)
	rows, text := tableOf(t, page(t, r), "### 1,000 × 512 B, closed loop")
	if !strings.HasSuffix(rows[2][2], " † ‡") || !strings.Contains(text, "† client-bound:") || !strings.Contains(text, "‡ unsaturated:") {
		t.Errorf("of two marks: %q, %s", rows[2][2], text)
	}
}

// A mark that one client's run earned says nothing of the other's.
func TestMarksAreOfOneValue(t *testing.T) {
	for marked, other := range map[string]int{"rate": 2, "cross_rate": 1} {
		r := only(results.Echo, "1000x512", "rate", map[string]results.Kind{"ours": results.Ours, "peer": results.Peer}, []string{"ours", "peer"}, 1,
			map[string][]float64{"ours": {30}, "peer": {60}})
		for n := range r.Samples {
			r.Samples[n].Values["cross_rate"] = r.Samples[n].Values["rate"]
		}
		r.Samples[1].Marks = marksOf(marked, results.ClientBound)
		rows, _ := tableOf(t, page(t, r), "### 1,000 × 512 B, closed loop")
		for _, row := range rows[1:] {
			if row[0] == "peer" && (row[other] != "**60.0**" || row[3-other] != "60.0 †") {
				t.Errorf("with a mark of %s the peer has %q", marked, row)
			}
		}
	}
}

func TestWhatFailedIsNotRanked(t *testing.T) {
	kinds := map[string]results.Kind{"floor": results.Floor, "ours": results.Ours, "peer": results.Peer}
	r := only(results.Echo, "1000x512", "cpu_us", kinds, []string{"floor", "ours", "peer"}, 2,
		map[string][]float64{"floor": {10, 10}, "ours": {30, 30}, "peer": {20, 20}})
	r.Samples[4].Error = "it left"
	rows, verdict := tableOf(t, page(t, r), "### CPU per message, ratio to the floor")
	if len(rows) != 4 || rows[3][0] != "peer" || rows[3][1] != "2.00 (2.00 to 2.00) §" {
		t.Errorf("the rows are %q", rows)
	}
	if !strings.HasPrefix(verdict, "This table has no ranked figure of a peer") || !strings.Contains(verdict, "§ a measurement behind it had an error") {
		t.Errorf("it says %q", verdict)
	}
	r.Samples[0].Error = "it left too" // the floor of the first round
	rows, _ = tableOf(t, page(t, r), "### CPU per message, ratio to the floor")
	if rows[1][1] != "3.00, 1 of 2 rounds" || rows[2][1] != "1.00 §, 1 of 2 rounds" || rows[3][1] != "2.00 §, 1 of 2 rounds" {
		t.Errorf("to a floor that failed the ratios are %q", rows)
	}
}

// A ratio needs a floor of its own round.
func TestAFloorOfAnotherRound(t *testing.T) {
	r := made()
	for n := range r.Samples {
		if s := &r.Samples[n]; s.Server == "floor" && s.Work == results.Echo && s.Round == 2 {
			s.Values = nil
		}
	}
	rows, _ := tableOf(t, page(t, r), "### CPU per message, ratio to the floor")
	for _, row := range rows {
		if row[0] == "▸ roost-inline" && row[1] != "1.10, 1 of 2 rounds" {
			t.Errorf("the ratio is %q, want that of the first round", row[1])
		}
	}
}

// A ratio is to the floor's figures right before and right after the server's.
func TestTheFloorIsTheNearestOne(t *testing.T) {
	kinds := map[string]results.Kind{"floor": results.Floor, "ours": results.Ours, "peer": results.Peer, "last": results.Peer}
	r := only(results.Echo, "1000x512", "cpu_us", kinds, []string{"floor", "ours", "peer", "last"}, 1, nil)
	r.Samples = nil
	for _, s := range []struct {
		server string
		cpu    float64
		err    string
	}{{"floor", 10, ""}, {"ours", 30, ""}, {"floor", 20, ""}, {"peer", 30, ""}, {"floor", 90, "broken"}, {"floor", 40, ""}, {"last", 40, ""}} {
		r.Samples = append(r.Samples, results.Sample{
			Round: 1, Work: results.Echo, Case: "1000x512", Server: s.server, Values: values{"cpu_us": s.cpu}, Error: s.err,
		})
	}
	rows, _ := tableOf(t, page(t, r), "### CPU per message, ratio to the floor")
	want := map[string]string{"▸ ours": "2.00", "peer": "**1.00**", "last": "**1.00**"}
	for _, row := range rows {
		if w, ok := want[row[0]]; ok && row[1] != w {
			t.Errorf("%s is %s of the floor, want %s", row[0], row[1], w)
		}
		delete(want, row[0])
	}
	if len(want) > 0 {
		t.Errorf("without a row: %v", want)
	}
}

func TestNamesOfCases(t *testing.T) {
	for of, want := range map[string]string{
		"200x20": "200 × 20 B", "10000x1024": "10,000 × 1 KiB", "100x16384": "100 × 16 KiB", "10x1048576": "10 × 1 MiB",
		"1x1500": "1 × 1,500 B", "xx": "xx", "2x": "2x",
	} {
		r := only(results.Echo, of, "cpu_us", nil, []string{"a"}, 1, map[string][]float64{"a": {7}})
		if rows, _ := tableOf(t, page(t, r), "### CPU per message, ratio to the floor"); rows[0][1] != want {
			t.Errorf("the case %s is called %q, want %q", of, rows[0][1], want)
		}
	}
}

// A run that was made by hand may have samples of servers that it does not list.
func TestAStrangerIsNoFloor(t *testing.T) {
	r := made()
	r.Servers = r.Servers[1:]
	rows, _ := tableOf(t, page(t, r), "### CPU per message, ratio to the floor")
	if len(rows) != 5 || rows[1][1] != "n/a" {
		t.Errorf("without a floor in the list: %q", rows)
	}
}

// What depends on when a server was looked at, or on few publications, is shown only.
func TestFanoutFiguresThatAreNotRanked(t *testing.T) {
	kinds := map[string]results.Kind{"ours": results.Ours, "peer": results.Peer}
	for name, want := range map[string]string{
		"rss_peak_bytes": "Nothing in this table is ranked.", "slow_lost": "Nothing in this table is ranked.",
		"skew_p99_us": "Nothing in this table is ranked.", "p99_us": "Better than roost (bold): peer.",
	} {
		r := only(results.Fanout, "stalled", name, kinds, []string{"ours", "peer"}, 1, map[string][]float64{"ours": {30}, "peer": {20}})
		if _, verdict := tableOf(t, page(t, r), "### Stalled"); verdict != want {
			t.Errorf("%s: %q, want %q", name, verdict, want)
		}
	}
}
