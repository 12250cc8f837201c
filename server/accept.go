package server

import (
	"github.com/roostws/roost/poller"
)

// acceptor is a loop's listeners, and whether it may accept.
type acceptor struct {
	listeners []poller.Token
	secure    []poller.Token // those of them whose connections begin with TLS
	paused    []poller.Token // out of descriptors or memory
	until     uint32         // the tick at which to try again, 0 if none is paused
}

// acceptRetry is how long a loop that ran out of descriptors waits, in ticks, unless one of its own connections ends before.
const acceptRetry = 2

// acceptFailed notes that the engine could not accept for want of descriptors or memory (EMFILE, ENFILE, ENOBUFS, ENOMEM) and has
// paused the listener: the backlog holds who comes, and a level-triggered poller would spin.
func (l *loop) acceptFailed(listener poller.Token, err error) {
	l.count.AcceptPauses++
	l.accepting.paused = append(l.accepting.paused, listener)
	l.accepting.until = l.now() + acceptRetry
	l.srv.log.warn("accept", "accepting is paused: raise the limit of open files (ulimit -n), or set Config.MaxConns below it", "err", err)
}

// acceptAgain resumes the listeners that are paused.
func (l *loop) acceptAgain() {
	if l.accepting.until == 0 {
		return
	}
	for _, t := range l.accepting.paused {
		l.engine.Resume(t)
	}
	l.accepting.paused, l.accepting.until = l.accepting.paused[:0], 0
}

// stopAccepting closes the loop's listeners.
func (l *loop) stopAccepting() {
	for _, t := range l.accepting.listeners {
		l.engine.Close(t)
	}
	l.accepting = acceptor{}
}
