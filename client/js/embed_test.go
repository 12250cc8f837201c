package js

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestTheSourceIsServedAsAModule: browsers take a module only with a JavaScript type.
func TestTheSourceIsServedAsAModule(t *testing.T) {
	w := httptest.NewRecorder()
	http.ServeContent(w, httptest.NewRequest("GET", "/roost.js", nil), "roost.js", time.Time{}, strings.NewReader(Source))
	if kind := w.Header().Get("Content-Type"); !strings.HasPrefix(kind, "text/javascript") {
		t.Errorf("the type is %q", kind)
	}
	if !strings.Contains(w.Body.String(), "\nexport class RoostSocket extends EventTarget {\n") {
		t.Error("it has no RoostSocket")
	}
}
