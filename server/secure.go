package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"slices"

	"github.com/roostws/roost/internal/memtls"
	"github.com/roostws/roost/poller"
	"github.com/roostws/roost/pool"
	"github.com/roostws/roost/wsproto"
)

// secure is what a connection over TLS has: the standard crypto/tls, driven from memory. Between the engine and what the connection is
// doing stand ciphertext, in, and offer, out; everything else is as without TLS.
type secure struct {
	tls     *memtls.Conn
	fed     int // bytes of the peer's that the handshake got
	answers int // bytes of TLS's own since the kernel has stopped taking
}

// maxAnswers is how many bytes of answers to key updates a peer that reads nothing may have us queue.
const maxAnswers = 64 << 10

// maxSeal is from how many bytes on no further messages are encrypted for one write: what the kernel does not take stays in memory
// twice for a moment.
const maxSeal = 64 << 10

// maxPlain is how large the buffer for what was decrypted stays. A read is no larger, and TLS takes a record more at most.
const maxPlain = 512 << 10

// errTLSPort answers plain HTTP on a port of ListenTLS.
var errTLSPort = &wsproto.Refusal{Status: http.StatusBadRequest, Reason: "tls", Body: "this port speaks TLS: use https or wss\n"}

// hello gathers a ClientHello. Until it is complete no goroutine is spent on the peer, however slowly it comes.
func (l *loop) hello(c *Conn, b []byte) {
	if c.life != nil {
		l.keep(c, b)
		b = c.life.bytes()
	}
	n, err := memtls.Hello(b)
	switch {
	case errors.Is(err, memtls.ErrPlainHTTP):
		l.refuse(c, errTLSPort)
	case err != nil:
		l.unshaken(c, memtls.Alert(err), err)
	case n == 0:
		if c.life == nil {
			l.keep(c, b)
		}
	default:
		l.shake(c, b)
	}
}

// shake begins the TLS handshake with the bytes that have come.
func (l *loop) shake(c *Conn, b []byte) {
	t := c.token
	s := &secure{tls: memtls.Server(l.srv.config.TLS, func() { l.call(func() { l.shaken(t) }) })}
	_, err := s.tls.Feed(nil, b)
	if err == nil {
		err = l.srv.crew.Start(context.Background(), s.tls)
	}
	if err != nil {
		s.tls.Close()
		l.unshaken(c, memtls.Alert(err), err)
		return
	}
	l.dropHead(c)
	c.extras().secure = s
	c.flags |= flagSecure
	c.phase = phaseShaking
}

// dropHead gives back what was gathered.
func (l *loop) dropHead(c *Conn) {
	if c.life != nil {
		c.life.head.Release()
		c.life = nil
	}
}

// shaken goes on with a connection whose TLS handshake has got further, if it is still there.
func (l *loop) shaken(t poller.Token) {
	c := l.conns.live(t)
	if c == nil || c.phase != phaseShaking {
		return
	}
	s := c.extra.secure
	done, err := s.tls.Handshaken()
	if err != nil {
		l.unshaken(c, s.tls.Output(nil), err)
		return
	}
	l.output(c)
	if done && c.State() != Closed {
		l.resumeShaken(c)
		c.phase = phaseHandshake
		l.ciphertext(c, nil) // what came right behind the handshake
	}
}

// resumeShaken goes on reading.
func (l *loop) resumeShaken(c *Conn) {
	if c.flags&flagPaused != 0 {
		c.flags &^= flagPaused
		l.engine.Resume(c.token)
	}
}

// unshaken ends a connection without TLS having been agreed on; alert says why, if the peer can understand it.
func (l *loop) unshaken(c *Conn, alert []byte, err error) {
	reason := ReasonHandshakeTLS
	var panicked *memtls.PanicError
	switch {
	case errors.As(err, &panicked):
		l.srv.panickedAt("TLS", panicked.Value, panicked.Stack)
	case errors.Is(err, memtls.ErrBusy):
		reason = ReasonRefusedFull
	case errors.Is(err, memtls.ErrSlow):
		reason = ReasonHandshakeTimeout
	default:
		l.srv.log.info("tls", "a TLS handshake failed", "peer", c.RemoteAddr(), "err", err)
	}
	l.letGo(c, entry{frame: alert, kind: entrySealed}, Close{Reason: reason, Err: err})
}

// ciphertext decrypts what was read and hands it on. Nothing that can be decrypted waits, so that pausing the socket pauses the
// connection. The connection may be gone afterwards.
func (l *loop) ciphertext(c *Conn, b []byte) {
	if c.phase == phaseDiscard && c.State() == Connecting { // it was let go
		return
	}
	s := c.extra.secure
	plain, err := s.tls.Feed(l.decrypted[:0], b)
	if cap(plain) <= maxPlain {
		l.decrypted = plain[:0]
	}
	if c.phase == phaseShaking {
		if len(plain) == 0 { // the handshake's goroutine has it, and tells how it goes
			if s.fed += len(b); s.fed > memtls.MaxHandshake && c.flags&flagPaused == 0 { // what follows is not for it
				c.flags |= flagPaused
				l.engine.Pause(c.token)
			}
			return
		}
		l.resumeShaken(c)
		c.phase = phaseHandshake // this read came before the news that it is done
	}
	if len(plain) > 0 {
		l.bytes(c, plain, nil)
	}
	if c.State() == Closed {
		return
	}
	l.cut(c)
	l.output(c)
	if err != nil && c.State() != Closed {
		l.streamEnded(c, err)
	}
}

// cut has Config.MessageTimeout run for a record of which a part has come, as for a message, and for a message of the handshake: what is
// in it is not known before its end, and its bytes count as signs of life, however slowly they come.
func (l *loop) cut(c *Conn) {
	switch partial := c.extra.secure.tls.Partial(); {
	case c.phase != phaseOpen:
	case partial:
		l.incomplete(c)
	case c.flags&flagPartial != 0 && !c.in.Partial(): // it brought no message
		c.flags &^= flagPartial
	}
}

// streamEnded handles the end of what TLS delivers: close_notify, a broken record, or the end of the stream without either, which is
// an end all the same: whether it was in order, the Close frame tells.
func (l *loop) streamEnded(c *Conn, err error) {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	l.Closed(c.token, err)
}

// output sends what TLS has to say by itself: alerts, answers to key updates, tickets.
func (l *loop) output(c *Conn) {
	b := c.extra.secure.tls.Output(nil)
	if len(b) == 0 {
		return
	}
	s := c.extra.secure
	c.mu.Lock()
	if c.out == nil || !c.out.blocked {
		s.answers = 0
	} else {
		s.answers += len(b)
	}
	flood := s.answers > maxAnswers
	if !flood {
		c.pushSealedLocked(sealedEntry(b))
	}
	c.mu.Unlock()
	if flood {
		l.end(c, Close{Reason: ReasonSlow})
		return
	}
	l.flush(c)
}

// sealedEntry copies ciphertext into an entry.
func sealedEntry(b []byte) entry {
	owner := pool.Get(len(b))
	return entry{kind: entrySealed, owner: owner, frame: owner.Bytes()[:copy(owner.Bytes(), b)]}
}

// pushSealedLocked puts ciphertext behind what there is of it at the queue's head: its order is that of encryption.
func (c *Conn) pushSealedLocked(e entry) {
	o := c.outboundLocked()
	at := o.head
	for at < len(o.queue) && o.queue[at].kind == entrySealed {
		at++
	}
	o.queue = slices.Insert(o.queue, at, e)
	o.bytes += len(e.frame)
	o.oldest = min(o.oldest, o.head)
	c.loop.unsent.Add(e.cost())
}

// offer gives buffers to the kernel, over TLS encrypted unless they are ciphertext. The first n bytes are done with. Over TLS that is all
// of them, and rest is what the kernel has not taken of the ciphertext, if there is any: the caller queues it.
func (l *loop) offer(c *Conn, iov [][]byte, sealed bool) (n int, rest *remainder, err error) {
	if c.flags&flagSecure != 0 && !sealed {
		return l.offerSealed(c, iov)
	}
	n, err = l.engine.Write(c.token, iov)
	l.count.BytesOut += uint64(n)
	return n, nil, err
}

// remainder is ciphertext that the kernel has not taken.
type remainder struct {
	bytes []byte
	owner *pool.Buffer
}

func (l *loop) offerSealed(c *Conn, iov [][]byte) (n int, rest *remainder, err error) {
	total := 0
	for _, b := range iov {
		total += len(b)
	}
	owner := pool.Get(memtls.SealedLen(total))
	b, err := c.extra.secure.tls.SealFrames(owner.Bytes()[:0], iov, l.records())
	if err != nil {
		owner.Release()
		return 0, nil, err
	}
	l.cipher[0] = b
	n, err = l.engine.Write(c.token, l.cipher[:])
	l.cipher[0] = nil
	l.count.BytesOut += uint64(n)
	if err != nil || n == len(b) {
		owner.Release()
		return total, nil, err
	}
	return total, &remainder{b[n:], owner}, nil
}

// records is where small frames are put together to records.
func (l *loop) records() []byte {
	if l.record == nil {
		l.record = make([]byte, 0, memtls.MaxPlaintext)
	}
	return l.record
}

// sealedRest queues ciphertext of a write that went past the queue. Where other goroutines have filled that meanwhile, the bound is looked
// at again, as in writeThrough.
func (l *loop) sealedRest(c *Conn, rest *remainder) {
	c.mu.Lock()
	late := c.out != nil && c.out.bytes > 0
	c.pushSealedLocked(entry{kind: entrySealed, owner: rest.owner, frame: rest.bytes})
	c.out.blocked = true
	if late {
		c.trimLocked()
	}
	c.unlockAndPost()
}

// closeTLS says goodbye in TLS, if nothing waits to be written: the peer must not take what is cut off for broken.
func (l *loop) closeTLS(c *Conn) {
	if c.flags&flagSecure == 0 || c.out != nil {
		return
	}
	if b := c.extra.secure.tls.CloseNotify(nil); len(b) > 0 {
		_, _ = l.engine.Write(c.token, [][]byte{b})
	}
}

// loopTLS is what the loops can do of an application's TLS settings.
func loopTLS(c *tls.Config) (*tls.Config, error) {
	c = c.Clone()
	if len(c.Certificates) == 0 && c.GetCertificate == nil && c.GetConfigForClient == nil {
		return nil, errNoCertificate
	}
	if len(c.NextProtos) == 0 {
		c.NextProtos = []string{"http/1.1"}
	}
	if slices.ContainsFunc(c.NextProtos, func(p string) bool { return p != "http/1.1" }) {
		return nil, errALPN
	}
	if c.MinVersion == 0 {
		c.MinVersion = tls.VersionTLS12
	}
	c.DynamicRecordSizingDisabled = true // offer sizes its buffers by whole records
	return c, nil
}

var (
	errNoCertificate = errors.New("server: Config.TLS has no certificate, and no GetCertificate")
	errALPN          = errors.New("server: Config.TLS.NextProtos may have http/1.1 only: a WebSocket is opened by an HTTP/1.1 request")
)
