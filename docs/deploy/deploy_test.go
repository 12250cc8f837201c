// Package deploy has the files of docs/deploy.md; these tests have them read by the programs that they are for.
package deploy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// The times of roost that those of others have to fit.
const (
	silence  = 40 * time.Second // --ping-after and --ping-grace: what a connection may be silent for
	shutdown = 10 * time.Second // what roost takes to end, at most
)

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// program finds one that may not be installed.
func program(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skipf("%s is not installed", names[0])
	return ""
}

// adapt writes a file with its paths changed to those in a new directory, where site.pem has a certificate and its key.
func adapt(t *testing.T, name string, changes ...string) (dir, path string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "deploy") // not t.TempDir: the path of a socket has to be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	content := read(t, name)
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(content, changes[i]) {
			t.Fatalf("%s has no %q", name, changes[i])
		}
		content = strings.ReplaceAll(content, changes[i], strings.ReplaceAll(changes[i+1], "DIR", dir))
	}
	path = filepath.Join(dir, name)
	for file, b := range map[string][]byte{path: []byte(content), filepath.Join(dir, "site.pem"): certificate(t)} {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, path
}

// certificate is one that nobody trusts, and its key.
func certificate(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"example.com"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil || strings.Contains(strings.ToLower(string(out)), "[warn") {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
}

func TestNginxTakesItsFile(t *testing.T) {
	nginx := program(t, "nginx", "/usr/sbin/nginx")
	dir, path := adapt(t, "nginx.conf", "listen 443 ", "listen unix:DIR/s ", "/etc/nginx/tls/cert.pem", "DIR/site.pem", "/etc/nginx/tls/key.pem", "DIR/site.pem", "/var/log/nginx/", "DIR/")
	temp := "pid " + dir + "/pid;"
	run(t, nginx, "-t", "-q", "-e", "stderr", "-p", dir, "-c", path, "-g", temp)
}

func TestHAProxyTakesItsFiles(t *testing.T) {
	haproxy := program(t, "haproxy", "/usr/sbin/haproxy")
	_, path := adapt(t, "haproxy.cfg", "/etc/haproxy/tls/", "DIR/")
	run(t, haproxy, "-c", "-f", path)
	_, path = adapt(t, "haproxy-tcp.cfg")
	run(t, haproxy, "-c", "-f", path)
}

func TestSystemdTakesItsFile(t *testing.T) {
	analyze := program(t, "systemd-analyze")
	_, path := adapt(t, "roost.service", "/usr/local/bin/roost", "/bin/sh", "User=roost", "User=root")
	run(t, analyze, "verify", "--man=no", path)
	if limit := number(t, "roost.service", `TimeoutStopSec=(\d+)`); time.Duration(limit)*time.Second <= shutdown {
		t.Errorf("TimeoutStopSec is %d", limit)
	}
	conns := number(t, "roost.service", `--max-conns=(\d+)`)
	if files := number(t, "roost.service", `\nLimitNOFILE=(\d+)`); files < conns+64 {
		t.Errorf("LimitNOFILE is %d for %d connections", files, conns)
	}
}

// number is the one that a file has at a place.
func number(t *testing.T, name, pattern string) int {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(read(t, name))
	if m == nil {
		t.Fatalf("%s has no %s", name, pattern)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestProxiesWaitLonger: who cuts off a silent connection is roost, which knows why.
func TestProxiesWaitLonger(t *testing.T) {
	for _, c := range []struct{ file, pattern string }{
		{"nginx.conf", `proxy_read_timeout (\d+)s;`}, {"nginx.conf", `proxy_send_timeout (\d+)s;`}, {"haproxy.cfg", `timeout tunnel (\d+)s`},
		{"haproxy-tcp.cfg", `timeout client (\d+)s`}, {"haproxy-tcp.cfg", `timeout server (\d+)s`},
	} {
		if got := time.Duration(number(t, c.file, c.pattern)) * time.Second; got <= silence {
			t.Errorf("%s: %s is %v, want more than %v", c.file, c.pattern, got, silence)
		}
	}
}

func TestThePodHasTimeToEnd(t *testing.T) {
	d := yaml.NewDecoder(strings.NewReader(read(t, "kubernetes.yaml")))
	kinds := ""
	for {
		var doc struct {
			Kind string
			Spec struct{ Template struct{ Spec pod } }
		}
		if err := d.Decode(&doc); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		kinds += doc.Kind + " "
		if doc.Kind != "Deployment" {
			continue
		}
		p := doc.Spec.Template.Spec
		if len(p.Containers) != 1 {
			t.Fatalf("%d containers", len(p.Containers))
		}
		before := time.Duration(p.Containers[0].Lifecycle.PreStop.Sleep.Seconds) * time.Second
		if grace := time.Duration(p.Grace) * time.Second; before <= 0 || grace < before+shutdown {
			t.Errorf("the pod has %v, of which preStop takes %v, and roost up to %v", grace, before, shutdown)
		}
	}
	if kinds != "Deployment Service PodDisruptionBudget " {
		t.Errorf("the kinds are %s", kinds)
	}
}

// pod is what is looked at of a pod.
type pod struct {
	Grace      int `yaml:"terminationGracePeriodSeconds"`
	Containers []struct {
		Lifecycle struct {
			PreStop struct{ Sleep struct{ Seconds int } } `yaml:"preStop"`
		}
	}
}

// TestTheSysctlsAreTheDoctors: what the file sets, roost doctor checks.
func TestTheSysctlsAreTheDoctors(t *testing.T) {
	doctor := read(t, "../doctor.md")
	keys := regexp.MustCompile(`(?m)^([a-z0-9_.]+) = [0-9 ]+$`).FindAllStringSubmatch(read(t, "90-roost.conf"), -1)
	if len(keys) < 5 {
		t.Fatalf("%d keys", len(keys))
	}
	for _, key := range keys {
		if !strings.Contains(doctor, key[1]) {
			t.Errorf("roost doctor does not know %s", key[1])
		}
	}
}

func TestThePageNamesEveryFile(t *testing.T) {
	page := read(t, "../deploy.md")
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") && !strings.Contains(page, "](deploy/"+f.Name()+")") {
			t.Errorf("docs/deploy.md does not name %s", f.Name())
		}
	}
	for _, m := range regexp.MustCompile(`\]\(deploy/([^)]+)\)`).FindAllStringSubmatch(page, -1) {
		read(t, m[1])
	}
}
