package talk_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/handoff"
	"llave/internal/store"
	"llave/internal/trace"
	"llave/internal/web/console/consoletest"
)

// An agent takes a conversation, answers, writes a note and closes the case, in a browser without script (P509).
func TestTalk_withoutScript(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := askWithNumber(d.Desk, "1")
	ana := d.As("ana")

	inbox := ana.Get("/agentes").Want(t, http.StatusOK, of.Ref, "Telegram", "En espera", masked)
	if strings.Contains(inbox.Body, "telegram:1") {
		t.Error("the page names the chat")
	}
	p := ana.Get(casePath(of, "")).Want(t, http.StatusOK, "Pidió hablar con una persona", "Tomar este caso", masked, `http-equiv="refresh"`)
	if strings.Contains(p.Body, number) {
		t.Error("the page has the whole number")
	}
	claim := casePath(of, "tomar")
	ana.Post(claim, "once", nonce(t, p, claim), "ver", "espera").To(t, casePath(of, "")+"?ver=mios")

	p = ana.Get(casePath(of, "")+"?ver=mios").Want(t, http.StatusOK, "Lo atiende usted", "lugar ", `<iframe class="news"`)
	if strings.Contains(p.Body, `http-equiv="refresh"`) {
		t.Error("the page reloads itself under what is being typed")
	}
	say := casePath(of, "decir")
	ana.Post(say, "once", nonce(t, p, say), "ver", "mios", "texto", "Buenos días.\r\n¿Qué pasó?").To(t, casePath(of, "")+"?ver=mios")
	note := casePath(of, "nota")
	ana.Post(note, "once", nonce(t, p, note), "ver", "mios", "texto", "Llamó antes.").To(t, casePath(of, "")+"?ver=mios&dicho=nota")
	d.Write("1", "gracias")

	p = ana.Get(casePath(of, "")+"?ver=mios").Want(t, http.StatusOK, "nota interna")
	got := texts(p.Body)
	if want := []string{"Buenos días.\n¿Qué pasó?", "Llamó antes.", "gracias"}; !slices.Equal(got[len(got)-3:], want) {
		t.Errorf("lines: got %q, want %q", got[len(got)-3:], want)
	}
	if got := ana.Get(casePath(of, "novedades")+"?ver=mios&desde=1").Want(t, http.StatusOK, "líneas nuevas").Header.Get("Refresh"); got != "20" {
		t.Errorf("what is new reloads itself: got %q", got)
	}

	resolve := casePath(of, "resolver")
	ana.Post(resolve, "once", nonce(t, p, resolve), "ver", "mios", "motivo", "solved").To(t, casePath(of, "")+"?ver=mios&dicho=resolver")
	ana.Get(casePath(of, "")+"?ver=mios&dicho=resolver").Want(t, http.StatusOK, "el caso quedó cerrado", "Resuelto")
	ana.Get("/agentes?ver=cerrados").Want(t, http.StatusOK, of.Ref, "Resuelto")
	ana.Get("/agentes?ver=mios").Want(t, http.StatusOK, "No tiene ningún caso.")
}

// A button that is pressed twice does it once; other words under the same name are other words.
func TestTalk_twice(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := d.Ask("1")
	d.Claim("ana", of)
	ana := d.As("ana")
	p := ana.Get(casePath(of, "") + "?ver=mios")
	say := casePath(of, "decir")
	once := nonce(t, p, say)
	for range 2 {
		ana.Post(say, "once", once, "texto", "Hola, le leo.").To(t, casePath(of, "")+"?ver=espera")
	}
	ana.Post(say, "once", once, "texto", "Hola, le leo todo.").To(t, casePath(of, "")+"?ver=espera")
	n := 0
	for _, l := range said(d.Desk, of) {
		if strings.HasPrefix(l, "agent: ") {
			n++
		}
	}
	if n != 2 {
		t.Errorf("agent's lines: got %d, want 2: %q", n, said(d.Desk, of))
	}
	for _, form := range []string{"resolver", "resolver"} {
		ana.Post(casePath(of, form), "once", once, "motivo", "solved").To(t, casePath(of, "")+"?ver=espera&dicho=resolver")
	}
	if got := d.Find(of.Ref); got.Open() || got.Reason != handoff.Solved {
		t.Errorf("case: got %s %s, want closed and solved", got.Status, got.Reason)
	}
}

// What the desk refuses is said in the page, and what was typed stands in it.
func TestTalk_refused(t *testing.T) {
	const typed = `No <borrar> "esto"`
	d := consoletest.NewDesk(t).Process()
	free, held, closed := d.Ask("1"), d.Ask("2"), d.Ask("3")
	d.Claim("sup", held)
	d.Claim("ana", closed)
	ana := d.As("ana")
	if err := d.Desk.Desk.Resolve(t.Context(), handoff.Deed{Once: "x", Ref: closed.Ref, Actor: handoff.Actor{Login: "ana"}}, handoff.Solved); err != nil {
		t.Fatal(err)
	}
	mine := d.Ask("4")
	d.Claim("ana", mine)
	once := strings.Repeat("o", 20)
	for i, c := range []struct {
		what   string
		of     handoff.Case
		form   string
		fields []string
		status int
		says   string
		keeps  bool
	}{
		{"say to one who waits", free, "decir", []string{"texto", typed}, http.StatusConflict, "Este chat no es suyo", true},
		{"say to another's", held, "decir", []string{"texto", typed}, http.StatusConflict, "Este chat no es suyo", true},
		{"say after the end", closed, "decir", []string{"texto", typed}, http.StatusConflict, "no es suyo", true},
		{"say nothing", mine, "decir", []string{"texto", "  \n"}, http.StatusUnprocessableEntity, "Escriba algo primero", false},
		{"say too much", mine, "decir", []string{"texto", strings.Repeat("n", 20001)}, http.StatusUnprocessableEntity, "Es demasiado largo", false},
		{"take another's", held, "tomar", nil, http.StatusConflict, "Ya lo tomó Persona de Prueba", false},
		{"take what is over", closed, "tomar", nil, http.StatusConflict, "ya está cerrado", false},
		{"note on another's", held, "nota", []string{"texto", typed}, http.StatusConflict, "Este chat no es suyo", false},
		{"pass to nobody", mine, "pasar", []string{"texto", typed}, http.StatusUnprocessableEntity, "Elija una opción", true},
		{"pass to one who is away", mine, "pasar", []string{"a", "nadie", "texto", typed}, http.StatusConflict, "ya no está conectada", true},
		{"link without a number", mine, "enlace", nil, http.StatusConflict, "todavía no ha dado su número", false},
		{"give back to no step", mine, "devolver", []string{"paso", "Nowhere"}, http.StatusUnprocessableEntity, "Elija una opción", false},
		{"close for no reason", mine, "resolver", []string{"motivo", "boredom"}, http.StatusUnprocessableEntity, "Elija una opción", false},
		{"number of another's", held, "numero", nil, http.StatusConflict, "Este chat no es suyo", false},
	} {
		p := ana.Post(casePath(c.of, c.form), append([]string{"once", fmt.Sprint(once, i), "ver", "mios"}, c.fields...)...)
		if p.Status != c.status || !strings.Contains(p.Body, c.says) {
			t.Errorf("%s: got %d, want %d and %q:\n%s", c.what, p.Status, c.status, c.says, p.Main())
		}
		if kept := strings.Contains(p.Body, `No &lt;borrar&gt; &#34;esto&#34;</textarea>`); kept != c.keeps {
			t.Errorf("%s: what was typed stands in the page: got %v, want %v", c.what, kept, c.keeps)
		}
		if strings.Contains(p.Body, `http-equiv="refresh"`) {
			t.Errorf("%s: the page reloads itself", c.what)
		}
	}
	ana.Post(casePath(mine, "decir"), "texto", "sin nombre").Want(t, http.StatusBadRequest)
	ana.Get("/agentes/casos/C-0000-000").Want(t, http.StatusNotFound)
	ana.Post(casePath(mine, "decir"), "once", once, "texto", "hola").To(t, casePath(mine, "")+"?ver=espera")
}

// A repeat of words that were refused is not taken for success.
func TestTalk_refusedTwice(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := d.Ask("1")
	ana := d.As("ana")
	for range 2 {
		ana.Post(casePath(of, "decir"), "once", strings.Repeat("o", 20), "texto", "se queda").Want(t, http.StatusConflict, "se queda</textarea>")
	}
}

// The store goes away while an agent writes: the words stay, and the same press goes through when it is back.
func TestTalk_storeAway(t *testing.T) {
	away := false
	base := consoletest.NewDesk(t)
	answer := base.Desk.Answer
	base.Desk.Answer = func(ctx context.Context, u bot.Update) (bot.Outcome, error) {
		if away {
			return bot.Outcome{}, errors.New("no primary")
		}
		return answer(ctx, u)
	}
	d := base.Process()
	of := d.Ask("1")
	d.Claim("ana", of)
	ana := d.As("ana")
	say := casePath(of, "decir")
	once := nonce(t, ana.Get(casePath(of, "")+"?ver=mios"), say)
	away = true
	p := ana.Post(say, "once", once, "texto", "no se pierde").Want(t, http.StatusServiceUnavailable, "No se pudo guardar", "no se pierde</textarea>")
	if got := nonce(t, p, say); got != once {
		t.Errorf("the next press is named %q, want the same one %q", got, once)
	}
	away = false
	ana.Post(say, "once", once, "texto", "no se pierde").To(t, casePath(of, "")+"?ver=espera")
	if got := said(d.Desk, of); got[len(got)-1] != "agent: no se pierde" {
		t.Errorf("last line: got %q", got[len(got)-1])
	}
}

// The whole number is shown once, to who has the conversation, and written down.
func TestTalk_number(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := askWithNumber(d.Desk, "1")
	d.Claim("ana", of)
	ana := d.As("ana")
	reveal := casePath(of, "numero")
	p := ana.Post(reveal, "once", nonce(t, ana.Get(casePath(of, "")+"?ver=mios"), reveal), "ver", "mios").Want(t, http.StatusOK, number)
	if got := p.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control: got %q", got)
	}
	if got := d.Told(handoff.AuditReveal); !slices.Equal(got, []string{"ana: " + of.Ref}) {
		t.Errorf("audit: got %q", got)
	}
	if p := ana.Get(casePath(of, "") + "?ver=mios"); strings.Contains(p.Body, number) {
		t.Error("the number stands in the page that is shown next")
	}
	why := casePath(of, "porque")
	ana.Post(why, "once", nonce(t, p, why), "ver", "mios").Want(t, http.StatusOK, "No hay ningún registro con ese número")
	if log := d.Log.String(); strings.Contains(log, number) {
		t.Error("the log has the number")
	}
}

// Who has the case can tell the operators where to look: the page has the id of the turn that asked for a person, as the log has it.
func TestTalk_turn(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := askWithNumber(d.Desk, "1")
	kept, found, err := d.Store.Conversations.Find(t.Context(), "telegram:1")
	if err != nil || !found || kept.Handoff == nil {
		t.Fatalf("no case is kept: %v", err)
	}
	id := trace.ID(kept.Handoff.Trace)
	if len(id) != 16 {
		t.Fatalf("the case is of the turn %q", kept.Handoff.Trace)
	}
	d.As("ana").Get(casePath(of, "")).Want(t, http.StatusOK, "<dt>Registro</dt><dd><code>"+id+"</code>")
}

// Back to the bot at a step, to a colleague, to the queue.
func TestTalk_passedOn(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := d.Ask("1")
	d.Claim("ana", of)
	ana, sup := d.As("ana"), d.As("sup")
	sup.Get("/agentes").Want(t, http.StatusOK)
	pass := casePath(of, "pasar")
	p := ana.Get(casePath(of, "")+"?ver=mios").Want(t, http.StatusOK, `<option value="sup">Persona de Prueba</option>`)
	ana.Post(pass, "once", nonce(t, p, pass), "ver", "mios", "a", "sup", "texto", "Es para ti.").To(t, casePath(of, "")+"?ver=mios&dicho=pasar")
	sup.Get(casePath(of, "")+"?ver=mios").Want(t, http.StatusOK, "Lo atiende usted", "Es para ti.")
	ana.Get(casePath(of, "")+"?ver=mios&dicho=pasar").Want(t, http.StatusOK, "Listo: ahora lo atiende su colega", "Lo atiende <strong>Persona de Prueba</strong>")
	ana.Get(casePath(of, "")).Want(t, http.StatusForbidden, "Lo atiende <strong>Persona de Prueba</strong>")

	release := casePath(of, "soltar")
	sup.Post(release, "once", nonce(t, sup.Get(casePath(of, "")), release)).To(t, casePath(of, "")+"?ver=espera&dicho=soltar")
	next := nonce(t, ana.Get("/agentes"), "/agentes/siguiente")
	ana.Post("/agentes/siguiente", "once", next).To(t, casePath(of, "")+"?ver=mios")
	behind := d.Ask("2")
	ana.Post("/agentes/siguiente", "once", next).To(t, casePath(of, "")+"?ver=mios") // pressed twice
	ana.Post("/agentes/siguiente", "once", next+"2").To(t, casePath(behind, "")+"?ver=mios")
	ana.Post("/agentes/siguiente", "once", next+"3").To(t, "/agentes?ver=espera&dicho=nadie")
	back := casePath(of, "devolver")
	ana.Post(back, "once", nonce(t, ana.Get(casePath(of, "")), back), "paso", "Menu").To(t, casePath(of, "")+"?ver=espera&dicho=devolver")
	if got := d.Find(of.Ref); got.Open() || got.Reason != handoff.Returned {
		t.Errorf("case: got %s %q, want closed and returned", got.Status, got.Reason)
	}
}

// payloads are what somebody might write in a chat to have it run in the agent's browser.
var payloads = func() []string {
	var all []string
	for _, tag := range []string{
		`<script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `<svg onload=alert(1)>`, `"><script>alert(1)</script>`, `'><img src=x onerror=alert(1)>`,
		`</textarea><script>alert(1)</script>`, `</p></li></ol><script>alert(1)</script>`, `<iframe src="javascript:alert(1)"></iframe>`, `<a href="javascript:alert(1)">x</a>`, `<body onload=alert(1)>`,
		`<details open ontoggle=alert(1)>`, `<math><mtext></mtext><script>alert(1)</script></math>`, `<!--<script>alert(1)//-->`, `<style>*{display:none}</style>`, `<meta http-equiv=refresh content=0>`,
		`<template><script>alert(1)</script></template>`, `{{.Agent}}`, `{{template "row"}}`, `${alert(1)}`, `javascript:alert(1)`,
		"\u2028<script>alert(1)</script>", "data: x\n\nevent: out\ndata: {}\n\n", "\r\n\r\nevent: out\r\ndata: {}", `\u003cscript\u003ealert(1)\u003c/script\u003e`, `&lt;script&gt;alert(1)&lt;/script&gt;`,
	} {
		all = append(all, tag, "hola "+strings.ToUpper(tag))
	}
	return all
}()

// What people write is text in every page, piece and event.
func TestTalk_payloads(t *testing.T) {
	if len(payloads) < 50 {
		t.Fatalf("%d payloads", len(payloads))
	}
	d := consoletest.NewDesk(t).Process()
	of := d.Ask("1")
	d.Claim("ana", of)
	ana := d.As("ana")
	stream := listen(ana, "?ver=mios&caso="+of.Ref+"&desde=0")
	for i, p := range payloads {
		d.Clock.Advance(5 * time.Second)
		d.Write("1", p)
		ana.Post(casePath(of, "nota"), "once", strings.Repeat("n", 20)+fmt.Sprint(i), "texto", p).To(t, casePath(of, "")+"?ver=espera&dicho=nota")
		raw := strings.NewReplacer("\r\n", "\n", "\u2028", "\n").Replace(strings.TrimSpace(p))
		h := stream.wait("lines", func(h heard) bool { return strings.Contains(h.html(), "nota interna") })
		if got := texts(h.html()); got[len(got)-1] != raw {
			t.Errorf("event: got %q, want %q", got[len(got)-1], raw)
		}
		if strings.Contains(raw, "<") && (strings.Contains(h.html(), raw)) {
			t.Errorf("event has %q as it was written", raw)
		}
	}
	for _, path := range []string{casePath(of, "") + "?ver=mios", "/agentes?ver=mios", casePath(of, "lineas") + "?antes=100"} {
		body := ana.Get(path).Want(t, http.StatusOK).Body
		for _, p := range payloads {
			if strings.Contains(p, "<") && strings.Contains(body, p) {
				t.Errorf("%s has %q as it was written", path, p)
			}
		}
		if n := strings.Count(strings.ToLower(body), "<script"); n > 5 {
			t.Errorf("%s has %d scripts, want its own five", path, n)
		}
	}
}

// Longer conversations are shown from their end; what was before comes on demand, with and without script.
func TestTalk_older(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := d.Ask("1")
	d.Claim("ana", of)
	for i := range 130 {
		d.Clock.Advance(5 * time.Second)
		d.Write("1", fmt.Sprintf("línea %03d", i))
	}
	ana := d.As("ana")
	p := ana.Get(casePath(of, "")+"?ver=mios").Want(t, http.StatusOK, "línea 129", "Ver anteriores")
	if strings.Contains(p.Body, "línea 010") {
		t.Error("the page shows everything at once")
	}
	first := d.Find(of.Ref).Lines - 99
	older := ana.Get(fmt.Sprint(casePath(of, "lineas"), "?antes=", first)).Want(t, http.StatusOK, "línea 010", "Pidió hablar con una persona")
	if strings.Contains(older.Body, "línea 129") || strings.Contains(older.Body, "Ver anteriores") {
		t.Error("the piece goes on past the lines that are shown, or says that there are more")
	}
	ana.Get(fmt.Sprint(casePath(of, ""), "?ver=mios&antes=", first)).Want(t, http.StatusOK, "línea 010", "línea 129")
	ana.Get(casePath(of, "lineas")+"?antes=x").Want(t, http.StatusBadRequest)
}

// The script's answer holds what changed, so that nothing waits for the stream.
func TestTalk_scriptAnswer(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := d.Ask("1")
	ana := d.As("ana")
	form := url.Values{"once": {strings.Repeat("s", 20)}, "ver": {"espera"}, "desde": {"2"}}
	claimed := ana.Do(http.MethodPost, casePath(of, "tomar"), form, "Accept", "application/json", "Sec-Fetch-Dest", "empty")
	claimed.Want(t, http.StatusOK, `"done":true`, `"name":"lines"`, `"name":"head"`, "Mensaje para la persona")
	refused := ana.Do(http.MethodPost, casePath(of, "enlace"), url.Values{"once": {strings.Repeat("t", 20)}}, "Accept", "application/json")
	refused.Want(t, http.StatusOK, `"done":false`, "todavía no ha dado su número")
}

// Ready answers: the built-in ones, those of supervisors in place of them, and the words put into the field without script.
func TestReady(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := d.Ask("1")
	d.Claim("ana", of)
	answers, err := d.Store.Desk.Answers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	answers.List = []handoff.Answer{{Name: "saludo", Text: "Soy {agente}, caso {caso}, le ayudo a {persona}."}, {Name: "propia", Text: "De aquí."}}
	if err := d.Store.Desk.SaveAnswers(t.Context(), &answers); err != nil {
		t.Fatal(err)
	}
	ana := d.As("ana")
	filled := "Soy Persona de Prueba, caso " + of.Ref + ", le ayudo a usted."
	ana.Get(casePath(of, "")+"?ver=mios").Want(t, http.StatusOK, "/propia", "/presencial", `data-text="`+filled+`"`)
	ana.Post(casePath(of, "respuesta"), "lista", "saludo", "texto", "Hola.").Want(t, http.StatusOK, "Hola.\n"+filled+"</textarea>")
}

// «No fui yo»: first of all, closed by one with what was found.
func TestNotices(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := d.Ask("1")
	if err := d.Store.Cases.Insert(t.Context(), store.File{Ref: "N-1111-111", Topic: store.TopicNotMe, Conv: of.Conv, Made: d.Clock.Now(), Status: store.Open}); err != nil {
		t.Fatal(err)
	}
	ana, sup := d.As("ana"), d.As("sup")
	p := ana.Get("/agentes").Want(t, http.StatusOK, "Avisos «No fui yo»", "N-1111-111")
	if strings.Index(p.Body, "N-1111-111") > strings.Index(p.Body, of.Ref) {
		t.Error("the notice does not come first")
	}
	const path = "/agentes/avisos/N-1111-111"
	p = ana.Get(path).Want(t, http.StatusOK, of.Ref, "Cerrar el aviso")
	once := nonce(t, p, path)
	ana.Post(path, "once", once, "texto", " ").Want(t, http.StatusUnprocessableEntity, "Escriba algo primero")
	closing := nonce(t, sup.Get(path), path)
	for range 2 { // pressed twice
		sup.Post(path, "once", closing, "texto", "Era su hijo, 1710034065.").To(t, "/agentes?ver=espera&dicho=aviso")
	}
	ana.Post(path, "once", once, "texto", "Lo mío.").Want(t, http.StatusConflict, "Otra persona cerró este aviso", "Era su hijo, 171•••••65.", "Lo mío.</textarea>")
	ana.Get("/agentes/avisos/"+of.Ref).Want(t, http.StatusNotFound)
	if got := d.Told(handoff.AuditNotice); !slices.Equal(got, []string{"sup: N-1111-111"}) {
		t.Errorf("audit: got %q", got)
	}
}
