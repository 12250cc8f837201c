// Command chi is a chat: chi (https://github.com/go-chi/chi) serves its pages and decides who may do what, and roost takes the
// WebSocket connections over from it.
//
//	go run ./examples/chi
//	open http://127.0.0.1:8080/?name=ada
//
// With -cert and -key it speaks https and wss. An interrupt ends it in order.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/roostws/roost/gate"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "the address to listen on")
	cert := flag.String("cert", "", "a file with a certificate, for https and wss")
	key := flag.String("key", "", "a file with the certificate's key")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := start(ctx, *listen, *cert, *key); err != nil {
		fmt.Fprintln(os.Stderr, "chi:", err)
		os.Exit(1)
	}
}

// start runs the chat at an address, over TLS if there is a certificate.
func start(ctx context.Context, listen, cert, key string) error {
	s := settings{
		log:        os.Stderr,
		maxConns:   10_000,
		perAddress: gate.LimiterConfig{Conns: 100, Handshakes: 10},
	}
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return err
		}
		s.tls = &tls.Config{Certificates: []tls.Certificate{pair}}
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "listening on", l.Addr())
	return serve(ctx, l, s)
}
