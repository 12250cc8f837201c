// Package feed serves market data over WebSockets: a Source delivers quotes and trades, the feed keeps the last values, and
// browsers and programs subscribe to what they want to follow. docs/feed-protocol.md describes what goes over the wire.
package feed
