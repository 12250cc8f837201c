package guard

import (
	"bytes"
	"io"
	"strings"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/wsproto"
)

var maskKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// masked is one read of a server: frames with a text message of size bytes each.
func masked(size int) []byte {
	frame := wsproto.AppendMaskedFrame(nil, ws.OpText, []byte(strings.Repeat("a", size)), maskKey)
	return bytes.Repeat(frame, batch)
}

// decode decodes n frames.
func decode(n, size int) {
	frames := masked(size)
	read := make([]byte, len(frames))
	var c wsproto.Codec
	var d wsproto.Decoder
	begin()
	for ; n > 0; n -= batch {
		copy(read, frames)
		for rest := read; len(rest) > 0; {
			_, used, err := c.Next(&d, rest)
			must(err)
			rest = rest[used:]
		}
	}
}

func decodeGobwas(n, size int) {
	frames := masked(size)
	read := make([]byte, len(frames))
	r := bytes.NewReader(nil)
	begin()
	for ; n > 0; n -= batch {
		copy(read, frames)
		r.Reset(read)
		for r.Len() > 0 {
			h, err := ws.ReadHeader(r)
			must(err)
			payload := read[len(read)-r.Len():][:h.Length]
			ws.Cipher(payload, h.Mask, 0)
			_, err = r.Seek(h.Length, io.SeekCurrent)
			must(err)
		}
	}
}

// frameSizes are payloads whose headers have each of the three forms.
var frameSizes = [...]int{20, 512, 70_000}

// header builds n headers of unmasked frames.
func header(n int) {
	dst := make([]byte, 0, 16)
	begin()
	for i := range n {
		dst = wsproto.AppendHeader(dst[:0], ws.Header{Fin: true, OpCode: ws.OpBinary, Length: int64(frameSizes[i%len(frameSizes)])})
	}
}

func headerGobwas(n int) {
	var dst bytes.Buffer
	begin()
	for i := range n {
		dst.Reset()
		must(ws.WriteHeader(&dst, ws.Header{Fin: true, OpCode: ws.OpBinary, Length: int64(frameSizes[i%len(frameSizes)])}))
	}
}

// request is what a browser sends.
const request = "GET /feed?symbols=a,b HTTP/1.1\r\n" +
	"Host: server.example.com\r\n" +
	"Connection: Upgrade\r\n" +
	"Pragma: no-cache\r\n" +
	"Cache-Control: no-cache\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n" +
	"Upgrade: websocket\r\n" +
	"Origin: http://server.example.com\r\n" +
	"Sec-WebSocket-Version: 13\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-US,en;q=0.9\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
	"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" +
	"\r\n"

// handshake answers n requests: the checks of a server, and the response.
func handshake(n int) {
	head := []byte(request)
	dst := make([]byte, 0, 1024)
	var r wsproto.Request
	begin()
	for range n {
		must(wsproto.CheckPrefix(head))
		must(r.Parse(head[:wsproto.HeadEnd(head, 0)], wsproto.Limits{}))
		must(r.CheckUpgrade())
		if !r.SameOrigin() {
			fail("the request is not from the same origin")
		}
		var err error
		dst, err = wsproto.AppendAccept(dst[:0], &r, wsproto.Accept{})
		must(err)
	}
}

// stream is a connection in memory.
type stream struct {
	in  *strings.Reader
	out bytes.Buffer
}

func (s *stream) Read(p []byte) (int, error)  { return s.in.Read(p) }
func (s *stream) Write(p []byte) (int, error) { return s.out.Write(p) }

func handshakeGobwas(n int) {
	s := &stream{in: strings.NewReader("")}
	begin()
	for range n {
		s.in.Reset(request)
		s.out.Reset()
		_, err := ws.Upgrader{}.Upgrade(s)
		must(err)
	}
}
