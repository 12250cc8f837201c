package memtls

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// crowd is a crew and the servers' sides that it got.
type crowd struct {
	t     *testing.T
	crew  *Crew
	began atomic.Int32 // handshakes whose goroutine has read a hello
	hold  chan struct{}
	conns []*Conn
}

// newCrowd makes a crew whose handshakes, if hold is not nil, compute until they
// get something from it.
func newCrowd(t *testing.T, config CrewConfig, hold chan struct{}) *crowd {
	return &crowd{t: t, crew: NewCrew(config), hold: hold}
}

// start brings a client's hello to the crew.
func (c *crowd) start() (*Conn, error) {
	c.t.Helper()
	config := serverConfig()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		c.began.Add(1)
		if c.hold != nil {
			<-c.hold
		}
		return nil, nil
	}
	conn := Server(config, func() {})
	mustFeed(c.t, conn, realHello(c.t, clientConfig(tls.VersionTLS13)), "")
	err := c.crew.Start(c.t.Context(), conn)
	c.conns = append(c.conns, conn)
	return conn, err
}

func (c *crowd) mustStart(n int) {
	c.t.Helper()
	for range n {
		if _, err := c.start(); err != nil {
			c.t.Fatalf("Start: %v", err)
		}
	}
	synctest.Wait()
}

// mustBe checks how many handshakes have begun ever, and how many are where.
func (c *crowd) mustBe(began int32, underWay, waiting int) {
	c.t.Helper()
	synctest.Wait()
	u, w := c.crew.Load()
	if got := c.began.Load(); got != began || u != underWay || w != waiting {
		c.t.Fatalf("%d have begun, %d are under way, %d wait; want %d, %d, %d", got, u, w, began, underWay, waiting)
	}
}

// close ends all handshakes, which must leave nothing under way.
func (c *crowd) close() {
	c.t.Helper()
	for _, conn := range c.conns {
		conn.Close()
	}
	synctest.Wait()
	if u, w := c.crew.Load(); u != 0 || w != 0 {
		c.t.Errorf("%d are under way, %d wait at the end", u, w)
	}
}

func TestAHandshakeOfACrew(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				crew := NewCrew(CrewConfig{MaxComputing: 1, MaxUnderWay: 1})
				p := &pair{client: newClient(t, clientConfig(version), func() {}), server: Server(serverConfig(), func() {}), cut: bytewise}
				p.client.Start(t.Context())
				if err := crew.Start(t.Context(), p.server); err != nil {
					t.Fatal(err)
				}
				p.shake()
				p.mustBeOpen(t)
				mustTalk(t, p)
				if u, w := crew.Load(); u != 0 || w != 0 {
					t.Errorf("%d are under way, %d wait", u, w)
				}
				time.Sleep(time.Hour) // the deadline of the handshake has no effect any more
				mustTalk(t, p)
			})
		})
	}
}

// TestHalfOpenHandshakesAreBounded: their peers never answer.
func TestHalfOpenHandshakesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, CrewConfig{MaxUnderWay: 3, MaxWaiting: 2, Timeout: time.Minute}, nil)
		c.mustStart(3)
		c.mustBe(3, 3, 0)
		time.Sleep(time.Second)
		c.mustStart(2)
		c.mustBe(3, 3, 2)
		if _, err := c.start(); err != ErrBusy {
			t.Fatalf("the sixth: %v", err)
		}
		c.mustBe(3, 3, 2)

		c.conns[0].Close() // makes room for one
		c.mustBe(4, 3, 1)
		c.mustStart(1)
		c.mustBe(4, 3, 2)

		c.conns[4].Close() // which waits
		c.mustBe(4, 3, 1)
		if done, err := c.conns[4].Handshaken(); !done || err != net.ErrClosed {
			t.Errorf("Handshaken: %v, %v", done, err)
		}

		time.Sleep(59 * time.Second) // the deadline of the first three
		c.mustBe(5, 2, 0)
		if done, err := c.conns[1].Handshaken(); !done || !errors.Is(err, ErrSlow) {
			t.Errorf("Handshaken: %v, %v", done, err)
		}
		c.close()
	})
}

// TestADeadlineWhileWaiting: the time of a handshake runs from Start.
func TestADeadlineWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, CrewConfig{PerSecond: 0.1, Timeout: 2 * time.Second}, nil)
		var told atomic.Int32
		c.mustStart(1)
		late := Server(serverConfig(), func() { told.Add(1) })
		if err := c.crew.Start(t.Context(), late); err != nil {
			t.Fatal(err)
		}
		c.mustBe(1, 1, 1)
		time.Sleep(2*time.Second - 1)
		synctest.Wait()
		if done, err := late.Handshaken(); done || err != nil || told.Load() != 0 {
			t.Errorf("Handshaken before the deadline: %v, %v, told %d times", done, err, told.Load())
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if done, err := late.Handshaken(); !done || !errors.Is(err, ErrSlow) || told.Load() != 1 {
			t.Errorf("Handshaken at the deadline: %v, %v, told %d times", done, err, told.Load())
		}
		if _, err := late.Feed(nil, []byte("late")); !errors.Is(err, ErrSlow) {
			t.Errorf("Feed: %v", err)
		}
		c.mustBe(1, 0, 0)
		time.Sleep(time.Minute) // the start that was meant for it is kept for the next one
		c.mustStart(1)
		c.mustBe(2, 1, 0)
		c.close()
	})
}

// TestTheServersContextEndsHandshakes, under way and waiting ones.
func TestTheServersContextEndsHandshakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crew := NewCrew(CrewConfig{MaxUnderWay: 1})
		shutdown := errors.New("the server shuts down")
		ctx, cancel := context.WithCancelCause(t.Context())
		conns := []*Conn{Server(serverConfig(), func() {}), Server(serverConfig(), func() {})}
		for _, c := range conns {
			if err := crew.Start(ctx, c); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		cancel(shutdown)
		synctest.Wait()
		for i, c := range conns {
			if done, err := c.Handshaken(); !done || err != shutdown {
				t.Errorf("%d: Handshaken: %v, %v", i, done, err)
			}
		}
		var told atomic.Int32
		late := Server(serverConfig(), func() { told.Add(1) })
		if err := crew.Start(ctx, late); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if done, err := late.Handshaken(); !done || err != shutdown || told.Load() != 1 {
			t.Errorf("started later: Handshaken: %v, %v, told %d times", done, err, told.Load())
		}
		if u, w := crew.Load(); u != 0 || w != 0 {
			t.Errorf("%d are under way, %d wait", u, w)
		}
	})
}

// TestComputingIsBounded: and who waits for its peer does not count.
func TestComputingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		c := newCrowd(t, CrewConfig{MaxComputing: 2}, hold)
		c.mustStart(5)
		c.mustBe(2, 5, 0) // the callback is called with the right to compute
		hold <- struct{}{}
		c.mustBe(3, 5, 0) // one waits for its peer now
		for range 4 {
			hold <- struct{}{}
		}
		c.mustBe(5, 5, 0)
		if n := len(c.crew.slots); n != 0 {
			t.Errorf("%d compute, though all wait for their peers", n)
		}
		c.close()
	})
}

// TestWhoWaitsToComputeCanBeEnded also when his peer has answered.
func TestWhoWaitsToComputeCanBeEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		c := newCrowd(t, CrewConfig{MaxComputing: 1, Timeout: time.Minute}, hold)
		c.mustStart(1)
		hold <- struct{}{} // it waits for its peer now
		synctest.Wait()
		c.mustStart(2) // one computes, the other would like to
		mustFeed(t, c.conns[0], []byte("its peer has answered"), "")
		c.mustBe(2, 3, 0)
		for _, conn := range []*Conn{c.conns[0], c.conns[2]} {
			conn.Close()
			synctest.Wait()
			if done, err := conn.Handshaken(); !done || err != net.ErrClosed {
				t.Errorf("Handshaken: %v, %v", done, err)
			}
		}
		c.mustBe(2, 1, 0)
		if n := len(c.crew.slots); n != 1 {
			t.Errorf("%d compute, want the one that is held", n)
		}
		close(hold)
		c.close()
	})
}

func TestStartsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, CrewConfig{PerSecond: 20, MaxWaiting: 5}, nil)
		c.mustStart(7)
		c.mustBe(2, 2, 5) // a tenth of a second's at once
		if _, err := c.start(); err != ErrBusy {
			t.Fatalf("one more than may wait: %v", err)
		}
		for i := range 5 {
			time.Sleep(50*time.Millisecond - 1)
			c.mustBe(int32(2+i), 2+i, 5-i)
			time.Sleep(time.Nanosecond)
			c.mustBe(int32(3+i), 3+i, 4-i)
		}
		time.Sleep(time.Second)
		c.mustStart(3) // two were saved up, no more
		c.mustBe(9, 9, 1)
		c.close()
	})
}

// TestTheFirstToComeIsTheFirstToStart.
func TestTheFirstToComeIsTheFirstToStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crew := NewCrew(CrewConfig{PerSecond: 10})
		var order []int
		for i := range 5 {
			config := serverConfig()
			config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
				order = append(order, i)
				return nil, errors.New("enough")
			}
			conn := Server(config, func() {})
			mustFeed(t, conn, realHello(t, clientConfig(tls.VersionTLS13)), "")
			if err := crew.Start(t.Context(), conn); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for i := range 5 {
			if len(order) != 5 || order[i] != i {
				t.Fatalf("they started in the order %v", order)
			}
		}
	})
}

func TestNobodyMayWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, CrewConfig{MaxUnderWay: 1, MaxWaiting: -1}, nil)
		c.mustStart(1)
		if _, err := c.start(); err != ErrBusy {
			t.Fatalf("the second: %v", err)
		}
		c.mustBe(1, 1, 0)
		c.close()
	})
}

func TestTheZeroCrewConfig(t *testing.T) {
	got := NewCrew(CrewConfig{})
	want := CrewConfig{
		MaxUnderWay: 1024, MaxWaiting: 4096, MaxComputing: max(1, runtime.GOMAXPROCS(0)/2), Timeout: 10 * time.Second,
	}
	if got.config != want || cap(got.slots) != want.MaxComputing || got.limiter != nil {
		t.Errorf("%+v with %d slots, want %+v", got.config, cap(got.slots), want)
	}
}
