package e2e

import (
	"testing"

	"github.com/chromedp/chromedp"

	"llave/internal/agent"
	"llave/internal/handoff"
)

// The browser's own way back and forth leads through the conversations as they were opened: each as it stands by now, with what was half
// written in it, and heard of by itself from then on. What a page said once it does not say again.
func TestDesk_backAndForward(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ana := o.sits("ana", agent.Member)
	p, q := o.person(), o.person()
	first := p.asks()
	ana.takes(first)
	p.hears("Hola, le atiende Ana")
	second := q.asks()
	ana.takes(second)
	q.hears("Hola, le atiende Ana")

	do(ana.visitor, "a wide window", chromedp.EmulateViewport(1280, 800))
	ana.at("/agentes?ver=mios")
	opens := func(ref string) {
		t.Helper()
		do(ana.visitor, "open a case", click("#caso-"+ref+" a"))
		ana.until("it is open", `document.querySelector(".desk")?.dataset.ref === "`+ref+`"`)
		ana.listening()
	}
	moves := func(way, ref string) {
		t.Helper()
		do(ana.visitor, "go "+way, chromedp.Evaluate[chromedp.Void](`history.`+way+`(); undefined`))
		ana.until("it leads to the case", `document.querySelector(".desk")?.dataset.ref === "`+ref+`"`)
		ana.listening()
	}
	opens(first)
	do(ana.visitor, "begin to write", chromedp.SendKeys(chromedp.CSS("#texto"), "Le explico"))
	opens(second)
	p.last = p.api.Say(p.chat, "¿Sigue ahí?")
	moves("back", first)
	ana.shows("¿Sigue ahí?")
	ana.until("what was half written is there", `document.querySelector("#texto").value === "Le explico"`)
	q.last = q.api.Say(q.chat, "Ya lo encontré")
	moves("forward", second)
	ana.shows("Ya lo encontré")
	ana.writes("Qué bueno.")
	q.hears("Qué bueno.")
	moves("back", first)
	q.last = q.api.Say(q.chat, "Muchas gracias")
	ana.until("the list hears it", `document.querySelector("#caso-`+second+`").innerText.includes("Muchas gracias")`)
	moves("forward", second)
	ana.shows("Muchas gracias")
	ana.acts("resolver", handoff.Solved)
	q.hears("¿Cómo le atendieron?")
	moves("back", first) // what was closed stands once on the way
	moves("forward", second)
	ana.until("it is closed, whenever the page was drawn", `document.querySelector("#texto") === null`)
	if look[bool](ana.visitor, `location.search.includes("dicho")`) {
		t.Error("a page would say again what it has said")
	}
}
