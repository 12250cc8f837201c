package client

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/server"
)

func fixedProxy(t *testing.T, proxy string) func(*http.Request) (*url.URL, error) {
	u, err := url.Parse(proxy)
	if err != nil {
		t.Fatal(err)
	}
	return http.ProxyURL(u)
}

// tunnel is a proxy whose every connection leads to one address, whatever it is asked for.
func tunnel(t *testing.T, to string, requests chan<- *http.Request) func(*peer) {
	return func(p *peer) {
		r := p.request()
		requests <- r
		conn, err := net.Dial("tcp", to)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		p.write("HTTP/1.1 200 Connection established\r\n\r\n")
		var there sync.WaitGroup
		there.Go(func() {
			io.Copy(conn, p.br)
			conn.(*net.TCPConn).CloseWrite()
		})
		io.Copy(p, conn)
		p.Close()
		there.Wait()
	}
}

func TestThroughAProxy(t *testing.T) {
	requests := make(chan *http.Request, 1)
	proxy := listen(t, tunnel(t, startServer(t, server.Config{}), requests))
	c, err := Dial(t.Context(), "ws://far.example/x", Config{Proxy: fixedProxy(t, "http://ada:secret@"+proxy)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	r := receive(t, "the request", requests)
	if r.Method != "CONNECT" || r.RequestURI != "far.example:80" || r.Host != "far.example:80" {
		t.Errorf("%s %s, host %s", r.Method, r.RequestURI, r.Host)
	}
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("ada:secret"))
	if got := r.Header.Get("Proxy-Authorization"); got != want || r.Header.Get("Authorization") != "" || r.UserAgent() != "" {
		t.Errorf("the proxy got %v", r.Header)
	}
	if err := c.Write(t.Context(), ws.OpText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	wantText(t, c, "hello")
	if err := c.Close(ws.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
}

// TestTLSThroughATLSProxy has TLS within TLS, each with the name of its own host.
func TestTLSThroughATLSProxy(t *testing.T) {
	far := startTLS(t, func(w http.ResponseWriter, r *http.Request) {
		conn, _, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(conn, frame(ws.OpText, "through"))
		conn.Close()
	})
	config := far.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	requests := make(chan *http.Request, 1)
	names := make(chan string, 1)
	proxy := listen(t, func(p *peer) {
		secure := tls.Server(p.Conn, &tls.Config{Certificates: far.TLS.Certificates, GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			names <- h.ServerName
			return nil, nil
		}})
		tunnel(t, far.Listener.Addr().String(), requests)(newPeer(t, secure))
	})
	config.ServerName = "far.example.com" // httptest's certificate is for 127.0.0.1 and *.example.com or example.com
	config.InsecureSkipVerify = true
	_, port, _ := net.SplitHostPort(proxy)
	c, err := Dial(t.Context(), "wss://far.example.com/", Config{TLS: config, Proxy: fixedProxy(t, "https://localhost:"+port)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	wantText(t, c, "through")
	if name := receive(t, "the name of the proxy", names); name != "localhost" {
		t.Errorf("the proxy was called %q", name)
	}
	if r := receive(t, "the request", requests); r.RequestURI != "far.example.com:443" {
		t.Errorf("asked to connect to %s", r.RequestURI)
	}
}

func TestAProxyThatSaysNo(t *testing.T) {
	proxy := listen(t, func(p *peer) {
		p.request()
		p.write("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 6\r\n\r\nwho?!\n")
	})
	_, err := Dial(t.Context(), "ws://far.example", Config{Proxy: fixedProxy(t, "http://"+proxy)})
	var refused *HandshakeError
	if !errors.As(err, &refused) || !refused.Proxy || refused.Status != 407 || string(refused.Body) != "who?!\n" || refused.Header.Get("Proxy-Authenticate") != "Basic" {
		t.Errorf("error %v", err)
	}
	wantError(t, err, "the proxy answered 407")
}

func TestAProxyThatErrs(t *testing.T) {
	tests := []struct{ name, answer, says string }{
		{"no HTTP", "SOCKS\r\n\r\n", "its answer cannot be read"},
		{"nothing", "", "its answer cannot be read"},
		{"endless", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 20_000), "its answer cannot be read"},
		{"too early", "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101", "before the server could"},
	}
	for _, tt := range tests {
		proxy := listen(t, func(p *peer) {
			p.request()
			io.WriteString(p, tt.answer)
		})
		_, err := Dial(t.Context(), "ws://far.example", Config{Proxy: fixedProxy(t, "http://u:secret@"+proxy)})
		wantError(t, err, tt.says, "proxy http://u:xxxxx@")
	}
}

func TestProxiesThatCannotBe(t *testing.T) {
	for proxy, says := range map[string]string{
		"socks5://u:secret@127.0.0.1:1080": "socks5://u:xxxxx@127.0.0.1:1080 is none of http or https: for a SOCKS proxy set Config.DialContext",
		"http://":                          "has no host",
	} {
		_, err := Dial(t.Context(), "ws://far.example", Config{Proxy: fixedProxy(t, proxy)})
		wantError(t, err, says)
		if !Hopeless(err) {
			t.Errorf("another try would help, Hopeless says of %v", err)
		}
	}
	broken := errors.New("broken")
	_, err := Dial(t.Context(), "ws://far.example", Config{Proxy: func(*http.Request) (*url.URL, error) { return nil, broken }})
	wantError(t, err, broken, "choosing a proxy")
}

// dialEnv has the URL for a child process to dial.
const dialEnv = "ROOST_CLIENT_DIAL"

// dialThroughEnvironment prints the address that is dialed first.
func dialThroughEnvironment() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	Dial(ctx, os.Getenv(dialEnv), Config{DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
		fmt.Print(address)
		return nil, errUnreachable
	}})
}

// TestTheProxyComesFromTheEnvironment needs a process for each case: net/http reads the environment once.
func TestTheProxyComesFromTheEnvironment(t *testing.T) {
	tests := []struct{ url, env, want string }{
		{"ws://far.example/", "", "far.example:80"},
		{"ws://far.example/", "HTTP_PROXY=http://one.example:3128", "one.example:3128"},
		{"wss://far.example/", "HTTP_PROXY=http://one.example:3128", "far.example:443"},
		{"wss://far.example/", "https_proxy=https://two.example", "two.example:443"},
		{"wss://far.example/", "HTTPS_PROXY=http://two.example NO_PROXY=.example", "far.example:443"},
		{"ws://localhost/", "HTTP_PROXY=http://one.example", "localhost:80"},
	}
	for _, tt := range tests {
		t.Run(tt.url+" "+tt.env, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0])
			cmd.Env = append(strings.Fields(tt.env), dialEnv+"="+tt.url)
			out, err := cmd.Output()
			if err != nil || string(out) != tt.want {
				t.Errorf("dialed %q, %v; want %q", out, err, tt.want)
			}
		})
	}
}
