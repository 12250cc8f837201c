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
// the dictionary anew each time: 8 KiB take 10 µs, 32 KiB would take 75, and
// save 0 to 3 % more of messages like those remembered.
const maxDictionary = 4 << 10

// Windows makes what a connection's side remembers: in for [Codec.Inflate],
// out for [Deflater]. Each is nil where there is no context takeover. In all,
// in takes up to 1<<bits bytes, by the other side's window bits, and out up to
// 4 KiB or 1<<bits, by the own ones.
func (d Deflate) Windows(own Role) (in, out *Window) {
	receive, send := d.direction(Client), d.direction(Server)
	if own == Client {
		receive, send = send, receive
	}
	if receive.takeover {
		in = &Window{size: 1 << receive.bits}
	}
	if send.takeover {
		out = &Window{size: min(1<<send.bits, maxDictionary)}
	}
	return in, out
}

// Memory returns how many bytes the windows of a connection's side can take.
func (d Deflate) Memory(own Role) (n int) {
	in, out := d.Windows(own)
	for _, w := range []*Window{in, out} {
		if w != nil {
			n += w.size
		}
	}
	return n
}

// SendBits returns the window bits of what a connection's side sends, 8 to 15,
// for [Deflater] and [Prepared.Deflated].
func (d Deflate) SendBits(own Role) int { return d.direction(own).bits }

// direction is what was agreed on for the messages of one side.
type direction struct {
	bits     int
	takeover bool
}

func (d Deflate) direction(from Role) direction {
	if from == Server {
		return direction{d.ServerMaxWindowBits, d.negotiated() && !d.ServerNoContextTakeover}
	}
	return direction{d.ClientMaxWindowBits, d.negotiated() && !d.ClientNoContextTakeover}
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
