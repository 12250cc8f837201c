package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"

	"github.com/gobwas/ws"
)

// CloseError says that the server closed the connection with a Close frame.
type CloseError struct {
	Code   ws.StatusCode // 1005 if the frame had none (RFC 6455, section 7.1.5)
	Reason string        // UTF-8, 123 bytes at most
}

// Error returns the code and the reason.
func (e *CloseError) Error() string {
	text := "the server closed it with " + strconv.Itoa(int(e.Code))
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}

// ErrSilent is why a connection ended whose server sent nothing after a ping, or took nothing of a message.
var ErrSilent = errors.New("the server is silent, also after a ping")

var (
	errTwoReaders   = errors.New("client: two goroutines call Read at once: let one of them read")
	errCloseTimeout = errors.New("the server did not answer the Close frame in time (Config.CloseTimeout)")
	errLocal        = errors.New("it was closed on this side")
	errNow          = errors.New("CloseNow was called")
)

// goneError is what all calls on a connection return that is gone.
type goneError struct{ cause error }

func (e *goneError) Error() string { return "client: the connection is closed: " + e.cause.Error() }

// Unwrap has net.ErrClosed beside the cause, so that one question suffices for who does not care why.
func (e *goneError) Unwrap() []error { return []error{e.cause, net.ErrClosed} }

// maxBody is how much of the body of a refusal is kept, in bytes.
const maxBody = 1 << 10

// HandshakeError is an HTTP response that opens no WebSocket. Redirects are among them: Dial follows none.
type HandshakeError struct {
	Status int         // 200, 301, 403..., or 101 when the answer is wrong otherwise
	Header http.Header // Retry-After, WWW-Authenticate, Location...
	Body   []byte      // the first KiB at most, as much as came in a second
	Proxy  bool        // it is the proxy's answer, not the server's
	Reason string      // what is wrong
}

// Error returns the status, the reason, and the beginning of the body.
func (e *HandshakeError) Error() string {
	who := "the server"
	if e.Proxy {
		who = "the proxy"
	}
	text := fmt.Sprintf("%s answered %d %s: %s", who, e.Status, http.StatusText(e.Status), e.Reason)
	if location := e.Header.Get("Location"); location != "" && e.Status/100 == 3 {
		return fmt.Sprintf("%s (redirects are not followed, this one leads to %.200q)", text, location)
	}
	if len(e.Body) > 0 {
		text += fmt.Sprintf(" (%.200q)", e.Body)
	}
	return text
}

// contextError is the error of a context that has ended, with its cause where that says more.
func contextError(ctx context.Context) error {
	cause := context.Cause(ctx)
	switch {
	case cause == ctx.Err():
		return fmt.Errorf("the context ended: %w", cause)
	case errors.Is(cause, ctx.Err()):
		return cause
	}
	return fmt.Errorf("%w: %w", ctx.Err(), cause)
}
