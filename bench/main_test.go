package bench

import (
	"flag"
	"testing"

	"github.com/roostws/roost/internal/leak"
)

// TestMain lets more tests run at a time than there are processors: they wait most of
// the time, for what a schedule wants later.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "12"); err != nil {
		panic(err)
	}
	leak.Main(m)
}
