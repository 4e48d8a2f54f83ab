package console_test

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
	"llave/internal/agent"
	"llave/internal/handoff"
	"llave/internal/store"
	"llave/internal/web/console"
)

// An agent takes a conversation, answers, writes a note and closes the case, in a browser without script (P509).
func TestTalk_withoutScript(t *testing.T) {
	d := newDesk(t).process()
	of := d.askWithNumber("1")
	ana := d.as("ana")

	inbox := ana.get("/agentes").Want(t, http.StatusOK, of.Ref, "Telegram", "En espera", masked)
	if strings.Contains(inbox.Body, "telegram:1") {
		t.Error("the page names the chat")
	}
	p := ana.get(casePath(of, "")).Want(t, http.StatusOK, "Pidió hablar con una persona", "Tomar este caso", masked, `http-equiv="refresh"`)
	if strings.Contains(p.Body, number) {
		t.Error("the page has the whole number")
	}
	claim := casePath(of, "tomar")
	ana.post(claim, "once", nonce(t, p, claim), "ver", "espera").To(t, casePath(of, "")+"?ver=mios")

	p = ana.get(casePath(of, "")+"?ver=mios").Want(t, http.StatusOK, "Lo atiende usted", "lugar ", `<iframe class="news"`)
	if strings.Contains(p.Body, `http-equiv="refresh"`) {
		t.Error("the page reloads itself under what is being typed")
	}
	say := casePath(of, "decir")
	ana.post(say, "once", nonce(t, p, say), "ver", "mios", "texto", "Buenos días.\r\n¿Qué pasó?").To(t, casePath(of, "")+"?ver=mios")
	note := casePath(of, "nota")
	ana.post(note, "once", nonce(t, p, note), "ver", "mios", "texto", "Llamó antes.").To(t, casePath(of, "")+"?ver=mios&dicho=nota")
	d.write("1", "gracias")

	p = ana.get(casePath(of, "")+"?ver=mios").Want(t, http.StatusOK, "nota interna")
	got := texts(p.Body)
	if want := []string{"Buenos días.\n¿Qué pasó?", "Llamó antes.", "gracias"}; !slices.Equal(got[len(got)-3:], want) {
		t.Errorf("lines: got %q, want %q", got[len(got)-3:], want)
	}
	if got := ana.get(casePath(of, "novedades")+"?ver=mios&desde=1").Want(t, http.StatusOK, "líneas nuevas").Header.Get("Refresh"); got != "20" {
		t.Errorf("what is new reloads itself: got %q", got)
	}

	resolve := casePath(of, "resolver")
	ana.post(resolve, "once", nonce(t, p, resolve), "ver", "mios", "motivo", "solved").To(t, casePath(of, "")+"?ver=mios&dicho=resolver")
	ana.get(casePath(of, "")+"?ver=mios&dicho=resolver").Want(t, http.StatusOK, "el caso quedó cerrado", "Resuelto")
	ana.get("/agentes?ver=cerrados").Want(t, http.StatusOK, of.Ref, "Resuelto")
	ana.get("/agentes?ver=mios").Want(t, http.StatusOK, "No tiene ningún caso.")
}

// A button that is pressed twice does it once; other words under the same name are other words.
func TestTalk_twice(t *testing.T) {
	d := newDesk(t).process()
	of := d.ask("1")
	d.claim("ana", of)
	ana := d.as("ana")
	p := ana.get(casePath(of, "") + "?ver=mios")
	say := casePath(of, "decir")
	once := nonce(t, p, say)
	for range 2 {
		ana.post(say, "once", once, "texto", "Hola, le leo.").To(t, casePath(of, "")+"?ver=espera")
	}
	ana.post(say, "once", once, "texto", "Hola, le leo todo.").To(t, casePath(of, "")+"?ver=espera")
	n := 0
	for _, l := range d.said(of) {
		if strings.HasPrefix(l, "agent: ") {
			n++
		}
	}
	if n != 2 {
		t.Errorf("agent's lines: got %d, want 2: %q", n, d.said(of))
	}
	for _, form := range []string{"resolver", "resolver"} {
		ana.post(casePath(of, form), "once", once, "motivo", "solved").To(t, casePath(of, "")+"?ver=espera&dicho=resolver")
	}
	if got := d.find(of.Ref); got.Open() || got.Reason != handoff.Solved {
		t.Errorf("case: got %s %s, want closed and solved", got.Status, got.Reason)
	}
}

// What the desk refuses is said in the page, and what was typed stands in it.
func TestTalk_refused(t *testing.T) {
	const typed = `No <borrar> "esto"`
	d := newDesk(t).process()
	free, held, closed := d.ask("1"), d.ask("2"), d.ask("3")
	d.claim("sup", held)
	d.claim("ana", closed)
	ana := d.as("ana")
	if err := d.desk.desk.Resolve(t.Context(), handoff.Deed{Once: "x", Ref: closed.Ref, Actor: handoff.Actor{Login: "ana"}}, handoff.Solved); err != nil {
		t.Fatal(err)
	}
	mine := d.ask("4")
	d.claim("ana", mine)
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
		{"say too much", mine, "decir", []string{"texto", strings.Repeat("ñ", 4001)}, http.StatusUnprocessableEntity, "Es demasiado largo", false},
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
		p := ana.post(casePath(c.of, c.form), append([]string{"once", fmt.Sprint(once, i), "ver", "mios"}, c.fields...)...)
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
	ana.post(casePath(mine, "decir"), "texto", "sin nombre").Want(t, http.StatusBadRequest)
	ana.get("/agentes/casos/C-0000-000").Want(t, http.StatusNotFound)
	ana.post(casePath(mine, "decir"), "once", once, "texto", "hola").To(t, casePath(mine, "")+"?ver=espera")
}

// A repeat of words that were refused is not taken for success.
func TestTalk_refusedTwice(t *testing.T) {
	d := newDesk(t).process()
	of := d.ask("1")
	ana := d.as("ana")
	for range 2 {
		ana.post(casePath(of, "decir"), "once", strings.Repeat("o", 20), "texto", "se queda").Want(t, http.StatusConflict, "se queda</textarea>")
	}
}

// The store goes away while an agent writes: the words stay, and the same press goes through when it is back.
func TestTalk_storeAway(t *testing.T) {
	away := false
	base := newDesk(t)
	answer := base.desk.Answer
	base.desk.Answer = func(ctx context.Context, u bot.Update) (bot.Outcome, error) {
		if away {
			return bot.Outcome{}, errors.New("no primary")
		}
		return answer(ctx, u)
	}
	d := base.process()
	of := d.ask("1")
	d.claim("ana", of)
	ana := d.as("ana")
	say := casePath(of, "decir")
	once := nonce(t, ana.get(casePath(of, "")+"?ver=mios"), say)
	away = true
	p := ana.post(say, "once", once, "texto", "no se pierde").Want(t, http.StatusServiceUnavailable, "No se pudo guardar", "no se pierde</textarea>")
	if got := nonce(t, p, say); got != once {
		t.Errorf("the next press is named %q, want the same one %q", got, once)
	}
	away = false
	ana.post(say, "once", once, "texto", "no se pierde").To(t, casePath(of, "")+"?ver=espera")
	if got := d.said(of); got[len(got)-1] != "agent: no se pierde" {
		t.Errorf("last line: got %q", got[len(got)-1])
	}
}

// The whole number is shown once, to who has the conversation, and written down.
func TestTalk_number(t *testing.T) {
	d := newDesk(t).process()
	of := d.askWithNumber("1")
	d.claim("ana", of)
	ana := d.as("ana")
	reveal := casePath(of, "numero")
	p := ana.post(reveal, "once", nonce(t, ana.get(casePath(of, "")+"?ver=mios"), reveal), "ver", "mios").Want(t, http.StatusOK, number)
	if got := p.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control: got %q", got)
	}
	if got := d.told(handoff.AuditReveal); !slices.Equal(got, []string{"ana: " + of.Ref}) {
		t.Errorf("audit: got %q", got)
	}
	if p := ana.get(casePath(of, "") + "?ver=mios"); strings.Contains(p.Body, number) {
		t.Error("the number stands in the page that is shown next")
	}
	why := casePath(of, "porque")
	ana.post(why, "once", nonce(t, p, why), "ver", "mios").Want(t, http.StatusOK, "No hay ningún registro con ese número")
	if log := d.log.String(); strings.Contains(log, number) {
		t.Error("the log has the number")
	}
}

// Back to the bot at a step, to a colleague, to the queue.
func TestTalk_passedOn(t *testing.T) {
	d := newDesk(t).process()
	of := d.ask("1")
	d.claim("ana", of)
	ana, sup := d.as("ana"), d.as("sup")
	sup.get("/agentes").Want(t, http.StatusOK)
	pass := casePath(of, "pasar")
	p := ana.get(casePath(of, "")+"?ver=mios").Want(t, http.StatusOK, `<option value="sup">Persona de Prueba</option>`)
	ana.post(pass, "once", nonce(t, p, pass), "ver", "mios", "a", "sup", "texto", "Es para ti.").To(t, casePath(of, "")+"?ver=mios&dicho=pasar")
	sup.get(casePath(of, "")+"?ver=mios").Want(t, http.StatusOK, "Lo atiende usted", "Es para ti.")
	ana.get(casePath(of, "")).Want(t, http.StatusOK, "Lo atiende <strong>Persona de Prueba</strong>")

	release := casePath(of, "soltar")
	sup.post(release, "once", nonce(t, sup.get(casePath(of, "")), release)).To(t, casePath(of, "")+"?ver=espera&dicho=soltar")
	next := nonce(t, ana.get("/agentes"), "/agentes/siguiente")
	ana.post("/agentes/siguiente", "once", next).To(t, casePath(of, "")+"?ver=mios")
	behind := d.ask("2")
	ana.post("/agentes/siguiente", "once", next).To(t, casePath(of, "")+"?ver=mios") // pressed twice
	ana.post("/agentes/siguiente", "once", next+"2").To(t, casePath(behind, "")+"?ver=mios")
	ana.post("/agentes/siguiente", "once", next+"3").To(t, "/agentes?ver=espera&dicho=nadie")
	back := casePath(of, "devolver")
	ana.post(back, "once", nonce(t, ana.get(casePath(of, "")), back), "paso", "Menu").To(t, casePath(of, "")+"?ver=espera&dicho=devolver")
	if got := d.find(of.Ref); got.Open() || got.Reason != handoff.Returned {
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
	d := newDesk(t).process()
	of := d.ask("1")
	d.claim("ana", of)
	ana := d.as("ana")
	stream := ana.listen("?ver=mios&caso=" + of.Ref + "&desde=0")
	for _, p := range payloads {
		d.clock.Advance(5 * time.Second)
		d.write("1", p)
		ana.post(casePath(of, "nota"), "once", strings.Repeat("n", 20)+fmt.Sprint(d.n), "texto", p).To(t, casePath(of, "")+"?ver=espera&dicho=nota")
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
		body := ana.get(path).Want(t, http.StatusOK).Body
		for _, p := range payloads {
			if strings.Contains(p, "<") && strings.Contains(body, p) {
				t.Errorf("%s has %q as it was written", path, p)
			}
		}
		if n := strings.Count(strings.ToLower(body), "<script"); n > 3 {
			t.Errorf("%s has %d scripts, want its own three", path, n)
		}
	}
}

// Longer conversations are shown from their end; what was before comes on demand, with and without script.
func TestTalk_older(t *testing.T) {
	d := newDesk(t).process()
	of := d.ask("1")
	d.claim("ana", of)
	for i := range 130 {
		d.clock.Advance(5 * time.Second)
		d.write("1", fmt.Sprintf("línea %03d", i))
	}
	ana := d.as("ana")
	p := ana.get(casePath(of, "")+"?ver=mios").Want(t, http.StatusOK, "línea 129", "Ver anteriores")
	if strings.Contains(p.Body, "línea 010") {
		t.Error("the page shows everything at once")
	}
	first := d.find(of.Ref).Lines - 99
	older := ana.get(fmt.Sprint(casePath(of, "lineas"), "?antes=", first)).Want(t, http.StatusOK, "línea 010", "Pidió hablar con una persona")
	if strings.Contains(older.Body, "línea 129") || strings.Contains(older.Body, "Ver anteriores") {
		t.Error("the piece goes on past the lines that are shown, or says that there are more")
	}
	ana.get(fmt.Sprint(casePath(of, ""), "?ver=mios&antes=", first)).Want(t, http.StatusOK, "línea 010", "línea 129")
	ana.get(casePath(of, "lineas")+"?antes=x").Want(t, http.StatusBadRequest)
}

// The script's answer holds what changed, so that nothing waits for the stream.
func TestTalk_scriptAnswer(t *testing.T) {
	d := newDesk(t).process()
	of := d.ask("1")
	ana := d.as("ana")
	form := url.Values{"once": {strings.Repeat("s", 20)}, "ver": {"espera"}, "desde": {"2"}}
	claimed := ana.do(http.MethodPost, casePath(of, "tomar"), form, "Accept", "application/json", "Sec-Fetch-Dest", "empty")
	claimed.Want(t, http.StatusOK, `"done":true`, `"name":"lines"`, `"name":"head"`, "Mensaje para la persona")
	refused := ana.do(http.MethodPost, casePath(of, "enlace"), url.Values{"once": {strings.Repeat("t", 20)}}, "Accept", "application/json")
	refused.Want(t, http.StatusOK, `"done":false`, "todavía no ha dado su número")
}

// Ready answers: the built-in ones, those of supervisors in place of them, and the words put into the field without script.
func TestReady(t *testing.T) {
	d := newDesk(t).process()
	of := d.ask("1")
	d.claim("ana", of)
	answers, err := d.store.Desk.Answers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	answers.List = []handoff.Answer{{Name: "saludo", Text: "Soy {agente}, caso {caso}, le ayudo a {persona}."}, {Name: "propia", Text: "De aquí."}}
	if err := d.store.Desk.SaveAnswers(t.Context(), &answers); err != nil {
		t.Fatal(err)
	}
	ana := d.as("ana")
	filled := "Soy Persona de Prueba, caso " + of.Ref + ", le ayudo a usted."
	ana.get(casePath(of, "")+"?ver=mios").Want(t, http.StatusOK, "/propia", "/presencial", `data-text="`+filled+`"`)
	ana.post(casePath(of, "respuesta"), "lista", "saludo", "texto", "Hola.").Want(t, http.StatusOK, "Hola.\n"+filled+"</textarea>")
}

// Who signs out, or is in pause, and what a page that reloads itself counts for.
func TestPresence(t *testing.T) {
	d := newDesk(t).process()
	of := d.ask("1")
	ana := d.as("ana")
	ana.get("/agentes").Want(t, http.StatusOK, "Disponible")
	if got := d.present("ana"); !got.Here(d.clock.Now()) || got.Away {
		t.Errorf("presence: got %+v, want there and on duty", got)
	}
	ana.post("/agentes/pausa", "pausa", "si", "volver", casePath(of, "")).To(t, casePath(of, ""))
	ana.get("/agentes").Want(t, http.StatusOK, "En pausa")
	d.clock.Advance(40 * time.Second)
	ana.post("/agentes/latido").Want(t, http.StatusNoContent)
	if got := d.present("ana"); !got.Away {
		t.Errorf("presence: got %+v, want in pause", got)
	}
	ana.post("/agentes/pausa", "pausa", "no", "volver", "https://elsewhere.example/").To(t, "/agentes")

	d.claim("ana", of)
	ana.post("/agentes/salir").To(t, "/agentes/entrar?fin")
	if got := d.find(of.Ref); !got.Waiting() {
		t.Errorf("after signing out: got %s, want the case in the queue", got.Status)
	}

	ana = d.as("ana")
	for range 4 { // the page reloads itself for longer than one may do nothing
		d.clock.Advance(9 * time.Minute)
		ana.get("/agentes?ver=espera&recarga=")
	}
	ana.get("/agentes").To(t, "/agentes/entrar")
}

// «No fui yo»: first of all, closed by one with what was found.
func TestNotices(t *testing.T) {
	d := newDesk(t).process()
	of := d.ask("1")
	if err := d.store.Cases.Insert(t.Context(), store.File{Ref: "N-1111-111", Topic: store.TopicNotMe, Conv: of.Conv, Made: d.clock.Now(), Status: store.Open}); err != nil {
		t.Fatal(err)
	}
	ana, sup := d.as("ana"), d.as("sup")
	p := ana.get("/agentes").Want(t, http.StatusOK, "Avisos «No fui yo»", "N-1111-111")
	if strings.Index(p.Body, "N-1111-111") > strings.Index(p.Body, of.Ref) {
		t.Error("the notice does not come first")
	}
	const path = "/agentes/avisos/N-1111-111"
	p = ana.get(path).Want(t, http.StatusOK, of.Ref, "Cerrar el aviso")
	once := nonce(t, p, path)
	ana.post(path, "once", once, "texto", " ").Want(t, http.StatusUnprocessableEntity, "Escriba algo primero")
	closing := nonce(t, sup.get(path), path)
	for range 2 { // pressed twice
		sup.post(path, "once", closing, "texto", "Era su hijo, 1710034065.").To(t, "/agentes?ver=espera&dicho=aviso")
	}
	ana.post(path, "once", once, "texto", "Lo mío.").Want(t, http.StatusConflict, "Otra persona cerró este aviso", "Era su hijo, 171•••••65.", "Lo mío.</textarea>")
	ana.get("/agentes/avisos/"+of.Ref).Want(t, http.StatusNotFound)
	if got := d.told(handoff.AuditNotice); !slices.Equal(got, []string{"sup: N-1111-111"}) {
		t.Errorf("audit: got %q", got)
	}
}

// In a frame of our own site, where whoever comes is signed in.
func TestEmbedded(t *testing.T) {
	d := newDesk(t)
	p := d.process(func(o *console.Options) {
		o.Embed = true
		o.AutoSignIn = func(ctx context.Context) (agent.SignedIn, error) {
			return d.agents.SignIn(ctx, "ana", goodPassword, "192.0.2.9")
		}
	})
	b := p.browser()
	b.get("/agentes?ver=mios").To(t, "/agentes?ver=mios")
	got := b.get("/agentes?ver=mios").Want(t, http.StatusOK, "Disponible").Header.Get("Content-Security-Policy")
	if !strings.Contains(got, "frame-ancestors 'self'") || strings.Contains(got, "unsafe") {
		t.Errorf("policy: got %q", got)
	}
	b.get("/agentes/cuenta").Want(t, http.StatusOK, "Mi cuenta", "Disponible")
	b.post("/agentes/salir").To(t, "/agentes/entrar?fin")
	b.get("/agentes/entrar?fin").To(t, "/agentes")

	apart := d.process().browser()
	apart.signIn("ana", goodPassword)
	if got := apart.get("/agentes").Header.Get("Content-Security-Policy"); !strings.Contains(got, "frame-ancestors 'none'") {
		t.Errorf("policy: got %q", got)
	}
}
