package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/agent"
	"llave/internal/bottest"
	"llave/internal/handoff"
)

// tooLong is when something that ought to take a second has failed; a slow machine is not a failure.
const tooLong = 10 * time.Second

// Somebody asks for a person: the case stands in the inbox of whoever looks at it, without a reload, and the title counts it.
func TestDesk_seenAtOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ana, luis := o.sits("ana", agent.Member), o.sits("luis", agent.Member)
	ana.at("/agentes")
	luis.at("/agentes/cuenta")
	p := o.person()
	p.says("hola", "Hola. Soy Llave")
	asked := time.Now()
	p.last = p.api.Say(p.chat, "persona")
	ana.until("a case is in the list", `document.querySelectorAll("#lista > li").length === 1`)
	took := time.Since(asked)
	ana.until("the title counts it", `document.title.startsWith("(1) ")`)
	ana.until("it is told", `document.querySelector("#suceso").textContent.startsWith("Hay un caso nuevo")`)
	t.Logf("from the person's word to the agent's list: %v", took.Round(time.Millisecond))
	if took > tooLong {
		t.Errorf("took %v", took)
	}
	p.hears("Le paso con una persona")
	luis.at("/agentes/cuenta")
}

// Two agents press at the same moment, again and again: one has the case, the other is told who.
func TestDesk_claimRace(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ana, luis := o.sits("ana", agent.Member), o.sits("luis", agent.Member)
	const rounds = 8
	refused, won := 0, map[string]int{}
	for range rounds {
		p := o.person()
		ref := p.asks()
		for _, c := range []*clerk{ana, luis} {
			c.at("/agentes/casos/" + ref)
		}
		at := time.Now().Add(150 * time.Millisecond).UnixMilli()
		for _, c := range []*clerk{ana, luis} {
			do(c.visitor, "press in a moment", chromedp.Evaluate[chromedp.Void](fmt.Sprintf(
				`setTimeout(() => document.querySelector("#tomar")?.click(), %d - Date.now()); undefined`, at)))
		}
		p.hears("Hola, le atiende ")
		holder := o.held(ref)
		winner, other, name := ana, luis, "Ana"
		if holder == "luis" {
			winner, other, name = luis, ana, "Luis"
		}
		won[holder]++
		winner.until("the winner can write", `document.querySelector("#texto") !== null`)
		winner.shows("Lo atiende usted")
		other.shows("Lo atiende " + name)
		if look[bool](other.visitor, `document.querySelector("#texto") !== null`) {
			t.Errorf("%s has it, and the other can write too", name)
		}
		if look[bool](other.visitor, fmt.Sprintf(`document.querySelector("#dicho").innerText.includes("Ya lo tomó %s")`, name)) {
			refused++
		}
		if holder := o.held(ref); holder != winner.login {
			t.Errorf("first %s had it, then %q", winner.login, holder)
		}
		p.silent("one agent had greeted them")
	}
	t.Logf("won: %v; %d of %d times the other had pressed too and was told who was quicker", won, refused, rounds)
}

// held says who has a case.
func (o *office) held(ref string) string {
	o.t.Helper()
	c, err := o.app.Desk.Find(o.t.Context(), ref)
	if err != nil {
		o.t.Fatal(err)
	}
	if !c.Held() {
		return ""
	}
	return c.Agent
}

// waits waits until nobody has a case, and it stands in the queue.
func (o *office) waits(ref string) {
	o.t.Helper()
	for end := time.Now().Add(answerWithin); ; time.Sleep(10 * time.Millisecond) {
		c, err := o.app.Desk.Find(o.t.Context(), ref)
		if err == nil && c.Waiting() {
			return
		}
		if time.Now().After(end) {
			o.t.Fatalf("case %s is %s, %v; want it to wait", ref, c.Status, err)
		}
	}
}

// What is said goes both ways by itself; that the agent writes is shown; a note stays at the desk. A supervisor who looks on
// reads the same (P501).
func TestDesk_chat(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ana, eva := o.sits("ana", agent.Member), o.sits("eva", agent.Supervisor)
	p := o.person()
	ref := p.asks()
	eva.at("/agentes/casos/" + ref)
	ana.takes(ref)
	p.hears("Hola, le atiende Ana")

	do(ana.visitor, "type", chromedp.SendKeys(chromedp.CSS("#texto"), "¿En qué paso se quedó?"))
	if !o.api.Wait(answerWithin, func() bool { return len(o.api.Calls("sendChatAction")) > 0 }) {
		t.Error("the person was not shown that the agent writes")
	}
	do(ana.visitor, "send", chromedp.KeyEvent(kb.Enter))
	p.hears("¿En qué paso se quedó?")

	said := time.Now()
	p.last = p.api.Say(p.chat, "No me llega el correo")
	ana.until("the person's words are there", `[...document.querySelectorAll("#lista-lineas .line.person")].some((l) => l.innerText.includes("No me llega el correo"))`)
	took := time.Since(said)
	t.Logf("from the person's word to the agent's page: %v", took.Round(time.Millisecond))
	if took > tooLong {
		t.Errorf("took %v", took)
	}

	do(ana.visitor, "write a note", chromedp.Steps(
		click("[data-mode=nota]"), chromedp.SendKeys(chromedp.CSS("#nota"), "Parece que usa otro correo."),
		click("#nota-caja form button"),
	))
	ana.until("the note is kept", `document.querySelector("#lista-lineas .line.note")?.innerText.includes("Parece que usa otro correo.")`)
	ana.writes("Mire también en correo no deseado.")
	p.hears("Mire también en correo no deseado.") // and nothing before it
	eva.until("the supervisor reads all of it", `["¿En qué paso", "No me llega", "Parece que usa", "Mire también"].every((words) => document.querySelector("#lista-lineas").innerText.includes(words))`)
	if look[bool](eva.visitor, `document.querySelector("#texto") !== null`) {
		t.Error("who only looks on could write to the person")
	}

	ana.acts("resolver", handoff.Solved)
	p.hears("¿Cómo le atendieron?")
	ana.shows("el caso quedó cerrado")
	for _, m := range o.api.History(p.chat) {
		if strings.Contains(m.Text, "otro correo") {
			t.Errorf("the person got the note: %s", m.Text)
		}
	}
	for _, c := range o.api.Calls("") {
		if strings.Contains(fmt.Sprint(c.Params), "otro correo") {
			t.Errorf("Telegram got the note: %s", c.Method)
		}
	}
}

// An agent gives the conversation back at a step, and the road goes on from there to a new key (P506).
func TestDesk_backToTheRoad(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	number := bottest.Cedula(walker)
	o.record(number, address(walker), affiliate.Locked)
	ana := o.sits("ana", agent.Member)
	p := o.person()
	p.comesToSend(number)
	p.presses("Enviar enlace", "SOLICITUD DESBLOQUEO DE CLAVE")
	l, err := o.smtp.WaitLetter(t.Context(), address(walker), 0)
	if err != nil {
		t.Fatal(err)
	}
	home := newVisitor(t)
	home.open(l.Link("DESBLOQUEO DE CLAVE IESS"))
	home.press("Desbloquear")
	p.hears("Paso 1 de 5")
	ref := caseIn(p.says("persona", "Su caso es"))

	ana.takes(ref)
	p.hears("Hola, le atiende Ana")
	ana.shows("••••")
	if page := look[string](ana.visitor, `document.documentElement.outerHTML`); strings.Contains(page, number) {
		t.Error("the page holds the whole number")
	}
	ana.writes("Toque el botón azul de la página y siga con el asistente.")
	p.hears("Toque el botón azul")
	ana.acts("devolver", "KeyStep3")
	p.hears("Paso 3 de 5")
	ana.shows("el bot sigue con la persona")

	p.presses("Siguiente", "Paso 4 de 5")
	home.press("Generar / Recuperar Clave")
	contains(t, "a good key", home.choose(goodKey), "Su clave nueva está lista")
	p.hears("Su clave nueva está lista") // by itself
	p.presses("Sí, pude entrar", "¿Cómo le fue")
}

// An agent who does not answer loses the conversation, and the person is told.
func TestDesk_silentAgent(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "LLAVE_AGENT_SILENCE=1m")
	ana := o.sits("ana", agent.Member)
	p := o.person()
	ref := p.asks()
	ana.takes(ref)
	p.hears("Hola, le atiende Ana")
	ana.writes("Cuénteme.")
	p.hears("Cuénteme.")
	o.later(50 * time.Second) // nobody owes an answer
	p.last = p.api.Say(p.chat, "¿Sigue ahí?")
	ana.shows("¿Sigue ahí?")
	o.later(50 * time.Second)
	if got := o.held(ref); got != "ana" {
		t.Errorf("after 50 s: %q has it, want ana", got)
	}
	o.later(11 * time.Second)
	p.hears("Ana no pudo seguir. Usted está otra vez en la fila")
	o.waits(ref)
	ana.shows("Ana no respondió a tiempo: volvió a la cola")
	ana.until("it can be taken again", `document.querySelector("#tomar") !== null && document.querySelector("#texto") === null`)
}

// An agent whose browser is gone keeps the conversation for a minute, then it is in the queue again: whoever looks sees it come (P504).
func TestDesk_vanished(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ana, luis := o.sits("ana", agent.Member), o.sits("luis", agent.Member)
	p := o.person()
	ref := p.asks()
	ana.takes(ref)
	p.hears("Hola, le atiende Ana")
	luis.at("/agentes")
	luis.until("nobody waits", `document.querySelectorAll("#lista > li").length === 0`)
	o.vanishes(ana)
	o.later(handoff.GoneAfter - 15*time.Second)
	if got := o.held(ref); got != "ana" {
		t.Errorf("within the minute: %q has it, want ana", got)
	}
	o.later(16 * time.Second)
	p.hears("Ana no pudo seguir. Usted está otra vez en la fila")
	luis.until("the case is in the list", `document.querySelector("#caso-`+ref+`") !== null`)
	luis.takes(ref)
	luis.shows("Ana se desconectó: volvió a la cola")
	p.hears("Hola, le atiende Luis")
}

// A supervisor closes the desk by hand: who waits and who asks from then on hears until when, and is told when it opens.
func TestDesk_closedByHand(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ana, eva := o.sits("ana", agent.Member), o.sits("eva", agent.Supervisor)
	ana.at("/agentes")
	waits := o.person()
	waits.asks()
	eva.at("/agentes/supervision/horario")
	do(eva.visitor, "fill in the form", chromedp.Steps(
		chromedp.Click(chromedp.Search(`//summary[normalize-space()="Cerrar ahora"]`)),
		chromedp.SetValue(chromedp.CSS("#cerrar-hasta"), "2026-03-02T16:30"),
		chromedp.SendKeys(chromedp.CSS("#cerrar-nota"), "Simulacro"),
	))
	contains(t, "before it counts", eva.press("Cerrar ahora"), "1 persona será avisada")
	contains(t, "the page", eva.press("Cerrar y avisar a 1 persona"), "la atención está cerrada")
	p := o.person()
	p.says("hola", "Hola. Soy Llave")
	contains(t, "who asks now", p.says("persona", "Ahora no hay quien le atienda"), "hoy desde las 16:30")
	o.later(5 * time.Second)
	contains(t, "who waited", waits.hears("Por ahora cerramos"), "hoy desde las 16:30")
	ana.until("both wait for the opening", `document.querySelectorAll('#lista > li[data-status="scheduled"]').length === 2`)

	contains(t, "before it counts", eva.press("Levantar el cierre"), "2 personas serán avisadas")
	eva.press("Guardar y avisar a 2 personas")
	o.later(5 * time.Second)
	waits.hears("Ya estamos atendiendo")
	p.hears("Ya estamos atendiendo")
	ana.until("both are in the queue", `document.querySelectorAll('#lista > li[data-status="waiting"]').length === 2`)
}

// A supervisor disables an account: its owner is outside within moments, and what they had is in the queue.
func TestDesk_thrownOut(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ana, eva := o.sits("ana", agent.Member), o.sits("eva", agent.Supervisor)
	p := o.person()
	ref := p.asks()
	ana.takes(ref)
	p.hears("Hola, le atiende Ana")
	eva.at("/agentes/supervision/agentes")
	do(eva.visitor, "open the account", click("#cuenta-ana summary"))
	begun := time.Now()
	contains(t, "the page", eva.press("Desactivar la cuenta"), "Ana ya no puede entrar")
	ana.until("the agent is outside", `location.pathname === "/agentes/entrar"`)
	took := time.Since(begun)
	t.Logf("from the supervisor's press to the agent's page: %v", took.Round(time.Millisecond))
	if took > tooLong {
		t.Errorf("took %v", took)
	}
	p.hears("Ana no pudo seguir. Usted está otra vez en la fila")
	o.waits(ref)
	contains(t, "signing in again", ana.signIn("ana", deskPassword), "no son correctos")
}

// keys presses keys, one after the other.
func (c *clerk) keys(keys ...string) {
	c.t.Helper()
	for _, key := range keys {
		do(c.visitor, "press keys", pressing(key))
	}
}

// tabTo presses the Tab key until what has the focus is what a selector says.
func (c *clerk) tabTo(selector string) {
	c.t.Helper()
	for range 100 {
		if look[bool](c.visitor, fmt.Sprintf(`document.activeElement.matches(%q)`, selector)) {
			return
		}
		c.keys(kb.Tab)
	}
	c.t.Fatalf("the Tab key does not come to %s", selector)
}

// From signing in to a resolved case without a mouse, a ready answer on the way.
func TestDesk_keyboard(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.hire("ana", "Ana", agent.Member)
	c := &clerk{newVisitor(t), o.base, "ana"}
	c.watch()
	o.here["ana"] = handoff.Actor{Login: "ana", Name: "Ana"}
	first, p := o.person(), o.person()
	first.asks()
	ref := p.asks()
	c.open(o.base + "/agentes")
	do(c.visitor, "sign in", leaving(pressing("ana"+kb.Tab+deskPassword+kb.Enter)))
	c.listening()
	c.keys("j", "j")
	c.until("the second row has the focus", `document.activeElement.closest("#caso-`+ref+`") !== null`)
	do(c.visitor, "open the case", leaving(pressing(kb.Enter)))
	c.listening()
	c.keys("c")
	p.hears("Hola, le atiende Ana")
	c.until("the cursor is where one writes", `document.activeElement.id === "texto"`)
	do(c.visitor, "ask for ready answers", pressing("/"))
	c.until("they are listed", `!document.querySelector("#respuestas").hidden && document.querySelectorAll("#respuestas [role=option]").length > 1`)
	do(c.visitor, "choose one", pressing("grac"))
	c.until("one is left", `document.querySelector("#respuestas [aria-selected=true]")?.innerText.startsWith("/gracias")`)
	c.keys(kb.Enter)
	c.until("its words are in the field", `document.querySelector("#texto").value === "Gracias por esperar. Sigamos."`)
	p.silent("nothing was sent yet")
	c.keys(kb.Enter)
	p.hears("Gracias por esperar. Sigamos.")

	c.keys(kb.Escape, "n")
	do(c.visitor, "write a note", pressing("Sin ratón."))
	c.tabTo("#nota-caja button")
	c.keys(kb.Enter)
	c.until("the note is kept", `document.querySelector("#lista-lineas .line.note") !== null`)

	c.tabTo("#d-resolver summary")
	c.keys(kb.Enter)
	c.tabTo("#motivo")
	c.keys(kb.ArrowDown)
	c.tabTo("#d-resolver form > button")
	c.keys(kb.Enter)
	p.hears("¿Cómo le atendieron?")
	c.shows("el caso quedó cerrado")
	if found, err := o.app.Desk.Find(t.Context(), ref); err != nil || found.Status != bot.HandoffClosed || found.Reason != handoff.Solved {
		t.Errorf("the case: got %s for %q, %v; want it closed for %q", found.Status, found.Reason, err, handoff.Solved)
	}
	first.silent("they wait")
}
