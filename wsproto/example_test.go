package wsproto_test

import (
	"errors"
	"fmt"

	"github.com/gobwas/ws"
	"github.com/roostws/roost/wsproto"
)

// A server decodes what each read brought, and answers.
func ExampleCodec_Next() {
	codec := wsproto.Codec{MaxMessage: 64 << 10}
	var connection wsproto.Decoder

	mask := [4]byte{1, 2, 3, 4} // a client takes random bytes
	sent := wsproto.AppendMaskedFrame(nil, ws.OpText, []byte("hello"), mask)
	sent = wsproto.AppendMaskedFrame(sent, ws.OpPing, []byte("!"), mask)
	sent = wsproto.AppendMaskedFrame(sent, ws.OpText, []byte("world"), mask)

	var reply []byte
	for _, read := range [][]byte{sent[:25], sent[25:]} { // the third frame is cut
		for len(read) > 0 {
			m, n, err := codec.Next(&connection, read)
			if err != nil {
				fmt.Println("failed:", err)
				return
			}
			read = read[n:]
			switch m.Op {
			case 0: // more is needed
			case ws.OpPing:
				reply = wsproto.AppendFrame(reply, ws.OpPong, m.Payload)
			default:
				fmt.Printf("%s, borrowed: %v\n", m.Payload, m.Buffer == nil)
			}
			if m.Buffer != nil {
				m.Buffer.Release()
			}
		}
	}
	fmt.Printf("reply % x\n", reply)
	// Output:
	// hello, borrowed: true
	// world, borrowed: false
	// reply 8a 01 21
}

// The error of a bad frame has the code to close the connection with.
func ExampleProtocolError() {
	codec := wsproto.Codec{MaxMessage: 1000}
	var connection wsproto.Decoder
	_, _, err := codec.Next(&connection, []byte{0x82, 0xFE, 0x10, 0x00}) // 4096 bytes, it claims

	var failure *wsproto.ProtocolError
	if errors.As(err, &failure) {
		fmt.Println(failure.Code, failure.Text)
		fmt.Printf("%q\n", wsproto.AppendClose(nil, failure.Code, failure.Text))
	}
	// Output:
	// 1009 message too big
	// "\x88\x11\x03\xf1message too big"
}

// One frame is built and sent to every connection.
func ExamplePrepare() {
	p := wsproto.Prepare(ws.OpText, []byte(`{"bid":"1.08"}`))
	for range 2 { // connections
		fmt.Printf("%d bytes: %q\n", p.Len(), p.Frame())
	}
	// Output:
	// 16 bytes: "\x81\x0e{\"bid\":\"1.08\"}"
	// 16 bytes: "\x81\x0e{\"bid\":\"1.08\"}"
}

// A handshake is answered from memory.
func ExampleRequest() {
	received := []byte("GET /feed?symbols=EURUSD HTTP/1.1\r\n" +
		"Host: example.com\r\nOrigin: https://example.com\r\n" +
		"Upgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")

	answer := func() ([]byte, error) {
		end := wsproto.HeadEnd(received, 0)
		if end == 0 {
			return nil, wsproto.CheckPrefix(received) // read on, or refuse now
		}
		var r wsproto.Request
		if err := r.Parse(received[:end], wsproto.Limits{}); err != nil {
			return nil, err
		}
		if err := r.CheckUpgrade(); err != nil {
			return nil, err
		}
		if !r.SameOrigin() || r.Path() != "/feed" {
			return nil, &wsproto.Refusal{Status: 403, Reason: "not for you"}
		}
		return wsproto.AppendAccept(nil, &r, wsproto.Accept{})
	}

	response, err := answer()
	var refusal *wsproto.Refusal
	if errors.As(err, &refusal) {
		response = wsproto.AppendRefusal(nil, refusal)
	}
	fmt.Printf("%.32s\n", response)
	// Output:
	// HTTP/1.1 101 Switching Protocols
}

// A client's side of the handshake.
func ExampleParseResponse() {
	key := [16]byte([]byte("the sample nonce")) // a client takes random bytes
	request, err := wsproto.AppendRequest(nil, wsproto.ClientRequest{Target: "/feed", Host: "example.com"}, key)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.18s\n", request)

	received := []byte("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\n\r\n")
	_, err = wsproto.ParseResponse(received, key, nil)
	var refused *wsproto.ResponseError
	if errors.As(err, &refused) {
		fmt.Println(refused.Response.Status, "retry after", refused.Response.Get("Retry-After"))
	}
	// Output:
	// GET /feed HTTP/1.1
	// 429 retry after 5
}
