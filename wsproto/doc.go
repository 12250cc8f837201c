// Package wsproto turns bytes into WebSocket messages and messages into bytes
// (RFC 6455), for both sides of a connection. It has no sockets, goroutines,
// clocks or logs: what arrives is handed to it, what is to be sent comes back,
// and everything can be tried without a network.
//
// # Messages
//
// A [Codec] holds what all connections have in common, a [Decoder] (one
// pointer, nil at rest) where one connection stands. [Codec.Next] takes the
// bytes of a read and returns messages one by one. A message that one read
// brought whole is unmasked in place and borrowed: that path neither copies
// nor allocates. Every rule of the RFC is checked at the first field, and in
// text at the first read, that shows it broken, and the *[ProtocolError]
// carries the code to close with.
//
// Frames are built in append style: [AppendFrame] and [AppendClose] for a
// server, [AppendMaskedFrame] for a client, [Prepare] for a message to many.
//
// # Handshake
//
// A server gathers bytes until [HeadEnd] finds the end of the head
// ([CheckPrefix] tells earlier what will never be one), and gives them to
// [Request.Parse], which takes well-formed HTTP/1.x and nothing else. When
// [Request.IsUpgrade], it asks [Request.CheckUpgrade] and its own rules
// ([Request.SameOrigin], path, headers) and answers with [AppendAccept] or
// [AppendRefusal]. A client has [AppendRequest] and [ParseResponse].
//
// # Compression
//
// permessage-deflate (RFC 7692) is agreed on in the handshake: a server puts
// what [Request.NegotiateDeflate] returned into [Accept], a client a
// [DeflateConfig] into [ClientRequest]. The outcome, a [Deflate], makes what
// the connection has to remember ([Window]; nothing without context takeover).
// Then a Codec with Deflate set delivers compressed messages, [Codec.Inflate]
// inflates them, [Deflater] makes compressed frames, and [Prepared.Deflated]
// one for all subscribers. Inflaters and encoders belong to no connection: each
// is lent for one message.
//
// # What stands on gobwas
//
// Opcodes, status codes and headers are the types of github.com/gobwas/ws, and
// its vector kernels do the masking of long payloads. Its Upgrader, which
// reads from a stream and takes bare line feeds and repeated headers, is not
// used to answer; tests hold this package against it, and the decoder against
// its reader.
//
// Nothing here may be called from two goroutines at once on the same Decoder,
// Window or Request. Codec, Deflater, Prepared, cloned Requests and the
// package's errors may be shared.
package wsproto
