package conformance

import (
	"testing"

	"github.com/roostws/roost/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
