package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"llave/internal/agent"
)

// A supervisor changes the hours by the keyboard: day by day, with two spans each. Nothing counts before the page that says what
// would come of it was seen, and it says who will be told.
func TestSupervisor_hours(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.sits("ana", agent.Member)
	eva := o.sits("eva", agent.Supervisor)
	const people = 13
	var last *phone
	for range people {
		last = o.person()
		last.asks()
	}
	eva.at("/agentes/supervision/horario")
	for day := range 7 { // every day until nine: it is past ten, on a Monday
		if look[string](eva.visitor, fmt.Sprintf(`document.getElementById("abre-%d-1").value`, day)) == "" {
			continue
		}
		do(eva.visitor, "stand in the field", chromedp.Focus(chromedp.CSS(fmt.Sprintf("#cierra-%d-1", day))))
		do(eva.visitor, "type another time", chromedp.Evaluate[chromedp.Void](`document.activeElement.select()`))
		eva.keys("08h30" + kb.Tab + "8h45" + kb.Tab + "9")
	}
	do(eva.visitor, "send it", leaving(chromedp.KeyEvent(kb.Enter)))
	page := look[string](eva.visitor, `document.querySelector("main").innerText`)
	contains(t, "before it counts", page, "Antes de guardar")
	contains(t, "before it counts", page, "13 personas serán avisadas")
	contains(t, "before it counts", page, "lunes a viernes, de 08:45 a 09:00")
	o.later(6 * time.Second)
	if s, err := o.app.Store.Schedule.Load(t.Context()); err != nil || s.Version != 0 {
		t.Fatalf("the hours have changed before they were saved: %+v, %v", s, err)
	}
	eva.press("Corregir")
	if got := look[string](eva.visitor, `document.getElementById("cierra-1-2").value`); got != "9" {
		t.Errorf("what was typed is %q when it is corrected, want 9", got)
	}
	do(eva.visitor, "send it again", leaving(chromedp.Evaluate[chromedp.Void](`document.getElementById("abre-1-1").form.requestSubmit()`)))
	contains(t, "the page", eva.press("Cerrar y avisar a 13 personas"), "el horario de la semana ya vale")
	last.hears("Por ahora cerramos")
}

// The figures lead to their cases, and the board follows the desk by itself, and says so when it cannot.
func TestSupervisor_figuresAndBoard(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ana, eva := o.sits("ana", agent.Member), o.sits("eva", agent.Supervisor)
	ana.at("/agentes")
	p := o.person()
	ref := p.asks()
	o.later(3 * time.Minute)
	eva.at("/agentes/supervision")
	do(eva.visitor, "follow a figure", leaving(chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll(".figures a")].find((a) => a.href.includes("cuales=breached")).click()`)))
	contains(t, "the cases of a figure", look[string](eva.visitor, `document.querySelector("main").innerText`), ref)
	contains(t, "back", eva.press("← Volver a las cifras"), "Cómo va la atención")

	eva.at("/agentes/supervision/tablero")
	eva.until("who waits too long is in the board", fmt.Sprintf(`document.querySelector("#ahora td[data-pace=late]")?.parentElement.innerText.includes(%q)`, ref))
	do(eva.visitor, "stand on the case", chromedp.Focus(chromedp.CSS("#ahora th a")))
	ana.takes(ref)
	eva.until("it is with the agent, without a reload", fmt.Sprintf(`document.querySelector("#ahora [aria-labelledby=atendidos]").innerText.includes(%q)`, ref))
	if !look[bool](eva.visitor, fmt.Sprintf(`document.activeElement.innerText === %q`, ref)) {
		t.Error("the focus was lost when the board was drawn anew")
	}
	do(eva.visitor, "have the server away", chromedp.Evaluate[chromedp.Void](`globalThis.fetch = () => Promise.reject(new Error("away"))`))
	eva.until("the board says that it is old", `!document.getElementById("sin-datos").hidden`)
}

// The supervisor's pages fit from a phone to a wide screen, and what may be pressed is large enough.
func TestSupervisor_widths(t *testing.T) {
	t.Parallel()
	m := newMorning(t)
	eva := m.clerk("eva")
	for _, path := range []string{
		"supervision", "supervision?dias=30&tema=-", "supervision/casos?dias=7", "supervision/tablero", "supervision/tramites", "supervision/horario", "supervision/auditoria", "supervision/no-entendido", "cerrados",
	} {
		for _, v := range []view{{"360", 360, 740}, {"768", 768, 1024}, {"1280", 1280, 800}, {"1920", 1920, 1080}} {
			do(eva.visitor, "size the window", chromedp.EmulateViewport(v.width, v.height))
			eva.at("/agentes/" + path)
			do(eva.visitor, "unfold", chromedp.Evaluate[chromedp.Void](unfold))
			eva.layout(t, v)
			// Above 992 px a table keeps its columns and needs no scrolling within.
			if wide := look[[]string](eva.visitor, `[...document.querySelectorAll(".table")].filter((t) => t.scrollWidth > t.clientWidth + 1).map((t) => t.innerText.slice(0, 60))`); len(wide) > 0 {
				t.Errorf("%s at %s: tables to be scrolled sideways: %s", path, v.name, strings.Join(wide, " | "))
			}
		}
	}
}
