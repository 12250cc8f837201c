package bench

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// FuzzMark: a mark is found wherever it is, and nothing is found where none is.
func FuzzMark(f *testing.F) {
	f.Add([]byte("roost="), uint32(1), uint64(2), int64(3), []byte("}"))
	f.Add([]byte(`{"text":"`), uint32(1<<32-1), uint64(1<<64-1), int64(-1), []byte(`"}`))
	f.Add([]byte("roost=roost="), uint32(0), uint64(0), int64(0), []byte{})
	f.Fuzz(func(t *testing.T, before []byte, run uint32, key uint64, at int64, after []byte) {
		if _, ok := findMark(before); ok {
			return // that one would be found first
		}
		m := mark{run: run, key: key, time: at}
		text := m.append(nil)
		if len(text) != markSize {
			t.Fatalf("a mark of %d bytes", len(text))
		}
		whole := append(append(bytes.Clone(before), text...), after...)
		got, ok := findMark(whole)
		if ok && got == m {
			return
		}
		// The bytes before may end in what, with the mark, makes another one.
		if at := bytes.Index(whole, text); at >= 0 && bytes.Contains(before, []byte("roost=")) {
			return
		}
		t.Fatalf("in %q: %+v, %v; want %+v", whole, got, ok, m)
	})
}

// FuzzTemplate: what is parsed without holes comes out as it went in; with holes it has
// the text around them.
func FuzzTemplate(f *testing.F) {
	for _, text := range []string{"", "a", "{{seq}}", "{{ id }}{{now}}", "{{{seq}}}", "}}{{", "{{x}}", "a{{mark}}b{{rand}}c"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tm, err := parseTemplate(text)
		if err != nil {
			if !strings.Contains(text, "{{") {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if len(tm.text) != len(tm.holes)+1 {
			t.Fatalf("%q: %d texts, %d holes", text, len(tm.text), len(tm.holes))
		}
		got := string(tm.append(nil, values{seq: 7, now: 8, id: 9, mark: mark{run: 1}}, rand.NewChaCha8([32]byte{})))
		if len(tm.holes) == 0 && got != text {
			t.Fatalf("%q came out as %q", text, got)
		}
		for _, part := range tm.text {
			i := strings.Index(got, part)
			if i < 0 {
				t.Fatalf("%q came out as %q, without %q", text, got, part)
			}
			got = got[i+len(part):]
		}
	})
}

// FuzzStamp: no payload makes it fail, and a time is one.
func FuzzStamp(f *testing.F) {
	for _, stamp := range []string{"json:t", "json:a.#.b,ms", "json:@this", "int64le:0", "float64be:1,s", "int64be:8,ns"} {
		for _, payload := range []string{"", "{", `{"t":1}`, `{"t":"1e400"}`, `{"t":-9223372036854775808}`, "\xff\xff\xff\xff\xff\xff\xff\xff\xff", `[[[[`, `{"t":"9999-12-31T23:59:59Z"}`} {
			f.Add(stamp, []byte(payload))
		}
	}
	f.Fuzz(func(t *testing.T, stamp string, payload []byte) {
		s, err := ParseStamp(stamp)
		if err != nil {
			return
		}
		if at, ok := s.Time(payload); ok && at <= 0 {
			t.Fatalf("%s in %q: %d", stamp, payload, at)
		}
	})
}

// FuzzFeedMessage: no payload makes it fail, and what it returns lies in the payload.
func FuzzFeedMessage(f *testing.F) {
	for _, text := range []string{"", "{", "{}", "[]", update(2, 1), snapshot(1), `{"type":"heartbeat","seqs":{"a":1}}`, `{"type":"reply","ok":false}`, `{"seqs":{`, `{"type":`, "{\"\\"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		kept := bytes.Clone(payload)
		m, ok := parseFeedMessage(payload)
		if !bytes.Equal(kept, payload) {
			t.Fatalf("%q was changed to %q", kept, payload)
		}
		if !ok && (m.kind != "" || m.channel != "") {
			t.Fatalf("%q is no message, and has %+v", payload, m)
		}
		if ok && m.text != string(payload) {
			t.Fatalf("%q became %q", payload, m.text)
		}
		m.seqs.ForEach(func(_, _ gjson.Result) bool { return true })
	})
}
