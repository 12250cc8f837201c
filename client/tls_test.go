package client

import (
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// torn sends the second half of what it is given when pinged says so, if it is not nil.
type torn struct {
	net.Conn
	pinged chan struct{}
}

func (c *torn) Write(b []byte) (int, error) {
	if c.pinged == nil {
		return c.Conn.Write(b)
	}
	n, err := c.Conn.Write(b[:len(b)/2])
	if err != nil {
		return n, err
	}
	<-c.pinged
	m, err := c.Conn.Write(b[len(b)/2:])
	return n + m, err
}

// TestTheHeartbeatOverTLS has its deadline pass in the middle of a record, with which crypto/tls must go on afterwards.
func TestTheHeartbeatOverTLS(t *testing.T) {
	certificates := startTLS(t, nil).TLS.Certificates
	address := listen(t, func(raw *peer) {
		line := &torn{Conn: raw.Conn}
		p := newPeer(t, tls.Server(line, &tls.Config{Certificates: certificates}))
		p.accept()
		line.pinged = make(chan struct{})
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			p.send(ws.OpText, "in two parts")
		}()
		p.want(ws.OpPing, "")
		close(line.pinged)
		<-sent
		p.drain()
	})
	c, err := Dial(t.Context(), "wss://"+address, Config{
		TLS:       &tls.Config{InsecureSkipVerify: true},
		PingAfter: 10 * time.Millisecond, PingGrace: patience,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	wantText(t, c, "in two parts")
}
