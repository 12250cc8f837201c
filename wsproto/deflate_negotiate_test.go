package wsproto

import (
	"errors"
	"strings"
	"testing"
)

const extensionsHeader = "Sec-WebSocket-Extensions: "

// asking parses a request with these extension headers.
func asking(t testing.TB, headers ...string) *Request {
	t.Helper()
	changes := make([]string, len(headers))
	for i, h := range headers {
		changes[i] = "+" + extensionsHeader + h
	}
	var r Request
	if err := r.Parse([]byte(handshake(changes...)), Limits{}); err != nil {
		t.Fatal(err)
	}
	if err := r.CheckUpgrade(); err != nil {
		t.Fatal(err)
	}
	return &r
}

// TestServerNegotiates has the offers, what the server wants, and its answer.
func TestServerNegotiates(t *testing.T) {
	const pd = "permessage-deflate"
	for _, c := range []struct {
		section string
		offers  []string
		config  DeflateConfig
		answer  string // empty: none
	}{
		{"5.1 no offer", nil, DeflateConfig{}, ""},
		{"5.1 another extension", []string{"foo; client_max_window_bits"}, DeflateConfig{}, ""},
		{"5.1 names are exact", []string{"Permessage-Deflate, x-webkit-deflate-frame"}, DeflateConfig{}, ""},
		{"5.1 simplest", []string{pd}, DeflateConfig{}, pd},
		{"5.1 among others", []string{"foo; x=1, " + pd + ", bar"}, DeflateConfig{}, pd},
		{"5.1 in the second header", []string{"foo", pd + "; server_max_window_bits=9"}, DeflateConfig{}, pd + "; server_max_window_bits=9"},
		{"5.1 empty elements", []string{" , ," + pd + " , "}, DeflateConfig{}, pd},
		{"5.1 the first that can be accepted", []string{pd + "; foo, " + pd + "; server_max_window_bits=10, " + pd}, DeflateConfig{}, pd + "; server_max_window_bits=10"},
		{"5.1 ... in another header", []string{pd + "; foo", pd + "; server_no_context_takeover"}, DeflateConfig{}, pd + "; server_no_context_takeover"},
		{"5.1 quoted value", []string{pd + `; server_max_window_bits="10"; client_max_window_bits="12"`}, DeflateConfig{}, pd + "; server_max_window_bits=10; client_max_window_bits=12"},
		{"5.1 space", []string{pd + " ;\tserver_max_window_bits = 10 ; client_max_window_bits "}, DeflateConfig{}, pd + "; server_max_window_bits=10"},
		{"5.1 parameters of another before it", []string{"foo; server_max_window_bits=99, " + pd}, DeflateConfig{}, pd},
		{"5.1 parameters of another behind it", []string{pd + ", foo; server_max_window_bits=99"}, DeflateConfig{}, pd},

		{"7 unknown parameter", []string{pd + "; foo"}, DeflateConfig{}, ""},
		{"7 unknown parameter with a value", []string{pd + "; foo=10"}, DeflateConfig{}, ""},
		{"7 parameter in another case", []string{pd + "; Server_No_Context_Takeover"}, DeflateConfig{}, ""},
		{"7 server_no_context_takeover twice", []string{pd + "; server_no_context_takeover; server_no_context_takeover"}, DeflateConfig{}, ""},
		{"7 client_no_context_takeover twice", []string{pd + "; client_no_context_takeover; client_no_context_takeover"}, DeflateConfig{}, ""},
		{"7 server_max_window_bits twice", []string{pd + "; server_max_window_bits=10; server_max_window_bits=10"}, DeflateConfig{}, ""},
		{"7 client_max_window_bits twice", []string{pd + "; client_max_window_bits; client_max_window_bits"}, DeflateConfig{}, ""},
		{"7 client_max_window_bits twice, once with a value", []string{pd + "; client_max_window_bits; client_max_window_bits=10"}, DeflateConfig{}, ""},
		{"7 client_max_window_bits twice, first with a value", []string{pd + "; client_max_window_bits=10; client_max_window_bits"}, DeflateConfig{}, ""},
		{"7 all declined", []string{pd + "; foo, " + pd + "; bar"}, DeflateConfig{}, ""},

		{"7.1.1.1 asked of the server", []string{pd + "; server_no_context_takeover"}, DeflateConfig{}, pd + "; server_no_context_takeover"},
		{"7.1.1.1 the server's wish", []string{pd}, DeflateConfig{ServerNoContextTakeover: true}, pd + "; server_no_context_takeover"},
		{"7.1.1.1 with a value", []string{pd + "; server_no_context_takeover=1"}, DeflateConfig{}, ""},
		{"7.1.1.2 the client's hint", []string{pd + "; client_no_context_takeover"}, DeflateConfig{}, pd + "; client_no_context_takeover"},
		{"7.1.1.2 the server's wish", []string{pd}, DeflateConfig{ClientNoContextTakeover: true}, pd + "; client_no_context_takeover"},
		{"7.1.1.2 with a value", []string{pd + "; client_no_context_takeover=true"}, DeflateConfig{}, ""},

		{"7.1.2.1 asked of the server", []string{pd + "; server_max_window_bits=8"}, DeflateConfig{}, pd + "; server_max_window_bits=8"},
		{"7.1.2.1 no limit is answered, too", []string{pd + "; server_max_window_bits=15"}, DeflateConfig{}, pd + "; server_max_window_bits=15"},
		{"7.1.2.1 the server wants less", []string{pd + "; server_max_window_bits=12"}, DeflateConfig{ServerMaxWindowBits: 10}, pd + "; server_max_window_bits=10"},
		{"7.1.2.1 the server wants more", []string{pd + "; server_max_window_bits=9"}, DeflateConfig{ServerMaxWindowBits: 10}, pd + "; server_max_window_bits=9"},
		{"7.1.2.1 not asked", []string{pd}, DeflateConfig{ServerMaxWindowBits: 10}, pd + "; server_max_window_bits=10"},
		{"7.1.2.1 without a value", []string{pd + "; server_max_window_bits"}, DeflateConfig{}, ""},
		{"7.1.2.1 7", []string{pd + "; server_max_window_bits=7"}, DeflateConfig{}, ""},
		{"7.1.2.1 16", []string{pd + "; server_max_window_bits=16"}, DeflateConfig{}, ""},
		{"7.1.2.1 leading zero", []string{pd + "; server_max_window_bits=08"}, DeflateConfig{}, ""},
		{"7.1.2.1 leading zero of two", []string{pd + "; server_max_window_bits=010"}, DeflateConfig{}, ""},
		{"7.1.2.1 sign", []string{pd + "; server_max_window_bits=+9"}, DeflateConfig{}, ""},
		{"7.1.2.1 no number", []string{pd + "; server_max_window_bits=1x"}, DeflateConfig{}, ""},
		{"7.1.2.1 overflow", []string{pd + "; server_max_window_bits=4294967305"}, DeflateConfig{}, ""},

		{"7.1.2.2 no wish, no hint", []string{pd + "; client_max_window_bits"}, DeflateConfig{}, pd},
		{"7.1.2.2 the client's hint", []string{pd + "; client_max_window_bits=11"}, DeflateConfig{}, pd + "; client_max_window_bits=11"},
		{"7.1.2.2 the server wants less", []string{pd + "; client_max_window_bits=11"}, DeflateConfig{ClientMaxWindowBits: 9}, pd + "; client_max_window_bits=9"},
		{"7.1.2.2 the server wants more", []string{pd + "; client_max_window_bits=8"}, DeflateConfig{ClientMaxWindowBits: 9}, pd + "; client_max_window_bits=8"},
		{"7.1.2.2 no value", []string{pd + "; client_max_window_bits"}, DeflateConfig{ClientMaxWindowBits: 9}, pd + "; client_max_window_bits=9"},
		{"7.1.2.2 never answered when not offered", []string{pd}, DeflateConfig{ClientMaxWindowBits: 9}, pd + "; client_no_context_takeover"},
		{"7.1.2.2 7", []string{pd + "; client_max_window_bits=7"}, DeflateConfig{}, ""},
		{"7.1.2.2 16", []string{pd + "; client_max_window_bits=16"}, DeflateConfig{}, ""},
		{"7.1.2.2 leading zero", []string{pd + "; client_max_window_bits=09"}, DeflateConfig{}, ""},

		{"7.1 all four", []string{pd + "; client_max_window_bits; server_max_window_bits=9; client_no_context_takeover; server_no_context_takeover"}, DeflateConfig{ClientMaxWindowBits: 10},
			pd + "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=10"},
	} {
		t.Run(c.section, func(t *testing.T) {
			r := asking(t, c.offers...)
			d := r.NegotiateDeflate(c.config)
			response, err := AppendAccept(nil, r, Accept{Deflate: d})
			if err != nil {
				t.Fatal(err)
			}
			_, answer, _ := strings.Cut(string(response), extensionsHeader)
			if answer, _, _ = strings.Cut(answer, "\r\n"); answer != c.answer {
				t.Fatalf("%q, want %q", answer, c.answer)
			}
			if (answer == "") != (d == Deflate{}) {
				t.Fatalf("answered %q for %+v", answer, d)
			}
			if c.answer == "" {
				return
			}
			// What we answered, our client reads as what we agreed on, if it
			// was what it offers.
			if got := readAnswer(t, answer); got != d {
				t.Fatalf("a client reads %+v, the server %+v", got, d)
			}
		})
	}
}

// readAnswer is what a client with the widest offer makes of an answer.
func readAnswer(t testing.TB, extensions string) Deflate {
	t.Helper()
	r, err := ClientRequest{Deflate: &DeflateConfig{}}.ParseResponse([]byte(answer("+"+extensionsHeader+extensions)), sampleNonce)
	if err != nil {
		t.Fatal(err)
	}
	return r.Deflate
}

func TestAppendAcceptRefusesWhatWasNotOffered(t *testing.T) {
	const pd = "permessage-deflate"
	full := Deflate{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}
	for _, c := range []struct {
		name, offer string
		d           Deflate
	}{
		{"no offer", "foo", full},
		{"window of 7 bits", pd, Deflate{ServerMaxWindowBits: 7, ClientMaxWindowBits: 15}},
		{"window of 16 bits", pd, Deflate{ServerMaxWindowBits: 16, ClientMaxWindowBits: 15}},
		{"client's window of 7 bits", pd + "; client_max_window_bits", Deflate{ServerMaxWindowBits: 15, ClientMaxWindowBits: 7}},
		{"client's window of 16 bits", pd + "; client_max_window_bits", Deflate{ServerMaxWindowBits: 15, ClientMaxWindowBits: 16}},
		{"no bits", pd, Deflate{ServerNoContextTakeover: true}},
		{"larger window", pd + "; server_max_window_bits=9", full},
		{"takeover", pd + "; server_no_context_takeover", full},
		{"client's window", pd, Deflate{ServerMaxWindowBits: 15, ClientMaxWindowBits: 9}},
		{"client's larger window", pd + "; client_max_window_bits=9", Deflate{ServerMaxWindowBits: 15, ClientMaxWindowBits: 10}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dst := []byte("before")
			if got, err := AppendAccept(dst, asking(t, c.offer), Accept{Deflate: c.d}); err == nil || string(got) != "before" {
				t.Fatalf("%q, %v", got, err)
			}
		})
	}
	// A setting that does not exist shows as the server's mistake.
	r := asking(t, pd)
	if _, err := AppendAccept(nil, r, Accept{Deflate: r.NegotiateDeflate(DeflateConfig{ServerMaxWindowBits: 3})}); err == nil {
		t.Fatal("a window of 3 bits was granted")
	}
}

// TestClientChecksTheAnswer has an offer, an answer, and what is agreed on.
func TestClientChecksTheAnswer(t *testing.T) {
	const pd = "permessage-deflate"
	all := &DeflateConfig{}
	agreed := func(d Deflate) *Deflate {
		if d.ServerMaxWindowBits == 0 {
			d.ServerMaxWindowBits = 15
		}
		if d.ClientMaxWindowBits == 0 {
			d.ClientMaxWindowBits = 15
		}
		return &d
	}
	for _, c := range []struct {
		section string
		offer   *DeflateConfig
		sent    string
		answers []string
		want    *Deflate // nil: the connection fails
	}{
		{"RFC 6455, 9.1 nothing offered", nil, "", []string{pd}, nil},
		{"RFC 6455, 9.1 another extension", all, pd + "; client_max_window_bits", []string{"foo"}, nil},
		{"RFC 6455, 9.1 another beside it", all, "", []string{pd + ", foo"}, nil},
		{"RFC 6455, 9.1 another header beside it", all, "", []string{pd, "foo"}, nil},
		{"RFC 6455, 9.1 malformed", all, "", []string{pd + "; ="}, nil},
		{"RFC 6455, 9.1 malformed behind it", all, "", []string{pd + ", ="}, nil},
		{"RFC 6455, 9.1 empty", all, "", []string{""}, nil},
		{"5.1 declined", all, "", nil, &Deflate{}},
		{"5.1 accepted", all, "", []string{pd}, agreed(Deflate{})},
		{"5.1 twice", all, "", []string{pd + ", " + pd}, nil},
		{"5.1 twice in two headers", all, "", []string{pd, pd}, nil},
		{"5.1 quoted", all, "", []string{pd + `; server_max_window_bits="9"`}, agreed(Deflate{ServerMaxWindowBits: 9})},
		{"7 unknown parameter", all, "", []string{pd + "; foo"}, nil},
		{"7 parameter twice", all, "", []string{pd + "; server_no_context_takeover; server_no_context_takeover"}, nil},

		{"7.1.1.1 not offered", all, "", []string{pd + "; server_no_context_takeover"}, agreed(Deflate{ServerNoContextTakeover: true})},
		{"7.1.1.1 offered and answered", &DeflateConfig{ServerNoContextTakeover: true}, pd + "; server_no_context_takeover; client_max_window_bits",
			[]string{pd + "; server_no_context_takeover"}, agreed(Deflate{ServerNoContextTakeover: true})},
		{"7.1.1.1 offered and not answered", &DeflateConfig{ServerNoContextTakeover: true}, "", []string{pd}, nil},
		{"7.1.1.1 with a value", all, "", []string{pd + "; server_no_context_takeover=1"}, nil},
		{"7.1.1.2 not offered", all, "", []string{pd + "; client_no_context_takeover"}, agreed(Deflate{ClientNoContextTakeover: true})},
		{"7.1.1.2 a hint, not answered", &DeflateConfig{ClientNoContextTakeover: true}, pd + "; client_no_context_takeover; client_max_window_bits",
			[]string{pd}, agreed(Deflate{ClientNoContextTakeover: true})},
		{"7.1.1.2 with a value", all, "", []string{pd + "; client_no_context_takeover=1"}, nil},

		{"7.1.2.1 not offered", all, "", []string{pd + "; server_max_window_bits=8"}, agreed(Deflate{ServerMaxWindowBits: 8})},
		{"7.1.2.1 offered and answered", &DeflateConfig{ServerMaxWindowBits: 10}, pd + "; server_max_window_bits=10; client_max_window_bits",
			[]string{pd + "; server_max_window_bits=10"}, agreed(Deflate{ServerMaxWindowBits: 10})},
		{"7.1.2.1 answered with less", &DeflateConfig{ServerMaxWindowBits: 10}, "", []string{pd + "; server_max_window_bits=8"}, agreed(Deflate{ServerMaxWindowBits: 8})},
		{"7.1.2.1 answered with more", &DeflateConfig{ServerMaxWindowBits: 10}, "", []string{pd + "; server_max_window_bits=11"}, nil},
		{"7.1.2.1 offered and not answered", &DeflateConfig{ServerMaxWindowBits: 10}, "", []string{pd}, nil},
		{"7.1.2.1 without a value", all, "", []string{pd + "; server_max_window_bits"}, nil},
		{"7.1.2.1 7", all, "", []string{pd + "; server_max_window_bits=7"}, nil},
		{"7.1.2.1 16", all, "", []string{pd + "; server_max_window_bits=16"}, nil},

		{"7.1.2.2 answered", all, "", []string{pd + "; client_max_window_bits=8"}, agreed(Deflate{ClientMaxWindowBits: 8})},
		{"7.1.2.2 without a value", all, "", []string{pd + "; client_max_window_bits"}, nil},
		{"7.1.2.2 wrong value", all, "", []string{pd + "; client_max_window_bits=1"}, nil},
		{"7.1.2.2 a hint, answered with less", &DeflateConfig{ClientMaxWindowBits: 10}, pd + "; client_max_window_bits=10",
			[]string{pd + "; client_max_window_bits=9"}, agreed(Deflate{ClientMaxWindowBits: 9})},
		{"7.1.2.2 a hint, answered with more", &DeflateConfig{ClientMaxWindowBits: 10}, "", []string{pd + "; client_max_window_bits=11"}, nil},
		{"7.1.2.2 a hint, answered with the most", &DeflateConfig{ClientMaxWindowBits: 10}, "", []string{pd + "; client_max_window_bits=15"}, nil},
		{"7.1.2.2 a hint, not answered", &DeflateConfig{ClientMaxWindowBits: 10}, "", []string{pd}, agreed(Deflate{ClientMaxWindowBits: 10})},
	} {
		t.Run(c.section, func(t *testing.T) {
			q := ClientRequest{Host: "a", Deflate: c.offer}
			request, err := AppendRequest(nil, q, sampleNonce)
			if err != nil {
				t.Fatal(err)
			}
			_, sent, _ := strings.Cut(string(request), extensionsHeader)
			if sent, _, _ = strings.Cut(sent, "\r\n"); c.sent != "" && sent != c.sent || c.offer == nil && sent != "" {
				t.Fatalf("offered %q, want %q", sent, c.sent)
			}
			var changes []string
			for _, a := range c.answers {
				changes = append(changes, "+"+extensionsHeader+a)
			}
			r, err := q.ParseResponse([]byte(answer(changes...)), sampleNonce)
			var failed *ResponseError
			if c.want == nil {
				if !errors.As(err, &failed) || failed.Response.Deflate != (Deflate{}) {
					t.Fatalf("%+v, %v", r.Deflate, err)
				}
			} else if err != nil || r.Deflate != *c.want {
				t.Fatalf("%+v, %v, want %+v", r.Deflate, err, *c.want)
			}
		})
	}
}

func TestOffersThatCannotBeMade(t *testing.T) {
	for _, bits := range []int{-1, 1, 7, 16} {
		for _, config := range []DeflateConfig{{ServerMaxWindowBits: bits}, {ClientMaxWindowBits: bits}} {
			q := ClientRequest{Host: "a", Deflate: &config}
			if got, err := AppendRequest([]byte("before"), q, sampleNonce); err == nil || string(got) != "before" {
				t.Fatalf("%+v was offered: %q", config, got)
			}
			if _, err := q.ParseResponse([]byte(answer("+"+extensionsHeader+"permessage-deflate")), sampleNonce); err == nil {
				t.Fatalf("%+v was answered", config)
			}
		}
	}
}

// TestNegotiationOfBothRoles: what any client offers, any server answers, and
// both read the same.
func TestNegotiationOfBothRoles(t *testing.T) {
	var configs []DeflateConfig
	for i := range 4 {
		for _, server := range []int{0, 8, 11, 15} {
			for _, client := range []int{0, 8, 11, 15} {
				configs = append(configs, DeflateConfig{i&1 != 0, i&2 != 0, server, client})
			}
		}
	}
	for _, offered := range configs {
		request, err := AppendRequest(nil, ClientRequest{Host: "a", Deflate: &offered}, sampleNonce)
		if err != nil {
			t.Fatal(err)
		}
		for _, wanted := range configs {
			var r Request
			if err := r.Parse(request, Limits{}); err != nil {
				t.Fatal(err)
			}
			d := r.NegotiateDeflate(wanted)
			response, err := AppendAccept(nil, &r, Accept{Deflate: d})
			if err != nil {
				t.Fatal(err)
			}
			got, err := ClientRequest{Deflate: &offered}.ParseResponse(response, sampleNonce)
			if err != nil || got.Deflate != d {
				t.Fatalf("offered %+v, wanted %+v: server %+v, client %+v, %v", offered, wanted, d, got.Deflate, err)
			}
			if d.ServerMaxWindowBits > lesser(offered.ServerMaxWindowBits, wanted.ServerMaxWindowBits) ||
				d.ClientMaxWindowBits > lesser(offered.ClientMaxWindowBits, wanted.ClientMaxWindowBits) ||
				d.ServerNoContextTakeover != (offered.ServerNoContextTakeover || wanted.ServerNoContextTakeover) ||
				d.ClientNoContextTakeover != (offered.ClientNoContextTakeover || wanted.ClientNoContextTakeover) {
				t.Fatalf("offered %+v, wanted %+v: %+v", offered, wanted, d)
			}
		}
	}
}

func TestWindowsAreMadeWhereSomethingIsTakenOver(t *testing.T) {
	for i := range 4 {
		d := Deflate{ServerNoContextTakeover: i&1 != 0, ClientNoContextTakeover: i&2 != 0, ServerMaxWindowBits: 9, ClientMaxWindowBits: 14}
		in, out := d.Windows(Server)
		if (in == nil) != d.ClientNoContextTakeover || (out == nil) != d.ServerNoContextTakeover || d.SendBits(Server) != 9 || d.SendBits(Client) != 14 {
			t.Fatalf("%+v: %v, %v", d, in, out)
		}
		if in != nil && in.size != 1<<14 || out != nil && out.size != 1<<9 {
			t.Fatalf("%+v: %+v, %+v", d, in, out)
		}
		if d.Memory(Server) != memory(in)+memory(out) {
			t.Fatalf("%+v: %d", d, d.Memory(Server))
		}
		in, out = d.Windows(Client)
		if (in == nil) != d.ServerNoContextTakeover || (out == nil) != d.ClientNoContextTakeover {
			t.Fatalf("%+v: %v, %v", d, in, out)
		}
		if in != nil && in.size != 1<<9 || out != nil && out.size != maxDictionary {
			t.Fatalf("%+v: %+v, %+v", d, in, out)
		}
	}
	if in, out := (Deflate{}).Windows(Server); in != nil || out != nil {
		t.Fatal("windows without compression")
	}
}

func memory(w *Window) int {
	if w == nil {
		return 0
	}
	return w.size
}
