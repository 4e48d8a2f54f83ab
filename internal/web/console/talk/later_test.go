package talk_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"llave/internal/handoff"
	"llave/internal/web/console/consoletest"
)

// A case is put off by the form, until the person writes, an opening, or a moment at the desk; a wrong moment is said, with what was typed.
func TestLater_postpone(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := d.Ask("1")
	d.Claim("ana", of)
	ana := d.As("ana")
	const form = "posponer"
	for _, tc := range []struct {
		until, day, hour string
		status           int
		says             string
	}{
		{"", "", "", http.StatusUnprocessableEntity, "Elija una opción"},
		{"time", "2026-03-02", "", http.StatusUnprocessableEntity, "No puede ser a esa hora"},
		{"time", "2026-03-02", "09:59", http.StatusConflict, "No puede ser a esa hora"},
		{"time", "2026-04-30", "10:00", http.StatusConflict, "No puede ser a esa hora"},
	} {
		once := nonce(t, ana.Get(casePath(of, "")+"?ver=mios"), casePath(of, form))
		ana.Post(casePath(of, form), "once", once, "hasta", tc.until, "dia", tc.day, "hora", tc.hour).Want(t, tc.status, tc.says, `value="`+tc.hour+`"`)
	}
	if c := d.Find(of.Ref); c.IsPostponed() {
		t.Fatal("it is put off")
	}
	once := nonce(t, ana.Get(casePath(of, "")), casePath(of, form))
	ana.Post(casePath(of, form), "once", once, "hasta", "time", "dia", "2026-03-02", "hora", "16:30").To(t, casePath(of, "")+"?ver=espera&dicho=posponer")
	ana.Get(casePath(of, "")+"?ver=mios").Want(t, http.StatusOK, "Para más tarde: hoy a las 16:30", "Retomar ahora", "dejó el caso para más tarde")
	ana.Get("/agentes?ver=mios").Want(t, http.StatusOK, `<span class="tag">Para más tarde</span>`)
	d.Claim("sup", d.Ask("2"))
	sup := d.As("sup")
	sup.Get(casePath(of, "")).Want(t, http.StatusOK, "Para más tarde")
	once = nonce(t, ana.Get(casePath(of, "")), casePath(of, "retomar"))
	ana.Post(casePath(of, "retomar"), "once", once).To(t, casePath(of, "")+"?ver=espera&dicho=retomar")
	if c := d.Find(of.Ref); c.IsPostponed() {
		t.Error("it is put off still")
	}
}

// What is said later stands in the page until then, and can be taken back.
func TestLater_say(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := d.Ask("1")
	d.Claim("ana", of)
	ana := d.As("ana")
	post := func(form string, fields ...string) {
		t.Helper()
		once := nonce(t, ana.Get(casePath(of, "")), casePath(of, form))
		ana.Post(casePath(of, form), append([]string{"once", once}, fields...)...).To(t, casePath(of, "")+"?ver=espera&dicho="+form)
	}
	once := nonce(t, ana.Get(casePath(of, "")), casePath(of, "programar"))
	ana.Post(casePath(of, "programar"), "once", once, "texto", "¿Ya le llegó a 1710034065?", "dia", "2026-03-02", "hora", "15:00").
		Want(t, http.StatusUnprocessableEntity, "A la persona le llegará así: <q>¿Ya le llegó a 171•••••65?</q>", `name="visto" value="¿Ya le llegó a 171•••••65?"`, "Programar así")
	if d.Find(of.Ref).Late != nil {
		t.Error("kept before the agent has seen what goes out")
	}
	post("programar", "texto", "¿Ya le llegó a 1710034065?", "visto", "¿Ya le llegó a 171•••••65?", "dia", "2026-03-02", "hora", "15:00")
	p := ana.Get(casePath(of, "")).Want(t, http.StatusOK, "Se envía hoy a las 15:00:", "¿Ya le llegó a 171•••••65?", "No enviar")
	if c := d.Find(of.Ref); strings.Contains(p.Body, "d-programar") || c.IsPostponed() {
		t.Error("another can be had said later, or the case is put off")
	}
	post("quitar")
	p = ana.Get(casePath(of, "")).Want(t, http.StatusOK, "d-programar")
	if strings.Contains(p.Body, "Se envía") {
		t.Error("it was taken back, and stands there")
	}
	post("programar", "texto", "¿Ya?", "dia", "2026-03-02", "hora", "15:00", "posponer", "si")
	if of := d.Find(of.Ref); !of.IsPostponed() || of.Late == nil {
		t.Errorf("got %+v", of)
	}
}

// Beside a case stand the earlier ones of the same chat with their notes, for who has it; each look stands in the audit.
func TestEarlier_beside(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	first := d.Ask("1")
	d.Claim("ana", first)
	who := handoff.Actor{Login: "ana", Name: "Persona de Prueba"}
	if err := d.Desk.Desk.Note(t.Context(), handoff.Deed{Once: "n", Ref: first.Ref, Actor: who}, "Le ayuda <su> hija."); err != nil {
		t.Fatal(err)
	}
	if err := d.Desk.Desk.Resolve(t.Context(), handoff.Deed{Once: "r", Ref: first.Ref, Actor: who}, handoff.Solved); err != nil {
		t.Fatal(err)
	}
	d.Clock.Advance(25 * time.Hour)
	again := d.Ask("1")
	if again.Ref == first.Ref {
		t.Fatal("it is the same case")
	}
	luis := "luis"
	d.Add(luis, "agent")
	his := d.As(luis)
	before := casePath(again, "antes/"+first.Ref)
	if p := his.Get(casePath(again, "")).Want(t, http.StatusOK); strings.Contains(p.Body, "Casos anteriores") {
		t.Error("who has not taken it sees what was before")
	}
	his.Get(before).Want(t, http.StatusForbidden)
	d.Claim(luis, again)
	his.Get(casePath(again, "")).Want(t, http.StatusOK, "Casos anteriores", "Le ayuda &lt;su&gt; hija.", "Resuelto", before)
	his.Get(before).Want(t, http.StatusOK, "Caso "+first.Ref, "Le ayuda &lt;su&gt; hija.", "Pidió hablar con una persona")
	his.Get(casePath(first, "")).Want(t, http.StatusForbidden)
	his.Get(casePath(again, "antes/"+again.Ref)).Want(t, http.StatusNotFound)
	looks := 0
	for _, told := range d.Told(handoff.AuditRead) {
		if told == luis+": "+first.Ref {
			looks++
		}
	}
	if looks != 1 {
		t.Errorf("audit: %d looks in an hour, want 1: %v", looks, d.Told(handoff.AuditRead))
	}
}

// A note that names a colleague puts the case among theirs, to be read and answered in a note.
func TestMention(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	d.Add("luis", "agent")
	of := d.Ask("1")
	d.Claim("ana", of)
	ana, luis := d.As("ana"), d.As("luis")
	luis.Get(casePath(of, "")).Want(t, http.StatusForbidden)
	once := nonce(t, ana.Get(casePath(of, "")), casePath(of, "nota"))
	ana.Post(casePath(of, "nota"), "once", once, "texto", "@luis, ¿qué dices?").To(t, casePath(of, "")+"?ver=espera&dicho=nota")
	luis.Get("/agentes?ver=mios").Want(t, http.StatusOK, of.Ref, "Le nombran en una nota")
	p := luis.Get(casePath(of, "")+"?ver=mios").Want(t, http.StatusOK, "@luis, ¿qué dices?")
	once = nonce(t, p, casePath(of, "nota"))
	luis.Post(casePath(of, "nota"), "once", once, "texto", "A la oficina.").To(t, casePath(of, "")+"?ver=espera&dicho=nota")
	luis.Post(casePath(of, "decir"), "once", strings.Repeat("q", 20), "texto", "hola").Want(t, http.StatusConflict, "no es suyo")
}

// Who has as many as one may is told so, by the case's button and by that of the next one.
func TestOpenMax_said(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	d.Desk.Desk.OpenMax = 1
	first := d.Ask("1")
	d.Clock.Advance(time.Minute)
	second := d.Ask("2")
	ana := d.As("ana")
	once := nonce(t, ana.Get("/agentes"), "/agentes/siguiente")
	ana.Post("/agentes/siguiente", "once", once).To(t, casePath(first, "")+"?ver=mios")
	once = nonce(t, ana.Get("/agentes"), "/agentes/siguiente")
	ana.Post("/agentes/siguiente", "once", once).To(t, "/agentes?ver=espera&dicho=enough")
	ana.Get("/agentes?ver=espera&dicho=enough").Want(t, http.StatusOK, "Ya tiene todos los chats que puede tener a la vez.")
	once = nonce(t, ana.Get(casePath(second, "")), casePath(second, "tomar"))
	ana.Post(casePath(second, "tomar"), "once", once).Want(t, http.StatusConflict, "Ya tiene todos los chats")
}

// What who closed the desk by hand has to say to colleagues stands in their inbox.
func TestShut_note(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	ana := d.As("ana")
	s, err := d.Store.Schedule.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close("sup", d.Clock.Now(), d.Clock.Now().Add(2*time.Hour), "Corte de <luz>, volvemos."); err != nil {
		t.Fatal(err)
	}
	if err := d.Store.Schedule.Save(t.Context(), &s); err != nil {
		t.Fatal(err)
	}
	ana.Get("/agentes").Want(t, http.StatusOK, "La atención está cerrada. Abre hoy a las 12:00.", "<strong>Persona de Prueba:</strong> Corte de &lt;luz&gt;, volvemos.")
}

// Nobody's name is known: where a ready answer greets by it, it greets without one.
func TestReady_greetings(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := d.Ask("1")
	d.Claim("ana", of)
	answers, err := d.Store.Desk.Answers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range []string{"Hola {persona}, le atiende {agente}.", "Buenos días, {persona}.", "Lo que {persona} escribió."} {
		answers.List = append(answers.List, handoff.Answer{Name: string(rune('x' + i)), Text: text})
	}
	if err := d.Store.Desk.SaveAnswers(t.Context(), &answers); err != nil {
		t.Fatal(err)
	}
	p := d.As("ana").Get(casePath(of, "")).Want(t, http.StatusOK, `"Hola, le atiende Persona de Prueba."`, `"Buenos días."`, `"Lo que usted escribió."`)
	if strings.Contains(p.Body, "Hola usted") {
		t.Error("somebody is called usted")
	}
}
