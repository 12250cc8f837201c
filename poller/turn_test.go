//go:build linux || darwin || freebsd || dragonfly

package poller

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Each goroutine waits until what it posted has run: a lost wake-up stops it, as
// nothing else wakes the loop.
func TestWakeFromManyGoroutines(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.start()
		var wg sync.WaitGroup
		count := 0 // plain: Wake orders what is posted before Turn
		for range 8 {
			wg.Go(func() {
				for i := range 1000 {
					done := make(chan struct{})
					r.post(func() { count++; close(done) })
					if i%3 == 0 {
						runtime.Gosched()
					}
					select {
					case <-done:
					case <-time.After(patience):
						t.Error("a wake-up is lost")
						return
					}
				}
			})
		}
		wg.Wait()
		r.do(func() {
			if count != 8000 {
				t.Errorf("%d posts of 8000 ran", count)
			}
			if r.turns > 8000+10 {
				t.Errorf("%d turns for 8000 wake-ups", r.turns)
			}
		})
	})
}

// Wake publishes what its caller did before, without any other synchronization.
func TestWakeOrdersMemory(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		seen := make(chan int, 1)
		value := 0
		r.script.turn = func() time.Duration {
			if value != 0 {
				select {
				case seen <- value:
				default:
				}
			}
			return -1
		}
		value = 1
		r.engine.Wake()
		r.start()
		if got := wait(t, seen); got != 1 {
			t.Errorf("Turn saw %d", got)
		}
	})
}

func TestWakeUpsAreCoalesced(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.start()
		held, release := make(chan struct{}), make(chan struct{})
		var before int
		r.post(func() {
			close(held)
			<-release
			before = r.turns
		})
		wait(t, held)
		for range 1000 {
			r.engine.Wake()
		}
		close(release)
		r.rests()
		r.do(func() {
			// One for the wake-ups; those of rests, and one of do.
			if turns := r.turns - before; turns > 1+12+1 {
				t.Errorf("%d turns for 1000 wake-ups in one turn", turns)
			}
		})
	})
}

func TestWakeBeforeRun(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		done := make(chan struct{})
		r.post(func() { close(done) })
		r.start()
		wait(t, done)
	})
}

func TestWakeFromACallback(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		again := make(chan struct{})
		r.post(func() { r.post(func() { close(again) }) })
		r.start()
		wait(t, again)
		r.script.data = func(Token, *Buffer) { r.engine.Wake() }
		_, c := r.add()
		var before int
		r.do(func() { before = r.turns })
		c.Write([]byte{1})
		r.eventually(func() bool { return r.turns > before })
	})
}

func TestTurnIsCalledAtOnce(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		called := make(chan struct{}, 1)
		r.script.turn = func() time.Duration { called <- struct{}{}; return -1 }
		r.start()
		wait(t, called)
	})
}

// The end of a turn is what flushes: it follows the events without being asked for.
func TestTurnFollowsEvents(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		flushed := make(chan string, 10)
		var events []string
		r.script.turn = func() time.Duration {
			for _, e := range events {
				flushed <- e
			}
			events = nil
			return r.turn()
		}
		r.script.data = func(tok Token, _ *Buffer) { events = append(events, "data") }
		r.script.closed = func(tok Token, _ error) { events = append(events, "closed") }
		r.script.accepted = func(_, tok Token, _ netip.AddrPort, _ error) { events = append(events, "accepted") }
		r.start()
		_, addr := r.listen()
		c := r.dial(addr)
		got := []string{wait(t, flushed)}
		c.Write([]byte{1})
		got = append(got, wait(t, flushed))
		c.Close()
		got = append(got, wait(t, flushed))
		if !slices.Equal(got, []string{"accepted", "data", "closed"}) {
			t.Errorf("flushed %q", got)
		}
	})
}

// Turns come not before their time, and they do come; with no wait at all they come
// one after the other; an earlier demand replaces a later one.
func TestTimeouts(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		done := make(chan struct{})
		waits := []time.Duration{time.Hour, time.Millisecond, 30 * time.Millisecond, 0, 0, 0, time.Nanosecond, time.Hour}
		var asked time.Duration
		var last time.Time
		early, i := 0, 0
		r.script.turn = func() time.Duration {
			if time.Since(last) < asked {
				early++ // allowed: wait is an upper bound
			}
			if i == len(waits) {
				return -1
			}
			asked = waits[i]
			last = time.Now()
			switch i++; i {
			case 1:
				r.engine.Wake() // out of the first hour
			case len(waits):
				close(done)
			}
			return asked
		}
		r.start()
		wait(t, done)
		r.engine.Stop()
		must(t, wait(t, r.ended))
		r.ended <- nil
		if early > 3 {
			t.Errorf("%d turns came early", early)
		}
	})
}

func TestStop(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		calls := func() {
			for range 3 {
				r.engine.Stop()
			}
		}
		for _, when := range []struct {
			name string
			stop func(r *rig)
		}{
			{"before Run", func(r *rig) { r.engine.Stop(); r.engine.Stop(); r.start() }},
			{"while waiting", func(r *rig) { r.start(); r.rests(); r.engine.Stop() }},
			{"from a callback", func(r *rig) { r.start(); r.post(r.engine.Stop) }},
			{"from many goroutines", func(r *rig) {
				r.start()
				for range 4 {
					go r.engine.Stop()
					go r.engine.Wake()
				}
			}},
		} {
			r := newRig(t, r.engine.Name(), Config{})
			_, c := r.add()
			fds, addr, err := Listen("127.0.0.1:0", 1)
			must(t, err)
			if _, err := r.engine.Listen(fds[0]); err != nil {
				t.Fatal(err)
			}
			when.stop(r)
			must(t, wait(t, r.ended))
			r.ended <- nil
			if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: the connection is open: %v", when.name, err)
			}
			if c, err := net.Dial("tcp", addr.String()); err == nil {
				c.Close()
				t.Errorf("%s: the listener is open", when.name)
			}
			if err := r.engine.Run(r.script); err == nil {
				t.Errorf("%s: Run ran twice", when.name)
			}
			fd, peer := pair(t)
			peer.Close()
			if _, err := r.engine.Add(fd); !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: Add: %v", when.name, err)
			}
			if err := unix.Close(fd); err != unix.EBADF {
				t.Errorf("%s: Add left its descriptor open: %v", when.name, err)
			}
		}
		calls()
	})
}

// Stop before Run calls no handler, and nil may stand for one.
func TestStopBeforeRunNeedsNoHandler(t *testing.T) {
	for _, name := range Engines() {
		e, err := Open(name, Config{})
		must(t, err)
		e.Stop()
		must(t, e.Run(nil))
	}
}

// The engine's descriptors are gone after Run, and their numbers somebody else's: a
// late Wake or Stop must not write there.
func TestWakeAfterRun(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.start()
		r.rests()
		r.engine.Stop()
		must(t, wait(t, r.ended))
		r.ended <- nil
		var pipes [][2]int
		for range 10 {

			p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			must(t, err)
			pipes = append(pipes, p)
		}
		for range 3 {
			r.engine.Wake()
			r.engine.Stop()
		}
		defer func() {
			for _, p := range pipes {
				unix.Close(p[0])
				unix.Close(p[1])
			}
		}()
		for _, p := range pipes {
			for _, fd := range p {
				poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
				if n, _ := unix.Poll(poll, 0); n != 0 {
					t.Errorf("descriptor %d was written to", fd)
				}
			}
		}
	})
}

func TestOpenOfUnknownEngines(t *testing.T) {
	if _, err := Open("select", Config{}); err == nil || !slices.ContainsFunc(Engines(), func(n string) bool { return strings.Contains(err.Error(), n) }) {
		t.Errorf("%v does not tell what there is", err)
	}
	for _, c := range []Config{{ReadBuffer: -1}, {Events: -1}, {Events: maxEvents + 1}} {
		if _, err := Open("", c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

// A handler that is never done, by wake-ups or by asking for no sleep, keeps its
// sockets alive.
func TestEndlessTurnsDoNotStarveSockets(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		got := r.gathers(1)
		r.start()
		_, c := r.add()
		for name, endless := range map[string]func() time.Duration{
			"wake-ups": func() time.Duration { r.engine.Wake(); return r.turn() },
			"no sleep": func() time.Duration { r.turn(); return 0 },
		} {
			r.do(func() { r.script.turn = endless })
			for range 10 {
				c.Write([]byte{1})
				if len(wait(t, got)) != 1 {
					t.Errorf("%s: nothing was read", name)
				}
			}
		}
	})
}

// Sockets as busy as can be keep Turn, and so timers and wake-ups, alive.
func TestBusySocketsDoNotStarveTurns(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.script.data = func(tok Token, b *Buffer) { r.engine.Write(tok, [][]byte{b.Bytes()}) }
		ends := r.ends()
		r.start()
		var wg sync.WaitGroup
		defer wg.Wait()
		for range 3 {
			_, c := r.add()
			wg.Go(func() {
				for p := make([]byte, 10); ; {
					if _, err := c.Write(p); err != nil {
						return
					}
					if _, err := c.Read(p); err != nil {
						return
					}
				}
			})
			defer c.Close()
		}
		for range 1000 {
			r.do(func() {})
		}
		if len(ends) > 0 {
			t.Errorf("closed: %v", <-ends)
		}
	})
}
