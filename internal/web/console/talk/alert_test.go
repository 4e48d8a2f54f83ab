package talk_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/agent"
	"llave/internal/handoff"
	"llave/internal/web/console/consoletest"
)

// What concerns an agent reaches every page of theirs, whichever it is, and nobody else's: a case that is passed on, a note on their case
// or with their name, what the person writes, and a case in the queue everybody's (P760).
func TestAlert_whoIsTold(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	d.Add("eva", agent.Member)
	ana, eva := d.As("ana"), d.As("eva")
	anas, evas := listen(ana, ""), listen(eva, "") // a page that has no list
	anas.wait("counts", nil)
	evas.wait("counts", nil)

	of := d.Ask("1")
	anas.wait("alert", alerted(bot.AlertNew, of.Ref))
	evas.wait("alert", alerted(bot.AlertNew, of.Ref))

	deed := func(who string) handoff.Deed {
		return handoff.Deed{Once: fmt.Sprint("deed", time.Now().UnixNano()), Ref: of.Ref, Actor: handoff.Actor{Login: who, Name: "Persona de Prueba", Supervisor: who == "sup"}}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	d.Claim("ana", of)
	must(d.Desk.Desk.Pass(t.Context(), deed("ana"), "eva", ""))
	evas.wait("alert", alerted(bot.AlertPassed, of.Ref))
	must(d.Desk.Desk.Note(t.Context(), deed("sup"), "Revise el caso"))
	evas.wait("alert", alerted(bot.AlertNote, of.Ref))
	d.Write("1", "¿me ayuda?")
	evas.wait("alert", alerted(bot.AlertWrote, of.Ref))
	must(d.Desk.Desk.Note(t.Context(), deed("eva"), "@ana, ¿lo conoce? Escriba a x@ana.example"))
	h := anas.wait("alert", nil) // the first since the case came
	if h.data["what"] != bot.AlertNote || !strings.Contains(fmt.Sprint(h.data["text"]), "Le dejaron una nota") {
		t.Errorf("got %v", h.data)
	}
	evas.none(200*time.Millisecond, "alert")
}

// What came while a page was not connected it hears when it is again, and no second time.
func TestAlert_missed(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	ana := d.As("ana")
	drawn := d.Clock.Now().UnixMilli()
	d.Clock.Advance(time.Second)
	of := d.Ask("1")
	query := fmt.Sprintf("?ver=espera&avisado=%d", drawn)
	h := listen(ana, query).wait("alert", alerted(bot.AlertNew, of.Ref))
	at, _ := h.data["at"].(float64)
	e := listen(ana, fmt.Sprintf("?ver=espera&avisado=%d", int64(at)))
	e.wait("counts", nil)
	e.none(200*time.Millisecond, "alert")
	d.Clock.Advance(10 * time.Minute)
	e = listen(ana, query)
	e.wait("counts", nil)
	e.none(200*time.Millisecond, "alert")
}

// Who is on a break is told without a sound, and people are not told that somebody is there (P761).
func TestAlert_onABreak(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	ana := d.As("ana")
	ana.Post("/agentes/pausa", "pausa", "si", "volver", "/agentes").To(t, "/agentes")
	if staffed, err := d.Desk.Desk.Staffed(t.Context()); err != nil || staffed {
		t.Errorf("staffed: %t, %v, with the only agent on a break", staffed, err)
	}
	e := listen(ana, "?ver=espera")
	e.wait("counts", nil)
	of := d.Ask("1")
	if h := e.wait("alert", alerted(bot.AlertNew, of.Ref)); h.data["quiet"] != true {
		t.Errorf("on a break, with a sound: %v", h.data)
	}
	ana.Post("/agentes/pausa", "pausa", "no", "volver", "/agentes").To(t, "/agentes")
	if staffed, err := d.Desk.Desk.Staffed(t.Context()); err != nil || !staffed {
		t.Errorf("staffed: %t, %v, with an agent who is back", staffed, err)
	}
	if h := func() heard { d.Ask("2"); return e.wait("alert", nil) }(); h.data["quiet"] != nil {
		t.Errorf("back again, without a sound: %v", h.data)
	}
}

// A row says what the person said, what it is about, how long they wait against the target and how many messages nobody has answered; the
// number of the case is the least of it.
func TestRow_speaks(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	d.Write("1", "hola")
	d.Write("1", "no me llega el correo")
	d.Write("1", "persona")
	of := d.CaseOf("1")
	row := func(filter string) string {
		t.Helper()
		_, rest, found := strings.Cut(d.As("ana").Get("/agentes?ver="+filter).Want(t, http.StatusOK).Body, `<li id="caso-`+of.Ref)
		if !found {
			t.Fatal("the case has no row")
		}
		row, _, _ := strings.Cut(rest, "</li>")
		return row
	}
	for _, want := range []string{`<span class="last">no me llega el correo</span>`, `<span class="topic">No le llega<`, `data-pace="calm"`} {
		if got := row("espera"); !strings.Contains(got, want) {
			t.Errorf("the row has no %s:\n%s", want, got)
		}
	}
	d.Clock.Advance(70 * time.Second)
	d.Write("1", "¿hola?")
	if got := row("espera"); !strings.Contains(got, `data-pace="near"`) || !strings.Contains(got, `<span class="unread">1<`) {
		t.Errorf("half of the target is over, one message came since, and the row says\n%s", got)
	}
	d.Clock.Advance(time.Minute)
	if got := row("espera"); !strings.Contains(got, `data-pace="late"`) {
		t.Errorf("the target is over, and the row says\n%s", got)
	}
}

// That the desk closes, and what colleagues are to know of it, reaches pages that are open.
func TestStream_deskCloses(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	e := listen(d.As("ana"), "?ver=espera")
	e.wait("counts", nil)
	s, err := d.Store.Schedule.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.ClosedNow = &handoff.Closed{By: "sup", At: d.Clock.Now(), Note: "Simulacro de incendio"}
	if err := d.Store.Schedule.Save(t.Context(), &s); err != nil {
		t.Fatal(err)
	}
	e.wait("shut", func(h heard) bool {
		return strings.Contains(h.html(), "La atención está cerrada") && strings.Contains(h.html(), "Simulacro de incendio")
	})
}

// Who asked while the desk was closed is late by the target from its opening on.
func TestRow_paceFromTheOpening(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	d.Clock.Advance(18 * time.Hour) // the next night
	of := d.Ask("1")
	row := func() string {
		t.Helper()
		_, rest, _ := strings.Cut(d.As("ana").Get("/agentes?ver=espera").Want(t, http.StatusOK, of.Ref).Body, `<li id="caso-`+of.Ref)
		row, _, _ := strings.Cut(rest, "</li>")
		return row
	}
	if got := row(); !strings.Contains(got, "Para la próxima apertura") || strings.Contains(got, "data-pace") {
		t.Errorf("the desk is closed, and the row says\n%s", got)
	}
	d.Clock.Advance(4*time.Hour + 30*time.Second)
	if err := d.Desk.Desk.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := row(); !strings.Contains(got, `data-pace="calm"`) {
		t.Errorf("the desk has just opened, and the row says\n%s", got)
	}
}
