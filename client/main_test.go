package client

import (
	"os"
	"testing"

	"github.com/roostws/roost/internal/leak"
)

func TestMain(m *testing.M) {
	if os.Getenv(dialEnv) != "" { // a child of TestTheProxyComesFromTheEnvironment
		dialThroughEnvironment()
		return
	}
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"} {
		os.Unsetenv(name) // the machine's are not the tests'
	}
	leak.Main(m)
}
