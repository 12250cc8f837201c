// Package certs is what a server of TLS shows to its clients, and what it takes
// from them: certificates from files that may change while it runs, one for
// trying out, and a config that offers nothing old.
package certs

import "crypto/tls"

// http11 is the only protocol over our TLS (RFC 7301). Over h2 a WebSocket would
// have to come by an extended CONNECT (RFC 8441), which we do not speak. A client
// that wants h2 only is refused by crypto/tls: no_application_protocol.
const http11 = "http/1.1"

// Config makes a server's config: TLS 1.2 and 1.3, HTTP/1.1 only, and of TLS 1.2
// only the suites with forward secrecy and authenticated encryption (RFC 9325,
// 4.2). The keys of session tickets belong to the config: all connections
// should share one. A clone for each would also cost memory for each.
//
// certificate is Store.Certificate, or another callback. The caller may change
// the config before its first use, for example ClientAuth and ClientCAs.
func Config(certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		GetCertificate: certificate,
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{http11},
		CipherSuites: []uint16{ // in no order: crypto/tls has its own. Those of TLS 1.3 are always on
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		// One record for what is written at once, up to 16 KiB. The small records
		// that crypto/tls begins with are for the first paint of web pages.
		DynamicRecordSizingDisabled: true,
	}
}

// Fixed is a callback for Config that always shows one certificate.
func Fixed(cert tls.Certificate) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil }
}
