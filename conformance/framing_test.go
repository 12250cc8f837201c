package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/roostws/roost/server"
)

// framingRows are RFC 6455, sections 5.1 to 5.3.
func framingRows() (rows []row) {
	for _, n := range []int{0, 1, 2, 3, 4, 5, 125, 126, 127, 128, 255, 256, 4095, 65535, 65536, 65537, maxMessage} {
		f := frame{op: byte(opText + n%2), payload: []byte(pattern(n))}
		rows = append(rows, row{section: "5.2", rule: "a length is written in the fewest bits: 7, 16 or 64", with: fmt.Sprint(n, " bytes"), frames: []frame{f}, echo: []frame{f}})
	}
	for _, f := range []frame{{form: 16}, {form: 16, payload: []byte("x")}, {form: 16, payload: []byte(pattern(125))},
		{form: 64}, {form: 64, payload: []byte(pattern(126))}, {form: 64, payload: []byte(pattern(65535))}} {
		f.op = opBinary
		rows = append(rows, row{section: "5.2", rule: "a length in more bits than it needs: the sender must not, the receiver may take it", with: fmt.Sprintf("%d in %d bits", len(f.payload), f.form),
			frames: []frame{f}, echo: []frame{binaryOf(string(f.payload))}, codes: alsoEcho(1002)})
	}
	rows = append(rows,
		row{rule: "a 64-bit length with its top bit set", section: "5.2", frames: []frame{{op: opBinary, claim: 1 << 63}}, codes: []int{1002, 1009}},
		row{rule: "a 64-bit length of all ones", section: "5.2", frames: []frame{{op: opBinary, claim: 1<<64 - 1}}, codes: []int{1002, 1009}},
		row{rule: "a frame longer than can be processed", section: "10.4", frames: []frame{{op: opBinary, claim: 1<<63 - 1}}, codes: []int{1009}, told: 1009},
		row{rule: "a frame longer than 4 GiB, whose lower 32 bits would be a length that can be processed", section: "10.4", frames: []frame{{op: opBinary, claim: 1<<32 + 65536}}, codes: []int{1009}, told: 1009},
		row{rule: "a frame one byte over the limit", section: "10.4", frames: []frame{{op: opText, claim: maxMessage + 1}}, codes: []int{1009}, told: 1009},
		row{rule: "fragments that together are one byte over the limit", section: "10.4",
			frames: []frame{begin(opText, pattern(maxMessage/2)), more(pattern(maxMessage / 2)), last("x")}, codes: []int{1009}},
		row{rule: "fragments that together are as long as the limit", section: "10.4",
			frames: []frame{begin(opText, pattern(maxMessage/2)), last(pattern(maxMessage)[maxMessage/2:])}, echo: []frame{text(pattern(maxMessage))}},
		row{rule: "several frames in one segment", section: "5.2",
			frames: []frame{text("a"), binaryOf("b"), text(""), ping("p"), text("c")}, echo: []frame{text("a"), binaryOf("b"), text(""), text("c")}},
	)
	return slices.Concat(rows, maskRows(), opcodeRows(), cutRows())
}

// maskRows are about the mask bit, which a server must insist on and a client must not see. It may say so with 1002, or just end.
func maskRows() (rows []row) {
	for _, f := range []frame{text("x"), binaryOf("x"), text(""), last("x"), ping("p"), pong("p"), closing(1000, "")} {
		f.flip = true
		rows = append(rows,
			row{section: "5.1", rule: "a server must close upon a frame that is not masked", with: fmt.Sprintf("opcode %#x, %d bytes", f.op, len(f.payload)),
				only: ourServer, frames: []frame{f}, codes: []int{1002, none}, drop: true},
			row{section: "5.1", rule: "a client must close upon a masked frame", with: fmt.Sprintf("opcode %#x, %d bytes", f.op, len(f.payload)),
				only: ourClient, frames: []frame{f}, codes: []int{1002, none}, drop: true})
	}
	for _, key := range [][4]byte{{}, {0xFF, 0xFF, 0xFF, 0xFF}, {1, 0, 0, 0}, {0, 0, 0, 1}, {0x37, 0xFA, 0x21, 0x3D}} {
		m := pattern(259)
		rows = append(rows, row{section: "5.3", rule: "any masking key is undone", with: fmt.Sprintf("%x", key), only: ourServer,
			frames: []frame{{op: opText, payload: []byte(m), key: &key}, {op: opPing, payload: []byte("ping"), key: &key}}, echo: []frame{text(m)}})
	}
	hello := func(b ...byte) []byte { return append(b, "Hello"...) }
	return append(rows,
		row{rule: "the example of a masked text message", section: "5.7", only: ourServer,
			raw: []byte{0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58}, echo: []frame{text("Hello")}},
		row{rule: "the example of an unmasked text message", section: "5.7", only: ourClient, raw: hello(0x81, 0x05), echo: []frame{text("Hello")}},
		row{rule: "the example of a fragmented message", section: "5.7", only: ourClient,
			raw: []byte{0x01, 0x03, 'H', 'e', 'l', 0x80, 0x02, 'l', 'o'}, echo: []frame{text("Hello")}},
		row{rule: "the example of 256 bytes in one frame", section: "5.7", only: ourClient,
			raw: append([]byte{0x82, 0x7E, 0x01, 0x00}, pattern(256)...), echo: []frame{binaryOf(pattern(256))}},
		row{rule: "the example of 64 KiB in one frame", section: "5.7", only: ourClient,
			raw: append([]byte{0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0}, pattern(65536)...), echo: []frame{binaryOf(pattern(65536))}},
	)
}

// opcodeRows are those that no extension has given a meaning: the receiver must fail the connection.
func opcodeRows() (rows []row) {
	for _, op := range []byte{3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF} {
		for _, f := range []frame{{op: op}, {op: op, payload: []byte("data")}, {op: op, more: true}} {
			rows = append(rows, row{section: "5.2", rule: "an unknown opcode fails the connection", with: fmt.Sprintf("%#x, %d bytes, FIN %v", op, len(f.payload), !f.more),
				frames: []frame{text("before"), f}, echo: []frame{text("before")}, codes: []int{1002}, told: 1002})
		}
		rows = append(rows, row{section: "5.2", rule: "an unknown opcode within a message fails the connection", with: fmt.Sprintf("%#x", op),
			frames: []frame{begin(opText, "a"), {op: op}}, codes: []int{1002}, told: 1002})
	}
	return rows
}

// cutRows are streams that end where a frame does not: the connection is closed uncleanly, and the code is 1006.
func cutRows() (rows []row) {
	for name, b := range map[string][]byte{
		"at once":                 {},
		"behind the first byte":   {0x81},
		"behind half a header":    {0x81, 0xFE, 0x00},
		"within a masking key":    {0x81, 0x85, 1, 2},
		"within a payload":        {0x81, 0x85, 1, 2, 3, 4, 5},
		"within a control frame":  {0x89, 0x85, 1, 2, 3, 4, 5},
		"between two fragments":   {0x01, 0x81, 1, 2, 3, 4, 'x'},
		"within a Close frame":    {0x88, 0x82, 1, 2, 3, 4, 5},
		"within an empty message": {0x81, 0x80, 1, 2},
	} {
		rows = append(rows, row{section: "7.1.5", rule: "a stream that ends without a Close frame: 1006 for the application", with: name, only: ourServer, raw: b, cut: true,
			codes: []int{1002, none}, drop: true, told: 1006})
	}
	for name, b := range map[string][]byte{
		"at once": {}, "within a header": {0x81}, "within a payload": {0x81, 0x05, 1, 2}, "between two fragments": {0x01, 0x01, 'x'},
	} {
		rows = append(rows, row{section: "7.1.5", rule: "a stream that ends without a Close frame: 1006 for the application", with: name, only: ourClient, raw: b, cut: true,
			codes: []int{1002, none}, drop: true, told: 1006})
	}
	return rows
}

// pattern is n bytes of text of which no two parts look alike.
func pattern(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%d,", i)
	}
	return b.String()[:n]
}

func TestFraming(t *testing.T) { everywhere(t, framingRows()) }

// everywhere checks rows on all that we have: without an extension, and where permessage-deflate was agreed on, which must change
// nothing for what is not compressed (RFC 7692, section 6).
func everywhere(t *testing.T, rows []row) {
	check(t, append(serverTargets(t, server.Config{}), clientTargets()...), "", rows)
	check(t, half(serverTargets(t, server.Config{Compression: server.CompressionDedicated}), false), defaultOffer, rows)
}

// defaultOffer is a browser's.
const defaultOffer = "permessage-deflate; client_max_window_bits"

// TestMaskingKeys: each frame of a client has a fresh one that cannot be foretold (section 5.3): there are no two alike, and no bit of
// them stays, nor is it nearly always the same, as those of a counter are.
func TestMaskingKeys(t *testing.T) {
	for _, tt := range clientTargets() {
		p := tt.open(t, "", whole, seeded(tt.name))
		var r row
		for range 300 {
			r.frames, r.echo = append(r.frames, text("x")), append(r.echo, text("x"))
		}
		if err := r.run(p); err != nil {
			t.Fatal(err)
		}
		for bit := range 32 {
			ones := 0
			for _, key := range p.keys {
				ones += int(key >> bit & 1)
			}
			if ones < 75 || ones > 225 { // 8.6 standard deviations
				t.Errorf("%s: RFC 6455, 5.3: bit %d is set in %d of %d masking keys", tt.name, bit, ones, len(p.keys))
			}
		}
		slices.Sort(p.keys)
		if n := len(slices.Compact(p.keys)); n < 300 { // that two of 301 are alike by chance happens once in 95,000 runs
			t.Errorf("%s: RFC 6455, 5.3: %d masking keys for 301 frames", tt.name, n)
		}
		held(ourClient, tt.secure, "5.3", "each frame has a fresh masking key that cannot be foretold")
	}
}
