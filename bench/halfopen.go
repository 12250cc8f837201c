package bench

import (
	"time"

	"github.com/roostws/roost/bench/report"
)

// halfOpen makes a share of the clients vanish when measuring begins, and watches how
// long the server takes to find out, beside others that go on.
type halfOpen struct {
	work     // of the others
	l        *loop
	vanished bool
	watch    watch
}

func newHalfOpen(l *loop) (work, error) {
	others, err := newTraffic(l, l.config.On)
	if err != nil {
		return nil, err
	}
	return &halfOpen{work: others, l: l}, nil
}

func (h *halfOpen) turn() int64 {
	// In the drain phase if the loop was so late that it missed the one before.
	if phase := h.l.rec.Phase; !h.vanished && (phase == report.Measure || phase == report.Drain) {
		h.vanished = true
		h.vanish()
	}
	h.watch.look(h.l.now, func(after time.Duration) {
		h.l.rec.Noticed++
		h.l.rec.notice.Record(after)
	})
	return min(h.work.turn(), h.watch.next)
}

func (h *halfOpen) vanish() {
	l := h.l
	for i := len(l.open) - 1; i >= 0; i-- {
		c := l.conns.at(l.open[i])
		if c.role != client || !every(c.number, l.config.HalfOpen.Share) {
			continue
		}
		l.rec.Vanished++
		c.role = vanished // so that what it does not get is no fault of the server
		if l.config.HalfOpen.How == Reset {
			l.vanish(c, resetSocket)
		} else {
			l.vanish(c, func(fd int) { h.watch.add(fd, l.now) })
		}
	}
}

func (h *halfOpen) release() {
	h.watch.close()
	h.work.release()
}

// watch looks at sockets that nobody reads, to see when the other side ends them.
type watch struct {
	fds  []watched
	next int64 // when to look again
}

type watched struct {
	fd    int
	since int64
}

// lookEvery is how often the sockets are looked at, a system call for each.
const lookEvery = 100 * time.Millisecond

func (w *watch) add(fd int, now int64) {
	w.fds = append(w.fds, watched{fd, now})
	w.next = now + int64(lookEvery)
}

// look calls noticed for each socket that has been ended, with the time since it was
// added, and closes it.
func (w *watch) look(now int64, noticed func(after time.Duration)) {
	if w.next == 0 {
		w.next = never
	}
	if now < w.next {
		return
	}
	left := w.fds[:0]
	for _, x := range w.fds {
		if ended(x.fd) {
			noticed(time.Duration(now - x.since))
			resetSocket(x.fd)
			continue
		}
		left = append(left, x)
	}
	w.fds = left
	w.next = now + int64(lookEvery)
	if len(left) == 0 {
		w.next = never
	}
}

func (w *watch) close() {
	for _, x := range w.fds {
		resetSocket(x.fd)
	}
	w.fds = nil
}
