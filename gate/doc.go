// Package gate decides who may come in: how many connections and handshakes an address may have ([Limiter]), how much an open
// connection may send ([Rates], [Pace]), what a client's address is behind proxies ([ProxyProtocol], [Forwarding]), and from which
// web origins pages may connect ([Origins]).
//
// It is made for event loops. Nothing here blocks, starts a goroutine or reads a clock: the caller says what time it is. All memory
// is bounded by a setting. Everything but a Pace may be used by any number of goroutines at once.
package gate
