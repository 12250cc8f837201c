package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/roostws/roost/internal/certs"
)

// serving runs a command that serves until the test ends, and returns the first URLs that it names, so many.
func serving(t *testing.T, urls int, args ...string) []string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = w
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, args) }()
	drained := make(chan struct{})
	lines := bufio.NewScanner(r)
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("roost %s: %v", args, err)
		}
		os.Stderr = stderr
		w.Close()
		<-drained
		r.Close()
	})
	check := func(err error) {
		if err != nil {
			t.Error(err) // not Fatal: the cleanup waits for what begins below
		}
	}
	check(r.SetReadDeadline(time.Now().Add(30 * time.Second))) // a server that names fewer would be waited for without end
	var found []string
	for len(found) < urls && lines.Scan() {
		if url := regexp.MustCompile(`(ws|http)s?://[0-9.:]+/`).FindString(lines.Text()); url != "" {
			found = append(found, url)
		}
	}
	check(r.SetReadDeadline(time.Time{}))
	go func() { // what a load run says
		defer close(drained)
		_, _ = io.Copy(io.Discard, r)
	}()
	if len(found) < urls {
		t.Fatalf("roost %s named %q", args, found)
	}
	return found
}

// certificateFiles writes a new certificate for this machine to the files of a directory.
func certificateFiles(t *testing.T, dir string) (cert, key string, leaf *x509.Certificate) {
	t.Helper()
	pair, err := certs.SelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, pair.Leaf
}

// load runs roost load echo with flags, and returns how it ended.
func load(t *testing.T, flags string, url string) error {
	t.Helper()
	args := "load echo -n 6 -d 200ms -q --size 1-40000 --assert replies>0 --assert lost==0 --assert mismatched==0 " + flags + " " + url
	return run(t.Context(), strings.Fields(args))
}

// TestLoadEchoOverTLS: both sides as a user starts them, with a certificate that is made at once, and with one of files.
func TestLoadEchoOverTLS(t *testing.T) {
	cert, key, _ := certificateFiles(t, t.TempDir())
	files := "--tls-cert " + cert + " --tls-key " + key
	const unknown = "certificate"
	for name, tt := range map[string]struct {
		server, load, fails string
	}{
		"any certificate":         {"--tls-self-signed", "--insecure", ""},
		"the file as authority":   {files, "--ca " + cert, ""},
		"by another name":         {files, "--server-name localhost --ca " + cert, ""},
		"on the pool, compressed": {files + " --compress dedicated", "--ca " + cert, ""},
		"inline":                  {files + " --inline", "--ca " + cert, ""},
		"nobody trusts it":        {"--tls-self-signed", "", unknown},
		"another authority":       {"--tls-self-signed", "--ca " + cert, unknown},
		"a name that it has not":  {files, "--server-name other.test --ca " + cert, unknown},
	} {
		t.Run(name, func(t *testing.T) {
			url := serving(t, 1, strings.Fields("echo --addr 127.0.0.1:0 "+tt.server)...)[0]
			if !strings.HasPrefix(url, "wss://") {
				t.Fatalf("it serves at %s", url)
			}
			err := load(t, tt.load, url)
			switch {
			case tt.fails == "" && err != nil:
				t.Error(err)
			case tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails) || status(err) != exitUsage):
				t.Errorf("%v, want %q", err, tt.fails)
			}
		})
	}
}

// TestTLSBesideThePlainPort: each speaks its own, and says so to who takes it for the other.
func TestTLSBesideThePlainPort(t *testing.T) {
	urls := serving(t, 2, strings.Fields("echo --addr 127.0.0.1:0 --tls-addr 127.0.0.1:0 --tls-self-signed")...)
	plain, secure := urls[0], urls[1]
	if !strings.HasPrefix(plain, "ws://") || !strings.HasPrefix(secure, "wss://") {
		t.Fatalf("it serves at %q", urls)
	}
	for _, good := range []string{plain, secure} {
		if err := load(t, "--insecure", good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"wss" + strings.TrimPrefix(plain, "ws"), "ws" + strings.TrimPrefix(secure, "wss")} {
		if err := load(t, "--insecure", bad); err == nil || status(err) != exitUsage {
			t.Errorf("%s: %v", bad, err)
		}
	}
	resp, err := http.Get("http" + strings.TrimPrefix(secure, "wss"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "this port speaks TLS") {
		t.Errorf("plain HTTP on the TLS port: %s %q", resp.Status, body)
	}
}

// TestACertificateIsRenewedWhileItServes: new handshakes get the new one within seconds, and what is open stays.
func TestACertificateIsRenewedWhileItServes(t *testing.T) {
	dir := t.TempDir()
	cert, key, first := certificateFiles(t, dir)
	url := serving(t, 1, "echo", "--addr", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key)[0]
	addr := strings.Trim(strings.TrimPrefix(url, "wss:"), "/")
	shown := func() (*tls.Conn, *x509.Certificate) {
		c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true}) // what is shown counts
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c, c.ConnectionState().PeerCertificates[0]
	}
	open, got := shown()
	if !got.Equal(first) {
		t.Fatal("the first certificate is not that of the file")
	}
	_, _, second := certificateFiles(t, dir)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(time.Minute); !got.Equal(second); {
		select {
		case <-tick.C:
			var c *tls.Conn
			c, got = shown()
			c.Close()
			if !got.Equal(first) && !got.Equal(second) {
				t.Fatal("a certificate came from nowhere")
			}
		case <-end:
			t.Fatal("the new certificate is not shown")
		}
	}
	const request = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	if _, err := io.WriteString(open, request); err != nil {
		t.Fatal(err)
	}
	if resp, err := http.ReadResponse(bufio.NewReader(open), nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("the connection from before: %v, %v", resp, err)
	}
}
