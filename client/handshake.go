package client

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/roostws/roost/wsproto"
)

const (
	// firstHead is the room in bytes for a server's answer before it is seen to be larger.
	firstHead = 1 << 10
	// bodyPatience is how long the body of a refusal is waited for: it only helps who reads the error.
	bodyPatience = time.Second
)

// handshake asks the server for a WebSocket (RFC 6455, section 4.1). What follows its answer, rest, are frames.
func (d *dialer) handshake(conn net.Conn) (response wsproto.Response, rest []byte, err error) {
	if _, err := conn.Write(d.request); err != nil {
		return response, nil, err
	}
	head, rest, err := readHead(conn)
	if err != nil {
		return response, nil, err
	}
	response, err = d.offer.ParseResponse(head, d.key)
	var refused *wsproto.ResponseError
	if errors.As(err, &refused) {
		return response, nil, &HandshakeError{
			Status: refused.Response.Status,
			Header: header(refused.Response),
			Body:   refusalBody(conn, head, rest),
			Reason: refused.Reason,
		}
	}
	return response, rest, err
}

// readHead reads a response up to the empty line. Interim responses in front of it are passed over (RFC 9110, section 15.2); all
// together have no more than wsproto.MaxHead bytes.
func readHead(conn net.Conn) (head, rest []byte, err error) {
	const begin = "HTTP/1.1 "
	buf, start, seen := make([]byte, 0, firstHead), 0, 0
	for {
		// What is no answer would be waited for in vain: an SSH server's banner, say.
		if n := min(len(buf)-start, len(begin)); string(buf[start:start+n]) != begin[:n] && !bytes.HasPrefix(buf[start:], []byte("HTTP/1.0 ")[:n]) {
			return nil, nil, noResponse(buf[start:])
		}
		if end := wsproto.HeadEnd(buf[start:], seen); end > 0 {
			head, rest = buf[start:start+end], buf[start+end:]
			if !interim(head) {
				return head, rest, nil
			}
			start, seen = start+end, 0
			continue
		}
		seen = len(buf) - start
		if len(buf) >= wsproto.MaxHead {
			return nil, nil, fmt.Errorf("%w: the head has more than %d bytes", wsproto.ErrMalformedResponse, wsproto.MaxHead)
		}
		if len(buf) == cap(buf) {
			buf = append(make([]byte, 0, min(4*cap(buf), wsproto.MaxHead)), buf...)
		}
		n, err := conn.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err != nil && n == 0 {
			return nil, nil, cutHead(len(buf), err)
		}
	}
}

// interim reports whether a head is one of 100 to 199, but not 101.
func interim(head []byte) bool {
	const status = len("HTTP/1.1 ")
	return len(head) > status+3 && head[status] == '1' && string(head[status:status+3]) != "101"
}

func noResponse(b []byte) error {
	if b[0] == 0x15 { // a TLS record of type alert (RFC 8446, section 5.1)
		return fmt.Errorf("%w: this port speaks TLS: use wss://", wsproto.ErrMalformedResponse)
	}
	return fmt.Errorf("%w: it begins with %.40q", wsproto.ErrMalformedResponse, b)
}

func cutHead(n int, err error) error {
	if !errors.Is(err, io.EOF) {
		return err
	}
	if n == 0 {
		return fmt.Errorf("the server ended the connection without an answer: %w", io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("the server ended the connection after %d bytes of an answer: %w", n, io.ErrUnexpectedEOF)
}

// refusalBody reads the beginning of the body behind head, which net/http finds the length or the chunks of.
func refusalBody(conn net.Conn, head, rest []byte) []byte {
	all := io.MultiReader(bytes.NewReader(head), bytes.NewReader(rest), conn)
	response, err := http.ReadResponse(bufio.NewReader(all), nil)
	if err != nil {
		return nil // the head was fit to be shown; how long the body is cannot be told
	}
	return beginning(conn, response.Body)
}

// beginning reads the first bytes of a body that comes on conn, as much as there is when something goes wrong.
func beginning(conn net.Conn, body io.Reader) []byte {
	conn.SetReadDeadline(time.Now().Add(bodyPatience))
	b, _ := io.ReadAll(io.LimitReader(body, maxBody))
	return b
}

func header(r wsproto.Response) http.Header {
	h := make(http.Header, len(r.Header))
	for _, f := range r.Header {
		h.Add(f.Name, f.Value)
	}
	return h
}
