//go:build linux

package main

import (
	"path/filepath"
	"testing"
)

func TestLessThanWasAskedForIsAnError(t *testing.T) {
	for _, c := range []struct {
		alive, delivered int64
		publish          bool
		want             error
	}{
		{10, 10, true, nil}, {10, 0, false, nil}, {9, 10, true, errShort}, {9, 0, false, errShort}, {10, 9, true, errUnheard}, {10, 0, true, errUnheard},
	} {
		if err := verdict(plan{Conns: 10, Publish: c.publish}, &outcome{Alive: c.alive, Delivered: c.delivered}); err != c.want {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestTheInitramfsGoesWithTheGuest(t *testing.T) {
	dir := tree(t, map[string]string{"root/boot/vmlinuz-6.1": ""})
	initramfs := filepath.Join(dir, "initramfs.cpio")
	t.Setenv("INITRAMFS", initramfs)
	fakeTools(t, map[string]string{
		"go":                 `touch "$4"`,
		"qemu-system-x86_64": `test -s "$INITRAMFS" && echo '@million {"outcome":{"Alive":3}}'`,
	})
	if o, err := carryOut(t.Context(), brief, dir, quiet(t)); err != nil || o.Alive != 3 {
		t.Errorf("%+v, %v", o, err)
	}
	if exists(initramfs) {
		t.Error("the initramfs is still there")
	}
}
