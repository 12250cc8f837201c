//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// patience is how long the guest's TCP waits for an answer at least before it sends
// again, in milliseconds. Loopback loses nothing, but a guest that is short of time
// answers late: with the kernel's 200 ms it would send so much again that it would do
// nothing else any more.
const patience = 30_000

// waitLonger gives the kernel's routes of the loopback interface that patience.
func waitLonger() error {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		return err
	}
	for _, p := range []string{"127.0.0.0/8", "127.0.0.1/32"} {
		if err := replaceRoute(routeMessage(netip.MustParsePrefix(p), uint32(lo.Index))); err != nil {
			return fmt.Errorf("the route of %s cannot be changed: %w", p, err)
		}
	}
	return nil
}

// routeMessage is rtnetlink's message that replaces a local route by one with patience.
func routeMessage(p netip.Prefix, device uint32) []byte {
	order := binary.NativeEndian
	b := make([]byte, unix.SizeofNlMsghdr)
	order.PutUint16(b[4:], unix.RTM_NEWROUTE)
	order.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_REPLACE)
	b = append(b, unix.AF_INET, byte(p.Bits()), 0, 0, unix.RT_TABLE_LOCAL, unix.RTPROT_KERNEL, unix.RT_SCOPE_HOST, unix.RTN_LOCAL, 0, 0, 0, 0)
	b = appendAttribute(b, unix.RTA_DST, p.Addr().AsSlice())
	b = appendAttribute(b, unix.RTA_PREFSRC, []byte{127, 0, 0, 1})
	b = appendAttribute(b, unix.RTA_OIF, order.AppendUint32(nil, device))
	// The kernel heeds this metric only where it is locked.
	metrics := appendAttribute(nil, unix.RTAX_LOCK, order.AppendUint32(nil, 1<<unix.RTAX_RTO_MIN))
	metrics = appendAttribute(metrics, unix.RTAX_RTO_MIN, order.AppendUint32(nil, patience))
	b = appendAttribute(b, unix.RTA_METRICS, metrics)
	order.PutUint32(b, uint32(len(b)))
	return b
}

// appendAttribute appends a netlink attribute, whose value is a multiple of four bytes.
func appendAttribute(b []byte, kind uint16, value []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(4+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	return append(b, value...)
}

// replaceRoute sends a message to the kernel and waits for its answer.
func replaceRoute(message []byte) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return err
	}
	return netlinkError(answer[:n])
}

// netlinkError is what an acknowledgement says.
func netlinkError(answer []byte) error {
	if len(answer) < unix.SizeofNlMsghdr+4 || binary.NativeEndian.Uint16(answer[4:]) != unix.NLMSG_ERROR {
		return fmt.Errorf("the kernel's answer has %d bytes and is no acknowledgement", len(answer))
	}
	if code := int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:])); code != 0 {
		return unix.Errno(-code)
	}
	return nil
}

// timeoutOf is after how long c's TCP sends again what was not answered, in microseconds.
func timeoutOf(c *net.TCPConn) (us uint32) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			us = info.Rto
		}
	})
	return us
}
