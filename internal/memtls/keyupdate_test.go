package memtls

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

// Records of TLS 1.3 (RFC 8446), written and read by hand with the secrets of a
// key log, because crypto/tls has no API that sends a KeyUpdate.

const (
	typeHandshake       = 22
	typeApplicationData = 23

	updateNotRequested = "\x18\x00\x00\x01\x00"
	updateRequested    = "\x18\x00\x00\x01\x01"
)

// direction encrypts or decrypts what goes one way, with
// TLS_AES_128_GCM_SHA256.
type direction struct {
	secret   []byte
	sequence uint64
}

func expand(secret []byte, label string, length int) []byte {
	label = "tls13 " + label
	info := append([]byte{0, byte(length), byte(len(label))}, label...)
	b, err := hkdf.Expand(sha256.New, secret, string(append(info, 0)), length)
	check(err)
	return b
}

// aead returns what the next record is encrypted with.
func (d *direction) aead() (aead cipher.AEAD, nonce []byte) {
	block, err := aes.NewCipher(expand(d.secret, "key", 16))
	check(err)
	aead, err = cipher.NewGCM(block)
	check(err)
	nonce = expand(d.secret, "iv", 12)
	last := nonce[4:]
	binary.BigEndian.PutUint64(last, binary.BigEndian.Uint64(last)^d.sequence)
	d.sequence++
	return aead, nonce
}

func (d *direction) update() { *d = direction{secret: expand(d.secret, "traffic upd", 32)} }

func (d *direction) record(recordType byte, content string) []byte {
	aead, nonce := d.aead()
	header := []byte{typeApplicationData, 3, 3, 0, 0}
	binary.BigEndian.PutUint16(header[3:], uint16(len(content)+1+aead.Overhead()))
	return aead.Seal(header, nonce, append([]byte(content), recordType), header)
}

// open decrypts the first record of b.
func (d *direction) open(b []byte) (recordType byte, content string, rest []byte, err error) {
	if len(b) < 5 {
		return 0, "", nil, errors.New("no record")
	}
	end := 5 + int(binary.BigEndian.Uint16(b[3:]))
	aead, nonce := d.aead()
	plain, err := aead.Open(nil, nonce, b[5:end], b[:5])
	if err != nil {
		return 0, "", nil, err
	}
	n := len(plain) - 1
	return plain[n], string(plain[:n]), b[end:], nil
}

// eachSide runs a test for a client and for a server that have shaken hands,
// whose peer is made by hand of the two directions.
func eachSide(t *testing.T, test func(t *testing.T, c *Conn, to, from *direction)) {
	for _, side := range []string{"client", "server"} {
		t.Run(side, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server, fromServer, fromClient := handMade(t)
				if side == "client" {
					test(t, client, fromServer, fromClient)
				} else {
					test(t, server, fromClient, fromServer)
				}
			})
		})
	}
}

// handMade is a pair that has shaken hands, and the keys of what goes to each.
func handMade(t *testing.T) (client, serverSide *Conn, fromServer, fromClient *direction) {
	var log bytes.Buffer
	server := serverConfig()
	server.KeyLogWriter, server.SessionTicketsDisabled = &log, true
	p := newPair(t, clientConfig(tls.VersionTLS13), server)
	p.shake()
	p.mustBeOpen(t)
	if suite := p.client.State().CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 {
		t.Skipf("%s was agreed on: crypto/tls prefers it without AES in hardware", tls.CipherSuiteName(suite))
	}
	find := func(name string) *direction {
		_, line, _ := strings.Cut(log.String(), name+" ")
		var random, secret string
		_, err := fmt.Sscan(line, &random, &secret)
		check(err)
		b, err := hex.DecodeString(secret)
		check(err)
		return &direction{secret: b}
	}
	return p.client, p.server, find("SERVER_TRAFFIC_SECRET_0"), find("CLIENT_TRAFFIC_SECRET_0")
}

func mustFeed(t *testing.T, c *Conn, b []byte, want string) {
	t.Helper()
	if got, err := c.Feed(nil, b); err != nil || string(got) != want {
		t.Fatalf("Feed: %q, %v, want %q", got, err, want)
	}
}

func mustOpen(t *testing.T, d *direction, b []byte, wantType byte, want string) (rest []byte) {
	t.Helper()
	recordType, content, rest, err := d.open(b)
	if err != nil || recordType != wantType || content != want {
		t.Fatalf("a record of type %d, %q, %v, want %d, %q", recordType, content, err, wantType, want)
	}
	return rest
}

func TestKeyUpdate(t *testing.T) {
	eachSide(t, func(t *testing.T, c *Conn, to, from *direction) {
		b := append(to.record(typeApplicationData, "old key, "), to.record(typeHandshake, updateNotRequested)...)
		to.update()
		mustFeed(t, c, append(b, to.record(typeApplicationData, "new key")...), "old key, new key")
		if b := c.Output(nil); len(b) > 0 {
			t.Errorf("%d bytes answer an update that wants no answer", len(b))
		}

		// An answer is wanted. It goes out before what is sent next, with the
		// old key, and what is sent next has the new one.
		b = to.record(typeHandshake, updateRequested)
		to.update()
		mustFeed(t, c, append(b, to.record(typeApplicationData, "newer key")...), "newer key")
		b = mustOpen(t, from, seal(t, c, "answer"), typeHandshake, updateNotRequested)
		from.update()
		if rest := mustOpen(t, from, b, typeApplicationData, "answer"); len(rest) > 0 {
			t.Errorf("%d bytes too many", len(rest))
		}
	})
}

func TestKeyUpdateCutAtEveryByte(t *testing.T) {
	eachSide(t, func(t *testing.T, c *Conn, to, from *direction) {
		for at := 0; ; at++ {
			b := to.record(typeHandshake, updateRequested[:2]) // a message in two records
			b = append(b, to.record(typeHandshake, updateRequested[2:])...)
			to.update()
			b = append(b, to.record(typeApplicationData, "message")...)
			if at > len(b) {
				break
			}
			plain, err := c.Feed(nil, b[:at])
			if err != nil {
				t.Fatalf("cut at %d: %v", at, err)
			}
			if plain, err = c.Feed(plain, b[at:]); err != nil || string(plain) != "message" {
				t.Fatalf("cut at %d: %q, %v", at, plain, err)
			}
			mustOpen(t, from, c.Output(nil), typeHandshake, updateNotRequested)
			from.update()
		}
	})
}

// TestKeyUpdatesWithoutEnd: crypto/tls takes 16 in a row, which also bounds
// what Output has after one Feed.
func TestKeyUpdatesWithoutEnd(t *testing.T) {
	eachSide(t, func(t *testing.T, c *Conn, to, _ *direction) {
		for range 16 {
			mustFeed(t, c, to.record(typeHandshake, updateRequested), "")
			to.update()
		}
		if _, err := c.Feed(nil, to.record(typeHandshake, updateRequested)); err == nil {
			t.Error("the 17th update in a row is no error")
		}
	})
}

// TestAMessageThatHasNoPlace: crypto/tls forgets this error, Feed does not.
func TestAMessageThatHasNoPlace(t *testing.T) {
	eachSide(t, func(t *testing.T, c *Conn, to, from *direction) {
		const finished = "\x14\x00\x00\x01x"
		_, want := c.Feed(nil, to.record(typeHandshake, finished))
		if want == nil {
			t.Fatal("a second Finished is no error")
		}
		if plain, err := c.Feed(nil, to.record(typeApplicationData, "message")); err != want || len(plain) > 0 {
			t.Errorf("Feed again: %q, %v", plain, err)
		}
		const alert, unexpectedMessage = 21, "\x02\x0a"
		mustOpen(t, from, c.Output(nil), alert, unexpectedMessage)
	})
}
