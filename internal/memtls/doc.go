// Package memtls lets an event loop speak TLS: it drives a [tls.Conn] from memory. The loop owns the socket, feeds in what it read
// from it, and takes out what it is to write to it. All cryptography and every rule of TLS stay crypto/tls's own.
//
// # The life of a connection
//
//	n, err := memtls.Hello(bytes)     // a server's first: is it TLS, and is the ClientHello complete?
//	c := memtls.Server(config, func() { loop.post(conn) })
//	c.Feed(nil, bytes)
//	err = crew.Start(ctx, c)          // a client: c, err := Client(config, notify); c.Start(ctx)
//
//	// posted by notify:
//	done, err := c.Handshaken()       // first, so that a failure's alert is in Output
//	out = c.Output(out)               // to be written to the socket, also after a failure
//	plain, err = c.Feed(plain, nil)   // when done: what came right behind the handshake
//
//	// the socket is readable:
//	plain, err = c.Feed(plain, bytes) // or FeedEOF and Feed(plain, nil) at the stream's end
//	out = c.Output(out)               // what reading caused: answers to key updates, alerts
//
//	// to send:
//	out, err = c.Seal(out, plain)     // or SealFrames
//
//	// the end:
//	out = c.CloseNotify(out)
//	c.Close()
//
// A connection that net/http has accepted comes to a loop by [Adopt] instead: see [Listener].
//
// # Goroutines
//
// The handshake of crypto/tls blocks and cannot be resumed after an error, not even after a temporary one. It runs on a goroutine
// of its own, which Start starts and which ends with the handshake, or soon after Close or the end of Start's context. It calls
// notify each time it wrote something and waits for the answer, and when it is at its end. Callbacks of the [tls.Config] run on it too. A server starts it
// by a [Crew], which bounds how many there are and how many compute; and only when there is a whole ClientHello, so that who
// sends it byte by byte, or nothing, has no goroutine.
//
// After the handshake no goroutine is left. Reading then goes on after a temporary error as if nothing had been, so Feed reads
// until the bytes are used up.
//
// # Locks
//
// All methods belong to one goroutine, the loop's. One lock per connection (handshake.mu) protects what the handshake's goroutine
// shares with it: the bytes that wait in both directions, the end of the stream, and the handshake's result. From the moment a
// method of the loop has seen that the handshake succeeded, nothing is locked any more. notify is called without a lock. Crew.mu
// is never held together with that of a connection.
//
// # Memory
//
// After the handshake Feed reads from the caller's bytes in place and Seal appends to the caller's buffer: a Conn holds no buffer
// of its own, but for what the caller has not yet taken by Output. What the handshake needed is let go. What crypto/tls keeps is
// listed at [Conn].
package memtls
