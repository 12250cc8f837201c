package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/client"
	"github.com/roostws/roost/server"
	"github.com/roostws/roost/wsproto"
)

// The application of both roles echoes. The text "!close 4000 bye" has it close with that code and reason, and "!ping" has it ping. The
// client's then says "ponged".

func command(payload []byte) (code int, reason string, ok bool) {
	s, ok := strings.CutPrefix(string(payload), "!close ")
	if !ok {
		return 0, "", false
	}
	_, err := fmt.Sscan(s, &code)
	_, reason, _ = strings.Cut(s, " ")
	return code, reason, err == nil
}

// onMessage is the server's.
func onMessage(c *server.Conn, m server.Message) {
	if code, reason, ok := command(m.Payload); ok {
		c.Close(ws.StatusCode(code), reason)
		c.Close(4999, "twice") // this and the rest must not be seen (section 5.5.1)
		c.Ping(nil)
		c.Send(m.Op, m.Payload)
		return
	}
	if string(m.Payload) == "!ping" {
		c.Ping(m.Payload)
		return
	}
	c.Send(m.Op, m.Payload)
}

// onClose tells the row's channel, which is the connection's value.
func onClose(c *server.Conn, how server.Close) {
	if told, ok := c.Value().(chan ending); ok {
		told <- ending{int(how.Code), how.Text}
	}
}

// echoClient is the client's, until the connection has ended. Where Read or Close say that it has, nobody else is to close the socket.
func echoClient(ctx context.Context, c *client.Conn) ending {
	for {
		op, payload, err := c.Read(ctx)
		if err != nil {
			return endingOf(err)
		}
		if code, reason, ok := command(payload); ok {
			c.Close(ws.StatusCode(code), reason)
			return ending{code, reason}
		}
		if string(payload) == "!ping" {
			go func() {
				if c.Ping(ctx) == nil {
					c.Write(ctx, ws.OpText, []byte("ponged"))
				}
			}()
			continue
		}
		if err := c.Write(ctx, op, payload); err != nil {
			c.CloseNow()
			return endingOf(err)
		}
	}
}

// endingOf is the close code that an error of the client's tells of.
func endingOf(err error) ending {
	var closed *client.CloseError
	var violation *wsproto.ProtocolError
	switch {
	case errors.As(err, &closed):
		return ending{int(closed.Code), closed.Reason}
	case errors.As(err, &violation):
		return ending{int(violation.Code), violation.Text}
	}
	return ending{1006, ""}
}
