//go:build linux

package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// readCPIO reads what writeCPIO writes, by the format's own rules: a header of 110
// characters, then name and data, each ending at a multiple of four bytes.
func readCPIO(archive []byte) ([]entry, error) {
	var all []entry
	for at := 0; ; {
		if len(archive) < at+110 || string(archive[at:at+6]) != "070701" {
			return nil, fmt.Errorf("no header at %d", at)
		}
		var fields [13]int
		for i := range fields {
			n, err := strconv.ParseUint(string(archive[at+6+8*i:at+14+8*i]), 16, 32)
			if err != nil {
				return nil, err
			}
			fields[i] = int(n)
		}
		nameAt := at + 110
		name, nul := archive[nameAt:nameAt+fields[11]-1], archive[nameAt+fields[11]-1]
		if nul != 0 {
			return nil, fmt.Errorf("the name at %d does not end", nameAt)
		}
		dataAt := (nameAt + fields[11] + 3) &^ 3
		data := archive[dataAt : dataAt+fields[6]]
		at = (dataAt + fields[6] + 3) &^ 3
		if string(name) == "TRAILER!!!" {
			if at != len(archive) {
				return nil, fmt.Errorf("%d bytes behind the end", len(archive)-at)
			}
			return all, nil
		}
		all = append(all, entry{string(name), uint32(fields[1]), [2]uint32{uint32(fields[9]), uint32(fields[10])}, data})
	}
}

func TestAnInitramfsHoldsWhatWasPutIntoIt(t *testing.T) {
	put := []entry{
		{name: "dev", mode: directory},
		{name: "dev/console", mode: device, rdev: [2]uint32{5, 1}},
		{name: "init", mode: program, data: []byte("12345")},
		{name: "ab", mode: plain, data: []byte("1234")},
		{name: "abcde", mode: plain, data: []byte{0}},
	}
	var b bytes.Buffer
	if err := writeCPIO(&b, put); err != nil {
		t.Fatal(err)
	}
	got, err := readCPIO(b.Bytes())
	if err != nil {
		t.Fatal(err, "\n", hex.Dump(b.Bytes()))
	}
	if len(got) != len(put) {
		t.Fatalf("%d entries, want %d", len(got), len(put))
	}
	for i, want := range put {
		if g := got[i]; g.name != want.name || g.mode != want.mode || g.rdev != want.rdev || !bytes.Equal(g.data, want.data) {
			t.Errorf("entry %d is %+v, want %+v", i, g, want)
		}
	}
}

// full takes so many bytes and no more.
type full struct{ left int }

var errFull = errors.New("full")

func (f *full) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestAnInitramfsThatCannotBeWrittenIsAnError(t *testing.T) {
	for _, room := range []int{0, 112, 120} {
		if err := writeCPIO(&full{room}, []entry{{name: "x", mode: plain, data: []byte(strings.Repeat("x", 9))}}); !errors.Is(err, errFull) {
			t.Errorf("with room for %d bytes: %v, want the writer's error", room, err)
		}
	}
}
