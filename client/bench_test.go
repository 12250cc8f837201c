package client

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// BenchmarkRead is a server that sends as fast as it can.
func BenchmarkRead(b *testing.B) {
	for _, size := range []int{128, 4 << 10, 64 << 10} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				if _, err := ws.Upgrade(conn); err != nil {
					b.Error(err)
				}
				burst := []byte(strings.Repeat(frame(ws.OpBinary, strings.Repeat("x", size)), max(1, 64<<10/size)))
				for err == nil {
					_, err = conn.Write(burst)
				}
			}()
			c, err := Dial(b.Context(), "ws://"+l.Addr().String(), Config{})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := c.Read(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			c.CloseNow()
			<-ended
		})
	}
}
