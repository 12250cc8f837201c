package memtls

import (
	"net"
	"slices"
)

const (
	// MaxPlaintext is the longest plaintext of a record in bytes (RFC 8446,
	// 5.1).
	MaxPlaintext = 16 << 10

	// recordOverhead is what a record has besides its plaintext, at most: the
	// header, and with the CBC suites of TLS 1.2, the longest, 16 bytes of IV,
	// 32 of MAC and 16 of padding. TLS 1.3 has 22, the AEADs of TLS 1.2 21 or 29.
	recordOverhead = headerLen + 16 + 32 + 16
)

// SealedLen is how many bytes Seal appends at most for so many of plaintext,
// besides what waits for Output, if the config has DynamicRecordSizingDisabled.
// Without that the first 128 KiB go out in records of about 1 KiB at first.
func SealedLen(plaintext int) int {
	return plaintext + (plaintext+MaxPlaintext-1)/MaxPlaintext*recordOverhead
}

// Seal appends to dst what Output would, and then plaintext, encrypted. Errors
// are ErrHandshaking, net.ErrClosed after Close, and those of crypto/tls, such
// as after CloseNotify; with an error nothing of plaintext is sent.
func (c *Conn) Seal(dst, plaintext []byte) ([]byte, error) {
	if err := c.sealable(); err != nil {
		return dst, err
	}
	return c.seal(c.Output(dst), plaintext)
}

// SealFrames is Seal for the frames one behind the other. Frames that fit
// together into scratch's capacity are copied there and share records; what
// does not fit goes out by itself. With MaxPlaintext of scratch small frames
// fill whole records. Neither it nor frames are kept: one scratch will do for
// all connections of a loop.
func (c *Conn) SealFrames(dst []byte, frames [][]byte, scratch []byte) ([]byte, error) {
	if err := c.sealable(); err != nil {
		return dst, err
	}
	dst, scratch = c.Output(dst), scratch[:0]
	var err error
	for i, frame := range frames {
		if len(scratch)+len(frame) > cap(scratch) {
			if dst, err = c.seal(dst, scratch); err != nil {
				return dst, err
			}
			scratch = scratch[:0]
		}
		if alone := len(scratch) == 0 && i == len(frames)-1; alone || len(frame) > cap(scratch) {
			if dst, err = c.seal(dst, frame); err != nil {
				return dst, err
			}
			continue
		}
		scratch = append(scratch, frame...)
	}
	return c.seal(dst, scratch)
}

func (c *Conn) sealable() error {
	if c.closed {
		return net.ErrClosed
	}
	done, err := c.Handshaken()
	if err == nil && !done {
		err = ErrHandshaking
	}
	return err
}

// seal lets crypto/tls append to dst instead of to a buffer of the wire's.
func (c *Conn) seal(dst, plaintext []byte) ([]byte, error) {
	if len(plaintext) == 0 {
		return dst, nil
	}
	c.wire.out = slices.Grow(dst, SealedLen(len(plaintext)))
	_, err := c.tls.Write(plaintext)
	dst, c.wire.out = c.wire.out, nil
	return dst, err
}
