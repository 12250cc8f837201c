package memtls

import (
	"crypto/tls"
	"net"
)

// HandOver puts TLS onto a socket, for who can wait for it, such as net/http: the opposite of
// Adopt. The Conn has shaken hands, Feed has got all that was read from the socket, and Output was
// sent. What Feed has delivered and the caller did not use belongs in front of what the tls.Conn
// reads. The Conn must not be used any more. It returns nil before the handshake is done.
func (c *Conn) HandOver(socket net.Conn) *tls.Conn {
	if done, err := c.Handshaken(); !done || err != nil {
		return nil
	}
	c.wire.socket = socket
	return c.tls
}
