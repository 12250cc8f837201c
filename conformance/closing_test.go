package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/server"
)

// closingRows are RFC 6455, sections 5.5.1 and 7. "Typically" an endpoint echoes the code that it received: another that is true, or
// none, is as legal.
func closingRows() []row {
	rows := []row{
		{rule: "a Close frame without a body: 1005 for the application, and never on the wire", section: "7.1.5",
			frames: []frame{closing(0, "")}, codes: []int{1000, none}, told: 1005},
		{rule: "a body of one byte is no code", section: "5.5.1", frames: []frame{{op: opClose, payload: []byte{3}}}, codes: []int{1002}, told: 1002},
		{rule: "messages before a Close frame", section: "5.5.1", frames: []frame{text("a"), binaryOf("b"), closing(1000, "")},
			echo: []frame{text("a"), binaryOf("b")}, codes: []int{1000, none}, told: 1000},
		{rule: "messages behind a Close frame have no effect", section: "5.5.1", frames: []frame{closing(1001, ""), text("a"), binaryOf("b")},
			codes: []int{1001, 1000, none}, told: 1001},
		{rule: "a second Close frame has no effect", section: "5.5.1", frames: []frame{closing(4001, "first"), closing(4002, "second")},
			codes: []int{4001, 1000, none}, told: 4001, reason: "first"},
		{rule: "what breaks the protocol behind a Close frame has no effect", section: "7.1.4", frames: []frame{closing(4001, ""), {op: 3, rsv: rsv1}},
			codes: []int{4001, 1000, none}, told: 4001},
	}
	rows[0].frames[0].payload = nil
	for _, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		rows = append(rows, row{section: "7.4.1, 7.4.2", rule: "a code that may be sent", with: fmt.Sprint(code), frames: []frame{closing(code, "")},
			codes: []int{code, 1000, none}, told: code})
	}
	for _, code := range []int{1012, 1013, 1014} {
		rows = append(rows, row{section: "7.4.2", rule: "a code that was registered later may be known, or not", with: fmt.Sprint(code),
			frames: []frame{closing(code, "")}, codes: []int{code, 1000, 1002, none}})
	}
	for _, code := range []int{0, 1, 999, 1004, 1005, 1006, 1015} {
		rows = append(rows, row{section: "7.4.1, 7.4.2", rule: "a code that must not be on the wire breaks the protocol, and is not echoed", with: fmt.Sprint(code),
			frames: []frame{closing(code, "")}, codes: []int{1002, none}, drop: true, told: 1002})
	}
	for _, code := range []int{5000, 65535} {
		rows = append(rows, row{section: "7.4.2", rule: "a code beyond all ranges may be taken for an error, or not, but is not echoed", with: fmt.Sprint(code),
			frames: []frame{closing(code, "")}, codes: []int{1002, 1000, none}})
	}
	for _, code := range []int{1016, 1100, 1999, 2000, 2999} {
		rows = append(rows, row{section: "7.4.2", rule: "a code that is reserved and not defined may be taken, or not", with: fmt.Sprint(code),
			frames: []frame{closing(code, "")}, codes: []int{code, 1000, 1002, none}})
	}
	for _, reason := range []string{"bye", "", pattern(123), "κόσμε", strings.Repeat("€", 41), "\x00"} {
		rows = append(rows, row{section: "5.5.1", rule: "a reason of up to 123 bytes reaches the application", with: fmt.Sprintf("%d bytes, %.10q", len(reason), reason),
			frames: []frame{closing(1000, reason)}, codes: []int{1000, none}, told: 1000, reason: reason})
	}
	for _, reason := range []string{"\xFF", "\xC0\x80", "\xED\xA0\x80", "ok\xE2\x82", "\xF4\x90\x80\x80", pattern(120) + "\xF0\x9F\x98"} {
		rows = append(rows, row{section: "8.1", rule: "a reason that is not UTF-8 fails the connection", with: fmt.Sprintf("%+.10q, %d bytes", reason, len(reason)),
			frames: []frame{closing(1000, reason)}, codes: []int{1007, 1002}})
	}
	for _, frames := range [][]frame{{closing(1000, "")}, {{op: opClose}}, {text("a"), ping("p"), closing(1000, "")}} {
		r := row{section: "5.5.1", rule: "a Close frame is answered although the peer's stream ends behind it", with: fmt.Sprint(len(frames), " frames"),
			frames: frames, cut: true, codes: []int{1000, none}}
		if len(frames) > 1 {
			r.echo = frames[:1]
		}
		rows = append(rows, r)
	}
	return append(rows, ownCloseRows()...)
}

// ownCloseRows are those in which ours begins the closing handshake: nothing may follow its Close frame, whatever comes.
func ownCloseRows() (rows []row) {
	for _, code := range []int{1000, 1001, 1003, 1008, 1011, 3000, 4000, 4999} {
		rows = append(rows, row{section: "7.1.2", rule: "the application closes, and its code is sent", with: fmt.Sprint(code),
			frames: []frame{text(fmt.Sprintf("!close %d", code))}, codes: []int{code}, told: code})
	}
	for _, code := range []int{-1, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65536} {
		rows = append(rows, row{section: "7.4.1, 7.4.2", rule: "the application closes with a code that must not be on the wire: it is not", with: fmt.Sprint(code),
			frames: []frame{text(fmt.Sprintf("!close %d", code))}, codes: []int{1000, 1011, none}, drop: true})
	}
	for _, reason := range []string{pattern(123), pattern(124), pattern(1000), strings.Repeat("€", 42), strings.Repeat("x", 120) + "😀", strings.Repeat("x", 121) + "é",
		"no\xFF UTF-8", strings.Repeat("€", 40) + "\xE2\x82"} {
		rows = append(rows, row{section: "5.5.1", rule: "the application's reason is sent as UTF-8 of up to 123 bytes", with: fmt.Sprintf("%d bytes, %.10q", len(reason), reason),
			frames: []frame{binaryOf("!close 4000 " + reason)}, codes: []int{4000}})
	}
	command := text("!close 4000 enough")
	for name, frames := range map[string][]frame{
		"the peer answers with a code of its own": {command, closing(4001, "")},
		"the peer answers without one":            {command, {op: opClose}},
		"messages and pings that come meanwhile":  {command, text("late"), ping("late"), begin(opText, "la"), last("te")},
		"the peer then breaks the protocol":       {command, {op: 3, rsv: rsv3}},
		"the peer then sends what is not UTF-8":   {command, text("\xFF")},
		"the peer then sends too much":            {command, {op: opBinary, claim: maxMessage + 1}},
		"it closes twice":                         {command, text("!close 4002 again")},
		"a fragmented message is under way":       {command, begin(opText, "never to end")},
	} {
		rows = append(rows, row{section: "5.5.1", rule: "nothing follows our Close frame, whatever comes", with: name, frames: frames, codes: []int{4000}, told: 4000})
	}
	return rows
}

func TestClosing(t *testing.T) { everywhere(t, closingRows()) }

// TestThePeerDoesNotAnswer: who began the closing handshake, or failed the connection, ends TCP by itself at some time (sections
// 7.1.1 and 7.1.7).
func TestThePeerDoesNotAnswer(t *testing.T) {
	targets := serverTargets(t, server.Config{CloseTimeout: 100 * time.Millisecond})
	for _, tt := range append(targets, clientsWith(100*time.Millisecond)...) {
		for name, f := range map[string]frame{"closed": text("!close 4000"), "failed": {op: 3}} {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				p := tt.open(t, "", whole, seeded(tt.name))
				defer p.conn.Close()
				<-p.write(p.bytes(f))
				if e, err := p.next(); err != nil || e.op != opClose {
					t.Fatalf("%+v, %v, want a Close frame", e, err)
				}
				if err := p.end(); err != nil && !isEnd(err) {
					t.Errorf("RFC 6455, 7.1.1: %v", err)
				}
				held(tt.role, tt.secure, "7.1.1, 7.1.7", "who sent a Close frame ends TCP, also if the peer does not answer")
			})
		}
	}
}

// TestGoingAway: a server that is going down says so (section 7.4.1).
func TestGoingAway(t *testing.T) {
	for pair := range slices.Chunk(variants(t, server.Config{}), 2) { // without TLS and with it, on one server
		var peers []*peer
		for _, v := range pair {
			peers = append(peers, v.open(t, "", whole, seeded(v.name)))
		}
		gone := make(chan error, 1)
		go func() { gone <- pair[0].server.shutdown() }()
		for i, p := range peers {
			e, err := p.next()
			if err != nil || e.op != opClose || closeCode(e) != 1001 {
				t.Errorf("%s: RFC 6455, 7.4.1: %+v, %v, want a Close frame with 1001", pair[i].name, e, err)
			}
			<-p.write(p.bytes(closing(1001, "")))
			if err := p.end(); err != nil {
				t.Errorf("%s: RFC 6455, 7.1.1: no clean end of TCP: %v", pair[i].name, err)
			}
			held(ourServer, pair[i].secure, "7.4.1", "a server that goes down closes with 1001")
		}
		if err := <-gone; err != nil {
			t.Errorf("%s: Shutdown: %v", pair[0].name, err)
		}
	}
}

// TestTheClientIsSilentBehindItsClose: its application goes on sending before the peer has answered (section 5.5.1). The server's does so
// in every row in which it closes.
func TestTheClientIsSilentBehindItsClose(t *testing.T) {
	for _, secure := range []bool{false, true} {
		d := dialOurs(t, secure, clientConfig(secure))
		if _, err := d.conn.Write(d.answer(nil)); err != nil {
			t.Fatal(err)
		}
		result := <-d.dialed
		if result.err != nil {
			t.Fatal(result.err)
		}
		closed := make(chan error, 1)
		go func() { closed <- result.conn.Close(4000, "") }()
		p := newPeer(t, d.conn, d.br, ourClient, params{}, whole, seeded("silent"), nil)
		if e, err := p.next(); err != nil || e.op != opClose {
			t.Fatalf("%+v, %v, want a Close frame", e, err)
		}
		for _, op := range []ws.OpCode{ws.OpText, ws.OpBinary} {
			if result.conn.Write(t.Context(), op, []byte("late")) == nil {
				t.Error("RFC 6455, 5.5.1: the application may send behind its Close")
			}
		}
		if result.conn.Ping(t.Context()) == nil {
			t.Error("RFC 6455, 5.5.1: the application may ping behind its Close")
		}
		<-p.write(p.bytes(closing(4000, "")))
		p.halfClose()
		if err := p.end(); err != nil && !isEnd(err) {
			t.Error(err)
		}
		if err := <-closed; err != nil {
			t.Errorf("RFC 6455, 7.1.4: Close: %v", err)
		}
		held(ourClient, secure, "5.5.1", "nothing follows our Close frame, whatever the application does")
	}
}
