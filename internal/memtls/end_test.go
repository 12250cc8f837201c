package memtls

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
)

func TestTheStreamEndsInTheHandshake(t *testing.T) {
	for name, answer := range map[string]string{"at once": "", "in a record's header": "\x16\x03", "in a record": "\x16\x03\x03\x00\x10abc"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, clientConfig(tls.VersionTLS13), func() {})
				c.Start(t.Context())
				synctest.Wait()
				if _, err := c.Feed(nil, []byte(answer)); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				c.FeedEOF()
				synctest.Wait()
				if done, err := c.Handshaken(); !done || !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("Handshaken: %v, %v", done, err)
				}
			})
		})
	}
}

// TestCloseEndsTheHandshake relies on synctest, which fails a test whose
// goroutines do not end.
func TestCloseEndsTheHandshake(t *testing.T) {
	tests := map[string]struct {
		end  func(c *Conn, cancel context.CancelFunc)
		want error
	}{
		"by Close":       {func(c *Conn, _ context.CancelFunc) { c.Close() }, net.ErrClosed},
		"by the context": {func(_ *Conn, cancel context.CancelFunc) { cancel() }, context.Canceled},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				calls := 0
				c := newClient(t, clientConfig(tls.VersionTLS13), func() { calls++ })
				c.Start(ctx)
				synctest.Wait() // for an answer that does not come
				if done, err := c.Handshaken(); done || err != nil || calls != 1 {
					t.Fatalf("Handshaken: %v, %v after %d calls", done, err, calls)
				}
				if c.State().Version != 0 {
					t.Error("State tells a version in the handshake")
				}
				tt.end(c, cancel)
				synctest.Wait()
				if done, err := c.Handshaken(); !done || err != tt.want {
					t.Errorf("Handshaken: %v, %v", done, err)
				}
				if calls != 2 {
					t.Errorf("notify was called %d times, want for the hello and for the end", calls)
				}
				if _, err := c.Feed(nil, []byte("late")); err != tt.want {
					t.Errorf("Feed: %v", err)
				}
			})
		})
	}
}

// TestCloseEndsACallback that waits for its context, as one does that asks
// somebody else for a certificate.
func TestCloseEndsACallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := serverConfig()
		called := false
		server.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			called = true
			<-hello.Context().Done()
			return nil, hello.Context().Err()
		}
		p := newPair(t, clientConfig(tls.VersionTLS13), server)
		p.shake()
		p.client.Close()
		p.server.Close()
		synctest.Wait()
		if done, err := p.server.Handshaken(); !called || !done || err != net.ErrClosed {
			t.Errorf("called: %v, Handshaken: %v, %v", called, done, err)
		}
	})
}

// foreign is a context whose children cost a goroutine until they end.
type foreign struct {
	context.Context
	done chan struct{}
}

func (f foreign) Done() <-chan struct{} { return f.done }

// TestTheContextIsLetGoAfterTheHandshake relies on synctest: a child that had
// not ended would be a goroutine that is left.
func TestTheContextIsLetGoAfterTheHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		p := &pair{
			client: newClient(t, clientConfig(tls.VersionTLS13), func() {}), server: Server(serverConfig(), func() {}), cut: whole,
		}
		p.client.Start(ctx)
		p.server.Start(foreign{t.Context(), make(chan struct{})})
		p.shake()
		cancel() // has no effect any more
		synctest.Wait()
		mustTalk(t, p)
	})
}

// TestTheEndIsNotHiddenByWhatIsFed feeds between the end of the context and
// the end of the handshake.
func TestTheEndIsNotHiddenByWhatIsFed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := newClient(t, clientConfig(tls.VersionTLS13), func() {})
		cancel()
		check(c.wire.Close()) // what crypto/tls does then
		if _, err := c.Feed(nil, []byte("late")); err != nil {
			t.Errorf("Feed: %v", err)
		}
		c.Start(ctx)
		synctest.Wait()
		if _, err := c.Handshaken(); err != context.Canceled {
			t.Errorf("Handshaken: %v", err)
		}
	})
}

func TestCloseBeforeStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, clientConfig(tls.VersionTLS13), func() {})
		c.Close()
		c.Start(t.Context())
		synctest.Wait()
		if done, err := c.Handshaken(); !done || err != net.ErrClosed {
			t.Errorf("Handshaken: %v, %v", done, err)
		}
		if b := c.Output(nil); len(b) > 0 {
			t.Errorf("%d bytes to be sent", len(b))
		}
	})
}

func TestWhatMayWaitForTheHandshakeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, clientConfig(tls.VersionTLS13), func() {})
		for _, n := range []int{1, maxFed - 1} { // nothing reads before Start
			if _, err := c.Feed(nil, make([]byte, n)); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if _, err := c.Feed(nil, []byte{0}); err != ErrFlood {
				t.Fatalf("the byte past the bound: %v", err)
			}
		}
		c.Start(t.Context())
		synctest.Wait()
		if done, err := c.Handshaken(); !done || err != ErrFlood {
			t.Errorf("Handshaken: %v, %v", done, err)
		}
	})
}

// TestTheEndComesRightBehindTheHandshake, in one read with its last message.
func TestTheEndComesRightBehindTheHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, clientConfig(tls.VersionTLS13), serverConfig())
		synctest.Wait()
		p.feedServer(p.client.Output(nil), synctest.Wait)
		p.feedClient(p.server.Output(nil), synctest.Wait)
		p.feedServer(p.client.CloseNotify(seal(t, p.client, "last")), synctest.Wait)
		if done, err := p.server.Handshaken(); !done || err != nil {
			t.Fatalf("Handshaken: %v, %v", done, err)
		}
		for _, want := range []string{"last", ""} {
			if plain, err := p.server.Feed(nil, []byte("more")); err != io.EOF || string(plain) != want {
				t.Errorf("Feed: %q, %v, want %q", plain, err, want)
			}
		}
	})
}
