package conformance

import (
	"fmt"
	"testing"
)

// controlRows are RFC 6455, sections 5.5, 5.5.2 and 5.5.3.
func controlRows() (rows []row) {
	bytes := ""
	for i := range 125 {
		bytes += string([]byte{byte(2 * i)})
	}
	for _, p := range []string{"", "x", "ping", pattern(124), pattern(125), bytes, "\x00\xff\xfe\xc0", "\xed\xa0\x80"} {
		rows = append(rows,
			row{section: "5.5.2", rule: "a ping is answered by a pong with the same data", with: fmt.Sprintf("%d bytes, %.8q", len(p), p), frames: []frame{ping(p)}},
			row{section: "5.5.3", rule: "an unasked pong is not answered", with: fmt.Sprintf("%d bytes, %.8q", len(p), p),
				frames: []frame{pong(p), text("x")}, echo: []frame{text("x")}})
	}
	for _, op := range []byte{opPing, opPong, opClose} {
		long := pattern(126)
		if op == opClose {
			long = "\x03\xe8" + long[2:]
		}
		for _, f := range []frame{
			{op: op, payload: []byte(long)},
			{op: op, form: 64, payload: []byte(long)},
			{op: op, claim: 65536},
			{op: op, claim: 1 << 62},
		} {
			rows = append(rows, row{section: "5.5", rule: "control frames have 125 bytes at most", with: fmt.Sprintf("opcode %#x, a length of %d, form %d", op, max(int(f.claim), len(f.payload)), f.form),
				frames: []frame{f}, codes: []int{1002}, told: 1002})
		}
		for _, f := range []frame{{op: op, more: true}, {op: op, more: true, payload: []byte("\x03\xe8")}} {
			rows = append(rows,
				row{section: "5.5", rule: "control frames must not be fragmented", with: fmt.Sprintf("opcode %#x, %d bytes", op, len(f.payload)),
					frames: []frame{f}, codes: []int{1002}, told: 1002},
				row{section: "5.5", rule: "control frames must not be fragmented, within a message", with: fmt.Sprintf("opcode %#x, %d bytes", op, len(f.payload)),
					frames: []frame{begin(opText, "a"), f, last("")}, codes: []int{1002}, told: 1002})
		}
		rows = append(rows, row{section: "5.2", rule: "a control frame's length in 16 bits: the sender must not, the receiver may take it", with: fmt.Sprintf("opcode %#x", op),
			frames: []frame{{op: op, form: 16}}, codes: alsoEcho(1002, none)})
	}
	return append(rows,
		row{rule: "pings and messages mixed", section: "5.5.2", frames: []frame{ping("1"), text("a"), ping("2"), ping("3"), binaryOf("b"), ping("4")},
			echo: []frame{text("a"), binaryOf("b")}},
		row{rule: "ten pings: one pong for the latest at least", section: "5.5.3", frames: []frame{ping("0"), ping("1"), ping("2"), ping("3"), ping("4"),
			ping("5"), ping("6"), ping("7"), ping("8"), ping("9")}},
		row{rule: "a ping behind a Close frame needs no pong, and none may follow the Close frame that answers", section: "5.5.2",
			frames: []frame{closing(1000, ""), ping("late")}, codes: []int{1000, none}, told: 1000},
		row{rule: "a pong that looks like the answer to a ping never sent", section: "5.5.3",
			frames: []frame{pong("\x00\x00\x00\x00\x00\x00\x00\x01"), pong("\x00\x00\x00\x00\x00\x00\x00\x01"), ping("p")}},
	)
}

func TestControlFrames(t *testing.T) { everywhere(t, controlRows()) }
