package server

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/roostws/roost/gate"
	"github.com/roostws/roost/internal/memtls"
	"github.com/roostws/roost/wsproto"
)

func listenTCP(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestRefusedUpgradesAreCounted by the reasons that native listeners have for the same.
func TestRefusedUpgradesAreCounted(t *testing.T) {
	deny := func(*wsproto.Request) (Accept, error) { return Accept{}, errors.New("no") }
	for name, tt := range map[string]struct {
		config Config
		change func(string) string
		reason Reason
	}{
		"no upgrade": {Config{}, func(r string) string { return strings.Replace(r, "Upgrade: websocket\r\n", "", 1) }, ReasonRefusedRequest},
		"a large head": {Config{MaxHead: 300}, func(r string) string {
			return strings.Replace(r, "\r\n\r\n", "\r\nX: "+strings.Repeat("x", 300)+"\r\n\r\n", 1)
		}, ReasonRefusedHead},
		"an origin": {Config{}, func(r string) string {
			return strings.Replace(r, "\r\n\r\n", "\r\nOrigin: https://evil.example\r\n\r\n", 1)
		}, ReasonRefusedOrigin},
		"its Authorize": {Config{Authorize: deny}, nil, ReasonRefusedByApp},
		"SameOrigin, asked by the application": {Config{Authorize: SameOrigin},
			func(r string) string {
				return strings.Replace(r, "\r\n\r\n", "\r\nOrigin: https://evil.example\r\n\r\n", 1)
			}, ReasonRefusedOrigin},
		"no route":      {Config{Routes: []Route{{Pattern: "/only"}}}, nil, ReasonRefusedRequest},
		"its address":   {Config{PerAddress: gate.LimiterConfig{Handshakes: 1.0 / 60, Burst: 1}}, nil, ReasonRefusedAddress},
		"a full server": {Config{MaxConns: 1}, nil, ReasonRefusedFull},
	} {
		t.Run(name, func(t *testing.T) {
			w := serveWeb(t, tt.config, nil)
			if tt.reason == ReasonRefusedAddress || tt.reason == ReasonRefusedFull {
				w.dial()
				<-w.errs
				w.await("the first is there", func(s Stats) bool { return s.Accepted == 1 })
			}
			request := handshakeTo(w.addr)
			if tt.change != nil {
				request = tt.change(request)
			}
			before := w.Stats()
			if resp := w.tcp().exchange(request); resp.StatusCode < 400 {
				t.Fatal(resp.Status)
			}
			if err := receive(t, "Upgrade", w.errs); err == nil {
				t.Error("Upgrade returned no error")
			}
			st := w.Stats()
			for r := range st.Reasons {
				want := before.Reasons[r]
				if Reason(r) == tt.reason {
					want++
				}
				if st.Reasons[r] != want {
					t.Errorf("%v was counted %d times, want %d", Reason(r), st.Reasons[r], want)
				}
			}
			if st.UpgradesRefused != 1 || st.Accepted != before.Accepted {
				t.Errorf("%d refused, %d accepted", st.UpgradesRefused, st.Accepted)
			}
			if bound := reasonTable[tt.reason].bound; bound != w.log.contains("an upgrade was refused at a bound") {
				t.Errorf("logged: %v", !bound)
			}
		})
	}
}

// TestAnUpgradeWhoseConnectionCannotBeTakenIsCounted, and gives its place back.
func TestAnUpgradeWhoseConnectionCannotBeTakenIsCounted(t *testing.T) {
	r := start(t, Config{Routes: []Route{{Pattern: "/", MaxConns: 1}}})
	errs := make(chan error, 1)
	addr := serveMux(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		errs <- r.Upgrade(struct{ http.ResponseWriter }{w}, req) // which hides Hijack
	}))
	front := &rig{Server: r.Server, t: t, addr: addr}
	for range 2 {
		if status, _ := front.status("/"); status != 500 {
			t.Errorf("got %d", status)
		}
		if err := receive(t, "Upgrade", errs); err != errNoHijack {
			t.Error(err)
		}
	}
	if st := r.Stats(); st.Routes[0].Open != 0 || st.UpgradesRefused != 2 || st.Reasons[ReasonRefusedRequest] != 2 {
		t.Errorf("%+v", st)
	}
}

// TestStatsOfAddresses are those of the limiter.
func TestStatsOfAddresses(t *testing.T) {
	r := start(t, Config{PerAddress: gate.LimiterConfig{Conns: 1}})
	r.dial()
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r.await("the second was refused", func(s Stats) bool { return s.Addresses == gate.LimiterStats{Addresses: 1, RefusedConns: 1} })
	if a := start(t, Config{}).Stats().Addresses; a != (gate.LimiterStats{}) {
		t.Errorf("without a limit: %+v", a)
	}
}

// TestStatsOfTLSHandshakes: one that waits for its peer, one that waits for that, and one too many.
func TestStatsOfTLSHandshakes(t *testing.T) {
	r := start(t, Config{TLS: serverTLS()}, func(s *Server) {
		s.crew = memtls.NewCrew(memtls.CrewConfig{MaxUnderWay: 1, MaxWaiting: 1})
	})
	proceed, shaken := make(chan struct{}), make(chan error, 2)
	shake := func() {
		conf := r.tls.Clone()
		conf.VerifyConnection = func(tls.ConnectionState) error { <-proceed; return nil }
		conn, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		go func() { shaken <- tls.Client(conn, conf).Handshake() }()
	}
	shake()
	r.await("one is under way", func(s Stats) bool { return s.TLS == TLSStats{UnderWay: 1} })
	shake()
	r.await("one waits", func(s Stats) bool { return s.TLS == TLSStats{UnderWay: 1, Waiting: 1} })
	if conn, err := tls.Dial("tcp", r.addr, r.tls); err == nil {
		conn.Close()
		t.Error("the third was let in")
	}
	r.await("the third was refused", func(s Stats) bool { return s.TLS == TLSStats{1, 1, 1} && s.Reasons[ReasonRefusedFull] == 1 })
	close(proceed)
	for range 2 {
		if err := receive(t, "the handshake", shaken); err != nil {
			t.Error(err)
		}
	}
	r.await("none is under way", func(s Stats) bool { return s.TLS == TLSStats{Refused: 1} })
}
