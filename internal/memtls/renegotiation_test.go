package memtls

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
)

// A record of TLS 1.2 (RFC 5246), written by hand with the master secret of a key
// log, because crypto/tls has no client that asks for a second handshake.

// prf is P_SHA256 (RFC 5246, 5).
func prf(secret []byte, label string, seed []byte, length int) (out []byte) {
	mac := func(parts ...[]byte) []byte {
		h := hmac.New(sha256.New, secret)
		for _, p := range parts {
			h.Write(p)
		}
		return h.Sum(nil)
	}
	seed = append([]byte(label), seed...)
	for a := mac(seed); len(out) < length; a = mac(a) {
		out = append(out, mac(a, seed)...)
	}
	return out[:length]
}

// record12 encrypts a record of the client's with AES-128-GCM. The keys are cut
// from the block of RFC 5246, 6.3, as there are no MACs: client's key, server's
// key, client's salt, server's salt.
func record12(master, clientRandom, serverRandom []byte, sequence uint64, recordType byte, content string) []byte {
	keys := prf(master, "key expansion", append(bytes.Clone(serverRandom), clientRandom...), 2*16+2*4)
	block, err := aes.NewCipher(keys[:16])
	check(err)
	aead, err := cipher.NewGCM(block)
	check(err)
	explicit := binary.BigEndian.AppendUint64(nil, sequence)
	header := []byte{recordType, 3, 3}
	extra := append(bytes.Clone(explicit), header...)
	extra = binary.BigEndian.AppendUint16(extra, uint16(len(content)))
	b := binary.BigEndian.AppendUint16(header, uint16(len(explicit)+len(content)+aead.Overhead()))
	return aead.Seal(append(b, explicit...), append(bytes.Clone(keys[32:36]), explicit...), []byte(content), extra)
}

// TestAClientThatRenegotiatesIsRefused: the loop must not be made to shake hands
// again, which would block it.
func TestAClientThatRenegotiatesIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		client := clientConfig(tls.VersionTLS12)
		client.KeyLogWriter = &log
		client.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
		p := newPair(t, client, serverConfig())
		synctest.Wait()
		p.feedServer(p.client.Output(nil), synctest.Wait)
		flight := p.server.Output(nil)
		serverRandom := bytes.Clone(flight[headerLen+messageHeaderLen+2:][:32]) // behind the version
		p.feedClient(flight, synctest.Wait)
		p.shake()
		p.mustBeOpen(t)
		var random, secret string
		_, err := fmt.Sscanf(log.String(), "CLIENT_RANDOM %s %s", &random, &secret)
		check(err)
		clientRandom, err := hex.DecodeString(random)
		check(err)
		master, err := hex.DecodeString(secret)
		check(err)

		// The record before it is the client's Finished.
		mustFeed(t, p.server, record12(master, clientRandom, serverRandom, 1, typeApplicationData, "by hand"), "by hand")
		hello := string(realHello(t, client)[headerLen:])
		plain, err := p.server.Feed(nil, record12(master, clientRandom, serverRandom, 2, typeHandshake, hello))
		if err == nil || len(plain) > 0 || !strings.Contains(err.Error(), "unexpected handshake message") {
			t.Fatalf("Feed: %q, %v", plain, err)
		}
		if done, err := p.server.Handshaken(); !done || err != nil {
			t.Errorf("Handshaken: %v, %v: it has begun again", done, err)
		}
		p.feedClient(p.server.Output(nil), noWait)
		if p.clientErr == nil || p.clientErr == io.EOF || !strings.Contains(p.clientErr.Error(), "unexpected message") {
			t.Errorf("the client is told %v", p.clientErr)
		}
		if _, again := p.server.Feed(nil, record12(master, clientRandom, serverRandom, 3, typeApplicationData, "more")); again != err {
			t.Errorf("Feed again: %v", again)
		}
	})
}
