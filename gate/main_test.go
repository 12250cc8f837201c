package gate

import (
	"strings"
	"testing"

	"github.com/roostws/roost/internal/leak"
	"github.com/roostws/roost/wsproto"
)

func TestMain(m *testing.M) { leak.Main(m) }

// request is a handshake for example.com with more header lines.
func request(t testing.TB, lines ...string) *wsproto.Request {
	t.Helper()
	head := "GET /ws HTTP/1.1\r\nHost: example.com\r\n"
	if len(lines) > 0 {
		head += strings.Join(lines, "\r\n") + "\r\n"
	}
	r := new(wsproto.Request)
	if err := r.Parse([]byte(head+"\r\n"), wsproto.Limits{}); err != nil {
		t.Fatal(err)
	}
	return r
}

// prefixes is a set that must be one.
func prefixes(t testing.TB, list ...string) Prefixes {
	t.Helper()
	p, err := ParsePrefixes(list...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wantError checks that err says what.
func wantError(t *testing.T, err error, what string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), what) {
		t.Errorf("the error is %v, want one with %q", err, what)
	}
}
