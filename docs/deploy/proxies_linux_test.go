package deploy

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roostws/roost/gate"
	"github.com/roostws/roost/internal/leak"
	"github.com/roostws/roost/wsproto"
)

func TestMain(m *testing.M) { leak.Main(m) }

// patience is how long these tests wait for a proxy that does not do what it should.
const patience = 20 * time.Second

// handshake is what a client sends that would like to have another address.
const handshake = "GET /ws HTTP/1.1\r\nHost: example.com\r\nX-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// front listens, and returns its address and a descriptor to give to a proxy: so nobody has to wait for that to be ready.
func front(t *testing.T) (string, *os.File) {
	t.Helper()
	l := listen(t)
	file, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	t.Cleanup(func() { file.Close() })
	return l.Addr().String(), file
}

func listen(t *testing.T) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

// start runs a proxy that listens on file until the test ends.
func start(t *testing.T, file *os.File, env string, name string, args ...string) {
	t.Helper()
	var said strings.Builder
	cmd := exec.Command(name, args...)
	cmd.ExtraFiles = []*os.File{file}
	cmd.Env = append(os.Environ(), env)
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", name, &said)
		}
	})
}

// through sends a handshake to a proxy, and gives the bytes that come out behind it to took until that says that it has enough.
// It returns the address that the client has.
func through(t *testing.T, at string, behind *net.TCPListener, took func(peer netip.AddrPort, b []byte) bool) string {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}} // which is no proxy's
	client, err := dialer.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Write([]byte(handshake)); err != nil {
		t.Fatal(err)
	}
	behind.SetDeadline(time.Now().Add(patience))
	conn, err := behind.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	var all []byte
	for b := make([]byte, 4096); !took(conn.RemoteAddr().(*net.TCPAddr).AddrPort(), all); {
		n, err := conn.Read(b)
		if err != nil {
			t.Fatalf("after %q: %v", all, err)
		}
		all = append(all, b[:n]...)
	}
	return client.LocalAddr().String()
}

func local(t *testing.T) gate.Prefixes {
	t.Helper()
	p, err := gate.ParsePrefixes("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTheClientsAddressThroughHAProxysBytes(t *testing.T) {
	haproxy := program(t, "haproxy", "/usr/sbin/haproxy")
	for _, send := range []string{"send-proxy", "send-proxy-v2"} {
		at, file := front(t)
		behind := listen(t)
		_, path := adapt(t, "haproxy-tcp.cfg", "bind :443", "bind fd@3", "127.0.0.1:8443 send-proxy-v2 check inter 2s", behind.Addr().String()+" "+send, "maxconn 100000", "maxconn 100")
		start(t, file, "", haproxy, "-db", "-f", path)
		p := gate.ProxyProtocol{Mode: gate.ProxyRequired, Trusted: local(t)}
		var header gate.ProxyHeader
		client := through(t, at, behind, func(peer netip.AddrPort, b []byte) bool {
			if yes, err := p.Expects(peer.Addr()); !yes || err != nil {
				t.Fatal(yes, err)
			}
			h, n, err := p.Read(b)
			if err == gate.ErrMore {
				return false
			}
			if err != nil || n == 0 {
				t.Fatalf("%q: %d, %v", b, n, err)
			}
			header = h
			return strings.HasPrefix(handshake, string(b[n:]))
		})
		if header.Source.String() != client || header.Destination.String() != at {
			t.Errorf("%s: %+v, the client is %s, and went to %s", send, header, client, at)
		}
	}
}

// forwarded checks that the address in the request behind a proxy is the client's.
func forwarded(t *testing.T, at string, behind *net.TCPListener) {
	t.Helper()
	f := gate.Forwarding{Header: gate.XForwardedFor, Trusted: local(t)}
	var told netip.AddrPort
	through(t, at, behind, func(peer netip.AddrPort, b []byte) bool {
		n := wsproto.HeadEnd(b, 0)
		if n == 0 {
			return false
		}
		var r wsproto.Request
		if err := r.Parse(b[:n], wsproto.Limits{}); err != nil {
			t.Fatal(err)
		}
		if err := r.CheckUpgrade(); err != nil || r.Host() != "example.com" {
			t.Errorf("the handshake behind the proxy: %v, for %s", err, r.Host())
		}
		if got := r.Header("Forwarded"); got != "" {
			t.Errorf("a client's Forwarded comes through: %q", got)
		}
		told = f.Client(peer, &r)
		return true
	})
	if told.Addr() != netip.MustParseAddr("127.0.0.2") || told.Port() != 0 {
		t.Errorf("the client's address is %v", told)
	}
}

func TestTheClientsAddressThroughHAProxy(t *testing.T) {
	haproxy := program(t, "haproxy", "/usr/sbin/haproxy")
	at, file := front(t)
	behind := listen(t)
	_, path := adapt(t, "haproxy.cfg", "bind :443 ssl crt /etc/haproxy/tls/site.pem alpn http/1.1 ssl-min-ver TLSv1.2", "bind fd@3",
		"127.0.0.1:8080 check inter 2s", behind.Addr().String(), "maxconn 100000", "maxconn 100")
	start(t, file, "", haproxy, "-db", "-f", path)
	forwarded(t, at, behind)
}

func TestTheClientsAddressThroughNginx(t *testing.T) {
	nginx := program(t, "nginx", "/usr/sbin/nginx")
	at, file := front(t)
	behind := listen(t)
	dir, path := adapt(t, "nginx.conf", "listen 443 ssl backlog=65535;", "listen "+at+";", "/etc/nginx/tls/cert.pem", "DIR/site.pem", "/etc/nginx/tls/key.pem", "DIR/site.pem",
		"/var/log/nginx/", "DIR/", "server 127.0.0.1:8080;", "server "+behind.Addr().String()+";", "worker_processes auto;", "worker_processes 1;",
		"worker_rlimit_nofile 200000;", "", "worker_connections 100000;", "worker_connections 100;",
		"http {", "http { client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;")
	start(t, file, "NGINX=3;", nginx, "-e", "stderr", "-p", dir, "-c", path, "-g", fmt.Sprintf("daemon off; pid %s/pid;", dir))
	forwarded(t, at, behind)
}
