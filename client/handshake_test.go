package client

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/wsproto"
)

func TestAnAnswerInPieces(t *testing.T) {
	address := listen(t, func(p *peer) {
		r := p.request()
		all := "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" +
			answer(r, "") + frame(ws.OpText, "first") + frame(ws.OpText, "second")
		for i := range len(all) {
			p.write(all[i : i+1])
		}
		p.drain()
	})
	c := dialTo(t, address, Config{})
	wantText(t, c, "first")
	wantText(t, c, "second")
}

func TestFramesBehindTheAnswer(t *testing.T) {
	long := strings.Repeat("x", 70_000)
	address := listen(t, func(p *peer) {
		p.write(answer(p.request(), "") + frame(ws.OpText, "first") + frame(ws.OpText, long))
		p.drain()
	})
	c := dialTo(t, address, Config{})
	wantText(t, c, "first")
	wantText(t, c, long)
}

func TestRefusals(t *testing.T) {
	body := strings.Repeat("b", 1500)
	tests := []struct {
		name     string
		response string
		status   int
		body     string
		says     string
	}{
		{"length", "HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nno way", 403, "no way", `403 Forbidden: it does not open a WebSocket ("no way")`},
		{"to the end", "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\n\r\nlater", 503, "later", "503"},
		{"chunks", "HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 401, "abc", "401"},
		{"no body", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404, "", "404"},
		{"half a body", "HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\nhalf", 400, "half", "400"},
		{"half a chunk", "HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf", 400, "half", "400"},
		{"large body", "HTTP/1.1 500 Oops\r\nContent-Length: 1500\r\n\r\n" + body, 500, body[:1024], "500"},
		{"not told how long", "HTTP/1.1 500 Oops\r\nContent-Length: x\r\n\r\n" + body, 500, "", "500"},
		{"redirect", "HTTP/1.1 302 Found\r\nLocation: wss://elsewhere/\r\nContent-Length: 0\r\n\r\n", 302, "", `redirects are not followed, this one leads to "wss://elsewhere/"`},
		{"old", "HTTP/1.0 426 Upgrade Required\r\n\r\n", 426, "", "426"},
		{"no upgrade", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage", 200, "page", "200"},
		{"wrong key", "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n", 101, "", "does not match the key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			address := listen(t, func(p *peer) {
				p.request()
				p.write(tt.response)
			})
			_, err := Dial(t.Context(), "ws://"+address, Config{})
			var refused *HandshakeError
			if !errors.As(err, &refused) {
				t.Fatalf("error %v (%T)", err, err)
			}
			if refused.Status != tt.status || string(refused.Body) != tt.body || refused.Proxy {
				t.Errorf("status %d, body %q, of the proxy %v", refused.Status, refused.Body, refused.Proxy)
			}
			wantError(t, err, tt.says)
		})
	}
}

func TestAnAnswerThatWasNotAskedFor(t *testing.T) {
	for fields, says := range map[string]string{
		"Sec-WebSocket-Protocol: v9\r\n":                   "subprotocol that was not offered",
		"Sec-WebSocket-Extensions: permessage-deflate\r\n": "extension that was not asked for",
	} {
		address := listen(t, func(p *peer) { p.write(answer(p.request(), fields)) })
		_, err := Dial(t.Context(), "ws://"+address, Config{Subprotocols: []string{"v1"}})
		wantError(t, err, says)
	}
}

func TestTheBodyOfARefusalIsWaitedForOnlyAMoment(t *testing.T) {
	ended := make(chan struct{})
	address := listen(t, func(p *peer) {
		p.request()
		p.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nhalf")
		p.drain()
		close(ended)
	})
	_, err := Dial(t.Context(), "ws://"+address, Config{HandshakeTimeout: -1})
	wantError(t, err, `("half")`)
	receive(t, "the end of the connection", ended)
}

func TestAnswersThatAreNone(t *testing.T) {
	tests := []struct{ name, response, says string }{
		{"nothing", "", "without an answer"},
		{"half", "HTTP/1.1 101 Switching Protocols\r\nUpgr", "after 38 bytes of an answer"},
		{"begins wrongly", "SSH-2.0-OpenSSH_9\r\n", `it begins with "SSH`},
		{"speaks TLS", "\x15\x03\x01\x00\x02\x02\x46", "use wss://"},
		{"bad status", "HTTP/1.1 abc\r\n\r\n", "status line"},
		{"bare LF", "HTTP/1.1 200 OK\nA: b\r\n\r\n", "line feed"},
		{"long line", "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("b", 5000) + "\r\n\r\n", "header line too long"},
		{"many headers", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 65) + "\r\n", "too many headers"},
		{"huge", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 20_000), "more than 65535 bytes"},
		{"endless interim", strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 3000), "more than 65535 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			address := listen(t, func(p *peer) {
				p.request()
				io.WriteString(p, tt.response) // which the client may not wait for
			})
			_, err := Dial(t.Context(), "ws://"+address, Config{})
			wantError(t, err, tt.says)
			if Hopeless(err) {
				t.Error("a server may be mended")
			}
			if tt.response != "" && tt.name != "half" {
				wantError(t, err, wsproto.ErrMalformedResponse)
			} else {
				wantError(t, err, io.ErrUnexpectedEOF)
			}
		})
	}
}

func TestAServerThatIsNotThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, err = Dial(t.Context(), "ws://"+address, Config{})
	wantError(t, err, "connecting", "refused")
}

func TestAResetDuringTheHandshake(t *testing.T) {
	address := listen(t, func(p *peer) {
		p.request()
		p.Conn.(*net.TCPConn).SetLinger(0)
	})
	_, err := Dial(t.Context(), "ws://"+address, Config{})
	wantError(t, err, "handshake", "reset")
}
func TestARequestThatCannotBeWritten(t *testing.T) {
	_, err := Dial(t.Context(), "ws://example.com", Config{DialContext: func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		there.Close()
		return here, nil
	}})
	wantError(t, err, io.ErrClosedPipe, "handshake")
}
