package counter_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"llave/internal/agent"
	"llave/internal/bottest"
	"llave/internal/handoff"
	"llave/internal/web/console"
	"llave/internal/web/console/consoletest"
)

// A clerk has one page, which tells by the number of a case how it stands, and nothing else of it (P776).
func TestCounter(t *testing.T) {
	d := consoletest.NewDesk(t)
	d.Add("vera", agent.Clerk)
	d.Write("1", "hola")
	d.Write("1", "mi hija me ayuda")
	of := d.Ask("1")
	d.Claim("ana", of)
	vera := d.As("vera")
	vera.Get("/agentes").To(t, console.CounterPath)
	p := vera.Get(console.CounterPath).Want(t, http.StatusOK, "Número de caso", "Mi cuenta")
	for _, no := range []string{"Bandeja", "Disponible", "data-stream", "talk.js"} {
		if strings.Contains(p.Body, no) {
			t.Errorf("the page has %q", no)
		}
	}
	for _, path := range []string{"/agentes/casos/" + of.Ref, "/agentes/flujo", "/agentes/buscar", "/agentes/supervision", "/agentes/supervision/auditoria", "/agentes/casos/" + of.Ref + "/novedades"} {
		vera.Get(path).Want(t, http.StatusForbidden)
	}
	vera.Get("/agentes/cuenta").Want(t, http.StatusOK, "ventanilla")
	if all, err := d.Desk.Colleagues(t.Context()); err != nil || slices.ContainsFunc(all, func(p handoff.Presence) bool { return p.Login == "vera" }) {
		t.Errorf("a clerk counts as there: %v, %v", all, err)
	}

	p = look(vera, " "+strings.ToLower(of.Ref)+" ").Want(t, http.StatusOK, "Caso "+of.Ref, "en atención", "Persona de Prueba")
	if strings.Contains(p.Body, "mi hija") || strings.Contains(p.Body, "•") {
		t.Error("the page tells what was said, or the number's mask")
	}
	if err := d.Desk.Resolve(t.Context(), handoff.Deed{Once: "r", Ref: of.Ref, Actor: handoff.Actor{Login: "ana"}}, handoff.InPerson); err != nil {
		t.Fatal(err)
	}
	look(vera, of.Ref).Want(t, http.StatusOK, "Debe ir a una oficina")
	if got := d.Told(handoff.AuditCounter); !slices.Equal(got, []string{"vera: " + of.Ref, "vera: " + of.Ref}) {
		t.Errorf("audit: %q", got)
	}
	look(d.As("sup"), of.Ref).Want(t, http.StatusOK, "Caso "+of.Ref)
	d.As("ana").Get(console.CounterPath).Want(t, http.StatusForbidden)
}

// Wrong numbers are bounded within an hour, and stand in the audit without what was typed.
func TestCounter_wrong(t *testing.T) {
	d := consoletest.NewDesk(t)
	d.Add("vera", agent.Clerk)
	of := d.Ask("1")
	vera := d.As("vera")
	look(vera, " ").Want(t, http.StatusUnprocessableEntity, "Escriba el número de caso")
	for _, typed := range []string{"C22222222", "1710034065", "N22222222", "nada", "C", "C22222223", "C22222224", "C22222225", "C22222226", "<b>"} {
		p := look(vera, typed).Want(t, http.StatusUnprocessableEntity, "No hay ningún caso con ese número")
		if typed == "<b>" && strings.Contains(p.Body, "<b>") {
			t.Error("what was typed stands in the page as it is")
		}
	}
	look(vera, of.Ref).Want(t, http.StatusTooManyRequests, "dentro de una hora")
	if got := d.Told(handoff.AuditCounterWrong); len(got) != 10 || slices.ContainsFunc(got, func(s string) bool { return s != "vera: " }) {
		t.Errorf("audit: %q", got)
	}
	d.Clock.Advance(time.Hour)
	look(d.As("vera"), of.Ref).Want(t, http.StatusOK, "Caso "+of.Ref)
}

func look(b *consoletest.Browser, typed string) bottest.Page {
	return b.Post(console.CounterPath, "caso", typed)
}
