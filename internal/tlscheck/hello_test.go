package tlscheck

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"slices"
)

// hello is a ClientHello (RFC 5246 7.4.1.2, RFC 8446 4.1.2) as crypto/tls would not send it. The zero value is an ordinary one of
// TLS 1.2.
type hello struct {
	record      uint16   // version of the record; 0: TLS 1.0, as most send it
	legacy      uint16   // version in the message; 0: TLS 1.2
	versions    []uint16 // supported_versions; nil: no such extension
	suites      []uint16 // nil: those of TLS 1.3, and all of TLS 1.2 that crypto/tls knows
	compression []byte   // nil: none but null
	groups      []uint16 // nil: X25519 and P-256
	signatures  []uint16 // nil: what is not SHA-1
	shares      []byte   // entries of key_share, which goes with versions; nil: one of X25519
	more        []extension
}

// extension is one of a ClientHello's.
type extension struct {
	kind uint16
	body []byte
}

// Extensions (the registry of RFC 8447).
const (
	extServerName       = 0
	extGroups           = 10
	extPoints           = 11
	extSignatures       = 13
	extHeartbeat        = 15
	extALPN             = 16
	extMasterSecret     = 23
	extTicket           = 35
	extEarlyData        = 42
	extVersions         = 43
	extKeyShare         = 51
	extNextProtocol     = 13172
	extRenegotiation    = 0xff01
	suiteNoFallback     = 0x5600 // TLS_FALLBACK_SCSV (RFC 7507)
	suiteRenegotiation  = 0x00ff // TLS_EMPTY_RENEGOTIATION_INFO_SCSV (RFC 5746)
	recordChange        = 20
	recordAlert         = 21
	recordHandshake     = 22
	recordData          = 23
	recordHeartbeat     = 24
	headerLen           = 5
	messageServerHello  = 2
	messageHeaderLen    = 4
	maxHello            = 16 << 10 // of records, with their headers; what the server takes
	fatal               = 2
	alertUnexpected     = 10
	alertOverflow       = 22
	alertHandshake      = 40
	alertIllegal        = 47
	alertDecode         = 50
	alertVersion        = 70
	alertFallback       = 86
	alertUnsupportedExt = 110
	alertNoProtocol     = 120
)

// wide is numbers as TLS has them.
func wide(numbers ...uint16) (b []byte) {
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint16(b, n)
	}
	return b
}

// short and long put a length of one byte or of two before b.
func short(b []byte) []byte { return append([]byte{byte(len(b))}, b...) }
func long(b []byte) []byte  { return append(wide(uint16(len(b))), b...) }

// or is b, or what stands for nil.
func or[T any](b, otherwise []T) []T {
	if b == nil {
		return otherwise
	}
	return b
}

func knownSuites() (ids []uint16) {
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		ids = append(ids, suite.ID)
	}
	return ids
}

// message is the handshake message.
func (h hello) message() []byte {
	random := make([]byte, 32)
	rand.Read(random)
	legacy := h.legacy
	if legacy == 0 {
		legacy = tls.VersionTLS12
	}
	b := append(wide(legacy), random...)
	b = append(b, short(random)...) // a session's number, for middleboxes
	b = append(b, long(wide(or(h.suites, knownSuites())...))...)
	b = append(b, short(or(h.compression, []byte{0}))...)
	extensions := []byte{}
	for _, e := range h.extensions() {
		extensions = append(append(extensions, wide(e.kind)...), long(e.body)...)
	}
	b = append(b, long(extensions)...)
	return append([]byte{1, byte(len(b) >> 16), byte(len(b) >> 8), byte(len(b))}, b...)
}

func (h hello) extensions() []extension {
	signatures := or(h.signatures, []uint16{
		uint16(tls.ECDSAWithP256AndSHA256), uint16(tls.PSSWithSHA256), uint16(tls.PKCS1WithSHA256), uint16(tls.Ed25519),
	})
	all := []extension{
		{extGroups, long(wide(or(h.groups, []uint16{uint16(tls.X25519), uint16(tls.CurveP256)})...))},
		{extPoints, short([]byte{0})},
		{extSignatures, long(wide(signatures...))},
	}
	if h.versions != nil {
		all = append(all, extension{extVersions, short(wide(h.versions...))}, extension{extKeyShare, long(or(h.shares, share()))})
	}
	return append(all, h.more...)
}

// share is an entry of key_share for X25519.
func share() []byte {
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	check(err)
	return slices.Concat(wide(uint16(tls.X25519)), long(key.PublicKey().Bytes()))
}

// bytes is the message in one record.
func (h hello) bytes() []byte {
	version := h.record
	if version == 0 {
		version = tls.VersionTLS10
	}
	return record(recordHandshake, version, h.message())
}

// record is a plaintext record.
func record(kind byte, version uint16, content []byte) []byte {
	return slices.Concat([]byte{kind}, wide(version), long(content))
}

// protocols is an ALPN extension (RFC 7301).
func protocols(names ...string) extension {
	list := []byte{}
	for _, name := range names {
		list = append(list, short([]byte(name))...)
	}
	return extension{extALPN, long(list)}
}

// check is for what cannot fail.
func check(err error) {
	if err != nil {
		panic(err)
	}
}
