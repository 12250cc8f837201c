package gate_test

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/roostws/roost/gate"
	"github.com/roostws/roost/wsproto"
)

func ExampleLimiter() {
	l, err := gate.NewLimiter(gate.LimiterConfig{Conns: 1, Handshakes: 5})
	if err != nil {
		fmt.Println(err)
		return
	}
	client := netip.MustParseAddr("192.0.2.1")
	v, wait := l.Admit(client, time.Second)
	fmt.Println(v == gate.Counted, wait)
	v, wait = l.Admit(client, time.Second)
	fmt.Println(v.Refusal(wait))
	l.Release(client) // once, for the one that was counted
	// Output:
	// true 0
	// wsproto: refused with 429: too many connections from this address
}

func ExampleForwarding() {
	proxies, err := gate.ParsePrefixes("10.0.0.0/8")
	if err != nil {
		fmt.Println(err)
		return
	}
	f := gate.Forwarding{Header: gate.XForwardedFor, Trusted: proxies}
	var r wsproto.Request
	head := "GET / HTTP/1.1\r\nHost: example.com\r\nX-Forwarded-For: 6.6.6.6, 192.0.2.1, 10.0.0.2\r\n\r\n"
	if err := r.Parse([]byte(head), wsproto.Limits{}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(f.Client(netip.MustParseAddrPort("10.0.0.1:4000"), &r).Addr())
	// Output: 192.0.2.1
}

func ExampleParseOrigins() {
	origins, err := gate.ParseOrigins("https://example.com", "https://*.example.com")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(origins.AllowsOrigin("https://app.example.com"), origins.AllowsOrigin("https://evilexample.com"))
	// Output: true false
}
