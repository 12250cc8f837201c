//go:build linux

package main

import (
	"fmt"
	"io"
)

// entry is a file of an initramfs.
type entry struct {
	name string // without a leading slash
	mode uint32 // type and permissions, as stat has them
	rdev [2]uint32
	data []byte
}

// The types of entries.
const (
	directory = 0o040755
	program   = 0o100755
	plain     = 0o100644
	device    = 0o020600
)

// writeCPIO writes entries as the kernel reads them: cpio's newc format, not compressed.
func writeCPIO(w io.Writer, entries []entry) error {
	for i, e := range append(entries, entry{name: "TRAILER!!!"}) {
		head := fmt.Sprintf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
			i+1, e.mode, 0, 0, 1, 0, len(e.data), 0, 0, e.rdev[0], e.rdev[1], len(e.name)+1, 0)
		head += e.name + "\x00"
		for _, part := range [][]byte{[]byte(head), e.data} {
			if _, err := w.Write(part); err != nil {
				return err
			}
			// Header with name, and data, each end at a multiple of four bytes.
			if _, err := w.Write(make([]byte, -len(part)&3)); err != nil {
				return err
			}
		}
	}
	return nil
}
