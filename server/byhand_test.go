package server

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// Types of records, and messages, of TLS 1.3 (RFC 8446 B.1, B.3.5, B.2).
const (
	recordAlert     = 21
	recordHandshake = 22
	recordData      = 23

	updateNotRequested = "\x18\x00\x00\x01\x00"
	updateRequested    = "\x18\x00\x00\x01\x01"
	closeNotify        = "\x01\x00"
	userCanceled       = "\x01\x5a"
	handshakeFailure   = "\x02\x28"
	unexpectedMessage  = "\x02\x0a"
)

// byHand is a client that has shaken hands by crypto/tls, and makes its records by hand from then on, with the secrets of a key log:
// crypto/tls would send no key update that wants an answer, no empty record, no alert of its caller's, and no part of a record.
type byHand struct {
	*net.TCPConn
	t        *testing.T
	br       *bufio.Reader
	to, from direction
}

// byHand opens a WebSocket connection.
func (r *rig) byHand() *byHand {
	r.t.Helper()
	p := r.tcp()
	c := clientTLS()
	var log bytes.Buffer
	c.MinVersion, c.KeyLogWriter = tls.VersionTLS13, &log
	secure := tls.Client(p.socket(), c)
	p.socket().SetDeadline(neverLate())
	if err := secure.Handshake(); err != nil {
		r.t.Fatal(err)
	}
	if suite := secure.ConnectionState().CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 {
		r.t.Skipf("%s was agreed on: crypto/tls prefers it without AES in hardware", tls.CipherSuiteName(suite))
	}
	h := &byHand{TCPConn: p.socket(), t: r.t, br: bufio.NewReader(p.socket())}
	h.from.secret, h.to.secret = secret(r.t, log.String(), "SERVER_TRAFFIC_SECRET_0"), secret(r.t, log.String(), "CLIENT_TRAFFIC_SECRET_0")
	h.send(h.record(recordData, upgrade))
	for {
		switch kind, content := h.next(); {
		case kind == recordHandshake: // tickets
		case kind == recordData && strings.HasPrefix(content, "HTTP/1.1 101 "):
			return h
		default:
			r.t.Fatalf("a record of type %d, %q answers the handshake", kind, content)
		}
	}
}

// secret finds one in a key log.
func secret(t *testing.T, log, name string) []byte {
	t.Helper()
	_, line, _ := strings.Cut(log, name+" ")
	var random, text string
	_, err := fmt.Sscan(line, &random, &text)
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (h *byHand) send(b []byte) {
	h.t.Helper()
	h.SetWriteDeadline(neverLate())
	if _, err := h.Write(b); err != nil {
		h.t.Fatal(err)
	}
}

// record is the next record that goes to the server.
func (h *byHand) record(kind byte, content string) []byte {
	aead, nonce := h.to.next(h.t)
	header := []byte{recordData, 3, 3, 0, 0}
	binary.BigEndian.PutUint16(header[3:], uint16(len(content)+1+aead.Overhead()))
	return aead.Seal(header, nonce, append([]byte(content), kind), header)
}

// update is a record with a key update, after which the next key is used.
func (h *byHand) update(message string) []byte {
	b := h.record(recordHandshake, message)
	h.to.update(h.t)
	return b
}

// updates sends key updates that want an answer. Behind each comes a pong, because crypto/tls takes 16 in a row only.
func (h *byHand) updates(n int) {
	h.t.Helper()
	for n > 0 {
		var b []byte
		for range min(n, 64) {
			b = append(b, h.update(updateRequested)...)
			b = append(b, h.record(recordData, string(frame(ws.OpPong, true, nil)))...)
			n--
		}
		h.send(b)
	}
}

// next reads a record, and goes on to the next key behind the server's key update.
func (h *byHand) next() (kind byte, content string) {
	h.t.Helper()
	kind, content, err := h.tryNext()
	if err != nil {
		h.t.Fatalf("reading a record: %v", err)
	}
	return kind, content
}

func (h *byHand) tryNext() (kind byte, content string, err error) {
	h.SetReadDeadline(neverLate())
	header := make([]byte, 5)
	if _, err := io.ReadFull(h.br, header); err != nil {
		return 0, "", err
	}
	b := make([]byte, binary.BigEndian.Uint16(header[3:]))
	if _, err := io.ReadFull(h.br, b); err != nil {
		return 0, "", err
	}
	aead, nonce := h.from.next(h.t)
	if b, err = aead.Open(b[:0], nonce, b, header); err != nil {
		return 0, "", err
	}
	kind, content = b[len(b)-1], string(b[:len(b)-1])
	if kind == recordHandshake && content == updateNotRequested {
		h.from.update(h.t)
	}
	return kind, content, nil
}

// want reads up to a record, past tickets.
func (h *byHand) want(kind byte, content string) {
	h.t.Helper()
	for {
		got, what := h.next()
		if got == recordHandshake && kind != recordHandshake {
			continue
		}
		if got != kind || what != content {
			h.t.Fatalf("a record of type %d, %.80q, want %d, %.80q", got, what, kind, content)
		}
		return
	}
}

// wantPong has the server answer a ping.
func (h *byHand) wantPong(payload string) {
	h.t.Helper()
	h.send(h.record(recordData, string(frame(ws.OpPing, true, []byte(payload)))))
	h.want(recordData, string(ws.MustCompileFrame(ws.NewPongFrame([]byte(payload)))))
}

// direction encrypts or decrypts what goes one way, with TLS_AES_128_GCM_SHA256.
type direction struct {
	secret   []byte
	sequence uint64
	aead     cipher.AEAD // nil before the first record of a key
	iv       []byte
}

// next is what the next record is encrypted with (RFC 8446 5.3).
func (d *direction) next(t *testing.T) (cipher.AEAD, []byte) {
	if d.aead == nil {
		block, err := aes.NewCipher(d.expand(t, "key", 16))
		if err != nil {
			t.Fatal(err)
		}
		if d.aead, err = cipher.NewGCM(block); err != nil {
			t.Fatal(err)
		}
		d.iv = d.expand(t, "iv", 12)
	}
	nonce := bytes.Clone(d.iv)
	binary.BigEndian.PutUint64(nonce[4:], binary.BigEndian.Uint64(nonce[4:])^d.sequence)
	d.sequence++
	return d.aead, nonce
}

func (d *direction) update(t *testing.T) { *d = direction{secret: d.expand(t, "traffic upd", 32)} }

// expand is HKDF-Expand-Label with an empty context (RFC 8446 7.1).
func (d *direction) expand(t *testing.T, label string, length int) []byte {
	label = "tls13 " + label
	info := append([]byte{0, byte(length), byte(len(label))}, label...)
	b, err := hkdf.Expand(sha256.New, d.secret, string(append(info, 0)), length)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
