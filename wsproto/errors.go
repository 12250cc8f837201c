package wsproto

import "github.com/gobwas/ws"

// ProtocolError tells why a connection failed, and the code to close it with
// (RFC 6455, section 7.1.7). The decoder's are shared values: do not change
// them.
type ProtocolError struct {
	// Code is 1002, 1007, 1008 or 1009.
	Code ws.StatusCode
	// Text is a short English phrase that fits into a close frame.
	Text string
}

// Error returns Text behind the package's name.
func (e *ProtocolError) Error() string { return "wsproto: " + e.Text }

func protocolError(text string) error {
	return &ProtocolError{Code: ws.StatusProtocolError, Text: text}
}

// All that a peer can do wrong. They are built once, so that a flood of bad
// frames costs no allocation. Where gobwas has words for a rule, they are its.
var (
	errReservedBits     = protocolError(string(ws.ErrProtocolNonZeroRsv))
	errReservedOp       = protocolError(string(ws.ErrProtocolOpCodeReserved))
	errControlNotFinal  = protocolError(string(ws.ErrProtocolControlNotFinal))
	errControlTooLong   = protocolError(string(ws.ErrProtocolControlPayloadOverflow))
	errMaskRequired     = protocolError(string(ws.ErrProtocolMaskRequired))
	errMaskUnexpected   = protocolError(string(ws.ErrProtocolMaskUnexpected))
	errContinuation     = protocolError(string(ws.ErrProtocolContinuationUnexpected))
	errWantContinuation = protocolError(string(ws.ErrProtocolContinuationExpected))
	errLengthForm       = protocolError("frame length is not in its shortest form")
	errLengthTopBit     = protocolError("frame length has its top bit set")
	errCloseBody        = protocolError("close frame body of one byte")
	errCloseCode        = protocolError("close code that must not be sent")
	errDead             = protocolError("bytes after the connection failed")

	errUTF8      error = &ProtocolError{Code: ws.StatusInvalidFramePayloadData, Text: "text is not UTF-8"}
	errCloseUTF8 error = &ProtocolError{Code: ws.StatusInvalidFramePayloadData, Text: "close reason is not UTF-8"}
	errTooBig    error = &ProtocolError{Code: ws.StatusMessageTooBig, Text: "message too big"}
	errFragments error = &ProtocolError{Code: ws.StatusPolicyViolation, Text: "message in too many fragments"}
	errCorrupt   error = &ProtocolError{Code: ws.StatusInvalidFramePayloadData, Text: "compressed message is corrupt"}
	errStreams   error = &ProtocolError{Code: ws.StatusPolicyViolation, Text: "message in too many deflate streams"}
)
