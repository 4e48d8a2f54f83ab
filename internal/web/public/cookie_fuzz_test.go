package public

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"llave/internal/unlock"
)

// FuzzRemembered: whatever a browser brings back is read without harm, and what it was given is read as it was.
func FuzzRemembered(f *testing.F) {
	f.Add("llave-navegador=abc.en.telegram.1; llave=x")
	f.Add("__Host-llave-navegador=abc; __Host-llave-navegador=def")
	f.Add("llave-navegador=...........; =; ;;\x00=\"")
	f.Add(strings.Repeat("a=b; ", 500) + "llave-navegador=" + strings.Repeat(".", 4000))
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Cookie"] = []string{header}
		m := rememberedBy(r)
		for _, part := range []string{m.nonce, m.Lang, m.Channel} {
			if strings.Contains(part, ".") || strings.ContainsAny(part, "\r\n;") {
				t.Errorf("%q: a part is %q", header, part)
			}
		}
		given := remembered{m.nonce, unlock.Chat{Lang: m.Lang, Channel: m.Channel}, m.passed}
		again := httptest.NewRequest(http.MethodGet, "/", nil)
		again.AddCookie(&http.Cookie{Name: nonceCookie, Value: given.value()})
		if got := rememberedBy(again); got != given {
			t.Errorf("%+v was given, %+v came back", given, got)
		}
	})
}
