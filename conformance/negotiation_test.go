package conformance

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/roostws/roost/server"
	"github.com/roostws/roost/wsproto"
)

// badElements are elements of permessage-deflate that a server must decline, and that a client must not take as an answer (RFC 7692,
// sections 7 and 7.1): a parameter that is unknown, that comes twice, or whose value is not one of those defined.
var badElements = []string{
	"; foo", "; foo=10", "; server_max_window_bits=10; foo",
	"; server_no_context_takeover; server_no_context_takeover", "; client_no_context_takeover; client_no_context_takeover",
	"; server_max_window_bits=10; server_max_window_bits=10", "; client_max_window_bits=10; client_max_window_bits=10",
	"; server_no_context_takeover=1", "; client_no_context_takeover=true", `; server_no_context_takeover="x"`,
	"; server_max_window_bits", "; server_max_window_bits=7", "; server_max_window_bits=16", "; server_max_window_bits=08",
	"; server_max_window_bits=0", "; server_max_window_bits=-8", "; server_max_window_bits=+9", "; server_max_window_bits=9.0",
	"; server_max_window_bits=0x9", "; server_max_window_bits=abc", "; server_max_window_bits=150", "; server_max_window_bits=010",
	"; client_max_window_bits=7", "; client_max_window_bits=16", "; client_max_window_bits=08", "; client_max_window_bits=1",
	"; client_max_window_bits=015", "; client_max_window_bits=x", "; client_max_window_bits=99999999999999999999",
	"; client_max_window_bits; client_max_window_bits", "; client_max_window_bits; client_max_window_bits=10", "; client_max_window_bits=10; client_max_window_bits",
	"; server_max_window_bits=10; server_max_window_bits=7", "; server_max_window_bits=18", "; server_max_window_bits=80",
}

// offered is what an element of a client's offer asks for.
type offered struct {
	element string
	asks    params
	limits  bool // has client_max_window_bits, with or without a value
}

// permits says why an answer is not legal for this element, "" if it is (RFC 7692, sections 7.1.1 and 7.1.2).
func (o offered) permits(answer params) string {
	switch {
	case o.asks.serverNoTakeover && !answer.serverNoTakeover:
		return "7.1.1.1: server_no_context_takeover was asked for"
	case o.asks.serverBits > 0 && (answer.serverBits == 0 || answer.serverBits > o.asks.serverBits):
		return "7.1.2.1: server_max_window_bits must be answered with the same or less"
	case answer.clientBits > 0 && !o.limits:
		return "7.1.2.2: client_max_window_bits was not offered"
	case answer.clientBits > of15(o.asks.clientBits):
		return "7.1.2.2: client_max_window_bits must be answered with the same or less"
	}
	return ""
}

// allOffers are all legal elements: both flags, no window for the server or one of 8 to 15 bits, and for the client none, one without a
// value, or one of 8 to 15 bits.
func allOffers() (all []offered) {
	for flags := range 4 {
		for _, serverBits := range []int{0, 8, 9, 10, 11, 12, 13, 14, 15} {
			for clientBits := 6; clientBits <= 15; clientBits++ {
				o := offered{asks: params{serverNoTakeover: flags&1 != 0, clientNoTakeover: flags&2 != 0, serverBits: serverBits}, limits: clientBits > 6}
				if clientBits > 7 {
					o.asks.clientBits = clientBits
				}
				o.element = o.asks.String()
				if clientBits == 7 {
					o.element += "; client_max_window_bits"
				}
				all = append(all, o)
			}
		}
	}
	return all
}

// negotiate makes a handshake with lines of Sec-WebSocket-Extensions, and returns the answer's.
func (v variant) negotiate(t *testing.T, lines ...string) (status int, values []string) {
	var edits []string
	for _, l := range lines {
		edits = append(edits, "+Sec-WebSocket-Extensions: "+l)
	}
	response := v.ask(t, whole, edits).response
	return response.StatusCode, response.Header["Sec-Websocket-Extensions"]
}

// TestOffersToTheServer: section 7.1 of RFC 7692, and 9.1 of RFC 6455 for the lists that offers are.
func TestOffersToTheServer(t *testing.T) {
	for _, c := range []server.Compression{server.CompressionOff, server.CompressionShared, server.CompressionDedicated} {
		for _, v := range variants(t, server.Config{Compression: c})[:2] {
			t.Run(v.name, func(t *testing.T) {
				t.Parallel()
				for _, bad := range badElements {
					if status, got := v.negotiate(t, "permessage-deflate"+bad); status != http.StatusSwitchingProtocols || len(got) > 0 {
						t.Errorf("RFC 7692, 7.1: %q must be declined: %d %q", bad, status, got)
					}
					held(ourServer, v.secure, "RFC 7692, 7.1", "an offer with a parameter that is unknown, repeated or ill-valued is declined")
					status, got := v.negotiate(t, "permessage-deflate"+bad+", permessage-deflate; server_max_window_bits=11")
					answer, err := parseAnswer(got)
					if status != http.StatusSwitchingProtocols || err != nil || answer.on && (answer.serverBits == 0 || answer.serverBits > 11 || answer.clientBits > 0) {
						t.Errorf("RFC 7692, 5.1: %q with another offer behind it: %d %q, %v", bad, status, got, err)
					}
					held(ourServer, v.secure, "RFC 7692, 5.1", "an offer behind one that is declined is looked at")
				}
				for _, other := range []string{"permessage-foo", "x-webkit-deflate-frame", "permessage-deflate2", "a; b=c; d, e"} {
					if status, got := v.negotiate(t, other); status != http.StatusSwitchingProtocols || len(got) > 0 {
						t.Errorf("RFC 6455, 9.1: the unknown extension %q: %d %q", other, status, got)
					}
					held(ourServer, v.secure, "9.1", "extensions that are not known are declined")
				}
			})
		}
	}
}

// TestOffersInOtherForms: what RFC 6455, section 9.1, allows beside the usual spelling must be understood.
func TestOffersInOtherForms(t *testing.T) {
	for _, v := range variants(t, server.Config{Compression: server.CompressionShared})[:2] {
		for _, lines := range [][]string{
			{"permessage-deflate;server_max_window_bits=10"},
			{"permessage-deflate ; server_max_window_bits=10"},
			{"permessage-deflate;  server_max_window_bits=10 "},
			{`permessage-deflate; server_max_window_bits="10"`},
			{"foo, permessage-deflate; server_max_window_bits=10"},
			{"foo", "permessage-deflate; server_max_window_bits=10"},
			{", permessage-deflate; server_max_window_bits=10,"},
			{"permessage-deflate; server_max_window_bits=10, permessage-deflate"},
			{"permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate; client_max_window_bits"}, // 7.1.3's example
			{"permessage-deflate\t;\tserver_max_window_bits\t=\t10"},
			{"permessage-deflate; server_max_window_bits=10; foo, permessage-deflate; server_max_window_bits=9"},
		} {
			status, got := v.negotiate(t, lines...)
			answer, err := parseAnswer(got)
			if status != http.StatusSwitchingProtocols || err != nil || !answer.on || answer.serverBits > 10 || answer.serverBits == 0 {
				t.Errorf("%s: RFC 6455, 9.1: %q is answered with %d %q, %v", v.name, lines, status, got, err)
			}
			held(ourServer, v.secure, "9.1; RFC 7692, 7.1.3", "offers in all forms that a list of extensions may have are understood")
		}
	}
}

// TestAnswersToTheClient: those that a client must fail the connection upon (RFC 7692, section 7.1; RFC 6455, section 9.1), and those
// that it must not.
func TestAnswersToTheClient(t *testing.T) {
	all, small := &wsproto.DeflateConfig{}, &wsproto.DeflateConfig{ServerNoContextTakeover: true, ServerMaxWindowBits: 10, ClientMaxWindowBits: 10}
	type answer struct {
		offer *wsproto.DeflateConfig
		lines []string
		opens bool
	}
	const name = "permessage-deflate"
	answers := []answer{
		{all, nil, true}, {small, nil, true}, {nil, nil, true},
		{all, []string{name}, true}, {all, []string{`permessage-deflate; server_max_window_bits="10"`}, true},
		{all, []string{"permessage-deflate;server_no_context_takeover ;client_max_window_bits = 9"}, true},
		{small, []string{name + "; server_no_context_takeover; server_max_window_bits=10"}, true},
		{small, []string{name + "; server_no_context_takeover; server_max_window_bits=8; client_max_window_bits=8"}, true},
		{nil, []string{name}, false}, {nil, []string{"foo"}, false}, {all, []string{"foo"}, false}, {all, []string{name + ", foo"}, false},
		{all, []string{name + ", " + name}, false}, {all, []string{name, name}, false},
		{all, []string{name + "; client_max_window_bits"}, false},
		{small, []string{name}, false}, {small, []string{name + "; server_no_context_takeover"}, false},
		{small, []string{name + "; server_max_window_bits=10"}, false},
		{small, []string{name + "; server_no_context_takeover; server_max_window_bits=11"}, false},
		{small, []string{name + "; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits=11"}, false},
		{small, []string{name + "; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits=15"}, false},
		{all, []string{""}, false}, {all, []string{name + ", ;"}, false}, {all, []string{name, `foo; a="`}, false}, {all, []string{" , ,"}, false}, {all, []string{"", name + "; ="}, false},
		{all, []string{name + ";"}, false}, {all, []string{name + "; =10"}, false}, {all, []string{name + "; server_max_window_bits="}, false},
		{all, []string{name + " server_no_context_takeover"}, false}, {all, []string{`permessage-deflate; server_max_window_bits="10`}, false},
	}
	for _, bad := range badElements {
		answers = append(answers, answer{all, []string{name + bad}, false})
	}
	for i, a := range answers {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d %s tls=%v", i, strings.Join(a.lines, " | "), secure), func(t *testing.T) {
				t.Parallel()
				config := clientConfig(secure)
				config.Deflate = a.offer
				d := dialOurs(t, secure, config)
				var edits []string
				for _, l := range a.lines {
					edits = append(edits, "+Sec-WebSocket-Extensions: "+l)
				}
				d.verdict(t, d.answer(edits), whole, a.opens, "RFC 7692, 7.1")
				rule := "an answer that was not asked for, or is ill-formed, fails the connection"
				if a.opens {
					rule = "an answer that the offer allows, and none at all, opens the connection"
				}
				held(ourClient, secure, "RFC 7692, 7.1", rule)
			})
		}
	}
}

// TestTheClientsOffer is legal, and says what was configured.
func TestTheClientsOffer(t *testing.T) {
	for _, c := range []struct {
		config wsproto.DeflateConfig
		asks   params
	}{
		{wsproto.DeflateConfig{}, params{on: true}},
		{wsproto.DeflateConfig{ServerNoContextTakeover: true, ServerMaxWindowBits: 8}, params{on: true, serverNoTakeover: true, serverBits: 8}},
		{wsproto.DeflateConfig{ClientNoContextTakeover: true, ClientMaxWindowBits: 9}, params{on: true, clientNoTakeover: true, clientBits: 9}},
	} {
		config := clientConfig(false)
		config.Deflate = &c.config
		d := dialOurs(t, false, config)
		values := d.request.Header["Sec-Websocket-Extensions"]
		if len(values) != 1 {
			t.Fatalf("offers %q", values)
		}
		values[0] = strings.TrimSuffix(values[0], "; client_max_window_bits") // which has a value in answers only
		if got, err := parseAnswer(values); err != nil || got != c.asks {
			t.Errorf("RFC 7692, 7.1: offers %q, %v", values, err)
		}
		d.verdict(t, d.answer(nil), whole, true, "RFC 7692, 5.1")
		held(ourClient, false, "RFC 7692, 7.1", "the offer says what was configured")
	}
}
