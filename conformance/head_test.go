package conformance

import (
	"bufio"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roostws/roost/client"
)

// The nonce of RFC 6455, section 1.3.
const (
	sampleKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	sampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// acceptOf proves that the handshake was understood (section 4.2.2).
func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func requestLines(host string) []string {
	return []string{"GET / HTTP/1.1", "Host: " + host, "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Key: " + sampleKey, "Sec-WebSocket-Version: 13"}
}

func responseLines(key string) []string {
	return []string{"HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: " + acceptOf(key)}
}

// head makes a head of lines with edits: "-Name" takes a field away, "+Name: value" adds a line as it is, "Name: value" replaces the
// field, and what has HTTP/ in it replaces the first line.
func head(lines, edits []string) []byte {
	lines = slices.Clone(lines)
	for _, e := range edits {
		name, _, _ := strings.Cut(strings.TrimPrefix(e, "-"), ":")
		i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+":") })
		switch {
		case strings.HasPrefix(e, "+"):
			lines = append(lines, e[1:])
		case strings.Contains(e, "HTTP/"):
			lines[0] = e
		case strings.HasPrefix(e, "-"):
			lines = slices.Delete(lines, i, i+1)
		default:
			lines[i] = e
		}
	}
	return []byte(strings.Join(lines, "\r\n") + "\r\n\r\n")
}

// dialing is our client on its way to the peer, which has its request.
type dialing struct {
	conn    net.Conn
	br      *bufio.Reader
	request *http.Request
	raw     string // the request's head as it came
	dialed  <-chan dialed
}

// dialed is what came of it.
type dialed struct {
	conn *client.Conn
	err  error
}

// answer is the head that opens the connection, with edits. {accept} in them is the value that belongs to the request's key, and {lower}
// that in small letters.
func (d *dialing) answer(edits []string) []byte {
	key := d.request.Header.Get("Sec-WebSocket-Key")
	edits = slices.Clone(edits)
	for i := range edits {
		edits[i] = strings.NewReplacer("{accept}", acceptOf(key), "{lower}", strings.ToLower(acceptOf(key))).Replace(edits[i])
	}
	return head(responseLines(key), edits)
}

// listen waits for one connection.
func listen(t *testing.T) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { l.Close() })
	return l
}

// dialOurs has our client dial the peer at path /, or at the one that is given.
func dialOurs(t *testing.T, secure bool, config client.Config, path ...string) *dialing {
	l := listen(t)
	result := make(chan dialed, 1)
	scheme := "ws://"
	if secure {
		scheme = "wss://"
	}
	go func() {
		conn, err := client.Dial(t.Context(), scheme+l.Addr().String()+strings.Join(path, ""), config)
		result <- dialed{conn, err}
	}()
	conn, err := l.Accept()
	l.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	if secure {
		conn = tls.Server(conn, serverTLS())
	}
	d := &dialing{conn: conn, br: bufio.NewReader(conn), dialed: result}
	for !strings.HasSuffix(d.raw, "\r\n\r\n") {
		line, err := d.br.ReadString('\n')
		if err != nil {
			t.Fatalf("the request: %v", err)
		}
		d.raw += line
	}
	if d.request, err = http.ReadRequest(bufio.NewReader(strings.NewReader(d.raw))); err != nil {
		t.Fatal(err)
	}
	return d
}
