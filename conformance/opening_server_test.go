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

func TestOpeningOfTheServer(t *testing.T) {
	ours := variants(t, server.Config{})
	for i, v := range append(ours, adopting(t)...) {
		for j, o := range openings {
			how := splits[(i+j)%len(splits)]
			if i >= len(ours) && !slices.Equal(o.status, opens) {
				how = whole // net/http refuses before it has read all, and closes at once: a reset overtakes its answer
			}
			t.Run(fmt.Sprintf("%s/%s %s", v.name, o.section, o.rule), func(t *testing.T) {
				t.Parallel()
				if err := o.judge(t, v.ask(t, how, slices.Clone(o.edits))); err != nil {
					t.Errorf("%s: %s\nsent %s: %v", rfc(o.section), o.rule, how, err)
				}
				held(ourServer, v.secure, o.section, o.rule)
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
		return o.accepted(t, x)
	}
	_, err := io.ReadAll(x.response.Body)
	return err
}

// accepted checks a 101 (section 4.2.2, item 5), and that frames are understood behind it.
func (o opening) accepted(t *testing.T, x exchange) error {
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
	case len(h["Sec-Websocket-Protocol"]) > 0 && o.value != h["Sec-Websocket-Protocol"][0]:
		return fmt.Errorf("4.2.2: the subprotocol %q", h["Sec-Websocket-Protocol"])
	case len(h["Content-Length"])+len(x.response.TransferEncoding) > 0:
		return fmt.Errorf("RFC 9110, 8.6: a 101 has a body")
	}
	p := newPeer(t, x.conn, x.br, ourServer, params{}, whole, seeded("accepted"), x.told)
	return row{frames: []frame{text("x")}, echo: []frame{text("x")}}.run(p)
}

// TestTheAcceptOfManyKeys: it is computed from the key as sent (section 4.2.2).
func TestTheAcceptOfManyKeys(t *testing.T) {
	for _, v := range []variant{variants(t, server.Config{})[0], adopting(t)[0]} {
		rnd := seeded("keys")
		for range 25 {
			key := []byte(sampleKey)
			for i := range 21 {
				key[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[rnd.IntN(64)]
			}
			x := v.ask(t, random, []string{"Sec-WebSocket-Key: " + string(key)})
			if got := x.response.Header.Get("Sec-WebSocket-Accept"); got != acceptOf(string(key)) {
				t.Errorf("%s: RFC 6455, 4.2.2: the accept of %q is %q, want %q", v.name, key, got, acceptOf(string(key)))
			}
			x.conn.Close()
			held(ourServer, false, "4.2.2", "the accept is computed from the key as sent")
		}
	}
}
