package conformance

import (
	"bufio"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"
)

// patience is how long a test waits for what must come. Nothing passes by being late.
const patience = 20 * time.Second

// role is what ours is.
type role string

const (
	ourServer role = "server"
	ourClient role = "client"
)

// target is one way to run ours. open makes a WebSocket connection with it and hands out the other end. offer is what the peer offers
// as a client; as a server it answers it. "": no extension.
type target struct {
	name   string
	role   role
	secure bool // over TLS
	open   func(t *testing.T, offer string, how split, rnd *rand.Rand) *peer
}

// ending is how our application was told that the connection has ended (RFC 6455, section 7.1.5).
type ending struct {
	code   int
	reason string
}

// peer is the other end of a connection with ours: raw bytes, and an eye on what comes back.
type peer struct {
	stream
	t      *testing.T
	conn   net.Conn // TLS, or raw
	out    *splitter
	rnd    *rand.Rand
	role   role // of ours
	agreed params
	z      *compressor // of what the peer sends; nil without compression
	told   <-chan ending
}

// newPeer takes a connection over on which the opening handshake is done.
func newPeer(t *testing.T, conn net.Conn, br *bufio.Reader, ours role, agreed params, how split, rnd *rand.Rand, told <-chan ending) *peer {
	conn.SetDeadline(time.Now().Add(patience))
	p := &peer{t: t, conn: conn, out: &splitter{conn, how, rnd}, rnd: rnd, role: ours, agreed: agreed, told: told}
	p.stream = stream{br: br, masked: ours == ourClient}
	if agreed.on {
		clientBits, serverBits := of15(agreed.clientBits), of15(agreed.serverBits)
		if ours == ourServer {
			p.z = newCompressor(clientBits, !agreed.clientNoTakeover, rnd)
			p.stream.z = &inflater{bits: serverBits, takeover: !agreed.serverNoTakeover}
		} else {
			p.z = newCompressor(serverBits, !agreed.serverNoTakeover, rnd)
			p.stream.z = &inflater{bits: clientBits, takeover: !agreed.clientNoTakeover}
		}
	}
	return p
}

// bytes is what frames are on the wire, from the peer's role.
func (p *peer) bytes(frames ...frame) (b []byte) {
	for _, f := range frames {
		b = f.append(b, p.role == ourServer, p.rnd)
	}
	return b
}

// write sends bytes beside what the caller does, who may find ours gone: so errors are not the writer's to judge.
func (p *peer) write(b []byte) (done chan struct{}) {
	done = make(chan struct{})
	go func() {
		defer close(done)
		p.out.Write(b)
	}()
	return done
}

// halfClose ends the peer's side of the stream.
func (p *peer) halfClose() {
	if c, ok := p.conn.(*tls.Conn); ok {
		c.CloseWrite()
		return
	}
	p.conn.(*net.TCPConn).CloseWrite()
}

// end reads up to the end of the stream, where nothing may come.
func (p *peer) end() error {
	n, err := io.Copy(io.Discard, p.br)
	if n > 0 {
		p.t.Errorf("RFC 6455, 5.5.1: %d bytes behind the Close frame", n)
	}
	return err
}

// appEnding waits for what our application is told.
func (p *peer) appEnding() ending {
	select {
	case e := <-p.told:
		return e
	case <-time.After(patience):
		p.t.Fatal("the application was not told of the end")
		panic("unreachable")
	}
}
