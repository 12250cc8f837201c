package wsproto

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gobwas/ws"
)

// feedOf returns messages of n bytes, none like the other, as a feed of fifty
// instruments sends them.
func feedOf(n int) (messages [][]byte) {
	rng := rand.New(rand.NewPCG(1, 1))
	for len(messages) < max(4096*128/n, 16) {
		var m []byte
		for len(m) < n {
			symbol, price := rng.IntN(50), rng.IntN(10000)
			m = fmt.Appendf(m, `{"type":"update","ch":"%c%c%cUSD","seq":%d,"bid":"%d.%04d","ask":"%d.%04d","size":%d,"time":"2026-01-02T03:04:%02d.%03dZ"}`,
				'A'+symbol%7, 'A'+symbol%11, 'A'+symbol%13, rng.IntN(1e6), symbol, price, symbol, price+2, rng.IntN(1e5), rng.IntN(60), rng.IntN(1000))
		}
		messages = append(messages, m[:n])
	}
	return messages
}

var benchSizes = []int{128, 1 << 10, 64 << 10}

func BenchmarkDeflate(b *testing.B) {
	for _, takeover := range []bool{false, true} {
		for _, n := range benchSizes {
			for _, bits := range []int{15, 10} {
				b.Run(fmt.Sprintf("takeover=%v/%d/bits=%d", takeover, n, bits), func(b *testing.B) {
					var d Deflater
					messages := feedOf(n)
					_, out := Deflate{ServerNoContextTakeover: !takeover, ServerMaxWindowBits: bits, ClientMaxWindowBits: 15}.Windows(Server)
					dst := make([]byte, 0, 128<<10)
					i, bytes := 0, 0
					b.SetBytes(int64(n))
					b.ReportAllocs()
					for b.Loop() {
						dst = d.AppendFrame(dst[:0], ws.OpText, messages[i%len(messages)], bits, out)
						bytes += len(dst)
						i++
					}
					b.ReportMetric(float64(bytes)/float64(b.N), "B/frame")
				})
			}
		}
	}
}

func BenchmarkInflate(b *testing.B) {
	for _, takeover := range []bool{false, true} {
		for _, n := range benchSizes {
			b.Run(fmt.Sprintf("takeover=%v/%d", takeover, n), func(b *testing.B) {
				var d Deflater
				agreed := Deflate{ServerNoContextTakeover: !takeover, ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}
				_, out := agreed.Windows(Server)
				in, _ := agreed.Windows(Client)
				c := Codec{Role: Client, Deflate: true, NewBuffer: pooledBuffers(256 << 10)}
				var payloads [][]byte
				for range 2 {
					payloads = payloads[:0]
					for _, m := range feedOf(n) {
						h, payload := parts(b, d.AppendFrame(nil, ws.OpText, m, 15, out))
						if h.Rsv == 0 {
							payload = zip(m)
						}
						payloads = append(payloads, payload)
					}
				}
				for _, m := range feedOf(n) {
					in.slide(m)
				}
				i := 0
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					m, err := c.Inflate(Message{Op: ws.OpText | bitRsv1, Payload: payloads[i%len(payloads)]}, in)
					if err != nil {
						b.Fatal(err)
					}
					m.Buffer.Release()
					i++
				}
			})
		}
	}
}

// BenchmarkDictionary is what it costs, and brings, to read so much of what
// was sent before each message of 128 bytes.
func BenchmarkDictionary(b *testing.B) {
	for _, size := range []int{0, 256, 1 << 10, 2 << 10, 4 << 10, 8 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			var d Deflater
			messages := feedOf(128)
			out := &Window{size: size}
			dst := make([]byte, 0, 1<<10)
			i, bytes := 0, 0
			for b.Loop() {
				dst = d.AppendFrame(dst[:0], ws.OpText, messages[i%len(messages)], 15, out)
				bytes += len(dst)
				i++
			}
			b.ReportMetric(float64(bytes)/float64(b.N), "B/frame")
		})
	}
}

func BenchmarkNextCompressed(b *testing.B) {
	frame := AppendMaskedFrame(nil, ws.OpText, bytes.Repeat([]byte("a"), 60), testKey)
	frame[0] |= bitRsv1
	work := make([]byte, len(frame))
	c := Codec{Deflate: true}
	var d Decoder
	for b.Loop() {
		copy(work, frame)
		if m, _, err := c.Next(&d, work); err != nil || !m.Compressed() {
			b.Fatal(err)
		}
	}
}
