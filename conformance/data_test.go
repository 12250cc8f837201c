package conformance

import (
	"fmt"
	"slices"
	"testing"
)

// utf8Valid are what RFC 3629 takes: the bounds of each length, of the surrogates, and what is no character but encoded like one.
var utf8Valid = []string{
	"\x00", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBD", "\xEF\xBF\xBE", "\xEF\xBF\xBF",
	"\xEF\xB7\x90", "\xEF\xBB\xBF", "\xF0\x90\x80\x80", "\xF0\x9F\xBF\xBF", "\xF4\x8F\xBF\xBD", "\xF4\x8F\xBF\xBF",
	"Hello-µ@ßöäüàá-UTF-8!!", "κόσμε", "日本語\x00text",
}

// utf8Invalid are what it forbids: continuations alone, overlong forms, surrogates, beyond U+10FFFF, bytes that never occur, and
// characters that are cut.
var utf8Invalid = []string{
	"\x80", "\xBF", "a\x80", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2a", "\xC2\xC2\x80", "\xDF",
	"\xE0\x80\x80", "\xE0\x9F\xBF", "\xE1\x80", "\xE1\x80a", "\xE1\xC0\x80", "\xED\xA0\x80", "\xED\xAF\xBF", "\xED\xB0\x80", "\xED\xBF\xBF", "\xED\xA0\x80\xED\xB0\x80",
	"\xEF\xBF", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF", "\xF0\x90\x80", "\xF1\x80\x80", "\xF1\x80", "\xF1", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xF7\xBF\xBF\xBF",
	"\xF8\x88\x80\x80\x80", "\xFB\xBF\xBF\xBF\xBF", "\xFC\x84\x80\x80\x80\x80", "\xFE", "\xFF", "\xFE\xFE\xFF\xFF", "valid until here\xFF", "κόσμε\xED\xA0\x80edited",
}

// dataRows are RFC 6455, sections 5.6 and 8.1.
func dataRows() (rows []row) {
	for _, s := range utf8Valid {
		rows = append(rows, row{section: "5.6", rule: "text that is UTF-8, whole, and a fragment for each byte", with: fmt.Sprintf("%+q", s),
			frames: slices.Concat([]frame{text(s)}, fragments(opText, s)), echo: []frame{text(s), text(s)}})
	}
	anything := row{rule: "binary data may be anything", section: "5.6"}
	for i, s := range utf8Invalid {
		m := s
		if i%4 == 0 {
			m = pattern(500) + s
		}
		rows = append(rows,
			row{section: "8.1", rule: "text that is not UTF-8 fails the connection", with: fmt.Sprintf("%d bytes, %+q", len(m), s), frames: []frame{text(m)}, codes: []int{1007}, told: 1007},
			row{section: "8.1", rule: "text that is not UTF-8 fails the connection, a fragment for each byte", with: fmt.Sprintf("%+q", s),
				frames: fragments(opText, s), codes: []int{1007}, told: 1007})
		anything.frames = slices.Concat(anything.frames, []frame{binaryOf(s)}, fragments(opBinary, s))
		anything.echo = append(anything.echo, binaryOf(s), binaryOf(s))
	}
	rows = append(rows, anything)
	return append(rows,
		row{rule: "a character that a ping stands in", section: "5.6", frames: []frame{begin(opText, "\xF0\x9F"), ping("\x98"), last("\x98\x80")},
			echo: []frame{text("😀")}},
		row{rule: "a character that is cut where its message ends is not completed by the next", section: "8.1",
			frames: []frame{begin(opText, "\xF0\x9F"), last(""), begin(opText, "\x98"), last("\x80")}, codes: []int{1007}, told: 1007},
		row{rule: "nothing but the beginning of a character in the last fragment", section: "8.1",
			frames: []frame{begin(opText, "ok"), last("\xE2\x82")}, codes: []int{1007}, told: 1007},
		row{rule: "text behind binary data is checked again", section: "8.1",
			frames: []frame{binaryOf("\xFF"), text("\xFF")}, echo: []frame{binaryOf("\xFF")}, codes: []int{1007}, told: 1007},
		row{rule: "an empty message of each type", section: "5.6", frames: []frame{text(""), binaryOf("")}, echo: []frame{text(""), binaryOf("")}},
	)
}

func TestData(t *testing.T) { everywhere(t, dataRows()) }
