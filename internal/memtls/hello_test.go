package memtls

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
)

// inRecords puts a message into records of at most size bytes of it.
func inRecords(message []byte, size int) (b []byte) {
	for len(message) > 0 {
		n := min(size, len(message))
		b = binary.BigEndian.AppendUint16(append(b, recordHandshake, 3, 1), uint16(n))
		b = append(b, message[:n]...)
		message = message[n:]
	}
	return b
}

// helloOf is a message that has the head of a ClientHello, and so many bytes.
func helloOf(size int) []byte {
	message := make([]byte, size)
	binary.BigEndian.PutUint32(message, uint32(size-messageHeaderLen))
	message[0] = helloMessage
	return message
}

// realHello is what a client of crypto/tls sends first.
func realHello(tb testing.TB, config *tls.Config) []byte {
	tb.Helper()
	told := make(chan struct{}, 8)
	c := newClient(tb, config, func() { told <- struct{}{} })
	c.Start(tb.Context())
	<-told
	hello := c.Output(nil)
	c.Close()
	<-told
	return hello
}

func TestHello(t *testing.T) {
	const head = headerLen
	tests := map[string]struct {
		b    []byte
		want int // all of them if negative
		err  error
	}{
		"nothing":                         {nil, 0, nil},
		"one byte":                        {[]byte{22}, 0, nil},
		"the smallest":                    {inRecords(helloOf(4), 100), -1, nil},
		"what is behind it":               {append(inRecords(helloOf(90), 100), "more"...), 95, nil},
		"in records of one byte":          {inRecords(helloOf(300), 1), -1, nil},
		"in two records, all but a byte":  {inRecords(helloOf(300), 200)[:309], 0, nil},
		"as long as may be":               {inRecords(helloOf(MaxHello-head), MaxHello), -1, nil},
		"a byte longer":                   {inRecords(helloOf(MaxHello-head+1), MaxHello), 0, ErrHelloTooLong},
		"longer, and only begun":          {inRecords(helloOf(MaxHello-head+1), MaxHello)[:9], 0, ErrHelloTooLong},
		"a long record, and only begun":   {[]byte{22, 3, 1, 0x40, 0x00}, 0, ErrHelloTooLong},
		"too long by its records":         {inRecords(helloOf(MaxHello/6+1), 1), 0, ErrHelloTooLong},
		"in records, as long as may be":   {inRecords(helloOf(MaxHello-2*head), MaxHello/2), -1, nil},
		"in records, a byte longer":       {inRecords(helloOf(MaxHello-2*head+1), MaxHello/2), 0, ErrHelloTooLong},
		"no room for another header":      {inRecords(helloOf(MaxHello-6), MaxHello-8)[:MaxHello-3], 0, ErrHelloTooLong},
		"16 MiB":                          {[]byte{22, 3, 1, 0, 100, 1, 0xff, 0xff, 0xff}, 0, ErrHelloTooLong},
		"a record past 16 KiB":            {[]byte{22, 3, 1, 0x48}, 0, ErrNotTLS},
		"no record, and it is long":       {[]byte{22, 3, 1, 0x40, 0x01}, 0, ErrHelloTooLong},
		"an empty record":                 {[]byte{22, 3, 1, 0, 0}, 0, ErrNotTLS},
		"another version":                 {[]byte{22, 2}, 0, ErrNotTLS},
		"another message":                 {[]byte{22, 3, 1, 0, 100, 2}, 0, ErrNotTLS},
		"another record behind the first": {append(inRecords(helloOf(300), 200)[:205], 23), 0, ErrNotTLS},
		"an alert":                        {[]byte{21, 3, 1, 0, 2, 2, 40}, 0, ErrNotTLS},
		"GET":                             {[]byte("GET / HTTP/1.1\r\n"), 0, ErrPlainHTTP},
		"a method":                        {[]byte("VERSION "), 0, ErrPlainHTTP},
		"a method that comes slowly":      {[]byte("OPTI"), 0, nil},
		"the longest method":              {[]byte(strings.Repeat("A", 20) + " "), 0, ErrPlainHTTP},
		"still a method":                  {[]byte(strings.Repeat("A", 20)), 0, nil},
		"no method":                       {[]byte(strings.Repeat("A", 21)), 0, ErrNotTLS},
		"SSH":                             {[]byte("SSH-2.0"), 0, ErrNotTLS},
		"a space":                         {[]byte(" "), 0, ErrNotTLS},
		"zero":                            {[]byte{0}, 0, ErrNotTLS},
		"SSL 2":                           {[]byte{0x80, 0x2e, 1, 3, 1}, 0, ErrSSLv2},
		"SSL 2, cut":                      {[]byte{0x80, 0x2e}, 0, nil},
		"nearly SSL 2":                    {[]byte{0x80, 0x2e, 2}, 0, ErrNotTLS},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.want < 0 {
				tt.want = len(tt.b)
			}
			if n, err := Hello(tt.b); n != tt.want || err != tt.err {
				t.Errorf("Hello: %d, %v, want %d, %v", n, err, tt.want, tt.err)
			}
			mustNeedMoreBefore(t, tt.b, tt.want)
		})
	}
}

// mustNeedMoreBefore looks at all that b begins with: what is known never changes
// with more bytes, but for "more".
func mustNeedMoreBefore(t *testing.T, b []byte, end int) {
	t.Helper()
	_, last := Hello(b)
	for i := range b {
		n, err := Hello(b[:i])
		if n != 0 && (n != end || i < end) || err != nil && err != last {
			t.Fatalf("Hello of the first %d bytes: %d, %v; of all: %d, %v", i, n, err, end, last)
		}
	}
}

func TestHelloFindsThatOfCryptoTLS(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			hello := realHello(t, clientConfig(version))
			if n, err := Hello(hello); n != len(hello) || err != nil {
				t.Errorf("Hello: %d, %v, want %d", n, err, len(hello))
			}
			mustNeedMoreBefore(t, hello, len(hello))
		})
	}
}

func TestLooksLikeTLS(t *testing.T) {
	hello := realHello(t, clientConfig(tls.VersionTLS13))
	for i, want := range []bool{0: false, 1: false, 2: true, 3: true} {
		if LooksLikeTLS(hello[:i]) != want {
			t.Errorf("with %d bytes: %v", i, !want)
		}
	}
	for _, s := range []string{"GET / HTTP/1.1", "\x16\x02", "\x15\x03", "PROXY TCP4"} {
		if LooksLikeTLS([]byte(s)) {
			t.Errorf("%q looks like TLS", s)
		}
	}
}

// TestAlertIsUnderstood by a client of crypto/tls.
func TestAlertIsUnderstood(t *testing.T) {
	for err, want := range map[error]string{
		ErrPlainHTTP: "", ErrNotTLS: "",
		ErrSSLv2: "protocol version", ErrHelloTooLong: "error decoding message",
		ErrNoTLSHere: "unexpected message", ErrBusy: "internal error", io.ErrNoProgress: "internal error",
	} {
		t.Run(err.Error(), func(t *testing.T) {
			alert := Alert(err)
			if want == "" {
				if alert != nil {
					t.Errorf("% x for who does not understand it", alert)
				}
				return
			}
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, clientConfig(tls.VersionTLS13), func() {})
				c.Start(t.Context())
				synctest.Wait()
				if _, err := c.Feed(nil, alert); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if done, err := c.Handshaken(); !done || err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("Handshaken: %v, %v, want %q", done, err, want)
				}
			})
		})
	}
}

// TestTheHelloIsHandedOnInRecords checks what crypto/tls gets: the same message.
func TestTheHelloIsHandedOnInRecords(t *testing.T) {
	for _, size := range []int{4, 100, maxFragment, maxFragment + 1, 1500, 2*maxFragment + 1, MaxHello - headerLen} {
		message := helloOf(size)
		for i := range message[messageHeaderLen:] {
			message[messageHeaderLen+i] = byte(i * 7)
		}
		for _, fragment := range []int{1 << 14, 900, 7} {
			hello := inRecords(message, fragment)
			b := appendHello([]byte("before"), hello)
			if !bytes.HasPrefix(b, []byte("before\x16\x03\x01")) {
				t.Fatalf("%d bytes begin with % x", size, b[:9])
			}
			var got []byte
			first := 0
			for b = b[6:]; len(b) > 0; {
				end := records{}.end(b)
				if end < 0 || end > headerLen+maxFragment {
					t.Fatalf("%d bytes in records of %d: one that ends at %d of %d", size, fragment, end, len(b))
				}
				if first = max(first, end-headerLen); end-headerLen < first/2 {
					t.Errorf("%d bytes: one record has %d of them, the first %d", size, end-headerLen, first)
				}
				got, b = append(got, b[headerLen:end]...), b[end:]
			}
			if !bytes.Equal(got, message) {
				t.Errorf("%d bytes in records of %d: %d came out, or others", size, fragment, len(got))
			}
		}
	}
}

// FuzzHello: when Hello has found a ClientHello, crypto/tls does not wait for
// more of it; when Hello wants more, so does crypto/tls; HTTP and
// SSL 2 are nothing that crypto/tls would read.
func FuzzHello(f *testing.F) {
	f.Add(realHello(f, clientConfig(tls.VersionTLS12)))
	f.Add(realHello(f, &tls.Config{InsecureSkipVerify: true}))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte{0x80, 0x2e, 1, 3, 1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := Hello(b)
		if n > len(b) || n > 0 && err != nil || n == 0 && err == nil && len(b) >= MaxHello {
			t.Fatalf("Hello of %d bytes: %d, %v", len(b), n, err)
		}
		read := false // the message, by crypto/tls
		config := &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			read = true
			return nil, io.ErrNoProgress
		}}
		conn := &readOnly{r: bytes.NewReader(b)}
		result := tls.Server(conn, config).Handshake()
		ended := errors.Is(result, io.EOF) || errors.Is(result, io.ErrUnexpectedEOF)
		switch {
		case n > 0 && ended:
			t.Errorf("Hello found %d bytes, crypto/tls wants more: %v", n, result)
		case n == 0 && err == nil && read:
			t.Errorf("Hello wants more than %d bytes, crypto/tls does not", len(b))
		case (err == ErrPlainHTTP || err == ErrSSLv2) && read:
			t.Errorf("Hello: %v, but crypto/tls read a message", err)
		}
	})
}

// readOnly is a net.Conn that has bytes and then ends.
type readOnly struct {
	wire
	r *bytes.Reader
}

func (c *readOnly) Read(p []byte) (int, error)  { return c.r.Read(p) }
func (c *readOnly) Write(p []byte) (int, error) { return len(p), nil }
