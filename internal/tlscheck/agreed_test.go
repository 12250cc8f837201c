package tlscheck

import (
	"crypto/tls"
	"slices"
	"strconv"
	"testing"
)

// everyConfig runs a test with what the flags make and with what an application gets that sets nothing, for both kinds of keys.
func everyConfig(t *testing.T, test func(t *testing.T, h *host, flags, rsa bool)) {
	for _, flags := range []bool{true, false} {
		for _, rsa := range []bool{true, false} {
			name, pair, config := "ECDSA", ecdsaPair(), defaults
			if rsa {
				name, pair = "RSA", rsaPair()
			}
			if flags {
				name, config = name+", the program's flags", flagged
			} else {
				name += ", defaults"
			}
			t.Run(name, func(t *testing.T) { test(t, serve(t, config(pair)), flags, rsa) })
		}
	}
}

// enumerate finds all numbers that a server agrees to: it offers as many as a ClientHello has room for, and strikes out what was chosen until
// nothing is. except are numbers with another meaning.
func enumerate(t *testing.T, h *host, refusal byte, offer func([]uint16) hello, chosen func(answer) uint16, except ...uint16) (all []uint16) {
	t.Helper()
	const at = 7000
	for from := 0; from < 1<<16; from += at {
		var numbers []uint16
		for n := from; n < min(1<<16, from+at); n++ {
			if !slices.Contains(except, uint16(n)) {
				numbers = append(numbers, uint16(n))
			}
		}
		for {
			a := h.ask(offer(numbers).bytes())
			if a.kind == recordAlert {
				if a.alert != refusal {
					t.Fatalf("it refuses numbers from %#04x on with the alert %d, want %d", from, a.alert, refusal)
				}
				break
			}
			n := chosen(a)
			i := slices.Index(numbers, n)
			if i < 0 {
				t.Fatalf("it chose %#04x, which was not offered", n)
			}
			all = append(all, n)
			numbers = slices.Delete(numbers, i, i+1)
		}
	}
	slices.Sort(all)
	return all
}

func wantNumbers(t *testing.T, name func(uint16) string, got []uint16, want ...uint16) {
	t.Helper()
	slices.Sort(want)
	for _, n := range got {
		if !slices.Contains(want, n) {
			t.Errorf("it agrees to %s", name(n))
		}
	}
	for _, n := range want {
		if !slices.Contains(got, n) {
			t.Errorf("it does not agree to %s", name(n))
		}
	}
}

// TestSuites tries every number that a suite could have, also those that crypto/tls knows nothing of. With the flags there are
// only suites with forward secrecy and authenticated encryption (RFC 9325 4.2). The defaults of crypto/tls have two more of TLS 1.2
// for each kind of key, with CBC and SHA-1; those without forward secrecy, 3DES, RC4, and CBC with SHA-256 are not among them. A Go version that changes
// this fails here.
func TestSuites(t *testing.T) {
	everyConfig(t, func(t *testing.T, h *host, flags, rsa bool) {
		want := map[bool][]uint16{
			true: {
				tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
				tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
			},
			false: {
				tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
				tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			},
		}[rsa]
		if !flags {
			want = append(want, map[bool][]uint16{
				true:  {tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA},
				false: {tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA},
			}[rsa]...)
		}
		suite := func(a answer) uint16 { return a.suite }
		t.Run("TLS 1.2", func(t *testing.T) {
			offer := func(suites []uint16) hello { return hello{suites: suites} }
			wantNumbers(t, tls.CipherSuiteName, enumerate(t, h, alertHandshake, offer, suite, suiteNoFallback), want...)
		})
		t.Run("TLS 1.3", func(t *testing.T) {
			offer := func(suites []uint16) hello { return hello{suites: suites, versions: []uint16{tls.VersionTLS13}} }
			wantNumbers(t, tls.CipherSuiteName, enumerate(t, h, alertHandshake, offer, suite),
				tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384, tls.TLS_CHACHA20_POLY1305_SHA256)
		})
	})
}

// TestGroups tries every number that a group for the exchange of keys could have. A client of TLS 1.3 that offers groups and no keys is told
// the choice in a HelloRetryRequest (RFC 8446 4.1.4).
func TestGroups(t *testing.T) {
	name := func(n uint16) string { return tls.CurveID(n).String() + " (" + strconv.Itoa(int(n)) + ")" }
	h := serve(t, flagged(ecdsaPair()))
	t.Run("TLS 1.3", func(t *testing.T) {
		offer := func(groups []uint16) hello {
			return hello{groups: groups, versions: []uint16{tls.VersionTLS13}, shares: []byte{}}
		}
		group := func(a answer) uint16 { return number(a.extensions[extKeyShare]) }
		wantNumbers(t, name, enumerate(t, h, alertHandshake, offer, group),
			uint16(tls.X25519), uint16(tls.CurveP256), uint16(tls.CurveP384), uint16(tls.CurveP521),
			uint16(tls.X25519MLKEM768), uint16(tls.SecP256r1MLKEM768), uint16(tls.SecP384r1MLKEM1024))
	})
	t.Run("TLS 1.2", func(t *testing.T) { // where the choice is in a later message
		for n, alert := range map[tls.CurveID]byte{tls.X25519: 0, tls.CurveP256: 0, tls.CurveP521: 0, 1: alertHandshake, 22: alertHandshake} {
			if a := h.ask(hello{groups: []uint16{uint16(n)}}.bytes()); a.alert != alert {
				t.Errorf("%s: alert %d, want %d", name(uint16(n)), a.alert, alert)
			}
		}
	})
}

// TestVersions: what is older than TLS 1.2 is told so (RFC 8446 6.2, RFC 8996), whatever it is put into; what is newer than TLS 1.3
// gets what both know.
func TestVersions(t *testing.T) {
	const ssl3, tls14, tls20, grease = 0x0300, 0x0305, 0x0400, 0x8a8a
	for name, tt := range map[string]struct {
		hello hello
		want  uint16 // 0: refused
	}{
		"SSL 3":                       {hello{record: ssl3, legacy: ssl3}, 0},
		"SSL 3 and TLS's record":      {hello{legacy: ssl3}, 0},
		"TLS 1.0":                     {hello{legacy: tls.VersionTLS10}, 0},
		"TLS 1.1":                     {hello{legacy: tls.VersionTLS11}, 0},
		"TLS 1.1 in its record":       {hello{record: tls.VersionTLS11, legacy: tls.VersionTLS11}, 0},
		"TLS 1.2":                     {hello{}, tls.VersionTLS12},
		"TLS 1.2 in its record":       {hello{record: tls.VersionTLS12}, tls.VersionTLS12},
		"TLS 1.2 in SSL's record":     {hello{record: ssl3}, tls.VersionTLS12},
		"TLS 1.3 without extension":   {hello{legacy: tls.VersionTLS13}, tls.VersionTLS12},
		"TLS 2.0 without extension":   {hello{legacy: tls20}, tls.VersionTLS12},
		"extension: 1.3":              {hello{versions: []uint16{tls.VersionTLS13}}, tls.VersionTLS13},
		"extension: 1.2":              {hello{versions: []uint16{tls.VersionTLS12}}, tls.VersionTLS12},
		"extension: all":              {hello{versions: []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13}}, tls.VersionTLS13},
		"extension: grease, 1.4, 1.3": {hello{versions: []uint16{grease, tls14, tls.VersionTLS13}}, tls.VersionTLS13},
		"extension: 1.0 and 1.1":      {hello{versions: []uint16{tls.VersionTLS10, tls.VersionTLS11}}, 0},
		"extension: 1.4":              {hello{versions: []uint16{tls14}}, 0},
		"extension: 1.1, message 1.3": {hello{legacy: tls.VersionTLS13, versions: []uint16{tls.VersionTLS11}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			everyConfig(t, func(t *testing.T, h *host, _, _ bool) {
				if tt.want == 0 {
					h.wantAlert(tt.hello.bytes(), alertVersion)
					return
				}
				if a := h.ask(tt.hello.bytes()); a.version != tt.want {
					t.Errorf("it agreed on %s, want %s (alert %d)", tls.VersionName(a.version), tls.VersionName(tt.want), a.alert)
				}
			})
		})
	}
}

// TestDowngrades: who could have had TLS 1.3 and was made to offer less finds out (RFC 8446 4.1.3, RFC 7507).
func TestDowngrades(t *testing.T) {
	const sentinel = "DOWNGRD\x01"
	h := serve(t, flagged(ecdsaPair()))
	if a := h.ask(hello{}.bytes()); a.version != tls.VersionTLS12 || string(a.random[24:]) != sentinel {
		t.Errorf("%s: the server's random number ends with %q", tls.VersionName(a.version), a.random[24:])
	}
	if a := h.ask(hello{versions: []uint16{tls.VersionTLS13}}.bytes()); a.version != tls.VersionTLS13 || string(a.random[24:]) == sentinel {
		t.Errorf("%s: the server's random number ends with %q", tls.VersionName(a.version), a.random[24:])
	}
	fallback := append(knownSuites(), suiteNoFallback)
	h.wantAlert(hello{suites: fallback}.bytes(), alertFallback)
	if a := h.ask(hello{suites: fallback, versions: []uint16{tls.VersionTLS13}}.bytes()); a.version != tls.VersionTLS13 {
		t.Errorf("TLS 1.3 that says it is no fallback: alert %d", a.alert)
	}
	config := flagged(ecdsaPair())
	config.MaxVersion = tls.VersionTLS12
	old := serve(t, config)
	if a := old.ask(hello{suites: fallback}.bytes()); a.version != tls.VersionTLS12 || string(a.random[24:]) == sentinel {
		t.Errorf("a server of TLS 1.2: alert %d, the random number ends with %q", a.alert, a.random[24:])
	}
}
