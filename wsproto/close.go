package wsproto

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// maxReason is what a close frame has for its text, in bytes (RFC 6455,
// sections 5.5 and 5.5.1).
const maxReason = ws.MaxControlFramePayloadSize - 2

// ValidCloseCode reports whether code may stand in a close frame: the codes of
// RFC 6455, section 7.4.1, those registered with IANA since (1012 to 1014),
// and 3000 to 4999 (section 7.4.2).
//
// ws.CheckCloseFrameData is not used because it knows neither 1012 to 1014,
// which servers do send, nor the upper end.
func ValidCloseCode(code ws.StatusCode) bool {
	switch {
	case code < 1000, code > 4999:
		return false
	case code >= 3000:
		return true
	case code > 1014:
		return false
	}
	return code <= 1003 || code >= 1007
}

// checkCloseBody checks a received close frame's payload (RFC 6455, sections
// 5.5.1 and 7.4).
func checkCloseBody(b []byte) error {
	switch {
	case len(b) == 0:
		return nil
	case len(b) == 1:
		return errCloseBody
	case !ValidCloseCode(ws.StatusCode(binary.BigEndian.Uint16(b))):
		return errCloseCode
	case utf8Next(utf8Accept, b[2:]) != utf8Accept:
		return errCloseUTF8
	}
	return nil
}

// ParseClose splits the payload of a close message that [Codec.Next]
// delivered, and so has checked. Without a code it returns 1005 (RFC 6455,
// section 7.1.5).
func ParseClose(payload []byte) (code ws.StatusCode, text string) {
	if len(payload) < 2 {
		return ws.StatusNoStatusRcvd, ""
	}
	return ws.StatusCode(binary.BigEndian.Uint16(payload)), string(payload[2:])
}

// AppendCloseBody appends a close frame's payload, 125 bytes at most: nothing
// for 0 and for the codes that mean "none was received" (1005, 1006, 1015),
// otherwise the code and text. Text is cut to 123 bytes between two
// characters, and bytes of it that are not UTF-8 become U+FFFD. Another code
// that must not be sent becomes 1011: the caller erred.
func AppendCloseBody(dst []byte, code ws.StatusCode, text string) []byte {
	if code == 0 || code.IsProtocolReserved() {
		return dst
	}
	if !ValidCloseCode(code) {
		code = ws.StatusInternalServerError
	}
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	if len(text) > maxReason {
		end := maxReason
		for !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end]
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, text...)
}

// AppendClose appends a server's close frame, its body as [AppendCloseBody]
// makes it.
func AppendClose(dst []byte, code ws.StatusCode, text string) []byte {
	start := len(dst)
	dst = append(dst, byte(ws.OpClose)|bitFin, 0)
	dst = AppendCloseBody(dst, code, text)
	dst[start+1] = byte(len(dst) - start - 2)
	return dst
}
