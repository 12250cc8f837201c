package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// The kinds of failure. HandshakeStatus and ClosedWith make the others.
const (
	Refused           = "connection refused"  // ECONNREFUSED
	NoPort            = "no source port left" // EADDRNOTAVAIL
	NoDescriptors     = "too many open files" // EMFILE, ENFILE
	NoRoute           = "no route"            // EHOSTUNREACH, ENETUNREACH
	Reset             = "connection reset"    // ECONNRESET, EPIPE
	ConnectTimeout    = "connect timed out"   // no SYN-ACK within the timeout
	HandshakeTimeout  = "handshake timed out" // connected, and no complete response
	MalformedResponse = "handshake: malformed response"
	WrongUpgrade      = "handshake: wrong upgrade" // a 101 that RFC 6455 section 4.1 refuses
	HandshakeClosed   = "handshake: closed"        // end of stream before the response
	Unfinished        = "unfinished at the end"    // connect or handshake under way when the run ended
	BadCertificate    = "TLS: certificate"
	NotTLS            = "TLS: not TLS"
	TLSFailed         = "TLS: failed"
	NoCloseFrame      = "closed without a close frame" // end of stream
	ProtocolViolation = "protocol error"
	PublishFailed     = "publish failed"    // fanout: a POST that was not answered with 2xx
	SubscribeRefused  = "subscribe refused" // feed: a reply that is not ok
	Other             = "other"
)

const (
	statusPrefix = "handshake: HTTP "
	closedPrefix = "closed "
)

// HandshakeStatus is the kind of a handshake that was answered with an HTTP status
// other than 101.
func HandshakeStatus(code int) string { return fmt.Sprintf("%s%d", statusPrefix, code) }

// ClosedWith is the kind of a connection that the server closed with that code; 1005
// is a Close frame without one.
func ClosedWith(code int) string { return fmt.Sprintf("%s%d", closedPrefix, code) }

var hints = map[string]string{
	Refused:           "Nothing listens at that address and port. Start the server, or check the URL.",
	NoPort:            "Every source port to this target is in use or in TIME_WAIT. Widen net.ipv4.ip_local_port_range, add source addresses (--source), or give the server more ports to listen on.",
	NoDescriptors:     "This machine may not open more sockets. Raise ulimit -n (LimitNOFILE in systemd) and, if that is not it, fs.file-max.",
	NoRoute:           "The network has no way to that address. Check the address, the routes and the firewall.",
	Reset:             "The server's side ended the connection with a reset: it crashed, ran out of something, or a proxy or firewall stepped in. Look into the server's log.",
	ConnectTimeout:    "The server's kernel did not answer the SYN in time, most often because the accept backlog is full. Raise net.core.somaxconn, net.ipv4.tcp_max_syn_backlog and the server's own backlog, or connect more slowly (--connect-rate). A firewall that drops packets looks the same.",
	HandshakeTimeout:  "The connection opened and no complete HTTP response came in time. The server is too busy to accept, or that port does not speak HTTP. Connect more slowly (--connect-rate) or wait longer (--connect-timeout).",
	MalformedResponse: "What answered does not speak HTTP/1.1. Check the port, and whether it wants wss://.",
	WrongUpgrade:      "The server answered 101 with headers that RFC 6455 does not allow, such as a wrong Sec-WebSocket-Accept or a subprotocol nobody asked for. That is a fault of the server or of a proxy before it.",
	Unfinished:        "The run ended, or was interrupted, while these attempts were under way. How long they would have taken is not known, and no latency has it. Wait longer at the end (--drain).",
	HandshakeClosed:   "The server closed the connection instead of answering. It may be at its connection limit, or want wss://. Look into its log.",
	BadCertificate:    "The server's certificate is not trusted, has expired or is for another name. Give its authority (--ca), the right name (--server-name), or skip the check (--insecure).",
	NotTLS:            "The server does not answer with TLS. Use ws:// instead of wss://, or the port that has TLS.",
	TLSFailed:         "The TLS handshake failed. The example says why; versions, ciphers or a client certificate that the server wants are the usual reasons.",
	NoCloseFrame:      "The server ended the connection without a Close frame: it was killed, or it gave up on the client without saying why. Look into its log.",
	ProtocolViolation: "The server sent something that RFC 6455 does not allow. The example says what.",
	PublishFailed:     "A message could not be posted, or the answer was not 2xx. The example says why. Check the URL of --post.",
	SubscribeRefused:  "The server did not grant a subscription. The example is its reply. Check --channels.",
	Other:             "No other kind fits. The example has the text of the error.",
}

var statusHints = map[int]string{
	301: "The server sends clients to another URL. Use that one; redirects are not followed.",
	302: "The server sends clients to another URL, perhaps to a login. Use that one, or give credentials (--header).",
	307: "The server sends clients to another URL. Use that one; redirects are not followed.",
	308: "The server sends clients to another URL. Use that one; redirects are not followed.",
	400: "The server did not like the request. It may want a subprotocol, an Origin or a header.",
	401: "The server wants to know who is asking. Give credentials with --header or --query.",
	403: "The server refuses this client. Check the Origin (--origin) and the credentials (--header).",
	404: "There is no WebSocket at that path. Check the URL.",
	405: "That path takes no GET, so no WebSocket either. Check the URL.",
	426: "The server wants another protocol or another WebSocket version at that path. Check the URL.",
	429: "The server limits how fast or how many may connect. Raise its limit, or connect more slowly (--connect-rate) or from more addresses (--source).",
	500: "The server failed. Look into its log.",
	502: "A proxy could not reach the server behind it. Look into the proxy's log; it may be out of ports or connections.",
	503: "The server or a proxy is at its limit. Raise its connection limit, or connect more slowly (--connect-rate).",
	504: "A proxy waited too long for the server behind it. Look into both logs.",
}

var closeHints = map[int]string{
	1000: "The server ended the connection normally, before the run wanted it. It may have a longest session or an idle timeout.",
	1001: "The server said that it goes away: it restarts, shuts down or drains.",
	1002: "The server says that the tool broke the protocol. Please report that, if the server is right.",
	1003: "The server does not take that type of message. Switch between text and binary (--text).",
	1005: "The server closed without giving a reason. It may have an idle timeout. Look into its log.",
	1007: "The server says that a text message was not UTF-8. Use binary messages, or templates that are text.",
	1008: "The server says that the client broke a rule of its own: it may want a login first (--hello), or limit the rate. Look into its log.",
	1009: "A message was larger than the server takes. Send smaller ones (--size), or raise its limit.",
	1010: "The server says that the client should have asked for an extension.",
	1011: "The server failed. Look into its log.",
	1012: "The server restarts.",
	1013: "The server is overloaded or at a limit. Send less, or raise its limit.",
}

// Explain says what a failure of that kind means and what to change.
func Explain(kind string) string {
	if hint, ok := hints[kind]; ok {
		return hint
	}
	if code, ok := number(kind, statusPrefix); ok {
		return explainStatus(code)
	}
	if code, ok := number(kind, closedPrefix); ok {
		return explainClose(code)
	}
	return hints[Other]
}

func explainStatus(code int) string {
	switch hint, ok := statusHints[code]; {
	case ok:
		return hint
	case code >= 500:
		return "The server or a proxy failed. Look into its log."
	case code >= 400:
		return "The server refuses the request. Check the URL, the headers and the credentials."
	case code >= 300:
		return "The server sends clients elsewhere, and redirects are not followed. Check the URL."
	}
	return "The server answered as if this were no WebSocket handshake. Check the URL."
}

func explainClose(code int) string {
	switch hint, ok := closeHints[code]; {
	case ok:
		return hint
	case code >= 4000:
		return "That code is the application's own. Its documentation or log says what it means."
	case code >= 3000:
		return "That code belongs to a library or framework (the IANA registry of WebSocket close codes lists it)."
	}
	return "RFC 6455 does not say what that code means. Look into the server's log."
}

// number reads the code behind prefix.
func number(kind, prefix string) (int, bool) {
	digits, ok := strings.CutPrefix(kind, prefix)
	if !ok {
		return 0, false
	}
	var code int
	if _, err := fmt.Sscanf(digits, "%d", &code); err != nil {
		return 0, false
	}
	return code, true
}

// failures lists what went wrong, most frequent first.
func failures(total *Interval) []Failure {
	list := []Failure{}
	for kind, n := range total.Failures {
		list = append(list, Failure{Kind: kind, Count: n, Example: total.Examples[kind], Hint: Explain(kind)})
	}
	slices.SortFunc(list, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Kind, b.Kind))
	})
	return list
}
