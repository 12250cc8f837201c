// Package client opens WebSocket connections (RFC 6455) to any server, for applications: a [Conn] that goroutines use with contexts,
// and a [Session] that comes back by itself. It is not made for load: package bench is. The bytes are package wsproto's.
//
// # One connection
//
// [Dial] opens a connection to a ws:// or wss:// URL, through a proxy if the environment names one. [Conn.Read] returns messages
// one by one, [Conn.Write] sends one.
//
//	c, err := client.Dial(ctx, "wss://example.com/feed", client.Config{})
//	if err != nil {
//		return err
//	}
//	defer c.Close(ws.StatusNormalClosure, "")
//	for {
//		_, payload, err := c.Read(ctx)
//		...
//	}
//
// One goroutine reads at a time; any number may write, ping and close. There is no goroutine behind a Conn: pings are answered, and
// the heartbeat runs, while a Read is under way. An application that only writes has a goroutine read all the same.
//
// A context that ends during a Read or a Write closes the connection, for a frame cannot be half sent. One that has ended before
// they begin, or while a Write waits for its turn, costs nothing.
//
// # How it ends
//
// All errors of a connection that is gone unwrap to net.ErrClosed and say why it went:
//
//	var closed *client.CloseError        // the server sent a Close frame: its code and reason
//	var broken *wsproto.ProtocolError    // the server broke the protocol and was told so: the code that it was sent
//	errors.Is(err, io.ErrUnexpectedEOF)  // the server ended the stream without a Close frame (1006)
//	errors.Is(err, client.ErrSilent)     // nothing came, not even after a ping
//	errors.Is(err, context.Canceled)     // the context of a Read or Write ended; or context.DeadlineExceeded
//
// A handshake that is refused is a [*HandshakeError] with the status, the header and the beginning of the body.
//
// # A connection that comes back
//
// A [Session] dials when Read is called and there is no connection, calls OnConnect to log in and subscribe, and then returns
// messages; when the connection is lost it waits, longer with each try that fails and a random part of that, and dials again. All of
// this happens inside Read: OnConnect and OnDisconnect are called between the messages before a gap and those after it, no goroutine
// is left behind, and the context of Read bounds it all.
//
// # What is not there
//
// Redirects are not followed, as browsers do not follow them: the request may hold a token, and the address that a server names may
// be another host's or not encrypted. [HandshakeError] has the Location. SOCKS proxies need a DialContext of your own. HTTP/2 (RFC 8441) is
// not offered, and of extensions only permessage-deflate, by Config.Deflate.
package client
