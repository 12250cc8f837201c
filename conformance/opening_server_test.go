package conformance

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/roostws/roost/server"
)

// exchange is a request's answer, and the connection that it came on.
type exchange struct {
	conn     net.Conn
	br       *bufio.Reader
	response *http.Response
	told     <-chan ending
}

// ask sends the opening handshake with edits and reads the answer.
func (v variant) ask(t *testing.T, how split, edits []string) exchange {
	conn := v.connect(t)
	path, told := v.server.path()
	edits = append([]string{"GET " + path + " HTTP/1.1"}, edits...)
	for i := range edits {
		edits[i] = strings.ReplaceAll(strings.ReplaceAll(edits[i], "{path}", path), "{host}", v.address)
	}
	go (&splitter{conn, how, seeded(strings.Join(edits, ""))}).Write(head(requestLines(v.address), edits))
	br := bufio.NewReader(conn)
	response, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatalf("%q: %v", edits, err)
	}
	return exchange{conn, br, response, told}
}

// opening is a row about a request (RFC 6455, section 4.2).
type opening struct {
	rule, section string
	edits         []string
	status        []int  // what it may be answered with, 4 and 5 stand for all of 4xx and 5xx
	field, value  string // of the response
}

var (
	opens   = []int{101}
	bad     = []int{4}
	refused = []int{4, 5}
)

var openings = []opening{
	{"a handshake as in the example", "1.2", nil, opens, "Sec-Websocket-Accept", sampleAccept},
	{"Upgrade in any case", "4.2.1", []string{"Upgrade: WebSOCKET"}, opens, "", ""},
	{"Connection in any case", "4.2.1", []string{"Connection: UPGRADE"}, opens, "", ""},
	{"Connection is a list that has Upgrade", "4.2.1", []string{"Connection: keep-alive, Upgrade"}, opens, "", ""},
	{"Connection in two lines", "4.2.1", []string{"Connection: keep-alive", "+Connection: upgrade"}, opens, "", ""},
	{"names of fields in any case", "4.2.1", []string{"-Upgrade", "+UPGRADE: websocket", "-Sec-WebSocket-Key", "+sec-websocket-key: " + sampleKey}, opens, "", ""},
	{"space around values does not count", "4.2.1", []string{"Upgrade:  websocket \t", "Sec-WebSocket-Key: \t" + sampleKey + "  ", "Sec-WebSocket-Version:13"}, opens,
		"Sec-Websocket-Accept", sampleAccept},
	{"unknown fields are ignored", "4.2.1", []string{"+X-Unknown: a, b; c=d", "+Cookie: a=b", "+Sec-WebSocket-Foo: bar"}, opens, "", ""},
	{"the order of fields does not count", "4.1", []string{"-Host", "+Host: {host}", "-Upgrade", "+Upgrade: websocket"}, opens, "", ""},
	{"a resource name with a query", "3", []string{"GET {path}?a=b&c=%20 HTTP/1.1"}, opens, "", ""},
	{"an absolute URI as the target", "4.1", []string{"GET http://{host}{path} HTTP/1.1"}, opens, "", ""},
	{"a version of HTTP over 1.1", "4.2.1", []string{"GET {path} HTTP/1.2"}, opens, "", ""},
	{"a version of HTTP under 1.1", "4.2.1", []string{"GET {path} HTTP/1.0"}, refused, "", ""},
	{"a method that is not GET", "4.2.1", []string{"POST {path} HTTP/1.1"}, refused, "", ""},
	{"a method that is not GET, but looks like it", "4.2.1", []string{"get {path} HTTP/1.1"}, refused, "", ""},
	{"no Host", "4.2.1; RFC 9112, 3.2", []string{"-Host"}, []int{400}, "", ""},
	{"two Hosts", "RFC 9112, 3.2", []string{"+Host: other"}, []int{400}, "", ""},
	{"a Host that is none", "RFC 9112, 3.2", []string{"Host: a b"}, []int{400}, "", ""},
	{"no Upgrade: it is plain HTTP", "4.2.1", []string{"-Upgrade"}, []int{2, 3, 4, 5}, "", ""},
	{"an Upgrade to something else", "4.2.1", []string{"Upgrade: h2c"}, []int{2, 3, 4, 5}, "", ""},
	{"an Upgrade that only begins with websocket", "4.2.1", []string{"Upgrade: websocket2"}, []int{2, 3, 4, 5}, "", ""},
	{"an empty Upgrade", "4.2.1", []string{"Upgrade:"}, []int{2, 3, 4, 5}, "", ""},
	{"no Connection", "4.2.1", []string{"-Connection"}, refused, "", ""},
	{"a Connection without Upgrade", "4.2.1", []string{"Connection: keep-alive"}, refused, "", ""},
	{"a Connection with a token that only begins with Upgrade", "4.2.1", []string{"Connection: Upgrades, x-Upgrade"}, refused, "", ""},
	{"no Sec-WebSocket-Key", "4.2.1", []string{"-Sec-WebSocket-Key"}, bad, "", ""},
	{"an empty key", "4.2.1", []string{"Sec-WebSocket-Key:"}, bad, "", ""},
	{"a key of 15 bytes", "4.2.1", []string{"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA"}, bad, "", ""},
	{"a key of 17 bytes", "4.2.1", []string{"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA="}, bad, "", ""},
	{"a key that is no base64", "4.2.1", []string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ!=="}, bad, "", ""},
	{"a key without its padding", "4.2.1", []string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"}, bad, "", ""},
	{"two keys", "11.3.1", []string{"+Sec-WebSocket-Key: " + sampleKey}, bad, "", ""},
	{"no version", "4.2.1", []string{"-Sec-WebSocket-Version"}, bad, "", ""},
	{"version 8: the answer tells which are spoken", "4.2.2, 4.4", []string{"Sec-WebSocket-Version: 8"}, bad, "Sec-Websocket-Version", "13"},
	{"version 14", "4.2.2, 4.4", []string{"Sec-WebSocket-Version: 14"}, bad, "Sec-Websocket-Version", "13"},
	{"version 0", "4.2.2, 4.4", []string{"Sec-WebSocket-Version: 0"}, bad, "Sec-Websocket-Version", "13"},
	{"version 255", "4.2.2, 4.4", []string{"Sec-WebSocket-Version: 255"}, bad, "Sec-Websocket-Version", "13"},
	{"a version that is no number", "4.3", []string{"Sec-WebSocket-Version: x"}, bad, "", ""},
	{"a version with a leading zero", "4.3", []string{"Sec-WebSocket-Version: 013"}, bad, "", ""},
	{"a list of versions", "4.3", []string{"Sec-WebSocket-Version: 13, 8"}, bad, "", ""},
	{"two versions", "11.3.5", []string{"+Sec-WebSocket-Version: 13"}, bad, "", ""},
	{"its own origin", "4.2.2", []string{"+Origin: http://{host}"}, opens, "", ""},
	{"an origin that is not welcome", "4.2.2, 10.2", []string{"+Origin: http://example.com"}, []int{403}, "", ""},
	{"an opaque origin", "10.2", []string{"+Origin: null"}, []int{403}, "", ""},
	{"a subprotocol of those offered", "4.2.2", []string{"+Sec-WebSocket-Protocol: chat, superchat"}, opens, "Sec-Websocket-Protocol", "superchat"},
	{"a subprotocol of those offered in two lines", "11.3.4", []string{"+Sec-WebSocket-Protocol: chat", "+Sec-WebSocket-Protocol: superchat,x"}, opens,
		"Sec-Websocket-Protocol", "superchat"},
	{"no subprotocol that the server speaks", "4.2.2", []string{"+Sec-WebSocket-Protocol: chat"}, opens, "Sec-Websocket-Protocol", ""},
	{"subprotocols differ by case", "4.1", []string{"+Sec-WebSocket-Protocol: SuperChat"}, opens, "Sec-Websocket-Protocol", ""},
	{"a subprotocol that is no token", "4.3", []string{"+Sec-WebSocket-Protocol: super chat"}, bad, "", ""},
	{"a list of no subprotocols", "4.3", []string{"+Sec-WebSocket-Protocol:"}, bad, "", ""},
	{"an extension that is not known", "9.1", []string{"+Sec-WebSocket-Extensions: foo; bar=baz"}, opens, "Sec-Websocket-Extensions", ""},
	{"extensions in two lines", "9.1", []string{"+Sec-WebSocket-Extensions: foo", "+Sec-WebSocket-Extensions: bar; baz=2"}, opens, "Sec-Websocket-Extensions", ""},
	{"a parameter in quotes", "9.1", []string{`+Sec-WebSocket-Extensions: foo; bar="baz"`}, opens, "Sec-Websocket-Extensions", ""},
	{"an extension without a name", "9.1", []string{"+Sec-WebSocket-Extensions: ; foo"}, bad, "", ""},
	{"a parameter without a name", "9.1", []string{"+Sec-WebSocket-Extensions: foo; =bar"}, bad, "", ""},
	{"a parameter without its value", "9.1", []string{"+Sec-WebSocket-Extensions: foo; bar="}, bad, "", ""},
	{"nothing behind a semicolon", "9.1", []string{"+Sec-WebSocket-Extensions: foo;"}, bad, "", ""},
	{"two extensions without a comma", "9.1", []string{"+Sec-WebSocket-Extensions: foo bar"}, bad, "", ""},
	{"quotes that do not end", "9.1", []string{`+Sec-WebSocket-Extensions: foo; bar="baz`}, bad, "", ""},
	{"quotes around what is no token", "9.1", []string{`+Sec-WebSocket-Extensions: foo; bar="b az"`}, bad, "", ""},
	{"space before the colon", "RFC 9112, 5.1", []string{"+X-Field : value"}, []int{400}, "", ""},
	{"a name that is no token", "RFC 9110, 5.1", []string{"+X Field: value"}, []int{400}, "", ""},
	{"a NUL in a value", "RFC 9110, 5.5", []string{"+X-Field: a\x00b"}, []int{400}, "", ""},
}

func TestOpeningOfTheServer(t *testing.T) {
	for i, v := range variants(t, server.Config{}) {
		for j, o := range openings {
			how := splits[(i+j)%len(splits)]
			t.Run(fmt.Sprintf("%s/%s %s", v.name, o.section, o.rule), func(t *testing.T) {
				t.Parallel()
				if err := o.judge(t, v.ask(t, how, slices.Clone(o.edits))); err != nil {
					t.Errorf("RFC %s: %s\nsent %s: %v", o.section, o.rule, how, err)
				}
			})
		}
	}
}

func (o opening) judge(t *testing.T, x exchange) error {
	defer x.conn.Close()
	status := x.response.StatusCode
	if !slices.Contains(o.status, status) && !slices.Contains(o.status, status/100) {
		return fmt.Errorf("answered with %d, want one of %d", status, o.status)
	}
	if got := strings.Join(x.response.Header[o.field], " | "); o.field != "" && got != o.value {
		return fmt.Errorf("%s is %q, want %q", o.field, got, o.value)
	}
	if status == http.StatusSwitchingProtocols {
		return accepted(t, x)
	}
	_, err := io.ReadAll(x.response.Body)
	return err
}

// accepted checks a 101 (section 4.2.2, item 5), and that frames are understood behind it.
func accepted(t *testing.T, x exchange) error {
	h := x.response.Header
	switch {
	case x.response.Proto != "HTTP/1.1":
		return fmt.Errorf("4.2.2: answered in %s", x.response.Proto)
	case !strings.EqualFold(strings.Join(h["Upgrade"], "|"), "websocket"):
		return fmt.Errorf("4.2.2: Upgrade is %q", h["Upgrade"])
	case !strings.EqualFold(strings.Join(h["Connection"], "|"), "upgrade"):
		return fmt.Errorf("4.2.2: Connection is %q", h["Connection"])
	case strings.Join(h["Sec-Websocket-Accept"], "|") != sampleAccept:
		return fmt.Errorf("4.2.2: Sec-WebSocket-Accept is %q", h["Sec-Websocket-Accept"])
	case len(h["Sec-Websocket-Extensions"]) > 0:
		return fmt.Errorf("4.2.2: extensions %q", h["Sec-Websocket-Extensions"])
	case len(h["Content-Length"])+len(x.response.TransferEncoding) > 0:
		return fmt.Errorf("RFC 9110, 8.6: a 101 has a body")
	}
	p := newPeer(t, x.conn, x.br, ourServer, params{}, whole, seeded("accepted"), x.told)
	return row{frames: []frame{text("x")}, echo: []frame{text("x")}}.run(p)
}

// TestTheAcceptOfManyKeys: it is computed from the key as sent (section 4.2.2).
func TestTheAcceptOfManyKeys(t *testing.T) {
	v := variants(t, server.Config{})[0]
	rnd := seeded("keys")
	for range 50 {
		key := []byte(sampleKey)
		for i := range 21 {
			key[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[rnd.IntN(64)]
		}
		x := v.ask(t, random, []string{"Sec-WebSocket-Key: " + string(key)})
		if got := x.response.Header.Get("Sec-WebSocket-Accept"); got != acceptOf(string(key)) {
			t.Errorf("RFC 6455, 4.2.2: the accept of %q is %q, want %q", key, got, acceptOf(string(key)))
		}
		x.conn.Close()
	}
}
