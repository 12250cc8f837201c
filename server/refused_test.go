package server

import (
	"io"
	"strings"
	"testing"

	"github.com/roostws/roost/wsproto"
)

func TestRefusedConnectionsThatLingerTakeNoPlaceOfMaxConns(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.MaxConns = 1
		r := start(t, c)
		if resp := r.tcp().exchange("GET / HTTP/1.1\r\nHost: h\r\n\r\n"); resp.StatusCode != 426 {
			t.Errorf("a request that is no handshake got %d, want 426", resp.StatusCode)
		}
		p := r.dial()
		for range 3 {
			r.wantTurnedAway()
		}
		p.reset()
		r.await("its end", func(s Stats) bool { return s.Open == 0 && s.Opened == 1 })
		r.dial()
	})
}

// wantTurnedAway opens a connection that the server must refuse before it has said anything. Where TLS should come first, a client
// understands only an alert.
func (r *rig) wantTurnedAway() {
	r.t.Helper()
	p := r.tcp()
	if r.tls == nil {
		if resp := p.exchange("GET "); resp.StatusCode != 503 {
			r.t.Errorf("a connection over the bound got %d, want 503", resp.StatusCode)
		}
		return
	}
	p.SetDeadline(neverLate())
	if _, err := p.Conn.Write([]byte("GET ")); err == nil || !strings.Contains(err.Error(), "internal error") {
		r.t.Errorf("a connection over the bound got %v, want the alert internal error", err)
	}
}

func TestRefusedConnectionsOverTheirBoundAreCutOff(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.Loops, c.MaxConns = 1, 1
		c.Authorize = func(*wsproto.Request) (Accept, error) { return Accept{}, io.ErrUnexpectedEOF }
		r := start(t, c)
		l := r.loops[0]
		refused := func(change int) (n int) {
			done := make(chan struct{})
			l.call(func() { l.refused += change; n = l.refused; close(done) })
			<-done
			return n
		}
		refused(maxRefused - 1)
		last := r.tcp()
		if resp := last.exchange("nonsense\r\n\r\n"); resp.StatusCode != 400 {
			t.Errorf("the last connection within the bound got %d, want 400", resp.StatusCode)
		}
		refused(1) // also when the last one has lingered long enough
		for reason, request := range map[Reason]string{
			ReasonRefusedRequest: "nonsense\r\n\r\n",
			ReasonRefusedByApp:   "GET / HTTP/1.1\r\nHost: h\r\n" + upgradeLines + "\r\n",
		} {
			before := r.Stats().Reasons[reason]
			p := r.tcp()
			p.write([]byte(request))
			p.SetReadDeadline(neverLate())
			if answer, _ := io.ReadAll(p.br); len(answer) != 0 { // a reset or an end
				t.Errorf("a refused connection over the bound got %q", answer)
			}
			r.await("the counter "+reason.String(), func(s Stats) bool { return s.Reasons[reason] > before })
		}
		refused(-1)
		last.Close()
		await(t, "room for another one", func() bool { return refused(0) == maxRefused-1 })
		if resp := r.tcp().exchange("nonsense\r\n\r\n"); resp.StatusCode != 400 {
			t.Errorf("the next connection got %d, want 400", resp.StatusCode)
		}
		refused(1 - maxRefused)
	})
}
