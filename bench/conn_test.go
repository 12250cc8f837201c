package bench

import (
	"testing"
	"unsafe"
)

// A million clients are a million of these. Growing one costs as many bytes a million
// times; ARCHITECTURE.md names the figure.
func TestAConnectionIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(conn{}); n != 96 {
		t.Errorf("a connection takes %d bytes, not 96", n)
	}
}
