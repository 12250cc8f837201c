package bench

import (
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// connectFrom connects and returns the port that it leaves from.
func connectFrom(t *testing.T, s *sources, to netip.AddrPort) int {
	t.Helper()
	fd, err := s.connect(to, client)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return name.(*unix.SockaddrInet4).Port
}

// TestPortsThatAreTakenAtConnect: two sockets may be bound to one port, and only one of
// them may connect to the same server.
func TestPortsThatAreTakenAtConnect(t *testing.T) {
	d := (&double{}).start(t)
	to := netip.MustParseAddrPort(d.listener.Addr().String())
	of := func() *sources {
		return &sources{addrs: addrs([]string{"127.77.0.1", "127.77.0.2"}), low: 20030, width: 2}
	}
	one, two := of(), of()
	for i, want := range []int{20030, 20031, 20030, 20031} {
		from := one
		if i%2 == 1 {
			from = two // it begins with the port that the other one has
		}
		if port := connectFrom(t, from, to); port != want {
			t.Errorf("connection %d is from %d, want %d", i, port, want)
		}
	}
	for _, s := range []*sources{one, two} {
		if fd, err := s.connect(to, client); kindOf(err) != "no source port left" {
			t.Errorf("a fifth connection: socket %d, %v", fd, err)
		}
	}
}

// TestNobodyConnectsToItself: where nothing listens, a socket that connects to its own
// address and port succeeds.
func TestNobodyConnectsToItself(t *testing.T) {
	l, err := net.Listen("tcp", "127.77.0.3:0")
	if err != nil {
		t.Fatal(err)
	}
	to := netip.MustParseAddrPort(l.Addr().String())
	l.Close()
	s := &sources{addrs: []netip.Addr{to.Addr()}, low: int(to.Port()), width: 1}
	if fd, err := s.connect(to, client); kindOf(err) != "no source port left" {
		t.Errorf("socket %d, %v", fd, err)
	}
	// The port of another address is one like all others.
	d := (&double{}).start(t)
	there := netip.MustParseAddrPort(d.listener.Addr().String())
	s = &sources{addrs: []netip.Addr{to.Addr()}, low: int(there.Port()), width: 1}
	if port := connectFrom(t, s, there); port != int(there.Port()) {
		t.Errorf("it is from %d, want %d", port, there.Port())
	}
}

// TestURLsOfOneAddressShareItsPorts: no port is tried for one that the other has taken.
func TestURLsOfOneAddressShareItsPorts(t *testing.T) {
	t.Parallel()
	d := (&double{}).start(t)
	c := short(d, Idle)
	c.Targets = []string{d.url() + "a", d.url() + "b"}
	c.Conns, c.Loops = 6, 1
	c.Connect.Sources, c.Connect.Ports = []string{"127.77.0.4"}, "20040-20045"
	_, sum := mustRun(t, c, Options{})
	expect(t, "opened", sum.Opened, 6)
	expect(t, "failed", sum.Failed, 0)
}
