// Package auth checks who opens a WebSocket by a JSON Web Token (RFC 7519): in the handshake's Authorization header, in a cookie, in
// the query or among the subprotocols, or in the first message. Signatures and claims are checked by golang-jwt; this package finds
// the token, chooses the key, and answers as RFC 6750 wants.
//
// A [Verifier] does no I/O: its [KeySet] is in memory, and who owns it runs [KeySet.Watch] in a goroutine to follow a file or an
// address. A signature takes some 30 to 100 µs to verify: on an event loop (server.Config.Inline) that is time that all its
// connections wait.
//
// Neither errors nor refusals quote a token. A handshake that is kept (server.Config.KeepRequest) keeps its token.
package auth
