package bench

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

func TestDefaults(t *testing.T) {
	for scenario, want := range map[string]string{
		Idle: "100 10s 0s ", Echo: "100 10s 0s ", Feed: "100 10s 0s ", Churn: "100 10s 0s ",
		Fanout: "100 10s 500ms ", Storm: "100 30s 0s ", Slow: "100 10s 500ms fanout", HalfOpen: "100 10s 0s echo",
	} {
		c, err := Config{Scenario: scenario, Targets: []string{"ws://localhost/"}}.complete()
		got := fmt.Sprintf("%d %v %v %s", c.Conns, time.Duration(c.Duration), time.Duration(c.Warmup), c.On)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", scenario, got, err, want)
		}
		again, err := c.complete()
		a, _ := json.Marshal(c)
		b, _ := json.Marshal(again)
		if err != nil || string(a) != string(b) {
			t.Errorf("%s, completed twice: %v\n%s\n%s", scenario, err, a, b)
		}
	}
	c, _ := Config{Scenario: Echo, Targets: []string{"ws://localhost/"}, Messages: Messages{Templates: []string{"a"}}}.complete()
	if c.Messages.Type != "text" {
		t.Errorf("templates are %s", c.Messages.Type)
	}
}

// TestBounds tries every number at its bounds and past them. Zero is the default where
// that is not in the bounds, so that only what is below can be wrong there.
func TestBounds(t *testing.T) {
	s := func(seconds float64) Duration { return Duration(seconds * float64(time.Second)) }
	for _, tt := range []struct {
		name           string
		set            func(c *Config, v float64)
		low, below     float64
		high, above    float64
		scenario, says string
	}{
		{"conns", func(c *Config, v float64) { c.Conns = int(v) }, 1, -1, maxConns, maxConns + 1, Idle, "connections"},
		{"duration", func(c *Config, v float64) { c.Duration = s(v) }, 0.001, 0.0009, 30 * 86400, 30*86400 + 1, Idle, "duration"},
		{"warmup", func(c *Config, v float64) { c.Warmup = s(v) }, 0, -1, 86400, 86401, Idle, "warm-up"},
		{"drain", func(c *Config, v float64) { c.Drain = s(v) }, 1e-9, -1, 3600, 3601, Idle, "drain"},
		{"timeout", func(c *Config, v float64) { c.Connect.Timeout = s(v) }, 0.001, 0.0009, 3600, 3601, Idle, "connect timeout"},
		{"connect rate", func(c *Config, v float64) { c.Connect.Rate = v }, 0, -0.1, 1e6, 1e6 + 1, Idle, "connect rate"},
		{"at once", func(c *Config, v float64) { c.Connect.AtOnce = int(v) }, 1, -1, 1e6, 1e6 + 1, Idle, "handshakes at once"},
		{"largest", func(c *Config, v float64) { c.Messages.MaxSize = int(v) }, 1, -1, 1 << 30, 1<<30 + 1, Idle, "largest message"},
		{"echo rate", func(c *Config, v float64) { c.Echo.Rate = v }, 0, -0.1, 1e8, 1e8 + 1, Idle, "echo rate"},
		{"in flight", func(c *Config, v float64) { c.Echo.InFlight = int(v) }, 1, -1, 1 << 16, 1<<16 + 1, Idle, "in flight"},
		{"backlog", func(c *Config, v float64) { c.Echo.Backlog = int(v) }, 1, -1, 1 << 24, 1<<24 + 1, Idle, "backlog"},
		{"fanout rate", func(c *Config, v float64) { c.Fanout.Rate = v }, 1e-3, 0.9e-3, 1e6, 1e6 + 1, Idle, "publication rate"},
		{"publishers", func(c *Config, v float64) { c.Fanout.Publishers = int(v) }, 1, -1, 256, 257, Fanout, "publishers"},
		{"churn rate", func(c *Config, v float64) { c.Churn.Rate = v }, 1e-3, 0.9e-3, 1e6, 1e6 + 1, Churn, "churn rate"},
		{"hold", func(c *Config, v float64) { c.Churn.Hold = s(v) }, 1e-9, -1, 86400, 86401, Churn, "hold"},
		{"waves", func(c *Config, v float64) { c.Storm.Waves = int(v) }, 1, -1, 10_000, 10_001, Idle, "waves"},
		{"every", func(c *Config, v float64) { c.Storm.Every = s(v) }, 0.1, 0.099, 86400, 86401, Idle, "between waves"},
		{"slow share", func(c *Config, v float64) { c.Slow.Share = v }, 0.0001, -0.1, 1, 1.001, Slow, "slow clients"},
		{"slow rate", func(c *Config, v float64) { c.Slow.Rate = int(v) }, 0, -1, 1 << 30, 1<<30 + 1, Slow, "slow client"},
		{"vanishing", func(c *Config, v float64) { c.HalfOpen.Share = v }, 0.0001, -0.1, 1, 1.001, HalfOpen, "vanishing"},
		{"loops", func(c *Config, v float64) { c.Loops = int(v) }, 0, -1, 1024, 1025, Idle, "event loops"},
	} {
		for v, ok := range map[float64]bool{tt.low: true, tt.below: false, tt.high: true, tt.above: false} {
			c := Config{Scenario: tt.scenario, Targets: []string{"ws://localhost/"}}
			tt.set(&c, v)
			_, err := c.complete()
			if (err == nil) != ok {
				t.Errorf("%s: %v: %v", tt.name, v, err)
			}
			if err != nil && (!strings.Contains(err.Error(), tt.says) || !oneSentence(err.Error())) {
				t.Errorf("%s: %v: %q does not say %q", tt.name, v, err, tt.says)
			}
		}
	}
	c := Config{Scenario: Echo, Targets: []string{"ws://localhost/"}, Echo: EchoConfig{Rate: math.NaN()}}
	if _, err := c.complete(); err == nil {
		t.Error("a rate that is no number was taken")
	}
	for rate, ok := range map[float64]bool{maxPublications: true, maxPublications + 1: false} {
		c := Config{Scenario: Fanout, Targets: []string{"ws://localhost/"}, Warmup: Duration(20 * time.Second), Duration: Duration(80 * time.Second), Fanout: FanoutConfig{Rate: rate / 100}}
		if _, err := c.complete(); (err == nil) != ok {
			t.Errorf("%v publications: %v", rate, err)
		}
	}
}

// TestWhatAConfigurationMayNotSay: each fault has its sentence, with the word given.
func TestWhatAConfigurationMayNotSay(t *testing.T) {
	for _, tt := range []struct {
		set  func(c *Config)
		says string
	}{
		{func(c *Config) { c.Scenario = "" }, `""`},
		{func(c *Config) { c.Scenario = "ECHO" }, "idle, echo, fanout"},
		{func(c *Config) { c.Targets = nil }, "ws://127.0.0.1:8080/"},
		{func(c *Config) { c.Targets = append(c.Targets, "http://h/") }, "write ws://h/"},
		{func(c *Config) { c.Targets[0] = "https://h/" }, "write wss://h/"},
		{func(c *Config) { c.Targets[0] = "tcp://h/" }, "no WebSocket URL"},
		{func(c *Config) { c.Targets[0] = "ws:///" }, "names no host"},
		{func(c *Config) { c.Targets[0] = "ws://h/#a" }, "fragment"},
		{func(c *Config) { c.Targets[0] = "ws://h:0/" }, "port"},
		{func(c *Config) { c.Targets[0] = "ws://h:65536/" }, "port"},
		{func(c *Config) { c.Targets[0] = "ws://h:x/" }, "ws://h:x/"},
		{func(c *Config) { c.Targets[0] = "ws://h/\x00" }, "URL"},
		{func(c *Config) { c.Engine = "x" }, "auto"},
		{func(c *Config) { c.Connect.Ports = "x" }, "10000-65535"},
		{func(c *Config) { c.Connect.Headers = []string{"nothing"} }, "Name: value"},
		{func(c *Config) { c.Connect.Headers = []string{" : x"} }, "Name: value"},
		{func(c *Config) { c.Connect.Headers = []string{"A: b\r\nC: d"} }, "request cannot be made"},
		{func(c *Config) { c.Connect.Headers = []string{"Upgrade: x"} }, "request cannot be made"},
		{func(c *Config) { c.Connect.Origin = "a\nb" }, "request cannot be made"},
		{func(c *Config) { c.Connect.Subprotocols = []string{"a b"} }, "request cannot be made"},
		{func(c *Config) { c.Connect.Query = []string{"a"} }, "name=value"},
		{func(c *Config) { c.Connect.Query = []string{"=a"} }, "name=value"},
		{func(c *Config) { c.Messages.Type = "json" }, "text and binary"},
		{func(c *Config) { c.Messages.Size = "x" }, `"x"`},
		{func(c *Config) { c.Messages.Templates = []string{"{{x}}"} }, "{{seq}}"},
		{func(c *Config) { c.Messages.Hello = []string{"{{"} }, "no }}"},
		{func(c *Config) { c.Scenario, c.On = Slow, Echo }, "more than they ask for"},
		{func(c *Config) { c.Scenario, c.On = HalfOpen, Storm }, `"storm"`},
		{func(c *Config) { c.HalfOpen.How = "x" }, "silent"},
		{func(c *Config) { c.Scenario, c.Messages.Size = Fanout, "45" }, "46 bytes"},
		{func(c *Config) { c.Scenario, c.Messages.Size = Fanout, "45-100" }, "46 bytes"},
		{func(c *Config) { c.Scenario, c.Messages.Size = Fanout, "100:1,45:1" }, "46 bytes"},
		{func(c *Config) { c.Scenario, c.Messages.Templates = Fanout, []string{"{{mark}}", "{{seq}}"} }, "{{mark}}"},
		{func(c *Config) { c.Scenario, c.Fanout.Stamp = Fanout, "x" }, `"x"`},
		{func(c *Config) { c.Scenario, c.Fanout.Stamp, c.Fanout.Post = Fanout, "json:t", "http://h/" }, "not both"},
		{func(c *Config) { c.Scenario, c.Fanout.Post = Fanout, "ftp://h/" }, "HTTP URL"},
		{func(c *Config) { c.Scenario, c.Fanout.Post = Fanout, "http://" }, "HTTP URL"},
		{func(c *Config) { c.Scenario, c.Fanout.PublishTo = Fanout, "http://h/" }, "write ws://h/"},
	} {
		c := Config{Scenario: Echo, Targets: []string{"ws://localhost/"}}
		tt.set(&c)
		_, err := c.complete()
		if err == nil || !strings.Contains(err.Error(), tt.says) || !oneSentence(err.Error()) {
			t.Errorf("%q does not say %q", err, tt.says)
		}
	}
}

func TestDurationsAsText(t *testing.T) {
	var c Config
	if err := json.Unmarshal([]byte(`{"duration":"90s","drain":"1m30s"}`), &c); err != nil || c.Duration != c.Drain || c.Drain != Duration(90*time.Second) {
		t.Errorf("%v, %v: %v", c.Duration, c.Drain, err)
	}
	if text, err := json.Marshal(c.Duration); err != nil || string(text) != `"1m30s"` {
		t.Errorf("%s, %v", text, err)
	}
	if err := json.Unmarshal([]byte(`{"duration":"fast"}`), &c); err == nil || !strings.Contains(err.Error(), `"fast" is no duration`) {
		t.Error(err)
	}
}

func TestParseSizes(t *testing.T) {
	for _, tt := range []struct {
		text              string
		shortest, longest int // -1: refused
	}{
		{"0", 0, 0}, {"512", 512, 512}, {"64-1024", 64, 1024}, {"5-5", 5, 5}, {"1073741824", 1 << 30, 1 << 30},
		{"64:80%,1024:15%,65536:5%", 64, 65536}, {"7:1", 7, 7}, {" 7 : 1 ", 7, 7}, {"1:1000000", 1, 1},
		{"", -1, -1}, {"x", -1, -1}, {"-5", -1, -1}, {"5-", -1, -1}, {"6-5", -1, -1}, {"1073741825", -1, -1}, {"0-1073741825", -1, -1},
		{"5:0", -1, -1}, {"5:", -1, -1}, {":5", -1, -1}, {"5:1,", -1, -1}, {"5:1000001", -1, -1}, {"1073741825:1", -1, -1}, {"5:-1", -1, -1},
		{"99999999999999999999", -1, -1},
	} {
		s, err := parseSizes(tt.text)
		if (err != nil) != (tt.longest < 0) || err == nil && (s.shortest() != tt.shortest || s.longest() != tt.longest) {
			t.Errorf("%q: %+v, %v", tt.text, s, err)
		}
		if err != nil && !strings.Contains(err.Error(), "64-1024") {
			t.Error(err)
		}
	}
}

func TestParseStamp(t *testing.T) {
	for text, ok := range map[string]bool{
		"json:t": true, "json:a.b.0,ms": true, "json:a,b": true, "json:t,": true, "int64le:0": true, "int64be:8,ns": true,
		"float64le:1,s": true, "float64be:1073741824,us": true,
		"": false, "json": false, "json:": false, "json:,ms": false, "int64le:": false, "int64le:x": false, "int64le:-1": false,
		"int64le:1073741825": false, "int64le:8,min": false, "int32le:8": false, "Json:t": false,
	} {
		s, err := ParseStamp(text)
		if (err == nil) != ok || (s == nil) == ok {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil && (!strings.Contains(err.Error(), "json:PATH") || !oneSentence(err.Error())) {
			t.Error(err)
		}
	}
}

func TestStampTimes(t *testing.T) {
	const s, ns = int64(1_700_000_000), int64(1_700_000_000_123_456_789)
	for _, tt := range []struct {
		stamp, payload string
		want           int64 // 0: none
	}{
		{"json:t", `{"t":1700000000}`, s * 1e9},
		{"json:t", `{"t":1700000000.5}`, s*1e9 + 5e8},
		{"json:t", `{"t":1700000000123}`, s*1e9 + 123e6},
		{"json:t", `{"t":1700000000123456}`, s*1e9 + 123456e3},
		{"json:t", `{"t":1700000000123456789}`, ns},
		{"json:t,ms", `{"t":5}`, 5e6},
		{"json:t,us", `{"t":"7"}`, 7e3},
		{"json:t,s", `{"t":2}`, 2e9},
		{"json:t", `{"t":"2023-11-14T22:13:20.123456789Z"}`, ns},
		{"json:t", `{"t":"2023-11-14T23:13:20+01:00"}`, s * 1e9},
		{"json:a.1.t", `{"a":[0,{"t":1700000000}]}`, s * 1e9},
		{"json:t", `{"t":0}`, 0}, {"json:t", `{"t":-5}`, 0}, {"json:t,ns", `{"t":-5}`, 0}, {"json:t,ns", `{"t":0}`, 0},
		{"json:t", `{"t":"yesterday"}`, 0}, {"json:t", `{"t":true}`, 0}, {"json:t", `{"t":null}`, 0}, {"json:t", `{}`, 0},
		{"json:t", `{"t":"0001-01-01T00:00:00Z"}`, 0}, {"json:t", `{"t":1e300}`, 0}, {"json:t", `{"t":"NaN"}`, 0}, {"json:t", ``, 0},
		{"int64le:1,ns", "x\x05\x00\x00\x00\x00\x00\x00\x00", 5},
		{"int64be:0,ms", "\x00\x00\x00\x00\x00\x00\x00\x05", 5e6},
		{"int64be:1,ms", "\x00\x00\x00\x00\x00\x00\x00\x05", 0},
		{"int64be:0,ms", "\xff\xff\xff\xff\xff\xff\xff\xff", 0},
		{"float64be:0,s", "\x3f\xf8\x00\x00\x00\x00\x00\x00", 15e8},
		{"float64le:0,s", "\x00\x00\x00\x00\x00\x00\xf8\x3f", 15e8},
		{"float64le:0,s", "\x00\x00\x00\x00\x00\x00\xf8\x7f", 0},
		{"float64le:0,s", "\x00\x00\x00\x00\x00\x00\xf0\x7f", 0},
	} {
		stamp, err := ParseStamp(tt.stamp)
		if err != nil {
			t.Fatal(err)
		}
		at, ok := stamp.Time([]byte(tt.payload))
		if ok != (tt.want > 0) || ok && at != tt.want {
			t.Errorf("%s in %q: %d, %v; want %d", tt.stamp, tt.payload, at, ok, tt.want)
		}
	}
}
