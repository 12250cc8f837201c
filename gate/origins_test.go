package gate

import (
	"strings"
	"testing"
)

func origins(t testing.TB, patterns ...string) *Origins {
	t.Helper()
	o, err := ParseOrigins(patterns...)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestOrigins(t *testing.T) {
	for _, c := range []struct {
		patterns string // separated by spaces
		allowed  string
		refused  string
	}{
		{"https://app.example.com", "https://app.example.com https://app.example.com:443 HTTPS://App.Example.COM",
			"http://app.example.com https://app.example.com:8443 https://example.com https://x.app.example.com https://app.example.com. wss://app.example.com null " +
				"https://app.example.com.evil.example https://app.example.comevil.example https://evilapp.example.com app.example.com //app.example.com " +
				"https://app.example.com/ https://app.example.com/x https://user@app.example.com https://app.example.com@evil.example https://app.example.com?x " +
				"https://app.example.com#x https://app.example.com\\.evil.example https:app.example.com https:///app.example.com https://app.example.com: " +
				"https://app.example.com:0443 https://app.example.com:443x"},
		{"HTTPS://APP.Example.com:443", "https://app.example.com https://app.example.com:443", "https://app.example.com:80"},
		{"http://localhost:8080", "http://localhost:8080", "http://localhost http://localhost:80 https://localhost:8080 http://localhost:808 http://localhost:80800"},
		{"http://localhost:80", "http://localhost http://localhost:80", "https://localhost http://localhost:443"},
		{"https://*.example.com", "https://a.example.com https://a.b.c.example.com https://A.EXAMPLE.com:443 https://-.example.com",
			"https://example.com http://a.example.com https://a.example.com:444 https://evilexample.com https://a.evilexample.com https://.example.com " +
				"https://a..example.com https://a.example.com.evil.example https://example.com.a https://*.example.com https://a.example.org https://com"},
		{"https://*.example.com:8443 http://*.example.com", "https://a.example.com:8443 http://a.example.com", "https://a.example.com http://a.example.com:8443"},
		{"https://*.example.com https://example.com", "https://example.com https://a.example.com", "https://aexample.com"},
		{"https://*.a.example.com https://*.longer.name.example.org", "https://x.a.example.com https://x.longer.name.example.org",
			"https://x.b.example.com https://a.example.com https://x.name.example.org"},
		{"https://*.com", "https://a.com https://a.b.com", "https://com https://a.example"},
		{"null", "null", "https://null http://null NULL Null file://"},
		{"*", "null https://a.example rubbish", ""},
		{"same-origin", "", "null https://a.example same-origin"},
		{"", "", "null https://a.example *"},
		{"https://[2001:DB8:0::1]", "https://[2001:db8::1] https://[2001:DB8::1]:443", "https://[2001:db8::2] https://[2001:db8::1 https://2001:db8::1 https://[2001:db8::1]x"},
		{"http://127.0.0.1:3000", "http://127.0.0.1:3000", "http://127.0.0.1 http://127.0.0.2:3000"},
		{"https://xn--bcher-kva.example", "https://xn--bcher-kva.example https://XN--BCHER-KVA.example", "https://b\u00fccher.example"},
		{"chrome-extension://abcdefgh", "chrome-extension://abcdefgh", "chrome-extension://abcdefghi moz-extension://abcdefgh"},
		{"https://a.example https://b.example", "https://a.example https://b.example", "https://c.example"},
	} {
		o := origins(t, strings.Fields(c.patterns)...)
		for _, s := range strings.Fields(c.allowed) {
			if !o.AllowsOrigin(s) {
				t.Errorf("%q does not allow %q", c.patterns, s)
			}
		}
		for _, s := range strings.Fields(c.refused) {
			if o.AllowsOrigin(s) {
				t.Errorf("%q allows %q", c.patterns, s)
			}
		}
	}
	o := origins(t, "https://a.example", "https://b.example", "https://*.c.example")
	for _, s := range []string{"", "https://a.example https://b.example", " https://a.example", "https://a.example ", "https://x y.c.example"} {
		if o.AllowsOrigin(s) {
			t.Errorf("%q is allowed", s)
		}
	}
}

func TestLongOrigins(t *testing.T) {
	o := origins(t, "https://*.example.com")
	long := func(n int) string {
		return "https://" + strings.Repeat("a.", (n-len("https://.example.com"))/2) + "a.example.com"
	}
	for n, want := range map[int]bool{maxOrigin - 1: true, maxOrigin + 1: false} {
		if s := long(n); len(s) != n || o.AllowsOrigin(s) != want {
			t.Errorf("%d bytes (%d): allowed %v", len(s), n, !want)
		}
	}
}

func TestOriginsOfRequests(t *testing.T) {
	for _, c := range []struct {
		patterns string
		lines    []string
		allowed  bool
	}{
		{"https://a.example", nil, true}, // no browser
		{"", nil, true},
		{"https://a.example", []string{"Origin: https://a.example"}, true},
		{"https://a.example", []string{"ORIGIN: https://b.example"}, false},
		{"https://a.example", []string{"Origin:"}, false},
		{"https://a.example", []string{"Origin: https://example.com"}, false},
		{"https://a.example https://b.example", []string{"Origin: https://a.example", "Origin: https://b.example"}, false},
		{"same-origin", []string{"Origin: https://example.com"}, true},
		{"same-origin", []string{"Origin: http://example.com"}, true},
		{"same-origin", []string{"Origin: https://a.example.com"}, false},
		{"same-origin", []string{"Origin: null"}, false},
		{"same-origin", []string{"Origin: https://example.com", "Origin: https://example.com"}, false},
		{"same-origin https://a.example", []string{"Origin: https://a.example"}, true},
		{"same-origin null", []string{"Origin: null"}, true},
		{"*", []string{"Origin: https://example.com", "Origin: rubbish"}, true},
	} {
		if got := origins(t, strings.Fields(c.patterns)...).Allows(request(t, c.lines...)); got != c.allowed {
			t.Errorf("%q, %q: allowed %v", c.patterns, c.lines, got)
		}
	}
	var none Origins
	if none.Allows(request(t, "Origin: https://a.example")) || !none.Allows(request(t)) {
		t.Error("the zero value allows a page, or refuses a program")
	}
}

func TestPatternsThatAreWrong(t *testing.T) {
	for p, what := range map[string]string{
		"":                                     "has to begin with a scheme",
		"example.com":                          "has to begin with a scheme",
		"://example.com":                       "has to begin with a scheme",
		"1http://example.com":                  "has to begin with a scheme",
		"*://example.com":                      "has to begin with a scheme",
		"Same-Origin":                          "has to begin with a scheme",
		"https://":                             "has no host",
		"https://:443":                         "has no host",
		"https://example.com/":                 `ends before "/": an origin has no path`,
		"https://example.com/app":              `ends before "/app"`,
		"https://example.com?x":                `ends before "?x"`,
		"https://user@example.com":             "an origin has no user",
		"https://example.com:":                 "no port follows the colon",
		"https://example.com:*":                `"*" is no port`,
		"https://example.com:0":                `"0" is no port`,
		"https://example.com:65536":            `"65536" is no port`,
		"https://example.com:_x":               `"_x" is no port`,
		"https://b\u00fccher.example":          "in ASCII",
		"https://*":                            `"*" may only stand for whole names in front`,
		"https://*example.com":                 `"*" may only stand for whole names in front`,
		"https://a.*.example.com":              `"*" may only stand for whole names in front`,
		"https://*.*.example.com":              `"*" may only stand for whole names in front`,
		"https://*.":                           `a name has to follow "*."`,
		"https://a b":                          `" " may not be in a host's name`,
		"https://.example.com":                 "an empty name",
		"https://a..example.com":               "an empty name",
		"https://[::1":                         "is no IPv6 address",
		"https://[::g]":                        "is no IPv6 address",
		"https://[[::1]":                       "is no IPv6 address",
		"https://[::1%eth0]":                   "is no IPv6 address",
		"https://a.example, https://b.example": "an origin has no path",
	} {
		_, err := ParseOrigins("https://fine.example", p)
		wantError(t, err, what)
	}
	_, err := ParseOrigins("https://a.example/x")
	wantError(t, err, `gate: "https://a.example/x" is no origin: `)
}

func TestAllowsOriginAllocatesNothing(t *testing.T) {
	o := origins(t, "https://*.example.com", "https://example.com", "same-origin")
	if n := testing.AllocsPerRun(100, func() {
		if !o.AllowsOrigin("https://a.b.example.com") || o.AllowsOrigin("https://a.b.example.org") {
			t.Fatal("wrong")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzOrigins: what is allowed is on the list by the letter, read by rules that are simpler than ours.
func FuzzOrigins(f *testing.F) {
	for _, s := range []string{"https://example.com", "https://a.example.com:443", "https://evilexample.com", "null", "http://[::1]:8080", "https://*.example.com", ""} {
		f.Add(s)
	}
	o := origins(f, "https://app.example.org", "https://*.example.com", "http://[::1]:8080")
	f.Fuzz(func(t *testing.T, s string) {
		allowed := o.AllowsOrigin(s)
		lower := strings.ToLower(s)
		if allowed {
			name, https := strings.CutPrefix(strings.TrimSuffix(lower, ":443"), "https://")
			below := strings.HasSuffix(name, ".example.com") && !strings.HasPrefix(name, ".")
			if lower != "http://[::1]:8080" && !(https && (name == "app.example.org" || below && !strings.ContainsAny(name, "/:@*?# \\"))) {
				t.Fatalf("%q is allowed", s)
			}
		}
		if isASCII(s) && o.AllowsOrigin(lower) != allowed {
			t.Fatalf("%q and %q differ", s, lower)
		}
		if err := checkOriginHost(s); err == nil && strings.ContainsAny(s, "/@ ") {
			t.Fatalf("%q is a host", s)
		}
		ParseOrigins(s) // must not panic
	})
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func BenchmarkAllowsOrigin(b *testing.B) {
	o := origins(b, "https://*.example.com", "https://example.com")
	b.ReportAllocs()
	for b.Loop() {
		o.AllowsOrigin("https://a.b.example.com")
	}
}
