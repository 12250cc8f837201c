package server

import (
	"fmt"
	"io"
	"net/http"
	"testing"
)

func TestAnAnswerToAPlainRequestThatWasNotReadIsNotLostToAReset(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		entered, release := make(chan struct{}), make(chan struct{})
		c.HTTP = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(entered)
			<-release
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		})
		p := start(t, c).tcp()
		p.write(fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", 10<<20))
		receive(t, "the handler", entered)
		p.write(make([]byte, 1000)) // nobody reads these
		close(release)
		p.SetReadDeadline(neverLate())
		resp, err := http.ReadResponse(p.br, nil)
		if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Fatalf("%v %v, want 413", resp, err)
		}
		if body, err := io.ReadAll(resp.Body); string(body) != "too large\n" || err != nil {
			t.Errorf("the body is %q, %v", body, err)
		}
		if b, err := p.br.ReadByte(); err != io.EOF {
			t.Errorf("behind the answer came %q, %v, want the end of the stream", b, err)
		}
	})
}
