package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A webhook that was refused has its channel's warning and no ordinary line; a page that needs somebody signed in has one.
func TestWrap_refusedWebhook(t *testing.T) {
	k, log := newKit(t, "http://localhost:8080")
	mux := http.NewServeMux()
	refuse := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }
	mux.HandleFunc("POST /webhooks/whatsapp", refuse)
	mux.HandleFunc("POST /agentes/aqui", refuse)
	h := k.Wrap(mux)
	for _, path := range []string{"/webhooks/whatsapp", "/agentes/aqui"} {
		log.Reset()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, path, nil))
		if debug := strings.Contains(log.String(), "level=DEBUG msg=request"); debug != (path == "/webhooks/whatsapp") {
			t.Errorf("%s: log %q", path, log)
		}
	}
}
