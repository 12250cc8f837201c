package bench

import "time"

// closeWait is how long the end of a connection may take once Close was sent.
const closeWait = 2 * time.Second

// farewells is how many connections of a loop say goodbye at a time at the end. Close,
// its answer and two FINs wait in the kernel for whoever reads them, about 3 kB for each
// connection: a million at once took the last 2.4 GB of a machine.
const farewells = 512

// farewell is the end of all connections of a loop.
type farewell struct {
	begun    bool
	answered int64 // when the last one was
	useless  bool  // the server answers no more
}

// turn says goodbye to the next ones. They are closed without a word when the server does
// not answer: else they would take closeWait for each handful.
func (f *farewell) turn(l *loop) int64 {
	for f.begun && len(l.open) > 0 && (f.useless || l.alive-len(l.open) < farewells) {
		c := l.conns.at(l.open[len(l.open)-1])
		if f.useless {
			l.rec.Left++
			l.forget(c)
		} else {
			l.leave(c)
		}
		if l.now = l.clock.now(); l.now-l.woke > int64(slice) {
			return l.now // the sockets need a look
		}
	}
	return never
}

// overdue takes note of an answer that did not come in time.
func (f *farewell) overdue(now int64) {
	f.useless = f.useless || f.begun && now-f.answered >= int64(closeWait/2)
}
