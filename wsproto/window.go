package wsproto

// Window is what one side of a connection remembers of the messages in one
// direction, with context takeover (RFC 7692, section 7.1.1): the end of what
// was sent compressed. It begins with nothing and grows with what it is given.
//
// A nil *Window remembers nothing, and is what a direction without context
// takeover has. A Window belongs to one goroutine at a time.
type Window struct {
	b    []byte
	size int
}

// maxDictionary is what a sender remembers at most, in bytes. Each message is
// compressed by an encoder that many connections share, and which has to read
// the dictionary anew each time. Market data as JSON, 200 bytes, with 1, 4, 8
// and 32 KiB of such to refer to: 76, 73, 69 and 65 bytes, in 5, 9, 12 and 35
// µs (BenchmarkDictionary has the like for 128 bytes).
const maxDictionary = 4 << 10

// Windows makes what a connection's side remembers: in for [Codec.Inflate],
// out for [Deflater]. Each is nil where there is no context takeover. In all,
// in takes up to 1<<bits bytes, by the other side's window bits, and out up to
// 4 KiB or 1<<bits, by the own ones.
func (d Deflate) Windows(own Role) (in, out *Window) {
	receive, send := d.sizes(own)
	if receive > 0 {
		in = &Window{size: receive}
	}
	if send > 0 {
		out = &Window{size: send}
	}
	return in, out
}

// Memory returns how many bytes the Windows of a connection's side may grow to,
// so that a server with a bound for all can ask before it agrees.
func (d Deflate) Memory(own Role) int {
	receive, send := d.sizes(own)
	return receive + send
}

// sizes returns the windows' sizes in bytes, zero without context takeover.
func (d Deflate) sizes(own Role) (receive, send int) {
	fromServer, fromClient := 1<<d.ServerMaxWindowBits, 1<<d.ClientMaxWindowBits
	if d.ServerNoContextTakeover || !d.negotiated() {
		fromServer = 0
	}
	if d.ClientNoContextTakeover || !d.negotiated() {
		fromClient = 0
	}
	if own == Client {
		return fromServer, min(fromClient, maxDictionary)
	}
	return fromClient, min(fromServer, maxDictionary)
}

// SendBits returns the window bits of what a connection's side sends, 8 to 15,
// for [Deflater] and [Prepared.Deflated].
func (d Deflate) SendBits(own Role) int {
	if own == Client {
		return d.ClientMaxWindowBits
	}
	return d.ServerMaxWindowBits
}

// Forget makes a sender refer to nothing that it has sent so far, which is
// always legal. It must be called when a compressed message has gone to the
// peer that the Window does not know of, as [Prepared.Deflated] makes them,
// and before a message is compressed that may reach a peer who did not get
// all those before it. A receiver must never forget.
func (w *Window) Forget() {
	if w != nil {
		w.b = w.b[:0]
	}
}

// tail returns the last n bytes, or what there is.
func (w *Window) tail(n int) []byte {
	if w == nil {
		return nil
	}
	return w.b[max(0, len(w.b)-n):]
}

// slide adds message, and drops what that pushes out.
func (w *Window) slide(message []byte) {
	if w == nil {
		return
	}
	message = message[max(0, len(message)-w.size):]
	keep := min(len(w.b), w.size-len(message))
	kept := w.tail(keep)
	if need := keep + len(message); need > cap(w.b) {
		w.b = append(make([]byte, 0, min(w.size, max(need, 2*cap(w.b)))), kept...)
	} else {
		w.b = w.b[:copy(w.b[:keep], kept)]
	}
	w.b = append(w.b, message...)
}
