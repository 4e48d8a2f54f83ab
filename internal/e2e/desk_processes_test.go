package e2e

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"llave/internal/handoff"
	"llave/internal/store/storetest"
)

// Two processes over one store: the person writes to one, agent and supervisor are at the other, and what either does holds at
// once in both.
func TestDesk_twoProcesses(t *testing.T) {
	t.Parallel()
	findBrowser(t)
	uri := storetest.MongoURI(t)
	e := newEnvironment(t, byWebhook, "LLAVE_MONGODB_URI="+uri, "LLAVE_MONGODB_DATABASE="+storetest.NewDatabase(t, uri), "LLAVE_OFFICE_HOURS=mon-sun 00:00-24:00")
	for _, account := range [][]string{{"ana", "Ana", "agent"}, {"eva", "Eva", "supervisor"}} {
		if code, _, errs := outcome(t, e.env, deskPassword+"\n", "agents", "add", account[0], "--name", account[1], "--role", account[2]); code != 0 {
			t.Fatalf("agents add: exit %d: %s", code, errs)
		}
	}
	e.worksToday(t)
	first := e.serve(t)
	addr, admin := freeAddr(t), freeAddr(t)
	second := start(t, append(slices.Clone(e.env), "LLAVE_HTTP_ADDR="+addr, "LLAVE_ADMIN_ADDR="+admin), "serve")
	second.waitOK(t, "http://"+admin+"/readyz", 30*time.Second)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	comes := func(login string) *clerk {
		c := &clerk{newVisitor(t), "http://localhost:" + port, login}
		c.watch()
		c.open(c.base + "/agentes")
		c.signIn(login, deskPassword)
		c.listening()
		return c
	}
	ana, eva := comes("ana"), comes("eva")
	p := e.phone(t, 1)
	p.says("hola", "Hola. Soy Llave")
	asked := time.Now()
	p.last = p.api.Say(p.chat, "persona")
	ana.until("a case is in the list", `document.querySelectorAll("#lista > li").length === 1`)
	t.Logf("from the person's word to an agent at another process: %v", time.Since(asked).Round(time.Millisecond))
	ref := caseIn(p.hears("Su caso es"))
	ana.takes(ref)
	p.hears("Hola, le atiende Ana")
	ana.writes("Cuénteme.")
	p.hears("Cuénteme.")
	p.last = p.api.Say(p.chat, "No me llega el correo")
	ana.shows("No me llega el correo")

	eva.at("/agentes/supervision/horario")
	do(eva.visitor, "open the form", chromedp.Click(chromedp.Search(`//summary[normalize-space()="Cerrar ahora"]`)))
	contains(t, "before it counts", eva.press("Cerrar ahora"), "Nadie será avisado")
	contains(t, "the page", eva.read("close the desk", leaving(click("button[name=visto]"))), "la atención está cerrada")
	late := e.phone(t, 2)
	late.says("hola", "Hola. Soy Llave")
	late.says("persona", "Ahora no hay quien le atienda")
	ana.writes("Sigo con usted.") // who has somebody already goes on
	p.hears("Sigo con usted.")

	eva.base = e.base
	eva.at("/agentes/supervision/horario")
	eva.press("Levantar el cierre")
	eva.press("Guardar y avisar a 1 persona")
	late.hears("Ya estamos atendiendo") // by itself
	eva.at("/agentes/supervision/agentes")
	do(eva.visitor, "open the account", click("#cuenta-ana summary"))
	eva.press("Desactivar la cuenta")
	ana.until("the agent is outside", `location.pathname === "/agentes/entrar"`)
	p.hears("Ana no pudo seguir")
	second.stop(t)
	first.stop(t)
	log := first.stdout.String() + first.stderr.String() + second.stdout.String() + second.stderr.String()
	for _, private := range []string{"No me llega", "Cuénteme", "Ana no pudo", deskPassword, fmt.Sprint(p.chat), token} {
		if strings.Contains(log, private) {
			t.Errorf("the log holds %q", private)
		}
	}
}

// worksToday has the desk work today and tomorrow, be they days of rest or not.
func (e *environment) worksToday(t *testing.T) {
	t.Helper()
	s, _ := e.openStore(t)
	now, err := s.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	schedule, err := s.Schedule.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	zone, err := time.LoadLocation("America/Guayaquil")
	if err != nil {
		t.Fatal(err)
	}
	today := handoff.DateOf(now.In(zone))
	for _, date := range []handoff.Date{today, handoff.DateOf(now.In(zone).AddDate(0, 0, 1))} {
		if err := schedule.SetDay(handoff.Exception{Date: date, Open: true, Opens: "00:00", Closes: "24:00"}, nil, today); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Schedule.Save(t.Context(), &schedule); err != nil {
		t.Fatal(err)
	}
}
