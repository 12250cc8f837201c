package guard

import (
	"os"
	"testing"

	"github.com/roostws/roost/internal/leak"
)

func TestMain(m *testing.M) {
	if perform(os.Args[1:]) {
		os.Exit(0)
	}
	leak.Main(m)
}
