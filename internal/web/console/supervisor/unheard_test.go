package supervisor_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"llave/internal/unheard"
	"llave/internal/web/console/consoletest"
)

const unheardPage = "/agentes/supervision/no-entendido"

// tell has a sentence said so many times, and returns its row's name.
func tell(t *testing.T, d *consoletest.Desk, said string, times int) string {
	t.Helper()
	o := unheard.Telling{Who: "chat", Place: "sent", Lang: "es", Said: said, Meaning: "not_arrived", Confidence: 0.415}
	for i := range times {
		o.Turn, o.At = fmt.Sprint(said, i), d.Clock.Now().Add(time.Duration(i)*time.Hour)
		if err := d.Store.Unheard.Tell(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	return o.ID()
}

// What was said most often comes first, with where, when and what it was most likely to mean (P413). What is given a meaning
// stays, and can be changed; who did it is written down.
func TestUnheard(t *testing.T) {
	d := consoletest.NewDesk(t)
	sup := d.As("sup")
	sup.Get(unheardPage).Want(t, http.StatusOK, "No hay nada")
	seldom, often := tell(t, d, "no asoma <b>nada</b>", 1), tell(t, d, "donde queda pues", 3)
	p := sup.Get(unheardPage).Want(t, http.StatusOK, "no asoma &lt;b&gt;nada&lt;/b&gt;", "1 vez", "3 veces", "lugar sent", "No le llega (42 %)", "Asignar", "Quiso decir")
	if strings.Index(p.Body, "donde queda") > strings.Index(p.Body, "no asoma") {
		t.Error("what was said most often does not come first")
	}
	if strings.Contains(p.Body, "Cambiar") || strings.Contains(p.Body, "chat") {
		t.Error("the page says whose the sentence is, or that one is assigned")
	}

	where := unheardPage + "?pagina=1"
	if p := sup.Post(where, "frase", seldom, "significa", "cost"); p.Status != http.StatusSeeOther || p.Location != unheardPage+"?hecho&pagina=1#f-"+seldom {
		t.Errorf("assigning leads to %d %q", p.Status, p.Location)
	}
	sup.Get(unheardPage+"?hecho").Want(t, http.StatusOK, "quedó guardado", "Asignada a", `<option value="cost" selected>Cuánto cuesta</option>`, "Cambiar")
	sup.Post(where, "frase", seldom, "significa", unheard.NotOurs).Want(t, http.StatusSeeOther)
	sup.Get(unheardPage).Want(t, http.StatusOK, "Apartada", `<option value="-" selected>No es de aquí</option>`)
	sup.Post(where, "frase", seldom, "significa", "").Want(t, http.StatusSeeOther)
	if p := sup.Get(unheardPage); strings.Contains(p.Body, "Apartada") || strings.Contains(p.Body, "Cambiar") {
		t.Error("what was taken back is still assigned")
	}
	sup.Post(where, "frase", often, "significa", "not_arrived").Want(t, http.StatusSeeOther)
	if got := d.Told("unheard_assigned"); len(got) != 4 {
		t.Errorf("written down: %q, want four acts", got)
	}
	sup.Get("/agentes/supervision/auditoria?quien=sup").Want(t, http.StatusOK, "Dijo qué significa una frase", ">Cuánto cuesta<", ">no es de aquí<", ">sin asignar<", ">No le llega<")

	for _, form := range [][]string{{"frase", seldom}, {"frase", seldom, "significa", "nada"}, {"significa", "cost"}} {
		sup.Post(where, form...).Want(t, http.StatusBadRequest)
	}
	sup.Post(where, "frase", "0123", "significa", "cost").Want(t, http.StatusConflict, "ya no está", "donde queda pues")
	d.As("ana").Post(where, "frase", seldom, "significa", "cost").Want(t, http.StatusForbidden)
}

// A list that is too long for a page has others, and who assigns stays on the one they are on.
func TestUnheard_pages(t *testing.T) {
	d := consoletest.NewDesk(t)
	sup := d.As("sup")
	var last string
	for i := range 30 {
		last = tell(t, d, fmt.Sprintf("frase %c%c", 'a'+i/26, 'a'+i%26), 1)
	}
	if p := sup.Get(unheardPage).Want(t, http.StatusOK, "Siguientes"); strings.Count(p.Body, "<form") < 20 {
		t.Error("the first page has no twenty rows")
	}
	if p := sup.Get(unheardPage+"?pagina=2").Want(t, http.StatusOK, "Anteriores", "no-entendido?pagina=2"); strings.Contains(p.Body, "Siguientes") {
		t.Error("there is a page after the last")
	}
	if p := sup.Post(unheardPage+"?pagina=2", "frase", last, "significa", "cost"); !strings.Contains(p.Location, "pagina=2") {
		t.Errorf("assigning on the second page leads to %q", p.Location)
	}
}
