// Package gobwas reads messages with github.com/gobwas/ws, for the two servers that use
// it. Its buffers are pooled, so that a connection that is silent has none.
package gobwas

import (
	"bufio"
	"bytes"
	"io"
	"sync"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/roostws/roost/bench/compare/peers/internal/contract"
)

var (
	payloads = sync.Pool{New: func() any { return new(bytes.Buffer) }}
	writers  = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, 16<<10) }}
)

// Reader reads the messages of a connection and answers its control frames.
type Reader struct {
	reader  wsutil.Reader
	control wsutil.FrameHandlerFunc
}

// Reset lets r read from src and answer control frames to dst.
func (r *Reader) Reset(src io.Reader, dst io.Writer) {
	r.control = wsutil.ControlFrameHandler(dst, ws.StateServerSide)
	r.reader = wsutil.Reader{
		Source:         src,
		State:          ws.StateServerSide,
		MaxMessageSize: contract.MaxMessage,
		OnIntermediate: r.control,
	}
}

// Next reads a frame: a message, that it lets handle have, whose argument is valid
// until it returns, or a control frame, that it answers. The error is a
// wsutil.ClosedError after a Close frame.
func (r *Reader) Next(handle func(op ws.OpCode, message []byte) error) error {
	header, err := r.reader.NextFrame()
	if err != nil {
		return err
	}
	if header.OpCode.IsControl() {
		return r.answer(header)
	}
	b := payloads.Get().(*bytes.Buffer)
	defer payloads.Put(b)
	b.Reset()
	if _, err := b.ReadFrom(&r.reader); err != nil {
		return err
	}
	return handle(header.OpCode, b.Bytes())
}

// answer answers a control frame and reads what is left of it.
func (r *Reader) answer(header ws.Header) error {
	if err := r.control(header, &r.reader); err != nil {
		return err
	}
	return r.reader.Discard()
}

// Write writes a message to w through a buffer: one system call for a short one.
func Write(w io.Writer, op ws.OpCode, message []byte) error {
	b := writers.Get().(*bufio.Writer)
	defer writers.Put(b)
	b.Reset(w)
	if err := ws.WriteFrame(b, ws.NewFrame(op, true, message)); err != nil {
		return err
	}
	return b.Flush()
}
