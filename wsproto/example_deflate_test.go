package wsproto_test

import (
	"fmt"

	"github.com/gobwas/ws"
	"github.com/roostws/roost/wsproto"
)

// agreed is what a server and a client come to, from an offer and a wish.
func agreed(wish wsproto.DeflateConfig) wsproto.Deflate {
	key := [16]byte([]byte("the sample nonce"))
	request := wsproto.ClientRequest{Host: "example.com", Deflate: &wsproto.DeflateConfig{}}
	sent, err := wsproto.AppendRequest(nil, request, key)
	if err != nil {
		panic(err)
	}
	var r wsproto.Request
	if err := r.Parse(sent, wsproto.Limits{}); err != nil {
		panic(err)
	}
	answer, err := wsproto.AppendAccept(nil, &r, wsproto.Accept{Deflate: r.NegotiateDeflate(wish)})
	if err != nil {
		panic(err)
	}
	response, err := request.ParseResponse(answer, key)
	if err != nil {
		panic(err)
	}
	return response.Deflate
}

// A server that remembers nothing of what it gets, and 4 KiB of what it sends.
func ExampleRequest_NegotiateDeflate() {
	d := agreed(wsproto.DeflateConfig{ClientNoContextTakeover: true, ServerMaxWindowBits: 12})
	in, out := d.Windows(wsproto.Server)
	fmt.Println(d.SendBits(wsproto.Server), in != nil, out != nil)
	fmt.Println(d.Memory(wsproto.Server), "bytes at most")
	fmt.Println(d != wsproto.Deflate{}) // was anything agreed on?
	// Output:
	// 12 false true
	// 4096 bytes at most
	// true
}

// A client's offer goes with its request, which also checks the answer.
func ExampleClientRequest_ParseResponse() {
	key := [16]byte([]byte("the sample nonce")) // random bytes
	request := wsproto.ClientRequest{Host: "example.com", Deflate: &wsproto.DeflateConfig{ClientNoContextTakeover: true}}
	if _, err := wsproto.AppendRequest(nil, request, key); err != nil {
		fmt.Println(err)
		return
	}
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" +
		"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n\r\n"
	response, err := request.ParseResponse([]byte(answer), key)
	fmt.Printf("%+v %v\n", response.Deflate, err)
	// Output:
	// {ServerNoContextTakeover:false ClientNoContextTakeover:true ServerMaxWindowBits:10 ClientMaxWindowBits:15} <nil>
}

// The second of two like messages is sent as what differs.
func ExampleDeflater() {
	d := agreed(wsproto.DeflateConfig{})
	_, out := d.Windows(wsproto.Server)
	var deflater wsproto.Deflater
	for _, bid := range []string{"1.0812", "1.0813"} {
		quote := []byte(`{"type":"update","ch":"EURUSD","bid":"` + bid + `"}`)
		frame := deflater.AppendFrame(nil, ws.OpText, quote, d.SendBits(wsproto.Server), out)
		fmt.Println(len(quote) > len(frame))
	}
	// Output:
	// false
	// true
}

// Every message goes through Inflate, which leaves the plain ones alone.
func ExampleCodec_Inflate() {
	d := agreed(wsproto.DeflateConfig{})
	in, _ := d.Windows(wsproto.Client)
	codec := wsproto.Codec{Role: wsproto.Client, Deflate: true}
	var connection wsproto.Decoder

	received := []byte{0xc1, 0x07, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x81, 0x02, 'H', 'i'}
	for len(received) > 0 {
		m, n, err := codec.Next(&connection, received)
		if err == nil {
			m, err = codec.Inflate(m, in)
		}
		if err != nil {
			fmt.Println("failed:", err)
			return
		}
		fmt.Printf("%s, still compressed: %v\n", m.Payload, m.Compressed())
		if m.Buffer != nil {
			m.Buffer.Release()
		}
		received = received[n:]
	}
	// Output:
	// Hello, still compressed: false
	// Hi, still compressed: false
}

// A publication is compressed once for all connections with the same bits.
func ExamplePrepared_Deflated() {
	var deflater wsproto.Deflater
	p := wsproto.Prepare(ws.OpText, []byte(`{"bid":"1.0812","ask":"1.0812","last":"1.0812"}`))
	d := agreed(wsproto.DeflateConfig{})
	for range 2 { // connections
		_, out := d.Windows(wsproto.Server)
		frame := p.Deflated(&deflater, d.SendBits(wsproto.Server))
		out.Forget() // the peer remembers this message, out does not
		fmt.Println(len(frame) < p.Len())
	}
	// Output:
	// true
	// true
}

// Forget makes what follows independent of all that was sent.
func ExampleWindow_Forget() {
	d := agreed(wsproto.DeflateConfig{})
	_, out := d.Windows(wsproto.Server)
	var deflater wsproto.Deflater
	send := func() int {
		return len(deflater.AppendFrame(nil, ws.OpText, []byte("the same message of 32 characters"), 15, out))
	}
	first, second := send(), send()
	out.Forget()
	fmt.Println(second < first, send() == first)
	// Output:
	// true true
}

// A client's frames are masked.
func ExampleDeflater_AppendMaskedFrame() {
	d := agreed(wsproto.DeflateConfig{ClientNoContextTakeover: true})
	_, out := d.Windows(wsproto.Client)
	var deflater wsproto.Deflater
	mask := [4]byte{1, 2, 3, 4} // random bytes
	message := []byte(`["EURUSD","EURUSD","EURUSD","EURUSD"]`)
	sent := deflater.AppendMaskedFrame(nil, ws.OpText, message, mask, d.SendBits(wsproto.Client), out)
	fmt.Println(len(sent) < len(message))
	// Output:
	// true
}
