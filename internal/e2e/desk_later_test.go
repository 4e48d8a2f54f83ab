package e2e

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"llave/bot"
	"llave/internal/agent"
	"llave/internal/handoff"
)

// In two browsers: a case is put off and comes back with the answer, something is said later, a colleague is named in a note, the person
// comes back after the end to the same agent, and who has the next case sees what was before (P770 to P774, P777).
func TestDesk_later(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "LLAVE_AGENT_IDLE=12h")
	ana, luis := o.sits("ana", agent.Member), o.sits("luis", agent.Member)
	p := o.person()
	ref := p.asks()
	ana.takes(ref)
	p.hears("Hola, le atiende Ana")
	ana.at("/agentes/casos/" + ref + "?ver=mios")

	ana.acts("posponer", bot.UntilAnswer)
	ana.shows("Listo: el caso quedó para más tarde.")
	ana.shows("Retomar ahora")
	ana.until("the list says so", `document.querySelector("#caso-`+ref+`").innerText.includes("Para más tarde")`)
	o.later(20 * time.Minute)
	if got := o.held(ref); got != "ana" {
		t.Errorf("put off: %q has it, want ana", got)
	}
	p.last = p.api.Say(p.chat, "Ya tengo el correo abierto.")
	ana.shows("Ya tengo el correo abierto.")
	ana.until("it is put off no more", `document.querySelector("form[data-form=retomar]") === null`)

	zone, err := time.LoadLocation("America/Guayaquil")
	if err != nil {
		t.Fatal(err)
	}
	at := o.now().In(zone).Add(90 * time.Minute)
	do(ana.visitor, "open the form", click("#d-programar summary"))
	do(ana.visitor, "fill it in", chromedp.Steps(
		chromedp.SetValue(chromedp.CSS("#programar-texto"), "¿Pudo entrar al portal?"), chromedp.SetValue(chromedp.CSS("#programar-dia"), at.Format(time.DateOnly)),
		chromedp.SetValue(chromedp.CSS("#programar-hora"), at.Format("15:04")), click("#d-programar form > button"),
	))
	ana.shows("Listo: el mensaje se envía a esa hora.")
	ana.shows("No enviar")
	o.later(91 * time.Minute)
	p.hears("¿Pudo entrar al portal?")
	ana.until("it is said", `document.querySelector("form[data-form=quitar]") === null && document.querySelector("#lista-lineas").innerText.includes("¿Pudo entrar al portal?")`)

	luis.at("/agentes?ver=mios")
	do(ana.visitor, "write a note", chromedp.Steps(click("[data-mode=nota]"), chromedp.SetValue(chromedp.CSS("#nota"), "@luis, ¿qué hago si no entra?"), click("#nota-caja form button")))
	luis.until("the case is among those that concern him", `document.querySelector("#caso-`+ref+`")?.innerText.includes("Le nombran en una nota")`)
	luis.at("/agentes/casos/" + ref + "?ver=mios")
	luis.shows("¿qué hago si no entra?")
	if look[bool](luis.visitor, `document.querySelector("#texto") !== null`) {
		t.Error("who is named could write to the person")
	}

	ana.acts("resolver", handoff.Solved)
	p.hears("¿Cómo le atendieron?")
	p.last = p.api.Say(p.chat, "todavía no puedo entrar al portal")
	p.hears("¿Seguimos con lo que habló con Ana?")
	p.presses("Sí, lo mismo", "Le paso otra vez con Ana")
	ana.shows("el caso se abrió otra vez")
	ana.until("it can be answered", `document.querySelector("#texto") !== null`)

	ana.acts("resolver", handoff.InPerson)
	p.hears("¿Cómo le atendieron?")
	p.says("persona", "¿Seguimos con lo que habló con Ana?")
	again := caseIn(p.says("otra cosa", "Su caso es"))
	luis.takes(again)
	luis.shows("Casos anteriores")
	luis.shows("@luis, ¿qué hago si no entra?")
	luis.read("open what was before", leaving(click(".earlier a")))
	luis.shows("antes, en el mismo chat")
	luis.shows("¿Pudo entrar al portal?")
}
