//go:build unix

package interop

import (
	"bufio"
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/server"
	"github.com/roostws/roost/wsproto"
)

// sClient is openssl s_client with a connection.
type sClient struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	said *lines // what it says beside what the server sends
}

// openssl starts it, with the server's certificate as the only one that it trusts.
func openssl(t *testing.T, s *secure, version string, args ...string) *sClient {
	t.Helper()
	program := command(t, "Debian's openssl", "openssl")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	args = append([]string{"s_client", "-connect", s.addr, "-CAfile", s.ca, "-verify_return_error", "-verify_ip", "127.0.0.1",
		"-tls" + strings.Replace(version, ".", "_", 1)}, args...)
	c := &sClient{t: t, cmd: exec.CommandContext(ctx, program, args...), said: new(lines)}
	c.cmd.Stderr, c.cmd.WaitDelay = c.said, time.Second
	in, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.in, c.out = in, bufio.NewReader(out)
	t.Cleanup(func() {
		cancel()
		c.cmd.Wait()
		if t.Failed() {
			t.Logf("openssl said:\n%s", c.said.text())
		}
	})
	return c
}

// typing has it send bytes.
func (c *sClient) typing(b []byte) {
	c.t.Helper()
	if _, err := c.in.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

func TestOpenSSL(t *testing.T) {
	t.Parallel()
	eachTool(t, func(t *testing.T, s *secure, version string, deflate bool) {
		c := openssl(t, s, version, "-quiet", "-alpn", "h2,http/1.1")
		c.typing([]byte(typedRequest))
		wantSwitch(t, c.out, deflate)
		for range 3 {
			c.typing(typed(deflate))
			wantTyped(t, c.out, deflate)
		}
		c.typing(typedClose())
		wantTypedClose(t, c.out)
		if rest, err := io.ReadAll(c.out); err != nil || len(rest) > 0 {
			t.Errorf("behind the Close frame: %q, %v", rest, err)
		}
		if err := c.cmd.Wait(); err != nil { // not without close_notify
			t.Error(err)
		}
	})
}

// TestOpenSSLRefused is what a scanner would try, with another implementation of TLS than the server's. (Others are in
// package tlscheck.)
func TestOpenSSLRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		version string
		args    []string
		told    string
	}{
		"TLS 1.0":             {"1", []string{"-cipher", "ALL:@SECLEVEL=0"}, "alert protocol version"},
		"TLS 1.1":             {"1.1", []string{"-cipher", "ALL:@SECLEVEL=0"}, "alert protocol version"},
		"no forward secrecy":  {"1.2", []string{"-cipher", "kRSA:@SECLEVEL=0"}, "handshake failure"},
		"CBC and SHA-1":       {"1.2", []string{"-cipher", "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA"}, "handshake failure"},
		"nobody who signs":    {"1.2", []string{"-cipher", "aNULL:@SECLEVEL=0"}, "handshake failure"},
		"no encryption":       {"1.2", []string{"-cipher", "eNULL:@SECLEVEL=0"}, "handshake failure"},
		"finite fields":       {"1.2", []string{"-cipher", "DHE"}, "handshake failure"},
		"an odd group":        {"1.3", []string{"-groups", "X448"}, "handshake failure"},
		"HTTP/2 alone":        {"1.2", []string{"-alpn", "h2"}, "no application protocol"},
		"HTTP/2 alone in 1.3": {"1.3", []string{"-alpn", "h2"}, "no application protocol"},
		"a fallback":          {"1.2", []string{"-fallback_scsv"}, "inappropriate fallback"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startTLS(t, server.Config{}, 0)
			c := openssl(t, s, tt.version, tt.args...)
			io.Copy(io.Discard, c.out)
			if err := c.cmd.Wait(); err == nil || !strings.Contains(c.said.text(), tt.told) {
				t.Errorf("%v, want %q", err, tt.told)
			}
			s.await("it is counted and gone", func(s server.Stats) bool { return s.Reasons[server.ReasonHandshakeTLS] == 1 })
		})
	}
}

// talk has a message echoed by a client that mixes what it says with what the server sends. It returns what came until then.
func (c *sClient) talk(message string) (came string) {
	c.t.Helper()
	c.typing(wsproto.AppendMaskedFrame(nil, ws.OpText, []byte(message), [4]byte{1, 2, 3, 4}))
	echo := string(wsproto.AppendFrame(nil, ws.OpText, []byte(message)))
	for !strings.HasSuffix(came, echo) {
		b, err := c.out.ReadByte()
		if err != nil {
			c.t.Fatalf("waited for %q: %v behind %q", message, err, came)
		}
		came += string(b)
	}
	return came
}

// TestOpenSSLResumes a session, in both versions. What it says of the connection shows that nothing is compressed by TLS, and
// that renegotiation is the safe one, if any.
func TestOpenSSLResumes(t *testing.T) {
	t.Parallel()
	for version := range tlsVersions {
		t.Run("TLS "+version, func(t *testing.T) {
			s := startTLS(t, server.Config{}, 0)
			ticket := filepath.Join(t.TempDir(), "session")
			for i, want := range []string{"New, ", "Reused, "} {
				c := openssl(t, s, version, "-comp", [...]string{"-sess_out", "-sess_in"}[i], ticket)
				c.typing([]byte(typedRequest))
				said := c.talk("over there")
				if !strings.Contains(said, want+"TLSv"+version) || !strings.Contains(said, "Compression: NONE") {
					t.Errorf("it should say %q of %s", want, said)
				}
				if version == "1.2" && !strings.Contains(said, "Secure Renegotiation IS supported") {
					t.Errorf("no secure renegotiation in %s", said)
				}
				c.typing(typedClose())
				io.Copy(io.Discard, c.out)
				if err := c.cmd.Wait(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestOpenSSLChangesItsKeys: with K it asks for the server's new keys too (RFC 8446 4.6.3), with k it changes its own.
func TestOpenSSLChangesItsKeys(t *testing.T) {
	t.Parallel()
	s := startTLS(t, server.Config{}, 0)
	c := openssl(t, s, "1.3")
	c.typing([]byte(typedRequest))
	c.talk("before")
	for _, order := range []string{"K", "k", "K"} {
		done := strings.Count(c.said.text(), "KEYUPDATE")
		c.typing([]byte(order + "\n"))
		c.said.await(t, "KEYUPDATE", done+1)
		c.talk("and go on after " + order)
	}
	c.typing(typedClose())
	io.Copy(io.Discard, c.out)
	s.wantClose(server.ReasonPeer, 1000, "bye", true)
}

// TestOpenSSLMayNotRenegotiate: with R it asks for another handshake on the connection. The server never does that.
func TestOpenSSLMayNotRenegotiate(t *testing.T) {
	t.Parallel()
	s := startTLS(t, server.Config{}, 0)
	c := openssl(t, s, "1.2")
	c.typing([]byte(typedRequest))
	c.talk("before")
	c.typing([]byte("R\n"))
	c.said.await(t, "RENEGOTIATING", 1)
	io.Copy(io.Discard, c.out)
	if err := c.cmd.Wait(); err == nil || !regexp.MustCompile(`alert unexpected[_ ]message|no renegotiation`).MatchString(c.said.text()) {
		t.Errorf("it ended with %v", err)
	}
	select {
	case how := <-s.closes:
		if how.Clean {
			t.Errorf("OnClose got %+v", how)
		}
	case <-time.After(patience):
		t.Fatal("waited in vain: OnClose")
	}
}
