package tlscheck

import (
	"bytes"
	"crypto/tls"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
)

// everything is extensions that a client may offer, some of which a server had better not know.
func everything() []extension {
	return []extension{
		{extServerName, long(append([]byte{0}, long([]byte("localhost"))...))},
		{5, []byte{1, 0, 0, 0, 0}},    // status_request
		{1, []byte{4}},                // max_fragment_length
		{4, nil},                      // truncated_hmac, which weakens
		{extHeartbeat, []byte{1}},     // which leaked memory
		{18, nil},                     // signed_certificate_timestamp
		{extMasterSecret, nil},        // RFC 7627
		{22, nil},                     // encrypt_then_mac
		{extTicket, nil},              // RFC 5077
		{extNextProtocol, nil},        // of SPDY
		{extRenegotiation, []byte{0}}, // RFC 5746
		protocols("h2", "http/1.1", "spdy/3"),
	}
}

// TestExtensions: a server answers what it will do, and no more. Of TLS 1.3 the rest of its answer is encrypted, where a
// client of crypto/tls refuses what it has not offered.
func TestExtensions(t *testing.T) {
	h := serve(t, flagged(ecdsaPair()))
	a := h.ask(hello{more: everything()}.bytes())
	want := []uint16{extServerName, extPoints, extALPN, extMasterSecret, extTicket, extRenegotiation}
	if got := slices.Sorted(maps.Keys(a.extensions)); !slices.Equal(got, want) {
		t.Errorf("TLS 1.2: the extensions %d, want %d (alert %d)", got, want, a.alert)
	}
	if alpn := a.extensions[extALPN]; string(alpn) != "\x00\x09\x08http/1.1" {
		t.Errorf("the protocol %q", alpn)
	}
	if b := a.extensions[extRenegotiation]; !bytes.Equal(b, []byte{0}) {
		t.Errorf("renegotiation_info % x", b)
	}
	a = h.ask(hello{more: everything(), versions: []uint16{tls.VersionTLS13}}.bytes())
	want = []uint16{extVersions, extKeyShare}
	if got := slices.Sorted(maps.Keys(a.extensions)); !slices.Equal(got, want) {
		t.Errorf("TLS 1.3: the extensions %d, want %d (alert %d)", got, want, a.alert)
	}
	a = h.ask(hello{suites: append(knownSuites(), suiteRenegotiation)}.bytes())
	want = []uint16{extPoints, extRenegotiation}
	if got := slices.Sorted(maps.Keys(a.extensions)); !slices.Equal(got, want) {
		t.Errorf("nothing offered but the suite for secure renegotiation: the extensions %d, want %d", got, want)
	}
}

// TestALPN: never h2, whose frames nobody would understand (RFC 7301 3.2).
func TestALPN(t *testing.T) {
	everyConfig(t, func(t *testing.T, h *host, _, _ bool) {
		for _, versions := range [][]uint16{nil, {tls.VersionTLS13}} {
			for name, refused := range map[string]bool{
				"http/1.1": false, "h2 http/1.1": false, "http/1.1 h2": false,
				"h2": true, "h2c": true, "http/1.0": true, "HTTP/1.1": true, "h3 h2 spdy/3": true, "acme-tls/1": true,
			} {
				offer := hello{versions: versions, more: []extension{protocols(strings.Fields(name)...)}}
				a := h.ask(offer.bytes())
				if refused != (a.alert == alertNoProtocol) || !refused && a.kind != recordHandshake {
					t.Errorf("versions %d, %s: a record of type %d, alert %d", versions, name, a.kind, a.alert)
				}
				if got := a.extensions[extALPN]; !refused && versions == nil && string(got) != "\x00\x09\x08http/1.1" {
					t.Errorf("%s: it chose %q", name, got)
				}
			}
		}
	})
}

// TestNoCompression, which leaks what it compresses (RFC 7525 3.3).
func TestNoCompression(t *testing.T) {
	const deflate, lzs = 1, 64
	h := serve(t, flagged(ecdsaPair()))
	for _, offer := range [][]byte{{0}, {deflate, 0}, {deflate, lzs, 0}} {
		if a := h.ask(hello{compression: offer}.bytes()); a.kind != recordHandshake || a.compress != 0 {
			t.Errorf("% x: it chose %d (alert %d)", offer, a.compress, a.alert)
		}
	}
	h.wantAlert(hello{compression: []byte{deflate}}.bytes(), alertIllegal)
	// TLS 1.3 does not even allow the offer (RFC 8446 4.1.2).
	h.wantAlert(hello{compression: []byte{deflate, 0}, versions: []uint16{tls.VersionTLS13}}.bytes(), alertIllegal)
}

// TestRefusedHellos are complete and well framed, and mean something that a server must not go along with.
func TestRefusedHellos(t *testing.T) {
	tls13 := []uint16{tls.VersionTLS13}
	name := func(list ...[]byte) extension { return extension{extServerName, long(slices.Concat(list...))} }
	localhost := append([]byte{0}, long([]byte("localhost"))...)
	message := hello{}.message()
	for what, tt := range map[string]struct {
		b     []byte
		alert byte
	}{
		"data before the handshake":    {hello{versions: tls13, more: []extension{{extEarlyData, nil}}}.bytes(), alertUnsupportedExt},
		"a renegotiation":              {hello{more: []extension{{extRenegotiation, short(make([]byte, 12))}}}.bytes(), alertHandshake},
		"no suites":                    {hello{suites: []uint16{}}.bytes(), alertHandshake},
		"no way to compress":           {hello{compression: []byte{}}.bytes(), alertIllegal},
		"an extension twice":           {hello{more: []extension{{extTicket, nil}, {extTicket, nil}}}.bytes(), alertDecode},
		"an extension that ends early": {hello{more: []extension{{extALPN, []byte{0, 9, 8}}}}.bytes(), alertDecode},
		"a list of no protocols":       {hello{more: []extension{protocols()}}.bytes(), alertDecode},
		"a protocol without a name":    {hello{more: []extension{protocols("")}}.bytes(), alertDecode},
		"no versions":                  {hello{versions: []uint16{}}.bytes(), alertDecode},
		"a name twice":                 {hello{more: []extension{name(localhost, localhost)}}.bytes(), alertDecode},
		"no name":                      {hello{more: []extension{name()}}.bytes(), alertDecode},
		"a name that ends in a dot":    {hello{more: []extension{name(append([]byte{0}, long([]byte("localhost."))...))}}.bytes(), alertDecode},
		"bytes behind the extensions":  {record(recordHandshake, tls.VersionTLS10, lengthened(message)), alertDecode},
		"a key of the wrong length":    {hello{versions: tls13, shares: append(wide(uint16(tls.X25519)), long(make([]byte, 31))...)}.bytes(), alertIllegal},
		"a key that is no point":       {hello{versions: tls13, shares: append(wide(uint16(tls.X25519)), long(make([]byte, 32))...)}.bytes(), alertIllegal},
		"a message with nothing in it": {record(recordHandshake, tls.VersionTLS10, []byte{1, 0, 0, 0}), alertDecode},
		"a message that is all zeroes": {record(recordHandshake, tls.VersionTLS10, append([]byte{1, 0, 1, 0}, make([]byte, 256)...)), alertDecode},
	} {
		t.Run(what, func(t *testing.T) {
			h := serve(t, flagged(ecdsaPair()))
			h.wantAlert(tt.b, tt.alert)
		})
	}
}

// lengthened is a message with a byte more at its end.
func lengthened(message []byte) []byte {
	b := append(slices.Clone(message), 0)
	n := len(b) - messageHeaderLen
	b[1], b[2], b[3] = byte(n>>16), byte(n>>8), byte(n)
	return b
}

// behindTheHello sends bytes that begin with an ordinary ClientHello: the server answers that, and then must end with an alert.
func (h *host) behindTheHello(b []byte, alert byte) {
	h.t.Helper()
	c := h.tcp()
	defer c.Close()
	if _, err := c.Write(b); err != nil {
		h.t.Fatal(err)
	}
	kind, content := readRecord(h.t, c)
	if kind != recordHandshake || content[0] != messageServerHello {
		h.t.Fatalf("the ClientHello got a record of type %d: %.40x", kind, content)
	}
	for kind == recordHandshake {
		kind, content = readRecord(h.t, c)
	}
	if kind != recordAlert || !bytes.Equal(content, []byte{fatal, alert}) {
		h.t.Errorf("a record of type %d came: %.40x, want the alert %d", kind, content, alert)
	}
	if rest, err := io.ReadAll(c); err != nil || len(rest) > 0 {
		h.t.Errorf("behind it came %.40x, %v", rest, err)
	}
}

// TestBehindTheHello: what has no place in the handshake, as those who look for old holes send it.
func TestBehindTheHello(t *testing.T) {
	ordinary := hello{}.bytes()
	behind := func(kind byte, content ...byte) []byte {
		return slices.Concat(ordinary, record(kind, tls.VersionTLS12, content))
	}
	for name, tt := range map[string]struct {
		b     []byte
		alert byte
	}{
		"a heartbeat that claims more than it has": {behind(recordHeartbeat, 1, 0x40, 0), alertUnexpected}, // Heartbleed
		"ChangeCipherSpec before the keys":         {behind(recordChange, 1), alertUnexpected},             // CVE-2014-0224
		"data":                                     {behind(recordData, []byte("GET / HTTP/1.1\r\n\r\n")...), alertUnexpected},
		"another ClientHello":                      {behind(recordHandshake, hello{}.message()...), alertUnexpected},
		"a Finished":                               {behind(recordHandshake, append([]byte{20, 0, 0, 12}, make([]byte, 12)...)...), alertUnexpected},
		"a Finished in the ClientHello's record": {
			record(recordHandshake, tls.VersionTLS10, append(hello{}.message(), 20, 0, 0, 0)), alertUnexpected,
		},
		"a record of no type":       {behind(99, 1), alertUnexpected},
		"a record of SSL 3":         {slices.Concat(ordinary, record(recordHandshake, 0x0300, []byte{16})), alertVersion},
		"a record that is too long": {behind(recordHandshake, make([]byte, 1<<14+2049)...), alertOverflow},
		"signatures of SHA-1 alone": { // which is found when it has to sign
			hello{signatures: []uint16{uint16(tls.PKCS1WithSHA1), uint16(tls.ECDSAWithSHA1)}}.bytes(), alertHandshake,
		},
	} {
		t.Run(name, func(t *testing.T) { serve(t, flagged(ecdsaPair())).behindTheHello(tt.b, tt.alert) })
	}
}
