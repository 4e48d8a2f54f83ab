package public_test

import (
	"strings"
	"testing"

	"llave/internal/affiliate"
	"llave/internal/web/public"
)

// The sheet to take along knows where, when and what to bring, and nobody: it asks no cookie, and has no form.
func TestOffice(t *testing.T) {
	offices := affiliate.Offices{
		{Name: "Centro <Norte>", Province: "Pichincha", City: "Quito", Address: "Calle de Prueba 1", Hours: "08:00-16:00", Note: "Entrada por la esquina", Code: "norte"},
		{Name: "Centro Sur", Province: "Pichincha", City: "Quito", Address: "Calle de Prueba 2", Code: "sur-2"},
	}
	s := newSite(t, func(o *public.Options) { o.Offices = func() affiliate.Offices { return offices } })
	b := s.browser()
	p := b.get("/oficina/norte").Want(t, 200,
		"Centro &lt;Norte&gt;", "Calle de Prueba 1", "Quito, Pichincha", "08:00-16:00", "Entrada por la esquina", "Su cédula vigente", "código del IESS", "Pida un turno", "Número de su caso",
	)
	if strings.Contains(p.Body, "<form") || len(p.Header.Values("Set-Cookie")) > 0 {
		t.Error("the sheet has a form or a cookie")
	}
	for name, want := range map[string]string{"Referrer-Policy": "no-referrer", "Cache-Control": "public, max-age=300", "Content-Type": "text/html; charset=utf-8"} {
		if got := p.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	b.get("/oficina/SUR-2").Want(t, 200, "Centro Sur", "De lunes a viernes, de 08:00 a 17:00")
	for _, nobodys := range []string{"/oficina/este", "/oficina/", "/oficina/norte/", "/oficina/..%2fnorte"} {
		p := b.get(nobodys).Want(t, 404)
		if got := p.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control %q, want no-store", nobodys, got)
		}
	}
	b.do("POST", "/oficina/norte", nil).Want(t, 405)
	newSite(t).browser().get("/oficina/norte").Want(t, 404) // no offices are listed
}
