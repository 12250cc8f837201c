package wsproto

import (
	"math"

	"github.com/gobwas/ws"
)

// Role says which side of the connection a [Codec] reads for. It decides
// which frames must be masked (RFC 6455, section 5.1).
type Role uint8

const (
	// Server reads a client's frames, which must be masked.
	Server Role = iota
	// Client reads a server's frames, which must not be masked.
	Client
)

const (
	// DefaultMaxMessage is the size in bytes of the largest message when
	// Codec.MaxMessage is zero.
	DefaultMaxMessage = 1 << 20
	// DefaultMaxFragments is the number of frames that a message may come in
	// when Codec.MaxFragments is zero.
	DefaultMaxFragments = 1024
)

// Buffer is memory lent by the caller's allocator.
type Buffer interface {
	// Bytes returns the memory, the same at every call.
	Bytes() []byte
	// Release gives it back. Nobody may touch Bytes afterwards.
	Release()
}

// Codec holds what all connections of one kind decode by. It must not change
// after its first use; any number of goroutines may use it at once then, each
// with decoders of its own. The zero value reads for a server with the
// default limits.
type Codec struct {
	// Role says which side reads. Zero is Server.
	Role Role
	// MaxMessage is the size in bytes of the largest message. Zero means
	// DefaultMaxMessage. A larger one is refused with 1009 from the header
	// of the frame that exceeds it, before a byte of that frame is kept.
	// A compressed message is held to it inflated; as it comes, it may have 9/64 more
	// and 64 bytes, since what does not compress grows.
	MaxMessage int
	// MaxFragments is the number of frames that a message may come in. Zero
	// means DefaultMaxFragments. More are refused with 1008: empty fragments
	// cost the peer six bytes each and would never reach MaxMessage.
	MaxFragments int
	// NewBuffer lends memory for a frame that a read cut and for a message
	// that comes in fragments: len(Bytes()) must be n at least. All of
	// Bytes() gets used. Nil means make. It is called from Next, on the
	// goroutine that called it.
	NewBuffer func(n int) Buffer
	// Deflate permits compressed messages (RFC 7692, section 6): RSV1 on the
	// first frame of a data message. It is for connections that negotiated
	// permessage-deflate, and so belongs to a Codec beside the one of those
	// that did not. What a compressed message holds shows in [Codec.Inflate].
	Deflate bool
}

// Message is a complete message or control frame.
type Message struct {
	// Op is OpText, OpBinary, OpPing, OpPong or OpClose; zero means that
	// there is no message yet. That of a compressed message is none of these
	// before [Codec.Inflate]: it has RSV1 (0x40) set beside OpText or OpBinary.
	Op ws.OpCode
	// Payload is unmasked, and valid UTF-8 in a text message; of a compressed
	// one nothing but the size was checked. With a nil
	// Buffer it lies in the bytes given to Next and lives as long as those;
	// otherwise it lies in Buffer.
	Payload []byte
	// Buffer, when not nil, is owned by the receiver of the message, who
	// must Release it.
	Buffer Buffer
}

// Compressed reports whether m is for [Codec.Inflate] to make what was sent of
// it. Only a Codec with Deflate delivers such messages. (It is a bit of Op, for
// with one more field Next would return m by memory and not in registers.)
func (m Message) Compressed() bool { return m.Op&bitRsv1 != 0 }

func (c *Codec) maxMessage() int {
	if c.MaxMessage == 0 {
		return DefaultMaxMessage
	}
	return c.MaxMessage
}

// maxSent is the most bytes that a message whose frames have op may come in. What does not
// compress grows: by zlib's deflateBound by a little more than an eighth at worst. A
// continuation may be of either kind; what is under way tells (Codec.header).
func (c *Codec) maxSent(op ws.OpCode) int {
	n := c.maxMessage()
	if !c.Deflate || op&bitRsv1 == 0 && op != ws.OpContinuation {
		return n
	}
	return max(n, int(min(int64(n)+int64(n)/8+int64(n)/64+64, math.MaxInt32)))
}

func (c *Codec) maxFragments() int {
	if c.MaxFragments == 0 {
		return DefaultMaxFragments
	}
	return c.MaxFragments
}

func (c *Codec) newBuffer(n int) Buffer {
	if c.NewBuffer == nil {
		return made(make([]byte, n))
	}
	return c.NewBuffer(n)
}

// made is a Buffer of the garbage collector's.
type made []byte

func (m made) Bytes() []byte { return m }
func (m made) Release()      {}
