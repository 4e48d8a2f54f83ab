package supervisor_test

import (
	"net/http"
	"strings"
	"testing"

	"llave/internal/web/console/consoletest"
)

// Cases are found by who had them, what they were about and when, words of theirs within those; agents find their own. A line that was
// found is shown with what stands around it.
func TestFind(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	mine, other := closedCase("C-AAAA-AA1", d.Clock.Now()), closedCase("C-AAAA-AA2", d.Clock.Now())
	mine.Agent, mine.AgentName, mine.From = "ana", "Ána Prueba", "WaitLink"
	other.Agent, other.AgentName, other.From, other.Meaning = "luis", "Luis Prueba", "Menu", "cost"
	d.Keep(mine)
	d.Keep(other)
	lines(d.Desk, mine.Ref, "No me llega el correo")
	lines(d.Desk, other.Ref, "Otro correo")
	sup, ana := d.As("sup"), d.As("ana")
	for _, c := range []struct {
		query      string
		has, hasNo string
	}{
		{"agente=ana+prueba", mine.Ref, other.Ref},
		{"tema=lugar+menu", other.Ref, mine.Ref},
		{"tema=cuanto+cuesta", other.Ref, mine.Ref},
		{"agente=prueba", mine.Ref, ""},
		{"desde=2026-03-01&hasta=2026-03-02", other.Ref, ""},
		{"desde=2026-02-01&hasta=2026-02-02", "Ningún caso así", mine.Ref},
		{"desde=2026-03-02&hasta=2026-03-01", "El primer día es posterior", mine.Ref},
		{"q=correo&agente=luis", other.Ref + "?linea=1#l-1", mine.Ref},
	} {
		p := sup.Get("/agentes/buscar?"+c.query).Want(t, http.StatusOK, c.has)
		if c.hasNo != "" && strings.Contains(p.Body, c.hasNo) {
			t.Errorf("%s: finds %s", c.query, c.hasNo)
		}
	}
	p := ana.Get("/agentes/buscar?agente=prueba").Want(t, http.StatusOK, mine.Ref)
	if strings.Contains(p.Body, other.Ref) {
		t.Error("an agent finds a colleague's case")
	}
}
