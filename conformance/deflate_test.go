package conformance

import (
	"bytes"
	"compress/flate"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/roostws/roost/server"
)

// packed is a message that the standard library has compressed by itself, at a level.
func packed(op byte, s string, level int) frame {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, level)
	w.Write([]byte(s))
	w.Flush()
	return frame{op: op, rsv: rsv1, payload: bytes.TrimSuffix(b.Bytes(), []byte(tail))}
}

// raw is a compressed text message as it is.
func raw(b ...byte) frame { return frame{op: opText, rsv: rsv1, payload: b} }

// exampleRows are the examples of RFC 7692, section 7.2.3.
func exampleRows() []row {
	hello := text("Hello")
	good := func(section, rule string, frames ...frame) row {
		return row{rule: rule, section: "RFC 7692, " + section, frames: frames, echo: []frame{hello}}
	}
	return []row{
		good("7.2.3.1", "a message in one fixed block", raw(0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00)),
		good("7.2.3.1", "the same in two frames: RSV1 is the first one's", frame{op: opText, more: true, rsv: rsv1, payload: []byte{0xF2, 0x48, 0xCD}},
			last("\xC9\xC9\x07\x00")),
		good("7.2.3.3", "a block without compression", raw(0x00, 0x05, 0x00, 0xFA, 0xFF, 'H', 'e', 'l', 'l', 'o', 0x00)),
		good("7.2.3.4", "a block with BFINAL set", raw(0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00)),
		good("7.2.3.5", "two blocks", raw(0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00)),
		{rule: "an empty message", section: "RFC 7692, 7.2.3.6", frames: []frame{raw(0x00)}, echo: []frame{text("")}},
	}
}

// deflateRows are RFC 7692, sections 6 and 7.2, and what RFC 6455 has said of messages before. They refer to no earlier message, so
// that they hold whatever was agreed on.
func deflateRows() []row {
	const section = "RFC 7692, "
	same := func(at, rule string, echo frame, frames ...frame) row {
		return row{rule: rule, section: section + at, frames: frames, echo: []frame{echo}}
	}
	ends := func(at, rule string, codes []int, frames ...frame) row {
		return row{rule: rule, section: section + at, frames: frames, codes: codes}
	}
	rows := standardRows()
	m := packed(opBinary, pattern(3000), 6)
	bytewise := []frame{{op: opBinary, rsv: rsv1, more: true}}
	for i := range m.payload[:200] {
		bytewise = append(bytewise, more(string(m.payload[i:i+1])))
	}
	bytewise = append(bytewise, ping("between"), last(string(m.payload[200:])))
	first := frame{op: opText, rsv: rsv1, more: true, payload: []byte{0xF2, 0x48}}
	bad1007 := []int{1007, 1002} // the RFC names no code for data that cannot be inflated
	rows = append(rows,
		same("6", "a message that is not compressed", text("plain"), text("plain")),
		same("6", "a message in fragments that is not compressed", text("plain"), begin(opText, "pl"), last("ain")),
		same("6.1", "a fragment for each byte, the first empty", binaryOf(pattern(3000)), bytewise...),
		same("6.1", "a ping between the fragments is not compressed", text("Hello"), first, ping("\xF2\x48"), last("\xCD\xC9\xC9\x07\x00")),
		same("7.2.1", "several flushes within a message", text("HelloHello"), raw([]byte("\xF2\x48\xCD\xC9\xC9\x07\x00\x00\x00\xFF\xFF\xF2\x48\xCD\xC9\xC9\x07\x00")...)),
		same("7.2.1", "a final block between others", text("HelloHello"), raw([]byte("\xF3\x48\xCD\xC9\xC9\x07\x00\xF2\x48\xCD\xC9\xC9\x07\x00")...)),
		same("7.2.1", "empty blocks at the beginning", text("Hello"), raw([]byte("\x00\x00\x00\xFF\xFF\x00\x00\x00\xFF\xFF\xF2\x48\xCD\xC9\xC9\x07\x00")...)),
		same("7.2.3.6", "an empty message as one fixed block", text(""), raw(0x02, 0x00)),
		row{rule: "compressed and not, in turns", section: section + "6", frames: []frame{packed(opText, pattern(900), 6), text("a"), packed(opBinary, "\xFF", 6), binaryOf("\xFE"), packed(opText, "", 6)},
			echo: []frame{text(pattern(900)), text("a"), binaryOf("\xFF"), binaryOf("\xFE"), text("")}},
		ends("6.1", "RSV1 on a fragment that is not the first", []int{1002}, first, frame{rsv: rsv1, payload: []byte("\xCD\xC9\xC9\x07\x00")}),
		ends("6.1", "RSV1 on a fragment of a message that is not compressed", []int{1002}, begin(opText, "a"), frame{rsv: rsv1}),
		ends("6.1", "RSV1 on a ping", []int{1002}, frame{op: opPing, rsv: rsv1, payload: []byte("p")}),
		ends("6.1", "RSV1 on a pong", []int{1002}, frame{op: opPong, rsv: rsv1}),
		ends("6.1", "RSV1 on a Close frame", []int{1002}, frame{op: opClose, rsv: rsv1, payload: []byte("\x03\xE9")}),
		ends("6; RFC 6455, 5.2", "RSV2 beside RSV1", []int{1002}, frame{op: opText, rsv: rsv1 | rsv2, payload: []byte{0}}),
		ends("6; RFC 6455, 5.2", "RSV3 beside RSV1", []int{1002}, frame{op: opText, rsv: rsv1 | rsv3, payload: []byte{0}}),
		ends("6; RFC 6455, 5.2", "RSV2", []int{1002}, frame{op: opText, rsv: rsv2}),
		ends("6; RFC 6455, 5.2", "RSV3 on a ping", []int{1002}, frame{op: opPing, rsv: rsv3}),
		ends("7.2.2", "a block of the reserved type", bad1007, raw(0x06, 0x00)),
		ends("7.2.2", "a stored block whose length is not repeated", bad1007, raw(0x00, 0x05, 0x00, 0xFA, 0xFE, 'H', 'e', 'l', 'l', 'o', 0x00)),
		ends("7.2.2", "a stored block that is cut", bad1007, raw(0x00, 0xFF, 0x00, 0x00, 0xFF, 'H')),
		ends("7.2.2", "a reference to before the beginning", bad1007, raw(beyond()...)),
		ends("7.2.2", "what is no deflate stream", bad1007, raw([]byte(strings.Repeat("\xFF", 40))...)),
		ends("7.2.2; RFC 6455, 8.1", "text that is not UTF-8 when inflated", []int{1007}, packed(opText, "ok\xFF", 6)),
		ends("7.2.2; RFC 6455, 8.1", "text whose last character is cut when inflated", []int{1007}, packed(opText, pattern(500)+"\xE2\x82", 6)),
		ends("6.2; RFC 6455, 10.4", "a message that inflates to one byte over the limit", []int{1009}, packed(opText, pattern(maxMessage+1), 6)),
		ends("6.2; RFC 6455, 10.4", "a bomb", []int{1009}, packed(opBinary, strings.Repeat("\x00", 16*maxMessage), 9)),
		ends("6.2; RFC 6455, 10.4", "a bomb in fragments", []int{1009}, packed(opBinary, strings.Repeat("\x00", 16*maxMessage), 9).cut(seeded("bomb"))...),
	)
	for _, s := range utf8Invalid[:12] {
		rows = append(rows, same("7.2.2", "compressed binary data may be anything", binaryOf(s), packed(opBinary, s, 9)).but("%+q", s))
	}
	return rows
}

// standardRows are messages that the standard library compresses, at all its levels.
func standardRows() (rows []row) {
	standard := func(rule, m string, level int) row {
		return row{rule: rule, section: "RFC 7692, 7.2.2", frames: []frame{packed(opText, m, level)}, echo: []frame{text(m)}}
	}
	for _, level := range []int{flate.NoCompression, flate.BestSpeed, flate.DefaultCompression, flate.BestCompression, flate.HuffmanOnly} {
		for _, n := range []int{0, 1, 50, 300, 5000} {
			rows = append(rows, standard("what the standard library compresses", pattern(n), level).but("level %d, %d bytes", level, n))
		}
	}
	for _, level := range []int{flate.NoCompression, flate.DefaultCompression} {
		m := pattern(maxMessage - 64) // stored blocks are longer than what is in them
		rows = append(rows, standard("what the standard library compresses, near the limit", m, level).but("level %d", level))
	}
	return rows
}

// beyond is a block that refers to before its beginning.
func beyond() []byte {
	var w bitWriter
	w.low(2, 3)
	w.symbol('a')
	w.copy(3, 32768)
	w.symbol(256)
	w.low(0, 3)
	return w.b
}

func TestDeflate(t *testing.T) {
	rows := deflateRows()
	for _, c := range []server.Compression{server.CompressionShared, server.CompressionDedicated} {
		all := serverTargets(t, server.Config{Compression: c, CompressFrom: 1})
		check(t, half(all, c == server.CompressionShared), defaultOffer, rows)
		check(t, all, defaultOffer, exampleRows())
	}
	check(t, clientTargets(), "permessage-deflate", slices.Concat(rows, exampleRows()))
	check(t, clientTargets(), "permessage-deflate; server_no_context_takeover; client_no_context_takeover", exampleRows())
}

// takeoverRows refer to earlier messages, which a receiver that did not get client_no_context_takeover must understand, nor the client
// server_no_context_takeover (sections 7.1.1 and 7.2.3.2).
func takeoverRows() []row {
	const section = "RFC 7692, 7.2.3.2"
	hello := raw(0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00)
	again := raw(0xF2, 0x00, 0x11, 0x00, 0x00)
	far := lz([]byte(pattern(64)), []byte(pattern(32768)), 32768)
	return []row{
		{rule: "the second Hello refers to the first", section: section, frames: []frame{hello, again}, echo: []frame{text("Hello"), text("Hello")}},
		{rule: "what is not compressed leaves the window as it is", section: section, frames: []frame{hello, text("between"), begin(opText, "and "), last("more"), ping("p"), again},
			echo: []frame{text("Hello"), text("between"), text("and more"), text("Hello")}},
		{rule: "empty messages leave the window as it is", section: section, frames: []frame{hello, raw(0x00), text(""), raw(0x02, 0x00), again},
			echo: []frame{text("Hello"), text(""), text(""), text(""), text("Hello")}},
		{rule: "behind a message with a final block", section: section, frames: []frame{raw(0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00), again},
			echo: []frame{text("Hello"), text("Hello")}},
		{rule: "behind a message in fragments, in fragments", section: section,
			frames: slices.Concat(hello.cut(seeded("hello")), again.cut(seeded("again"))), echo: []frame{text("Hello"), text("Hello")}},
		{rule: "a reference as far back as there can be", section: "RFC 7692, 7.1.2", frames: []frame{packed(opText, pattern(32768), 6), raw(far...)},
			echo: []frame{text(pattern(32768)), text(pattern(64))}},
		{rule: "a reference to before the first message", section: "RFC 7692, 7.2.2", frames: []frame{hello, raw(beyond()...)},
			echo: []frame{text("Hello")}, codes: []int{1007, 1002}},
	}
}

func TestTakeover(t *testing.T) {
	targets := serverTargets(t, server.Config{Compression: server.CompressionDedicated, CompressFrom: 1})
	p := targets[0].open(t, defaultOffer, whole, seeded("takeover"))
	p.conn.Close()
	if p.agreed.clientNoTakeover {
		t.Fatal("the server asks for client_no_context_takeover: the rows do not apply")
	}
	check(t, targets, defaultOffer, takeoverRows())
	check(t, clientTargets(), "permessage-deflate", takeoverRows())
}

// reservedRows are RFC 6455, section 5.2, without an extension.
func reservedRows() (rows []row) {
	for _, rsv := range []byte{rsv1, rsv2, rsv3, rsv1 | rsv2, rsv1 | rsv2 | rsv3} {
		for _, f := range []frame{text("x"), binaryOf("x"), text(""), begin(opText, "x"), ping("p"), pong("p"), closing(1000, "")} {
			f.rsv = rsv
			rows = append(rows, row{section: "5.2", rule: "a reserved bit that no extension gives a meaning fails the connection", with: fmt.Sprintf("RSV %#x, opcode %#x, FIN %v, %d bytes", rsv, f.op, !f.more, len(f.payload)),
				frames: []frame{text("before"), f}, echo: []frame{text("before")}, codes: []int{1002}, told: 1002})
		}
		rows = append(rows, row{section: "5.2", rule: "a reserved bit on a continuation fails the connection", with: fmt.Sprintf("RSV %#x", rsv),
			frames: []frame{begin(opText, "x"), {rsv: rsv}}, codes: []int{1002}, told: 1002})
	}
	return rows
}

func TestReservedBits(t *testing.T) {
	rows := reservedRows()
	check(t, append(serverTargets(t, server.Config{}), clientTargets()...), "", rows)
	check(t, serverTargets(t, server.Config{}), defaultOffer, rows[:8]) // an offer that was declined gives no meaning either
}
