package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/roostws/roost/server"
)

// The sequences of section 6 of the well-known WebSocket test suite, which are those of Markus Kuhn's test of UTF-8 decoders.

// suiteValid are UTF-8: all bounds, and what is no character but a scalar value.
func suiteValid() (all []string) {
	all = []string{"Hello-µ@ßöäüàá-UTF-8!!", "κόσμε", "\x00", "\u0080", "\u0800", "\U00010000", "\x7f", "\u07ff", "\uffff", "\ud7ff", "\ue000", "\ufffd", "\U0010ffff"}
	for plane := range rune(17) {
		all = append(all, string(plane<<16|0xFFFE), string(plane<<16|0xFFFF))
	}
	for r := rune(0xFFF9); r <= 0xFFFD; r++ {
		all = append(all, string(r))
	}
	for r := rune(0xFDD0); r <= 0xFDEF; r++ {
		all = append(all, string(r))
	}
	return all
}

// suiteInvalid are not.
func suiteInvalid() (all []string) {
	all = []string{
		"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80", "\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf", "\xf4\x90\x80\x80", // beyond U+10FFFF
		"\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80", "\xfc\x80\x80\x80\x80", "\xdf", "\xef\xbf", "\xf7\xbf\xbf", "\xfb\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf", // cut
		"\xfe", "\xff", "\xfe\xfe\xff\xff", // bytes that never occur
		"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf", "\xfc\x80\x80\x80\x80\xaf", // overlong
		"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x87\xbf\xbf\xbf", "\xfc\x83\xbf\xbf\xbf\xbf", // the longest that are
		"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x80\x80\x80\x80", "\xfc\x80\x80\x80\x80\x80", // NUL, overlong
	}
	for n := 1; n <= 7; n++ { // continuations of nothing
		all = append(all, strings.Repeat("\x80\xbf", 4)[:n])
	}
	continuations := ""
	for c := 0x80; c < 0xC0; c++ {
		continuations += string([]byte{byte(c)})
	}
	all = append(all, continuations)
	for c := 0xC0; c <= 0xFD; c++ { // beginnings without an end
		all = append(all, string([]byte{byte(c), ' '}))
	}
	for _, s := range []string{"\xa0\x80", "\xad\xbf", "\xae\x80", "\xaf\xbf", "\xb0\x80", "\xbe\x80", "\xbf\xbf"} { // surrogates
		all = append(all, "\xed"+s, "\xed\xa0\x80\xed"+s)
	}
	cut := "κόσμε"
	for n := range len(cut) { // beginnings of a word that end within a character
		if !utf8.ValidString(cut[:n]) {
			all = append(all, cut[:n])
		}
	}
	return all
}

// earlyRows have text that nothing can make UTF-8, in a message that does not end. The RFC does not say when the connection must fail;
// the suite calls it strict if it does at once, which is what is demanded here: else the Close frame that the peer sends next
// would be answered.
func earlyRows() (rows []row) {
	const good = "Hello-µ@ßöäüàá-UTF-8!!"
	add := func(with string, frames ...frame) {
		rows = append(rows, row{section: "8.1", rule: "text that nothing can make UTF-8 fails the connection at once, before its message ends", with: with,
			frames: frames, codes: []int{1007}, told: 1007})
	}
	for _, bad := range []string{"\xff", "\xc0", "\xc1", "\xf5", "\x80", "\xe0\x80", "\xed\xa0", "\xf0\x8f", "\xf4\x90", "\xe1\xbf ", "\xf1\x80\x80\xc0"} {
		add(fmt.Sprintf("%+q in the first fragment", bad), begin(opText, good+bad))
		add(fmt.Sprintf("%+q in a fragment behind a ping", bad), begin(opText, good), ping("p"), more(bad))
		add(fmt.Sprintf("%+q over fragments", bad), append([]frame{begin(opText, good)}, fragments(opText, bad)[1:len(bad)+1]...)...)
		add(fmt.Sprintf("%+q in a frame that is not complete", bad), frame{op: opText, claim: 70000, payload: []byte(good + bad)})
		add(fmt.Sprintf("%+q in a fragment that is not complete", bad), begin(opText, good), frame{more: true, claim: 300, payload: []byte(bad)})
	}
	add("a character that is completed wrongly by the next fragment", begin(opText, good+"\xf4"), more("\x90"))
	add("an empty fragment between the two halves", begin(opText, good+"\xed"), more(""), more("\xa0"))
	return rows
}

// TestUTF8 is long lists for one checker: so they run on one server and one client, each row in one way.
func TestUTF8(t *testing.T) {
	valid := row{section: "5.6, 8.1", rule: "what RFC 3629 calls UTF-8 is text, each sequence alone, between others, and a fragment for each byte"}
	for _, s := range suiteValid() {
		long := "κόσμε" + s + pattern(30) + s
		valid.frames = slices.Concat(valid.frames, []frame{text(s), text(long)}, fragments(opText, s))
		valid.echo = append(valid.echo, text(s), text(long), text(s))
	}
	rows := append(earlyRows(), valid)
	for _, s := range suiteInvalid() {
		for _, m := range []string{s, pattern(40) + s + "edited"} {
			for _, frames := range [][]frame{{text(m)}, fragments(opText, m)} {
				rows = append(rows, row{section: "8.1", rule: "what RFC 3629 does not call UTF-8 is no text", with: fmt.Sprintf("%+q, %d bytes in %d frames", s, len(m), len(frames)),
					frames: frames, codes: []int{1007}, told: 1007})
			}
		}
	}
	check(t, []target{serverTargets(t, server.Config{Inline: true})[0], clientTargets()[0]}, "", rows)
}
