package report

import (
	"strings"
	"testing"
)

func TestEveryKindIsExplained(t *testing.T) {
	kinds := []string{
		Refused, NoPort, NoDescriptors, NoRoute, Reset, ConnectTimeout, HandshakeTimeout, MalformedResponse, WrongUpgrade,
		HandshakeClosed, BadCertificate, NotTLS, TLSFailed, NoCloseFrame, ProtocolViolation,
	}
	for _, code := range []int{101, 200, 204, 301, 302, 303, 308, 400, 401, 403, 404, 418, 426, 429, 500, 502, 503, 504, 599} {
		kinds = append(kinds, HandshakeStatus(code))
	}
	for _, code := range []int{1000, 1001, 1002, 1003, 1005, 1007, 1008, 1009, 1011, 1012, 1013, 2999, 3000, 4000, 4999} {
		kinds = append(kinds, ClosedWith(code))
	}
	for _, kind := range kinds {
		hint := Explain(kind)
		if hint == hints[Other] || !strings.HasSuffix(hint, ".") {
			t.Errorf("%s is explained as %q", kind, hint)
		}
	}
	for _, kind := range []string{Other, "", "closed x", "handshake: HTTP ", "something new"} {
		if Explain(kind) != hints[Other] {
			t.Errorf("%q is explained as %q", kind, Explain(kind))
		}
	}
}

func TestExplainTellsClassesApart(t *testing.T) {
	for _, c := range []struct{ kind, word string }{
		{HandshakeStatus(404), "path"}, {HandshakeStatus(418), "refuses"}, {HandshakeStatus(399), "elsewhere"},
		{HandshakeStatus(599), "failed"}, {HandshakeStatus(200), "no WebSocket"}, {HandshakeStatus(429), "limits"},
		{ClosedWith(1009), "larger"}, {ClosedWith(3999), "framework"}, {ClosedWith(4000), "application"}, {ClosedWith(2999), "RFC 6455"},
		{ConnectTimeout, "somaxconn"}, {ConnectTimeout, "tcp_max_syn_backlog"}, {NoPort, "ip_local_port_range"}, {NoDescriptors, "ulimit"},
	} {
		if !strings.Contains(Explain(c.kind), c.word) {
			t.Errorf("%s is explained without %q: %s", c.kind, c.word, Explain(c.kind))
		}
	}
	if HandshakeStatus(503) != "handshake: HTTP 503" || ClosedWith(1001) != "closed 1001" {
		t.Error("kinds are spelled otherwise")
	}
}

func TestFailuresOfEqualCountAreInOrderOfTheirNames(t *testing.T) {
	list := failures(&Interval{Failures: map[string]int64{"b": 2, "a": 2, "c": 9}, Examples: map[string]string{"a": "text"}})
	if list[0].Kind != "c" || list[1].Kind != "a" || list[2].Kind != "b" || list[1].Example != "text" {
		t.Errorf("they are %v", list)
	}
}
