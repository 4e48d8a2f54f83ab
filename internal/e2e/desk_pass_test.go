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
