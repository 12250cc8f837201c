//go:build linux || darwin || freebsd || dragonfly

package poller_test

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"time"

	"github.com/roostws/roost/poller"
)

// upper answers in capitals. A real handler keeps what Write did not take and offers it
// again in Writable.
type upper struct{ engine poller.Engine }

func (u upper) Accepted(_, _ poller.Token, _ netip.AddrPort, err error) {
	if err != nil {
		log.Print(err) // the listener is paused: Resume it in a while
	}
}

func (u upper) Data(t poller.Token, b *poller.Buffer) {
	for i, c := range b.Bytes() {
		if 'a' <= c && c <= 'z' {
			b.Bytes()[i] -= 'a' - 'A'
		}
	}
	u.engine.Write(t, [][]byte{b.Bytes()})
}

func (u upper) Writable(poller.Token, int)        {}
func (u upper) Closed(t poller.Token, _ error)    { u.engine.Close(t) }
func (u upper) Turn() (mostToSleep time.Duration) { return -1 }

func Example() {
	engine, err := poller.Open("auto", poller.Config{})
	if err != nil {
		log.Fatal(err)
	}
	listeners, addr, err := poller.Listen("127.0.0.1:0", 1)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := engine.Listen(listeners[0]); err != nil {
		log.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- engine.Run(upper{engine}) }()

	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprint(c, "hello")
	answer := make([]byte, 5)
	io.ReadFull(c, answer)
	fmt.Println(string(answer))
	c.Close()

	engine.Stop()
	fmt.Println(<-ended)
	// Output:
	// HELLO
	// <nil>
}
