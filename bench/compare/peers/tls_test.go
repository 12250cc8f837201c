package peers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/coder/websocket"

	"github.com/roostws/roost/internal/certs"
)

// checkTLS looks whether a server echoes over TLS 1.3 when it is told to, or says that it cannot.
func checkTLS(t *testing.T, command []string) {
	dir, trusting := certificate(t)
	command = append(command[:len(command):len(command)], "--tls", dir)
	if known[filepath.Base(command[0])].plain {
		s := launch(t, command, freeAddr(t), "echo")
		s.wait(t)
		if code := s.cmd.ProcessState.ExitCode(); code != 2 {
			t.Errorf("status %d, want 2: %s", code, &s.output)
		}
		return
	}
	s := start(t, command, "echo")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, response, err := websocket.Dial(ctx, "wss://"+s.addr, &websocket.DialOptions{HTTPClient: trusting})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if v := response.TLS.Version; v != tls.VersionTLS13 {
		t.Errorf("it speaks %s", tls.VersionName(v))
	}
	conn.SetReadLimit(-1)
	c := &client{t, conn, ctx}
	for _, size := range []int{1, 512, 1 << 20} {
		m := message{websocket.MessageBinary, fill(websocket.MessageBinary, size)}
		go conn.Write(ctx, m.kind, m.payload) // an answer may begin before a message has ended
		c.expect(m)
	}
}

// certificate writes one as the comparison does, and returns where, and a client that trusts it.
func certificate(t *testing.T) (dir string, trusting *http.Client) {
	t.Helper()
	pair, err := certs.SelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trust := x509.NewCertPool()
	trust.AddCert(pair.Leaf)
	return dir, &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trust}}}
}
