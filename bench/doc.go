// Package bench drives any WebSocket server over the wire and tells the truth about
// what it saw.
//
// [Run] opens connections by the thousand on event loops (package poller, the client
// role of package wsproto), gives them the work of a scenario, and returns a
// [report.Report]. In an open loop every message has its time before the run begins,
// and its latency counts from then: a stall of the server shows in full, in all the
// messages that it delayed (Tene, "How NOT to Measure Latency", 2013, on coordinated
// omission).
//
// # How it is built
//
// A worker is one process: loops, and a merger of what they count. A loop owns its
// connections and does everything on one goroutine: it opens them (ramp), feeds them
// bytes, and asks its scenario what to send and when. Each loop cuts what it counted
// into one [report.Interval] a second, and these add up exactly: over the loops of a
// worker, and over workers, which may be other processes and other hosts ([Agent]).
// The coordinator starts them together, and with one process there is no wire between.
//
// The package imports neither server nor feed: what it measures, it knows from the
// wire alone.
package bench
