package server

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/gobwas/ws"
)

// inflater is a peer's half of permessage-deflate, by the standard library, so that the server is not tested with its own.
type inflater struct {
	flate  io.ReadCloser
	window []byte // of the messages that came compressed
}

// inflate returns a message as it was before it was compressed (RFC 7692 7.2.2).
func (z *inflater) inflate(b []byte) ([]byte, error) {
	src := io.MultiReader(bytes.NewReader(b), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))
	if z.flate == nil {
		z.flate = flate.NewReader(nil)
	}
	z.flate.(flate.Resetter).Reset(src, z.window)
	out, err := io.ReadAll(z.flate)
	z.window = append(z.window, out...)
	z.window = z.window[max(0, len(z.window)-32<<10):]
	return out, err
}

// rsv1 sets RSV1 in a frame.
func rsv1(b []byte) []byte {
	b[0] |= 0x40
	return b
}

var deflaters = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestSpeed)
	return w
}}

// shrunk compresses a message's payload (RFC 7692 7.2.1).
func shrunk(payload []byte) []byte {
	var b bytes.Buffer
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	w.Reset(&b)
	w.Write(payload)
	w.Flush()
	return bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff"))
}

// deflatedFrame is a compressed message that refers to none before it.
func deflatedFrame(op ws.OpCode, payload []byte) []byte {
	return rsv1(frame(op, true, shrunk(payload)))
}

// letters is what noise is cut from: text of which compression saves a quarter, and which it does not find repeated.
var letters = sync.OnceValue(func() []byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	b := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{}).Read(b)
	for i := range b {
		b[i] = alphabet[b[i]%64]
	}
	return b
})

// noise is n bytes of text, another one for each i, that stay as much as they are where messages are compressed.
func noise(i, n int) []byte {
	b := make([]byte, n)
	at := i * 40_013 % len(letters())
	for done := 0; done < n; at = 0 {
		done += copy(b[done:], letters()[at:])
	}
	return b
}
