package feed

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// times are what differs from run to run.
var times = regexp.MustCompile(`"(ts|retry_after_ms)":\d+`)

// TestProtocolIsAsDocumented plays the transcripts of docs/feed-protocol.md, each with a feed of its own.
func TestProtocolIsAsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/feed-protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	transcripts := regexp.MustCompile("(?ms)^```text\n(.*?)^```").FindAllStringSubmatch(string(text), -1)
	if len(transcripts) < 10 {
		t.Fatalf("%d transcripts", len(transcripts))
	}
	for i, transcript := range transcripts {
		t.Run(fmt.Sprint(i+1), func(t *testing.T) {
			c := Config{Source: newScript("EURUSD", "USDJPY"), Silence: -1}
			if strings.Contains(transcript[1], `"heartbeat"`) {
				c.Silence = 500 * time.Millisecond
			}
			_, addr := serve(t, c)
			p := dial(t, addr)
			for line := range strings.Lines(transcript[1]) {
				playLine(t, p, c.Source.(*script), strings.TrimSuffix(line, "\n"))
			}
		})
	}
}

// playLine does what one line of a transcript says.
func playLine(t *testing.T, p *peer, source *script, line string) {
	t.Helper()
	kind, rest, _ := strings.Cut(line, " ")
	switch kind {
	case ">":
		p.write(websocket.MessageText, rest)
	case "<":
		p.next()
		got, want := times.ReplaceAllString(p.text, `"$1":0`), times.ReplaceAllString(rest, `"$1":0`)
		// Both ways in which a channel that a wildcard finds can begin are documented.
		if strings.Contains(want, `"ch":"ticker:GBPUSD","type":"snapshot","seq":1,`) && strings.Contains(got, `"seq":0`) {
			p.next()
			return
		}
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	case "#":
		direct(t, source, strings.Fields(rest))
	default:
		t.Fatalf("no line of a transcript: %q", line)
	}
}

// direct has the source do what a stage direction says.
func direct(t *testing.T, source *script, words []string) {
	t.Helper()
	u := Update{}
	switch {
	case words[0] == "silence":
		return
	case words[0] == "quote" && len(words) >= 4:
		u = Update{Kind: Quote, Symbol: words[1], Bid: decimal(t, words[2]), Ask: decimal(t, words[3])}
		if len(words) == 6 {
			at, err := time.Parse(time.RFC3339, words[5])
			if err != nil {
				t.Fatal(err)
			}
			u.Time = at
		}
	case words[0] == "trade" && len(words) == 5:
		u = Update{Kind: Trade, Symbol: words[1], Price: decimal(t, words[2]), Size: decimal(t, words[3]), Side: map[string]Side{"buy": Buy, "sell": Sell}[words[4]]}
	default:
		t.Fatalf("no such direction: %q", words)
	}
	source.updates <- u
	source.flush()
}
