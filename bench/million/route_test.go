//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// attributes reads netlink attributes by the format's rules.
func attributes(t *testing.T, b []byte) map[uint16][]byte {
	t.Helper()
	all := map[uint16][]byte{}
	for len(b) > 0 {
		n := int(binary.NativeEndian.Uint16(b))
		if n < 4 || n > len(b) || n%4 != 0 {
			t.Fatalf("an attribute of %d bytes in %d", n, len(b))
		}
		all[binary.NativeEndian.Uint16(b[2:])] = b[4:n]
		b = b[n:]
	}
	return all
}

func TestTheRouteHasItsPatienceLocked(t *testing.T) {
	b := routeMessage(netip.MustParsePrefix("127.0.0.0/8"), 7)
	if n := binary.NativeEndian.Uint32(b); int(n) != len(b) {
		t.Errorf("the header says %d bytes, the message has %d", n, len(b))
	}
	if b[unix.SizeofNlMsghdr+1] != 8 {
		t.Errorf("a prefix of %d bits, want 8", b[unix.SizeofNlMsghdr+1])
	}
	all := attributes(t, b[unix.SizeofNlMsghdr+unix.SizeofRtMsg:])
	if string(all[unix.RTA_DST]) != "\x7f\x00\x00\x00" || binary.NativeEndian.Uint32(all[unix.RTA_OIF]) != 7 {
		t.Errorf("attributes %v", all)
	}
	metrics := attributes(t, all[unix.RTA_METRICS])
	if lock := binary.NativeEndian.Uint32(metrics[unix.RTAX_LOCK]); lock != 1<<unix.RTAX_RTO_MIN {
		t.Errorf("lock %b", lock)
	}
	if ms := binary.NativeEndian.Uint32(metrics[unix.RTAX_RTO_MIN]); ms != patience {
		t.Errorf("%d ms, want %d", ms, patience)
	}
}

func TestTheKernelsAnswerIsReadAsAnError(t *testing.T) {
	answer := make([]byte, 20)
	binary.NativeEndian.PutUint16(answer[4:], unix.NLMSG_ERROR)
	if err := netlinkError(answer); err != nil {
		t.Errorf("an acknowledgement: %v", err)
	}
	code := -int32(unix.EPERM)
	binary.NativeEndian.PutUint32(answer[16:], uint32(code))
	if err := netlinkError(answer); !errors.Is(err, unix.EPERM) {
		t.Errorf("%v, want EPERM", err)
	}
	for _, b := range [][]byte{nil, answer[:18], make([]byte, 20)} {
		if netlinkError(b) == nil {
			t.Errorf("%v was taken for an acknowledgement", b)
		}
	}
}
