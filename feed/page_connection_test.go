package feed

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"

	"github.com/roostws/roost/internal/certs"
	"github.com/roostws/roost/server"
)

// relay is a network between a browser and a feed, which a test can break.
type relay struct {
	addr, to string

	mu     sync.Mutex
	broken bool
	ends   []net.Conn
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{addr: listener.Addr().String(), to: to}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { r.carry(conn) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		r.set(true)
		running.Wait()
	})
	return r
}

// set breaks the network, with all that goes over it, or mends it.
func (r *relay) set(broken bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = broken
	for _, conn := range r.ends {
		conn.Close()
	}
	r.ends = nil
}

func (r *relay) add(ends ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.broken {
		r.ends = append(r.ends, ends...)
	}
	return !r.broken
}

// carry copies both ways until one of them ends.
func (r *relay) carry(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", r.to)
	if err != nil {
		return
	}
	defer far.Close()
	if !r.add(near, far) {
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(far, near)
		far.Close()
	})
	_, _ = io.Copy(near, far)
	near.Close()
	back.Wait()
}

// More expressions of the page.
const (
	stateText = `document.querySelector('#state').textContent`
	inState   = `document.querySelector('#state').dataset.state === '%s'`
	stale     = `document.body.classList.contains('stale')`
)

func TestPageComesBackWhenTheConnectionIsCut(t *testing.T) {
	b := openBrowser(t)
	f, addr := serve(t, Config{Source: newSim(t, SimConfig{Count: 5, Rate: 100})})
	network := newRelay(t, addr)
	b.do(chromedp.EmulateViewport(1300, 900), chromedp.Navigate("http://"+network.addr+"/"))
	b.await("a live connection", live)
	b.await("a price for each symbol", allPriced, 5)
	awaitSubscribers(b, f, "trades:EURUSD", 1)

	network.set(true)
	b.await("a wait whose seconds are told", inState+` && /reconnecting in \d+ s$/.test(`+stateText+`) && `+stale, "waiting")
	awaitSubscribers(b, f, "ticker:EURUSD", 0)
	before := b.text(lastPrices)

	network.set(false)
	b.await("the next connection", live+` && !`+stale)
	awaitSubscribers(b, f, "ticker:EURUSD", 1)
	awaitSubscribers(b, f, "trades:EURUSD", 1)
	b.await("prices that go on", `(%s) !== '%s'`, lastPrices, before)
	after := b.text(lastPrices)
	b.await("prices that still go on", `(%s) !== '%s'`, lastPrices, after)
	if gaps := b.text(`document.querySelector('#gaps').textContent`); gaps != "0" {
		t.Errorf("%s gaps", gaps)
	}
	b.noProblems()
}

func TestPageWorksOverTLS(t *testing.T) {
	b := openBrowser(t, chromedp.Flag("ignore-certificate-errors", true))
	cert, err := certs.SelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	f, _ := serve(t, Config{
		Source: newSim(t, SimConfig{Count: 5, Rate: 100}),
		Server: server.Config{TLS: certs.Config(certs.Fixed(cert))},
	})
	addr, err := f.ListenTLS("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(1300, 900), chromedp.Navigate("https://"+addr.String()+"/"))
	b.await("a live connection", `location.protocol === 'https:' && `+live)
	b.await("a price for each symbol", allPriced, 5)
	awaitSubscribers(b, f, "ticker:EURUSD", 1)
	before := b.text(lastPrices)
	b.await("prices that change", `(%s) !== '%s'`, lastPrices, before)
	b.noProblems()
}

func TestPageTellsWhyTheServerCloses(t *testing.T) {
	b := openBrowser(t)
	f, err := New(Config{Source: newScript("A")})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := f.pages()
	if err != nil {
		t.Fatal(err)
	}
	var how atomic.Pointer[websocket.CloseError]
	var handshakes atomic.Int64
	closing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != socketPath {
			pages.ServeHTTP(w, r)
			return
		}
		handshakes.Add(1)
		if conn, err := websocket.Accept(w, r, nil); err == nil {
			_ = conn.Close(how.Load().Code, how.Load().Reason)
		}
	}))
	t.Cleanup(closing.Close)

	for _, c := range []struct {
		code          websocket.StatusCode
		reason, state string
		want          string // a regular expression
	}{
		{4401, "authentication expired", "ended", `^ended: authentication expired\. Reload the page to connect again$`},
		{4401, "", "ended", `^ended: the login is not valid any more\. `},
		{4403, "", "ended", `^ended: access is not allowed\. `},
		{1008, "not <b>this</b>", "ended", `^ended: not <b>this<\/b>\. `},
		{1002, "", "ended", `^ended: the server did not understand this page\. `},
		{4429, "too many messages", "waiting", `^too many messages, reconnecting in (29|3[01]) s$`},
		{1013, "reading too slowly", "waiting", `^reading too slowly, reconnecting in [01] s$`},
		{1001, "", "waiting", `^reconnecting in [01] s$`},
	} {
		how.Store(&websocket.CloseError{Code: c.code, Reason: c.reason})
		handshakes.Store(0)
		b.do(chromedp.EmulateViewport(1300, 900), chromedp.Navigate(closing.URL+"/"))
		b.await("what "+c.code.String()+" means", inState+` && /%s/.test(`+stateText+`) && `+stale, c.state, c.want)
		if c.state == "ended" {
			b.text(`dispatchEvent(new Event('online')), ''`) // would end a wait
			b.await("a frame", "true")
			if n := handshakes.Load(); n != 1 {
				t.Errorf("%d: %d handshakes", c.code, n)
			}
		}
	}
	b.do(chromedp.Navigate("about:blank"))
	b.noProblems()
}
