package feed

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// browser is a page in a headless Chromium.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	problems []string // exceptions, and what the policy forbade
}

// openBrowser starts a Chromium for the length of the test, or skips the test where there is none.
func openBrowser(t *testing.T, flags ...chromedp.ExecAllocatorOption) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless-shell"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("no browser: install chromium to have the page tested")
	}
	profile, err := os.MkdirTemp("", "roost-browser")
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.WSURLReadTimeout(2*time.Minute),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), append(options, flags...)...)
	ctx, _ := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("closing the browser: %v", err)
		}
		cancel()
		// A child of the browser may still write for a moment; what it leaves is the system's temporary directory's to forget.
		for range 100 {
			if os.RemoveAll(profile) == nil {
				break
			}
		}
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	b := &browser{t: t, ctx: ctx}
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if m.IsException() || m.Source == "security" || strings.Contains(m.Text, "Content Security Policy") {
				b.mu.Lock()
				b.problems = append(b.problems, m.String())
				b.mu.Unlock()
			}
		}
	}()
	return b
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%v; the page says: %s", err, b.says())
	}
}

// text evaluates an expression that gives a string.
func (b *browser) text(expression string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	s, err := chromedp.Run(ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return s
}

// await waits until an expression is true in the page.
func (b *browser) await(what, expression string, args ...any) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	// Looked at in each frame. Not chromedp.Poll, which would have to eval, and the page's policy forbids that.
	script := fmt.Sprintf(`new Promise((done) => { const look = () => (%s) ? done('') : requestAnimationFrame(look); look(); })`, fmt.Sprintf(expression, args...))
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise)); err != nil {
		b.t.Fatalf("waiting for %s: %v; the page says: %s", what, err, b.says())
	}
}

func (b *browser) says() string {
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	s, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText.slice(0, 1500)`))
	if err != nil {
		return err.Error()
	}
	return s
}

func (b *browser) noProblems() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.problems {
		b.t.Errorf("the console has: %s", p)
	}
}

// Expressions of the page.
const (
	lastPrices = `[...document.querySelectorAll('#rows td.last')].map((cell) => cell.textContent).join(' ')`
	shownNames = `[...document.querySelectorAll('#rows tr:not([hidden]) th')].map((cell) => cell.textContent).join(' ')`
	live       = `document.querySelector('#state').dataset.state === 'live'`
	allPriced  = `document.querySelectorAll('#rows tr').length === %d && !(` + lastPrices + `).includes('–')`
)

func TestPageFollowsTheFeed(t *testing.T) {
	b := openBrowser(t)
	const symbols = 12
	config := func(seed uint64) Config {
		return Config{Source: newSim(t, SimConfig{Count: symbols, Rate: 200, Seed: seed})}
	}
	first, addr, stop := start(t, config(1))
	defer func() { _ = stop() }()

	b.do(chromedp.EmulateViewport(1300, 900), chromedp.Navigate("http://"+addr+"/"))
	b.await("a live connection", live)
	b.await("a price for each symbol", allPriced, symbols)
	before := b.text(lastPrices)
	b.await("prices that change", `(%s) !== '%s'`, lastPrices, before)
	b.await("a rate, and a lag", `Number(document.querySelector('#rate').textContent) > 0 && / ms$/.test(document.querySelector('#lag').textContent)`)
	b.await("trades of the first symbol, selected by itself on a wide screen", `document.querySelectorAll('#d-trades tr').length > 0`)
	b.await("lines", `[...document.querySelectorAll('#rows canvas')].every((c) => c.width > 0 && c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v))`)

	b.do(chromedp.SendKeys(chromedp.ID("filter"), "jpy"))
	if got := b.text(shownNames); got != "USDJPY" {
		t.Errorf("filtered by jpy, it shows %q", got)
	}
	b.do(chromedp.SendKeys(chromedp.ID("filter"), "x"))
	if got := b.text(shownNames); got != "" {
		t.Errorf("filtered by jpyx, it shows %q", got)
	}
	b.text(`document.querySelector('#filter').value = ''`)
	b.do(chromedp.SendKeys(chromedp.ID("filter"), "usd"))
	if got := b.text(shownNames); strings.Contains(got, "US500") || !strings.Contains(got, "EURUSD") {
		t.Errorf("filtered by usd, it shows %q", got)
	}

	b.do(chromedp.Click(chromedp.CSS(`tr[data-symbol="BTCUSD"] input`)))
	b.await("a row that is off", `document.querySelector('tr[data-symbol="BTCUSD"]').classList.contains('off')`)
	awaitSubscribers(b, first, "ticker:BTCUSD", 0)
	b.do(chromedp.Click(chromedp.CSS(`tr[data-symbol="ETHUSD"] button`)))
	b.await("the selected symbol", `document.querySelector('#d-symbol').textContent === 'ETHUSD' && !document.querySelector('#detail').hidden`)
	awaitSubscribers(b, first, "trades:ETHUSD", 1)
	awaitSubscribers(b, first, "trades:EURUSD", 0)

	// The server ends; the page says so, and comes back by itself to the next one, as it was.
	if err := stop(); err != nil {
		t.Error(err)
	}
	b.await("an end that is told", `!(%s) && document.body.classList.contains('stale')`, live)
	c := config(2)
	c.Addr = addr
	second, _, stop := start(t, c)
	defer func() { _ = stop() }()
	b.await("the next connection", live)
	before = b.text(lastPrices)
	b.await("prices that change again", `(%s) !== '%s'`, lastPrices, before)
	awaitSubscribers(b, second, "ticker:EURUSD", 1)
	awaitSubscribers(b, second, "trades:ETHUSD", 1)
	if n := second.board.find("ticker:BTCUSD").topic.Subscribers(); n != 0 {
		t.Error("what was switched off is on again")
	}
	if gaps := b.text(`document.querySelector('#gaps').textContent`); gaps != "0" {
		t.Errorf("%s gaps", gaps)
	}
	b.noProblems()
}

// awaitSubscribers waits for a channel to have so many subscribers, a frame of the page at a time.
func awaitSubscribers(b *browser, f *Feed, channel string, want int) {
	b.t.Helper()
	for end := time.Now().Add(patience); f.board.find(channel).topic.Subscribers() != want; {
		if time.Now().After(end) {
			b.t.Fatalf("%s has %d subscribers, want %d", channel, f.board.find(channel).topic.Subscribers(), want)
		}
		b.await("a frame", "true")
	}
}

func TestPageFitsAPhone(t *testing.T) {
	b := openBrowser(t)
	_, addr := serve(t, Config{Source: newSim(t, SimConfig{Rate: 50})})
	b.do(chromedp.EmulateViewport(360, 740), chromedp.Navigate("http://"+addr+"/"))
	b.await("a price for each symbol", allPriced, simCount)
	if over := b.text(`String(document.documentElement.scrollWidth - document.documentElement.clientWidth)`); over != "0" {
		t.Errorf("the page is %s pixels wider than the screen", over)
	}
	if over := b.text(`[...document.querySelectorAll('#rows input')].filter((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth).length + ''`); over != "0" {
		t.Errorf("%s switches are beyond the edge", over)
	}
	if cut := b.text(`[...document.querySelectorAll('#rows th, #rows td.last, #rows td.bid, #rows td.ask')].filter((c) => c.scrollWidth > c.clientWidth).map((c) => c.textContent).join(' ')`); cut != "" {
		t.Errorf("these are cut off: %s", cut)
	}
	b.do(chromedp.Click(chromedp.CSS(`tr[data-symbol="EURUSD"] button`)))
	b.await("the sheet of the symbol", `!document.querySelector('#detail').hidden && document.querySelector('#d-bid').textContent !== ''`)
	b.do(chromedp.Click(chromedp.ID("d-close")))
	b.await("the sheet gone", `document.querySelector('#detail').hidden`)
	b.noProblems()
}

func TestPageShowsDigitsAsTheyCame(t *testing.T) {
	b := openBrowser(t)
	source := newScript("EURUSD")
	_, addr := serve(t, Config{Source: source})
	b.do(chromedp.EmulateViewport(1300, 900), chromedp.Navigate("http://"+addr+"/"))
	b.await("the symbol", `document.querySelectorAll('#rows tr').length === 1`)
	source.updates <- Update{Symbol: "EURUSD", Kind: Quote, Bid: decimal(t, "1.10000000000000010"), Ask: decimal(t, "1.1000000000000002")}
	b.await("the bid", `document.querySelector('#rows td.bid').textContent === '1.10000000000000010'`)
	b.await("the ask", `document.querySelector('#rows td.ask').textContent === '1.1000000000000002'`)
	b.await("the bid where no trade is", `document.querySelector('#rows td.last').textContent === '1.10000000000000010'`)
	source.updates <- Update{Symbol: "EURUSD", Kind: Trade, Price: decimal(t, "1.50"), Size: decimal(t, "10000000"), Side: Buy}
	b.await("the trade", `document.querySelector('#rows td.last').textContent === '1.50' && document.querySelector('#d-volume').textContent.replace(/\s/g, '') === '10000000'`)
	b.await("the change", `document.querySelector('#rows td.change').textContent.includes('+36.36%%')`)
	b.noProblems()
}
