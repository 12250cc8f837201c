package memtls

import (
	"encoding/binary"
	"errors"
)

// MaxHello is how many of a connection's first bytes may be a ClientHello, its
// records' headers included. Those of browsers have 2 KiB, and with the largest
// extensions in use 5.
const MaxHello = 16 << 10

// maxMethod is the longest word that is taken for the method of a request.
const maxMethod = 20

// maxFragment is the longest fragment of a ClientHello that is handed to
// crypto/tls. With it a record fits into the smallest buffer that crypto/tls
// reads into, of 576 bytes, which it keeps and never shrinks.
const maxFragment = 576 - headerLen

// Of records and messages (RFC 8446, B.1 to B.3).
const (
	recordAlert      = 21
	recordHandshake  = 22
	helloMessage     = 1
	messageHeaderLen = 4
)

// What the first bytes of a connection to a TLS port are instead of a
// ClientHello.
var (
	// ErrPlainHTTP is for a port that has TLS only: answer it in plain HTTP.
	ErrPlainHTTP = errors.New("a plain HTTP request came to a port that speaks TLS: use https or wss")

	// ErrSSLv2 is a client that greets as SSL 2 did, perhaps with a newer version
	// inside. RFC 6176 forbids it.
	ErrSSLv2 = errors.New("the client greets with SSL 2, which is too old: it must speak TLS 1.2 or newer")

	// ErrNotTLS is anything else.
	ErrNotTLS = errors.New("what came to a port that speaks TLS is no TLS")

	// ErrHelloTooLong is a ClientHello past MaxHello.
	ErrHelloTooLong = errors.New("the client's first message of TLS has more than 16 KiB")

	// ErrNoTLSHere is the reverse, for a port without TLS: see LooksLikeTLS.
	ErrNoTLSHere = errors.New("a TLS client came to a port that speaks none: use http or ws, or give the server a certificate")
)

// LooksLikeTLS tells whether the first bytes of a connection, of which it wants
// two, begin a ClientHello. It is for a port without TLS. All that
// such a client shows to its user is an alert: Alert(ErrNoTLSHere).
func LooksLikeTLS(b []byte) bool {
	return len(b) >= 2 && b[0] == recordHandshake && b[1] == 3
}

// Hello looks for a ClientHello in the first bytes of a connection, which b is
// all of. It returns how many bytes that is, in whole records; 0 when more
// bytes are needed; or one of the errors ErrPlainHTTP, ErrSSLv2, ErrNotTLS and
// ErrHelloTooLong, as soon as it is known. Whether crypto/tls likes the message
// is not looked at. With MaxHello bytes it never needs more.
func Hello(b []byte) (n int, err error) {
	if len(b) > 0 && b[0] != recordHandshake {
		return 0, stranger(b)
	}
	var message [messageHeaderLen]byte // the head of it
	have, want := 0, messageHeaderLen
	overhead := 0 // headers of records
	for have < want {
		rest := b[n:]
		if err := badHelloHeader(rest); err != nil {
			return 0, err
		}
		if n+headerLen > MaxHello {
			return 0, ErrHelloTooLong
		}
		if len(rest) < headerLen {
			return 0, nil
		}
		size := headerLen + int(binary.BigEndian.Uint16(rest[3:]))
		fragment := rest[headerLen:min(len(rest), size)]
		if have < messageHeaderLen && have+copy(message[have:], fragment) >= messageHeaderLen {
			want += int(message[1])<<16 | int(message[2])<<8 | int(message[3])
		}
		n, have, overhead = n+size, have+len(fragment), overhead+headerLen
		if have > 0 && message[0] != helloMessage {
			return 0, ErrNotTLS
		}
		if n > MaxHello || overhead+want > MaxHello {
			return 0, ErrHelloTooLong
		}
		if len(rest) < size {
			return 0, nil
		}
	}
	return n, nil
}

// badHelloHeader checks what there is of a record's header.
func badHelloHeader(b []byte) error {
	switch {
	case len(b) > 0 && b[0] != recordHandshake, len(b) > 1 && b[1] != 3:
		return ErrNotTLS
	case len(b) >= headerLen && b[3] == 0 && b[4] == 0:
		return ErrNotTLS // no empty fragments (RFC 8446, 5.1): they would have no end
	case len(b) > 3 && int(b[3])<<8 > MaxPlaintext:
		return ErrNotTLS
	}
	return nil
}

// stranger tells what b is, whose first byte is not TLS's. nil: it could still be HTTP.
func stranger(b []byte) error {
	for i, c := range b[:min(len(b), maxMethod+1)] {
		if c == ' ' && i > 0 {
			return ErrPlainHTTP
		}
		if c < 'A' || c > 'Z' {
			if b[0]&0x80 == 0 {
				return ErrNotTLS
			}
			break
		}
		if i == maxMethod {
			return ErrNotTLS
		}
	}
	// Two bytes of length with the highest bit set, then the type.
	switch {
	case b[0]&0x80 == 0, len(b) < 3:
		return nil
	case b[2] == helloMessage:
		return ErrSSLv2
	}
	return ErrNotTLS
}

// Alert returns the record to send before the connection is closed for an error
// of Hello, ErrNoTLSHere, or ErrBusy (and others alike); nil if the client would
// not understand one. A client reports it in its words: "internal error" and the
// like (RFC 8446, 6.2).
func Alert(err error) []byte {
	const fatal, unexpectedMessage, decodeError, protocolVersion, internalError = 2, 10, 50, 70, 80
	description := byte(internalError)
	switch err {
	case ErrPlainHTTP, ErrNotTLS:
		return nil
	case ErrSSLv2:
		description = protocolVersion
	case ErrHelloTooLong:
		description = decodeError
	case ErrNoTLSHere:
		description = unexpectedMessage
	}
	return []byte{recordAlert, 3, 1, 0, 2, fatal, description}
}

// appendHello appends the complete ClientHello that records hold, in records of
// about equal size and at most maxFragment. The borders of records mean nothing
// in a handshake, and are no part of what it signs (RFC 8446, 4.4.1). The sizes
// are halves of halves of the whole, because the buffer that crypto/tls gathers
// the message in, and keeps, doubles from the first of them.
func appendHello(dst, hello []byte) []byte {
	header := hello[:headerLen-2]
	message := hello[headerLen:]
	if end := (records{}).end(hello); end < len(hello) {
		message = make([]byte, 0, len(hello))
		for ; len(hello) > 0; hello = hello[end:] {
			end = records{}.end(hello)
			message = append(message, hello[headerLen:end]...)
		}
	}
	size := len(message)
	for size > maxFragment {
		size = (size + 1) / 2
	}
	for len(message) > 0 {
		n := min(size, len(message))
		dst = append(dst, header...)
		dst = binary.BigEndian.AppendUint16(dst, uint16(n))
		dst = append(dst, message[:n]...)
		message = message[n:]
	}
	return dst
}
