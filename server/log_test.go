package server

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
)

func (l *logLines) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Count(l.b.Bytes(), []byte(s))
}

// mute has the server behave as if it had just logged a line of a kind, and the second after that did not end.
func (r *rig) mute(kind string) {
	r.Server.log.mu.Lock()
	defer r.Server.log.mu.Unlock()
	if r.Server.log.last == nil {
		r.Server.log.last, r.Server.log.missed = map[string]time.Time{}, map[string]int{}
	}
	r.Server.log.last[kind] = time.Now().Add(time.Hour)
}

// muted is how many lines of a kind were not logged.
func (r *rig) muted(kind string) int {
	r.Server.log.mu.Lock()
	defer r.Server.log.mu.Unlock()
	return r.Server.log.missed[kind]
}

func TestWhatHappensOftenIsLoggedOnceASecondWithTheNumberOfTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := &logLines{}
		log := rarely{logger: slog.New(slog.NewTextHandler(lines, nil))}
		for range 10 { // two seconds and a half
			log.warn("one", "first kind", "key", "value")
			log.error("two", "second kind")
			time.Sleep(time.Second / 4)
		}
		log.warn("one", "first kind")
		var got []string
		for line := range strings.Lines(lines.b.String()) {
			_, line, _ = strings.Cut(strings.TrimSpace(line), "level=")
			got = append(got, line)
		}
		want := []string{
			`WARN msg="first kind" key=value`,
			`ERROR msg="second kind"`,
			`WARN msg="first kind" key=value not_logged=3`,
			`ERROR msg="second kind" not_logged=3`,
			`WARN msg="first kind" key=value not_logged=3`,
			`ERROR msg="second kind" not_logged=3`,
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("logged were\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

func TestEndsAtABoundAreLoggedRarelyForEachReason(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		c.MaxMessage = 10
		r := start(t, c)
		end := func(b []byte) {
			p := r.tcp()
			p.write([]byte("GET / HTTP/1.1\r\nHost: h\r\n" + upgradeLines + "\r\n"))
			p.write(b)
			p.Conn.(interface{ CloseWrite() error }).CloseWrite()
			p.wantEnd()
		}
		tooBig := frame(ws.OpBinary, true, make([]byte, 11))
		line := `msg="a connection has ended at a bound" reason=too_big peer=127.0.0.1:`
		end(tooBig)
		await(t, "the line", func() bool { return r.log.count(line) == 1 })
		r.mute("too_big")
		for range 3 {
			end(tooBig)
		}
		r.await("all ends", func(s Stats) bool { return s.Reasons[ReasonTooBig] == 4 })
		await(t, "three lines that are not logged", func() bool { return r.muted("too_big") == 3 })
		if n := r.log.count(line); n != 1 {
			t.Errorf("%d lines are logged, want 1", n)
		}
		end(frame(ws.OpText, true, []byte{0xff})) // no bound, no line
		r.await("its end", func(s Stats) bool { return s.Reasons[ReasonInvalidText] == 1 })
		p := r.tcp()
		p.exchange("GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 9000))
		p.Close()
		r.await("a refusal", func(s Stats) bool { return s.Reasons[ReasonRefusedHead] == 1 })
		await(t, "another reason's line", func() bool { return r.log.contains("reason=refused_head") })
		if r.log.contains("invalid_text") {
			t.Error("an end that is at no bound is logged")
		}
	})
}

func TestPanicsInOnSilenceCostOneHeartbeatEachAndAreLoggedRarely(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		c.SilenceAfter = tick
		c.OnSilence = func(dst []byte, s *Silence) []byte {
			if s.Count() <= 3 {
				panic("in OnSilence")
			}
			return append(dst, "beat"...)
		}
		var topic *Topic
		r, p, conn := slowRig(t, c, func(s *Server) { topic = s.NewTopic("t", TopicConfig{}) })
		r.mute("panic")
		conn.Subscribe(topic)
		p.want(ws.OpText, "beat")
		if n := r.Stats().Panics; n != 3 {
			t.Errorf("%d panics are counted, want 3", n)
		}
		if n := r.log.count("a handler panicked"); n != 0 || r.muted("panic") != 3 {
			t.Errorf("%d of 3 panics in one second were logged with their stacks, when one had been", n)
		}
	})
}
