package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"time"
)

// selfSignedFor is how long a certificate of SelfSigned is valid: long enough
// to try things out, too short to forget it in production.
const selfSignedFor = 7 * 24 * time.Hour

// SelfSigned makes a certificate that nobody trusts, for trying out: for
// localhost, 127.0.0.1, ::1, and hosts, which are names or addresses. Its key is
// an ECDSA key on P-256 and is nowhere but in memory. It is valid for a week. A
// client that is given the certificate itself as an authority accepts it.
func SelfSigned(hosts ...string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("no key for a certificate: %w", err)
	}
	now := time.Now()
	cert := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "localhost", Organization: []string{"roost, self-signed"}},
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		NotBefore:             now.Add(-time.Hour), // for clocks that are late
		NotAfter:              now.Add(selfSignedFor),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			cert.IPAddresses = append(cert.IPAddresses, ip)
		} else {
			cert.DNSNames = append(cert.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key) // with a random serial number
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("no self-signed certificate for %q: %w", hosts, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("no self-signed certificate for %q: %w", hosts, err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}
