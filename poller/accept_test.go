//go:build linux || darwin || freebsd || dragonfly

package poller

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// listen gives a running engine a listener.
func (r *rig) listen() (Token, netip.AddrPort) {
	r.Helper()
	fds, addr, err := Listen("127.0.0.1:0", 1)
	must(r, err)
	var l Token
	r.do(func() {
		l, err = r.engine.Listen(fds[0])
		must(r, err)
	})
	return l, addr
}

// dial connects, and closes the connection at the end of the test.
func (r *rig) dial(addr netip.AddrPort) net.Conn {
	r.Helper()
	c, err := net.Dial("tcp", addr.String())
	must(r, err)
	r.peers = append(r.peers, c)
	return c
}

// More connections than one event may bring, all waiting at once.
func TestAcceptOfMany(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		const n = acceptBatch + 100
		peers := map[netip.AddrPort]bool{}
		tokens := map[Token]bool{}
		all := make(chan struct{})
		r.script.accepted = func(_, tok Token, peer netip.AddrPort, err error) {
			must(t, err)
			peers[peer], tokens[tok] = true, true
			if len(tokens) == n {
				close(all)
			}
		}
		r.start()
		_, addr := r.listen()
		r.do(func() {
			for range n {
				r.dial(addr)
			}
		})
		wait(t, all)
		r.do(func() {
			if len(peers) != n {
				t.Errorf("%d addresses of %d peers", len(peers), n)
			}
			for _, c := range r.peers {
				if !peers[c.(net.Conn).LocalAddr().(*net.TCPAddr).AddrPort()] {
					t.Errorf("%v was not reported", c.(net.Conn).LocalAddr())
				}
			}
		})
	})
}

// What is accepted carries data at once, and the callback may do anything with it.
func TestAcceptedMayCloseAndPause(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		var l Token
		accepted := make(chan Token, 10)
		r.script.accepted = func(_, tok Token, _ netip.AddrPort, err error) {
			must(t, err)
			must(t, r.engine.Pause(l))
			must(t, r.engine.Close(tok))
			accepted <- tok
		}
		r.start()
		l, addr := r.listen()
		r.do(func() {
			for range 2 {
				r.dial(addr)
			}
		})
		wait(t, accepted)
		r.rests()
		if len(accepted) != 0 {
			t.Fatal("accepted while paused")
		}
		r.do(func() { must(t, r.engine.Resume(l)) })
		wait(t, accepted)
		r.script.accepted = func(_, tok Token, _ netip.AddrPort, err error) {
			must(t, r.engine.Close(l))
			accepted <- tok
		}
		r.do(func() {
			must(t, r.engine.Resume(l))
			r.dial(addr)
		})
		wait(t, accepted)
		r.rests()
	})
}

// Out of descriptors: the engine says so once and rests; Resume recovers.
func TestAcceptWithoutDescriptors(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		type result struct {
			l, tok Token
			err    error
		}
		results := make(chan result, 10)
		r.script.accepted = func(l, tok Token, _ netip.AddrPort, err error) { results <- result{l, tok, err} }
		got := r.gathers(1)
		r.start()
		l, addr := r.listen()
		c := r.exhaust(addr)
		if res := wait(t, results); res.l != l || res.tok != 0 || !errors.Is(res.err, unix.EMFILE) {
			t.Errorf("accepted: %+v", res)
		}
		r.rests()
		r.do(func() { must(t, r.engine.Resume(l)) }) // in vain
		if res := wait(t, results); !errors.Is(res.err, unix.EMFILE) {
			t.Errorf("accepted: %+v", res)
		}
		if len(results) != 0 {
			t.Errorf("more: %+v", <-results)
		}
		r.relieve()
		r.do(func() { must(t, r.engine.Resume(l)) })
		if res := wait(t, results); res.tok == 0 || res.err != nil {
			t.Errorf("accepted: %+v", res)
		}
		if _, err := unix.Write(c, []byte{1}); err != nil {
			t.Fatal(err)
		}
		wait(t, got)
	})
}

// exhaust makes a connection while the process has no descriptor left for its other
// end. relieve ends the shortage.
func (r *rig) exhaust(addr netip.AddrPort) (c int) {
	c, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	must(r, err)
	unix.CloseOnExec(c)
	r.peers = append(r.peers, descriptor(c))
	var was unix.Rlimit
	must(r, unix.Getrlimit(unix.RLIMIT_NOFILE, &was))
	low := was
	low.Cur = 200
	must(r, unix.Setrlimit(unix.RLIMIT_NOFILE, &low))
	r.relieve = func() {
		must(r, unix.Setrlimit(unix.RLIMIT_NOFILE, &was))
		r.relieve = func() {}
	}
	r.Cleanup(func() { r.relieve() })
	for {
		fd, err := duplicate(uintptr(c))
		if errors.Is(err, unix.EMFILE) {
			break
		}
		must(r, err)
		r.Cleanup(func() { unix.Close(fd) })
	}
	must(r, unix.Connect(c, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}))
	return c
}

// descriptor is an io.Closer.
type descriptor int

func (d descriptor) Close() error { return unix.Close(int(d)) }

// A connection that ended before it was accepted is an end like any other.
func TestAcceptAfterThePeerHasLeft(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		ends := r.ends()
		r.script.accepted = func(_, _ Token, _ netip.AddrPort, err error) { must(t, err) }
		r.start()
		_, addr := r.listen()
		r.do(func() {
			reset(t, r.dial(addr).(*net.TCPConn))
			r.dial(addr).Close()
		})
		var reasons []error
		for range 2 {
			reasons = append(reasons, wait(t, ends))
		}
		if !errors.Is(errors.Join(reasons...), unix.ECONNRESET) || !errors.Is(errors.Join(reasons...), io.EOF) {
			t.Errorf("closed: %v", reasons)
		}
	})
}

func TestListen(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:0": "127.0.0.1",
		"localhost:0": "127.0.0.1",
		"[::1]:0":     "::1",
		":0":          "::",
	} {
		fds, addr, err := Listen(address, 3)
		if errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EAFNOSUPPORT) {
			t.Logf("%s: %v", address, err)
			continue
		}
		must(t, err)
		if addr.Addr().String() != want && (want != "::" || addr.Addr().String() != "0.0.0.0") || addr.Port() == 0 || len(fds) != 3 {
			t.Errorf("%s: %d sockets on %v", address, len(fds), addr)
		}
		for _, fd := range fds {
			sa, err := unix.Getsockname(fd)
			must(t, err)
			if port := addrPortOf(sa); port != addr.Port() {
				t.Errorf("%s: a socket on port %d, want %d", address, port, addr.Port())
			}
			nodelay, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY)
			must(t, err)
			flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
			must(t, err)
			fdFlags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
			must(t, err)
			if nodelay == 0 || flags&unix.O_NONBLOCK == 0 || fdFlags&unix.FD_CLOEXEC == 0 {
				t.Errorf("%s: nodelay %d, flags %#x, descriptor flags %#x", address, nodelay, flags, fdFlags)
			}
			must(t, unix.Close(fd))
		}
	}
}

// A listener that package net made serves through an engine, and outlives the original.
func TestDuplicate(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		fds, err := Duplicate(l.(*net.TCPListener), 2)
		must(t, err)
		must(t, l.Close())
		accepted := make(chan struct{}, 2)
		r.script.accepted = func(_, _ Token, _ netip.AddrPort, err error) {
			must(t, err)
			accepted <- struct{}{}
		}
		for _, fd := range fds {
			_, err := r.engine.Listen(fd)
			must(t, err)
		}
		r.start()
		addr := l.Addr().(*net.TCPAddr).AddrPort()
		for range 2 {
			r.dial(addr)
			wait(t, accepted)
		}
		if fds, err := Duplicate(l.(*net.TCPListener), 1); err == nil || fds != nil {
			t.Errorf("a closed listener is duplicated: %v", fds)
		}
	})
}

// A duplicated socket has TCP_NODELAY where it is TCP's, and serves without where it is not.
func TestDuplicateSetsNoDelay(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		address := "127.0.0.1:0"
		if network == "unix" {
			address = filepath.Join(t.TempDir(), "s")
		}
		l, err := net.Listen(network, address)
		must(t, err)
		fds, err := Duplicate(l.(syscall.Conn), 2)
		must(t, err)
		must(t, l.Close())
		for _, fd := range fds {
			nodelay, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY)
			if network == "tcp" && (err != nil || nodelay == 0) {
				t.Errorf("nodelay is %d: %v", nodelay, err)
			}
			must(t, unix.Close(fd))
		}
	}
}

func addrPortOf(sa unix.Sockaddr) uint16 {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return uint16(a.Port)
	case *unix.SockaddrInet6:
		return uint16(a.Port)
	}
	return 0
}

func TestListenFails(t *testing.T) {
	fds, addr, err := Listen("127.0.0.1:0", 1)
	must(t, err)
	defer unix.Close(fds[0])
	l, err := net.Listen("tcp", "127.0.0.1:0") // without SO_REUSEPORT
	must(t, err)
	defer l.Close()
	for address, n := range map[string]int{l.Addr().String(): 2, addr.String(): 0, "nonsense": 1, "127.0.0.1:99999": 1} {
		if fds, _, err := Listen(address, n); err == nil || fds != nil {
			t.Errorf("Listen(%q, %d): %v, %v", address, n, fds, err)
		}
	}
	if _, _, err := Listen(l.Addr().String(), 1); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("the address is in use: %v", err)
	}
}

// Peers by IPv6 and by a mapped IPv4 address are told apart, the latter as plain IPv4.
func TestPeerAddresses(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		fds, addr, err := Listen(":0", 1)
		must(t, err)
		peers := make(chan netip.AddrPort, 1)
		r.script.accepted = func(_, _ Token, peer netip.AddrPort, err error) {
			must(t, err)
			peers <- peer
		}
		_, err = r.engine.Listen(fds[0])
		must(t, err)
		r.start()
		for _, host := range []string{"127.0.0.1", "::1"} {
			to := netip.AddrPortFrom(netip.MustParseAddr(host), addr.Port())
			c, err := net.Dial("tcp", to.String())
			if err != nil {
				t.Logf("%s: %v", host, err)
				continue
			}
			r.peers = append(r.peers, c)
			if peer := wait(t, peers); peer.String() != c.LocalAddr().String() {
				t.Errorf("peer %v, want %v", peer, c.LocalAddr())
			}
		}
	})
}

func TestRaiseFileLimit(t *testing.T) {
	var was, is unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &was))
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &was)
	low := was
	low.Cur = 200
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &low))
	for range 2 {
		soft, err := RaiseFileLimit()
		must(t, err)
		must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &is))
		if soft != uint64(was.Max) || is.Cur != was.Max {
			t.Errorf("the limit is %d, said to be %d; want %d", is.Cur, soft, was.Max)
		}
	}
}
