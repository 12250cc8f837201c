package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// fragmentationRows are RFC 6455, section 5.4.
func fragmentationRows() []row {
	const section = "5.4"
	good := func(rule string, echo frame, frames ...frame) row {
		return row{rule: rule, section: section, frames: frames, echo: []frame{echo}}
	}
	bad := func(rule string, frames ...frame) row {
		return row{rule: rule, section: section, frames: frames, codes: []int{1002}, told: 1002}
	}
	hello := text("hello")
	rows := []row{
		good("two fragments", hello, begin(opText, "he"), last("llo")),
		good("the first opcode is the message's type", binaryOf("h\xffllo"), begin(opBinary, "h\xff"), last("llo")),
		good("three fragments", hello, begin(opText, "he"), more("l"), last("lo")),
		good("an empty first fragment", hello, begin(opText, ""), last("hello")),
		good("an empty fragment between", hello, begin(opText, "he"), more(""), last("llo")),
		good("an empty last fragment", hello, begin(opText, "hello"), last("")),
		good("nothing but empty fragments", text(""), begin(opText, ""), more(""), more(""), last("")),
		good("a fragment for each byte", hello, fragments(opText, "hello")...),
		good("many fragments", binaryOf(pattern(500)), fragments(opBinary, pattern(500))...),
		good("fragments of all forms of length", text(pattern(70000+300+7)), begin(opText, pattern(70000)), more(pattern(70300)[70000:]), last(pattern(70307)[70300:])),
		good("a ping between fragments", hello, begin(opText, "he"), ping("p"), last("llo")),
		good("an empty ping between fragments", hello, begin(opText, "he"), ping(""), last("llo")),
		good("a pong between fragments", hello, begin(opText, "he"), pong("p"), last("llo")),
		good("pings between all fragments", hello, begin(opText, ""), ping("1"), more("hel"), ping("2"), ping("3"), more(""), ping(pattern(125)), last("lo")),
		{rule: "two fragmented messages, one behind the other", section: section,
			frames: []frame{begin(opText, "a"), last("b"), begin(opBinary, "c"), last("d")}, echo: []frame{text("ab"), binaryOf("cd")}},
		{rule: "a whole message between two in fragments", section: section,
			frames: []frame{begin(opText, "a"), last("b"), text("c"), begin(opText, "d"), last("e")}, echo: []frame{text("ab"), text("c"), text("de")}},
		{rule: "a Close frame between fragments ends the message, too", section: section,
			frames: []frame{begin(opText, "he"), closing(1001, ""), last("llo")}, codes: []int{1001, 1000, none}, told: 1001},
		bad("a continuation of nothing", last("x")),
		bad("a continuation of nothing that is not the last", more("x")),
		bad("an empty continuation of nothing", last("")),
		{rule: "a continuation of a message that is complete", section: section,
			frames: []frame{text("x"), last("y")}, echo: []frame{text("x")}, codes: []int{1002}, told: 1002},
		{rule: "a continuation behind the last fragment", section: section,
			frames: []frame{begin(opText, "x"), last("y"), last("z")}, echo: []frame{text("xy")}, codes: []int{1002}, told: 1002},
		bad("a ping does not begin a message that could be continued", ping("p"), last("y")),
	}
	for _, f := range []frame{text("x"), binaryOf("x"), begin(opText, "x"), begin(opBinary, ""), text("")} {
		rows = append(rows,
			bad("a message within another", begin(opText, "a"), f).but("opcode %d, FIN %v, %d bytes", f.op, !f.more, len(f.payload)),
			bad("a message within another, behind a ping", begin(opBinary, "a"), more("b"), ping("p"), f).but("opcode %d, FIN %v, %d bytes", f.op, !f.more, len(f.payload)))
	}
	return rows
}

func TestFragmentation(t *testing.T) { everywhere(t, fragmentationRows()) }

// TestRandomFragmentation cuts random messages into random fragments, with control frames at random places between them.
func TestRandomFragmentation(t *testing.T) {
	rnd := seeded("fragmentation")
	var rows []row
	for i := range 8 {
		r := row{section: "5.4", rule: "random messages in random fragments, control frames between", with: fmt.Sprint(i)}
		for range 6 {
			m := binaryOf(pattern(rnd.IntN(1 << rnd.IntN(13))))
			if rnd.IntN(2) == 0 {
				m = text(strings.Repeat("añ€😀", rnd.IntN(200)))
			}
			r.echo = append(r.echo, m)
			r.frames = slices.Concat(r.frames, m.cut(rnd))
		}
		rows = append(rows, r)
	}
	everywhere(t, rows)
}
