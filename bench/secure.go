package bench

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"

	"github.com/roostws/roost/bench/report"
	"github.com/roostws/roost/internal/memtls"
)

// startTLS begins the TLS handshake of a connection, before that of the WebSocket.
func (l *loop) startTLS(c *conn, to *target) {
	t := c.token
	secure, err := memtls.Client(to.tls, func() {
		l.post(func() {
			if c := l.conns.live(t); c != nil {
				l.shakenTLS(c)
			}
		})
	})
	if err != nil { // a config that allows renegotiation: ours does not
		l.dialer.fail(l, c, report.TLSFailed, err.Error())
		return
	}
	c.tls = secure
	secure.Start(context.Background())
}

// shakenTLS looks at what the TLS handshake has done.
func (l *loop) shakenTLS(c *conn) {
	if c.opening == nil || c.opening.secured {
		return
	}
	t := c.token
	done, err := c.tls.Handshaken()
	l.batch = c.tls.Output(l.batch[:0])
	if len(l.batch) > 0 {
		l.flush(c)
	}
	switch {
	case c.token != t:
	case err != nil:
		kind, text := kindOfTLS(err)
		l.dialer.fail(l, c, kind, text)
	case done:
		c.opening.secured = true
		l.request(c)
		if c.token == t {
			l.decrypt(c, nil) // what came right behind the handshake
		}
	}
}

// decrypt takes ciphertext from the server.
func (l *loop) decrypt(c *conn, p []byte) {
	t := c.token
	plain, err := c.tls.Feed(l.plain[:0], p)
	l.plain = plain[:0]
	if c.opening != nil && !c.opening.secured {
		// The handshake's goroutine has it, and tells how it goes. Only a server that
		// answers before it was asked has plaintext for us already.
		if len(plain) > 0 {
			l.dialer.fail(l, c, report.MalformedResponse, "it came before the request")
		}
		return
	}
	if len(plain) > 0 {
		l.bytes(c, plain)
	}
	if c.token != t {
		return
	}
	if l.batch = c.tls.Output(l.batch[:0]); len(l.batch) > 0 {
		l.flush(c)
	}
	if err != nil && c.token == t {
		// Many servers close TCP without closing TLS first: that is the end all the same.
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			l.ended(c)
			return
		}
		l.broken(c, err)
	}
}

// encrypt turns the batch into ciphertext.
func (l *loop) encrypt(c *conn) bool {
	sealed, err := c.tls.Seal(l.sealed[:0], l.batch)
	l.sealed = l.batch[:0]
	l.batch = sealed
	if err != nil {
		l.broken(c, err)
		return false
	}
	return true
}

// eofTLS ends the stream under TLS.
func (l *loop) eofTLS(c *conn) {
	t := c.token
	c.tls.FeedEOF()
	if c.opening != nil && !c.opening.secured {
		return // the handshake fails by it
	}
	l.decrypt(c, nil)
	if c.token == t {
		l.ended(c)
	}
}

func kindOfTLS(err error) (kind, text string) {
	var verification *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var header tls.RecordHeaderError
	switch {
	case errors.As(err, &unknown), errors.As(err, &name), errors.As(err, &verification):
		return report.BadCertificate, err.Error()
	case errors.As(err, &header):
		return report.NotTLS, err.Error()
	case errors.Is(err, io.ErrUnexpectedEOF):
		return report.TLSFailed, "the server closed the connection during the TLS handshake"
	}
	return report.TLSFailed, err.Error()
}
