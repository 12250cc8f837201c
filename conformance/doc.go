// Package conformance is RFC 6455 and RFC 7692 as tables, run over real sockets against package server and package client, with and
// without TLS. It has tests only.
//
// A row names a rule, its section, what the peer sends, and what the RFC demands in return. The peer is made of raw bytes and of the
// standard library's compress/flate: nothing of package wsproto is in it. Each row runs with its bytes sent whole, one at a time, and
// cut at random.
//
// Where the RFC says SHOULD, the tables demand it. Where it says MAY, or nothing, the row allows all that is left, and says so. What
// ours does not keep is marked so, with the reason, and the mark is tested too.
//
// A whole run on Linux holds docs/conformance.md, the list of rules and of how often each was shown: go test ./conformance -update
// writes it.
package conformance
