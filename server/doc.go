// Package server accepts, upgrades and serves WebSocket connections (RFC 6455) on event loops. A connection that says nothing
// costs a descriptor, a table entry and one small struct: no goroutine, no buffer, no net.Conn.
//
// # Handlers
//
// A [Handler] has three functions, all optional. Those of one connection run in order and one at a time. They run on a bounded
// goroutine pool, where they may block: a connection whose handler is behind is not read until it has caught up, and TCP holds
// its peer back. With Config.Inline they run on the event loop itself, which is the fastest way for handlers that never block.
//
// # Sending
//
// All methods of [Conn] may be called from any goroutine. Sends never block: they append to a queue that is bounded in bytes, and
// the loop writes it, all that came in one turn with one system call. What happens to a peer that reads too slowly is a setting
// (Config.Slow), and every send tells what became of it ([Result]).
//
// # Topics
//
// A [Topic] sends what is published to all its subscribers. The frame is built once and shared. A topic can retain its current
// value for new subscribers, and can conflate: a subscriber that lags then gets the newest value and is spared the ones between.
//
// # Limits
//
// Everything a peer can make the server hold is bounded by a field of [Config]. What ends at a bound ends with a close code or an
// HTTP status, a counter in [Stats], and a [Reason] that is the same word in all of them.
package server
