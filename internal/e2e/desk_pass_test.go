package e2e

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"llave/internal/agent"
)

// A case is passed on: the colleague hears of it, and of a supervisor's note on it. Nobody takes it from them where the person waits for
// no word; from the moment the person writes the time to answer runs.
func TestDesk_passed(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "LLAVE_AGENT_IDLE=12h")
	ana, luis, sup := o.sits("ana", agent.Member), o.sits("luis", agent.Member), o.sits("eva", agent.Supervisor)
	luis.at("/agentes?ver=mios")
	p := o.person()
	ref := p.asks()
	ana.takes(ref)
	p.hears("Hola, le atiende Ana")
	ana.writes("Un momento.")
	p.hears("Un momento.")
	ana.acts("pasar", "luis")
	p.hears("Ahora le atiende Luis")
	heard := func(what string) {
		t.Helper()
		luis.until("luis hears: "+what, `document.querySelector("#suceso").textContent.includes("`+what+`")`)
	}
	heard("Le pasaron un caso")
	sup.at("/agentes/casos/" + ref)
	do(sup.visitor, "write a note", chromedp.Steps(click("#nota-caja summary"), chromedp.SetValue(chromedp.CSS("#nota"), "Ojo con el plazo"), click("#nota-caja form button")))
	heard("nota")
	o.later(11 * time.Minute)
	if got := o.held(ref); got != "luis" {
		t.Fatalf("nobody waited for a word, and %q has it, want luis", got)
	}
	p.silent("nothing was owed")
	p.last = p.api.Say(p.chat, "¿Hola?")
	luis.until("the person waits", `document.querySelector("#caso-`+ref+`").innerText.includes("¿Hola?")`)
	o.later(11 * time.Minute)
	o.waits(ref)
	p.hears("Luis no pudo seguir")
}

// The head of a conversation has the number as a mask; the whole one is shown beside it, once, and never in the head.
func TestDesk_numberInHead(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ana := o.sits("ana", agent.Member)
	p := o.person()
	ref := p.asks()
	p.last = p.api.Say(p.chat, "1710034065")
	ana.takes(ref)
	masked := `document.querySelector("#cabeza").innerText.includes("171•••••65") && !document.querySelector("#cabeza").innerText.includes("1710034065")`
	ana.until("the head has the mask", masked)
	do(ana.visitor, "show the number", click("form[data-form=numero] button"))
	ana.until("the whole one is shown", `document.querySelector("#mostrado").innerText.includes("1710034065")`)
	ana.until("the head keeps the mask", masked)
	ana.at("/agentes/casos/" + ref)
	ana.until("only the mask is left", masked+` && !document.body.innerText.includes("1710034065")`)
}
