package conformance

import (
	"flag"
	"testing"

	"github.com/roostws/roost/internal/leak"
)

// TestMain lets more rows run at once than there are processors, since each waits for the other side most of the time.
func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "8")
	leak.Main(documented{m})
}
