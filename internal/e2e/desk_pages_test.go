package e2e

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"llave/internal/affiliate"
	"llave/internal/agent"
	"llave/internal/bottest"
	"llave/internal/handoff"
	"llave/internal/unheard"
)

// morning is an office after some hours of work, so that every page has something to show, with the clock standing still.
type morning struct {
	*office
	clerks map[string]*clerk
	deeds  int
	owner  *phone // whose case ana has

	mine, others, waiting, slow, closed string // cases: ana's, luis's, of nobody yet, of somebody who goes step by step, closed
	before                              string // an earlier case of the same chat as ana's
	notice                              string
}

// again has the person of the agent's case come back after its end with something else, and the agent take that. It returns the case before.
func (m *morning) again(login string) (before string) {
	m.t.Helper()
	before = m.mine
	of, err := m.app.Desk.Find(m.t.Context(), before)
	if err != nil {
		m.t.Fatal(err)
	}
	p := m.owner
	for _, old := range m.api.Messages(p.chat) { // what they have not waited for
		p.last = max(p.last, old.ID)
	}
	m.does(login, before, func(d handoff.Deed) error { return m.app.Desk.Resolve(m.t.Context(), d, handoff.InPerson) })
	p.hears("¿Cómo le atendieron?")
	m.later(time.Minute)
	p.says("persona", "¿Seguimos con lo que habló")
	m.mine = caseIn(p.says("otra cosa", "Su caso es"))
	m.does(login, m.mine, func(d handoff.Deed) error { return m.app.Desk.Claim(m.t.Context(), d) })
	if again, err := m.app.Desk.Find(m.t.Context(), m.mine); err != nil || again.Conv != of.Conv {
		m.t.Fatalf("it is another chat's: %v", err)
	}
	return before
}

// openMorning is an office before anybody has written.
func openMorning(t testing.TB) *morning {
	t.Helper()
	m := &morning{office: openOffice(t, &office{start: monday}), clerks: map[string]*clerk{}}
	for _, who := range []struct {
		login, name string
		role        agent.Role
	}{{"ana", "Ana", agent.Member}, {"luis", "Luis", agent.Member}, {"nuria", "Nuria", agent.Member}, {"vera", "Vera", agent.Clerk}, {"eva", "Eva", agent.Supervisor}} {
		m.hire(who.login, who.name, who.role)
		if who.role == agent.Clerk { // who talks to nobody
			continue
		}
		m.here[who.login] = handoff.Actor{Login: who.login, Name: who.name, Supervisor: who.role == agent.Supervisor}
	}
	m.later(0)
	return m
}

func newMorning(t testing.TB) *morning {
	t.Helper()
	m := openMorning(t)
	helped := m.person()
	m.closed = m.asked(helped, 2)
	m.does("ana", m.closed, func(d handoff.Deed) error { return m.app.Desk.Claim(t.Context(), d) })
	m.later(40 * time.Second)
	m.says("ana", m.closed, "Buenos días. ¿En qué paso se quedó?")
	helped.hears("Hola, le atiende Ana")
	helped.hears("¿En qué paso se quedó?")
	m.later(6 * time.Minute)
	m.does("ana", m.closed, func(d handoff.Deed) error { return m.app.Desk.Resolve(t.Context(), d, handoff.Solved) })
	helped.hears("¿Cómo le atendieron?")
	helped.says("5", "¿Quiere contarnos por qué?")
	helped.says("Me explicó con mucha paciencia.", "Gracias por contarnos")
	m.later(4 * time.Minute)

	other := m.person()
	m.others = m.asked(other, 0)
	other.last = other.api.Say(other.chat, "¿La clave es la misma del portal?")
	m.taken()
	m.does("luis", m.others, func(d handoff.Deed) error { return m.app.Desk.Claim(t.Context(), d) })
	m.later(2 * time.Minute)
	m.says("luis", m.others, "Deme un momento, por favor. Estoy revisando su caso.")
	m.later(time.Minute)

	p := m.person()
	m.owner = p
	m.mine = m.asked(p, 1)
	m.later(3 * time.Minute)
	m.does("ana", m.mine, func(d handoff.Deed) error { return m.app.Desk.Claim(t.Context(), d) })
	p.hears("Hola, le atiende Ana")
	m.later(30 * time.Second)
	m.says("ana", m.mine, "Buenos días. Ya leí lo que escribió. ¿En qué paso se quedó?")
	p.hears("¿En qué paso se quedó?")
	m.later(time.Minute)
	p.last = m.api.Say(p.chat, "Pedí el enlace, pero cuando lo abrí ya no servía.")
	m.taken()
	m.does("ana", m.mine, func(d handoff.Deed) error {
		return m.app.Desk.Note(t.Context(), d, "El enlace se le venció. Ver si abre el correo en otro teléfono.")
	})
	m.says("ana", m.mine, "Ese enlace dura tres minutos. Abra primero su correo y dígame cuando lo tenga listo.")
	p.hears("Ese enlace dura tres minutos")
	m.later(2 * time.Minute)
	p.last = m.api.Say(p.chat, "Ya está abierto el correo.")
	m.taken()

	old := m.person()
	old.says("hola", "Hola. Soy Llave")
	old.says("paso a paso", "")
	old.says("zqx bdf hjk", "") // two difficulties, in too many words to be pieces: the clock stands still
	old.says("zqx ghj klm", "")
	m.slow = caseIn(old.says("persona", "Su caso es"))
	old.last = old.api.Say(old.chat, "Me bloquearon la clave y no sé usar el correo.")
	m.taken()
	m.later(5 * time.Minute)
	other = m.person()
	m.waiting = m.asked(other, 3)
	other.last = other.api.Say(other.chat, "No tengo a mano el correo que di.")
	m.taken()
	m.later(2 * time.Minute)
	left := m.person()
	m.asked(left, 0)
	left.says("menú", "¿Quiere dejar la fila")
	left.says("sí", "ya no espera a nadie")

	m.notice = m.notMe(5)
	answers, err := m.app.Store.Desk.Answers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	answers.List = append(answers.List, handoff.Answer{Name: "feriado", Text: "Este viernes es feriado. {persona} puede escribir otra vez el lunes. Le atendió {agente}, caso {caso}."})
	if err := m.app.Store.Desk.SaveAnswers(t.Context(), &answers); err != nil {
		t.Fatal(err)
	}
	for _, o := range []struct{ said, meaning string }{
		{"no me asoma nada en la bandejita esa", ""}, {"vendo carros usados", unheard.NotOurs}, {"¿y si se me acaba el saldo?", "cost"},
	} {
		telling := unheard.Telling{Who: "one", Turn: o.said, At: m.now(), Place: "sent", Lang: "es", Said: o.said, Meaning: "not_arrived", Confidence: 0.4}
		if err := m.app.Store.Unheard.Tell(t.Context(), telling); err != nil {
			t.Fatal(err)
		}
		if _, err := m.app.Store.Unheard.Assign(t.Context(), telling.ID(), o.meaning); err != nil {
			t.Fatal(err)
		}
	}
	s, err := m.app.Store.Schedule.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, day := range []handoff.Exception{
		{Date: "2026-03-13", Name: "Fiesta del cantón"}, {Date: "2026-03-14", Name: "Recuperación", Open: true, Opens: "09:00", Closes: "13:00"},
	} {
		if err := s.SetDay(day, m.app.Desk.Hours, "2026-03-02"); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.app.Store.Schedule.Save(t.Context(), &s); err != nil {
		t.Fatal(err)
	}
	return m
}

// unhurried are chats whose people take their time by the office's clock, as fast as the messages come.
type unhurried struct {
	chats
	o *office
}

func (u unhurried) Say(chat int64, text string) int {
	u.o.moved.Add(int64(3 * time.Second))
	return u.chats.Say(chat, text)
}

func (u unhurried) Press(chat int64, label string) (int, error) {
	u.o.moved.Add(int64(3 * time.Second))
	return u.chats.Press(chat, label)
}

// person is somebody new who takes their time.
func (m *morning) person() *phone {
	p := m.office.person()
	p.api = unhurried{p.api, m.office}
	return p
}

// asked has a person ask for somebody, after giving the number of a record when i is not 0.
func (m *morning) asked(p *phone, i int) string {
	m.t.Helper()
	if i == 0 {
		return p.asks()
	}
	m.givesNumber(p, i)
	return caseIn(p.says("persona", "Su caso es"))
}

// givesNumber has a person go as far as to be asked for their mailbox.
func (m *morning) givesNumber(p *phone, i int) {
	m.t.Helper()
	number := bottest.Nobodys(i)
	m.record(number, address(i), affiliate.Locked)
	p.says("hola", "Hola. Soy Llave")
	p.presses("Continuar", "¿Qué necesita hoy?")
	p.presses("Desbloquear clave", "Escriba su número de cédula")
	p.says(number, "¿Es el de su cédula?")
	p.says("sí", "Enviar enlace")
}

// notMe has the owner of a record say that they asked for nothing, and returns the number of the notice.
func (m *morning) notMe(i int) string {
	m.t.Helper()
	p := m.person()
	m.givesNumber(p, i)
	p.presses("Enviar enlace", "SOLICITUD DESBLOQUEO DE CLAVE")
	l, err := m.smtp.WaitLetter(m.t.Context(), address(i), 0)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, link := range l.Links {
		if strings.Contains(link.URL, "/no-fui-yo/") {
			owner := newVisitor(m.t)
			owner.open(link.URL)
			owner.press("No fui yo")
		}
	}
	for end := time.Now().Add(answerWithin); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		m.later(0)
		if all, err := m.app.Desk.Notices(m.t.Context()); err == nil && len(all) > 0 {
			return all[0].Ref
		}
	}
	m.t.Fatal("no notice came")
	return ""
}

// taken waits until what people said is answered.
func (m *morning) taken() {
	m.t.Helper()
	if !m.api.Wait(answerWithin, func() bool { return m.api.Pending() == 0 }) {
		m.t.Fatal("what was said was not taken")
	}
}

// does has an agent do something to a case, as the console does.
func (m *morning) does(login, ref string, do func(d handoff.Deed) error) {
	m.t.Helper()
	m.deeds++
	if err := do(handoff.Deed{Once: fmt.Sprint("deed-", m.deeds), Ref: ref, Actor: m.here[login]}); err != nil {
		m.t.Fatalf("%s, case %s: %v", login, ref, err)
	}
}

func (m *morning) says(login, ref, text string) {
	m.t.Helper()
	m.does(login, ref, func(d handoff.Deed) error { return m.app.Desk.Say(m.t.Context(), d, text) })
}

// clerk is an agent's browser, in which they signed in when they were first asked for; "" is somebody who has not.
func (m *morning) clerk(login string) *clerk {
	m.t.Helper()
	c, there := m.clerks[login]
	switch {
	case there:
		return c
	case login == "":
		c = &clerk{newVisitor(m.t), m.base, ""}
		c.watch()
	default:
		c = m.sits(login, agent.Member)
	}
	m.clerks[login] = c
	return c
}

// deskPage is one page of the console in one state, who sees it, and how they get there.
type deskPage struct {
	name string
	who  string
	walk bool // with the Tab key too
	open func(c *clerk, m *morning)

	except []string // rules of axe-core, and why is said there
}

// to opens a page of the console.
func to(path func(m *morning) string) func(c *clerk, m *morning) {
	return func(c *clerk, m *morning) { c.at(path(m)) }
}

func at(path string) func(c *clerk, m *morning) {
	return to(func(*morning) string { return path })
}

// then opens a page and does something there.
func then(open func(c *clerk, m *morning), act func(c *clerk)) func(c *clerk, m *morning) {
	return func(c *clerk, m *morning) {
		open(c, m)
		act(c)
	}
}

// runs does something in a page.
func runs(js string) func(c *clerk) {
	return func(c *clerk) { do(c.visitor, "act", chromedp.Evaluate[chromedp.Void](js+"; undefined")) }
}

// sends sends a form of the page by its button, and goes where that leads; nothing asks whether the form is filled in.
func sends(form string) func(c *clerk) {
	return func(c *clerk) {
		c.read("send the form", leaving(chromedp.Evaluate[chromedp.Void](`{ const f = `+form+`; f.noValidate = true; f.requestSubmit(f.querySelector("button:not([formaction])")); }`)))
	}
}

// presses presses what a selector finds, which leads to another page.
func presses(selector string) func(c *clerk) {
	return func(c *clerk) {
		c.read("press "+selector, leaving(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector(%q).click()`, selector))))
	}
}

// unfold opens whatever is folded.
const unfold = `document.querySelectorAll("main details").forEach((d) => { d.open = true; })`

func mine(m *morning) string { return "/agentes/casos/" + m.mine + "?ver=mios" }

// atTheDoor are the pages before the inbox, and the agent's own.
func atTheDoor() []deskPage {
	wrong := func(c *clerk, m *morning) {
		c.open(m.base + "/agentes/entrar")
		c.signIn("nadie", "no es la contraseña")
	}
	account := at("/agentes/cuenta")
	password := func(now, first, second string) func(c *clerk) {
		return func(c *clerk) {
			runs(fmt.Sprintf(`document.querySelector("#actual").value = %q; document.querySelector("#nueva").value = %q; document.querySelector("#nueva2").value = %q`, now, first, second))(c)
			sends(`document.querySelector("#actual").form`)(c)
		}
	}
	return []deskPage{
		{name: "sign in", walk: true, open: func(c *clerk, m *morning) { c.open(m.base + "/agentes/entrar") }},
		{name: "sign in to a page", open: func(c *clerk, m *morning) { c.open(m.base + "/agentes/cuenta") }},
		{name: "wrong password", open: wrong},
		{name: "too many tries", open: func(c *clerk, m *morning) {
			for range agent.MaxWrong {
				wrong(c, m)
			}
		}},
		{name: "signed out", open: func(c *clerk, m *morning) { c.open(m.base + "/agentes/entrar?fin") }},
		{name: "account", who: "nuria", open: account},
		{name: "password refused", who: "nuria", open: then(account, password("otra", "corta", "larga"))},
		{name: "password changed", who: "nuria", open: then(account, password(deskPassword, "mesa azul con tres patas rotas", "mesa azul con tres patas rotas"))},
		{name: "password owed", who: "nuria", open: func(c *clerk, m *morning) {
			m.changes("nuria", func(a *agent.Agent) { a.MustChange = true })
			contains(m.t, "the page", c.open(m.base+"/agentes"), "elija su propia contraseña")
		}},
		{name: "second factor owed", who: "nuria", walk: true, open: func(c *clerk, m *morning) {
			m.changes("nuria", func(a *agent.Agent) { a.MustChange = false })
			m.app.Agents.Require = agent.Everybody
			defer func() { m.app.Agents.Require = agent.Optional }()
			contains(m.t, "the page", c.open(m.base+"/agentes"), "ponga un código en su teléfono")
		}},
		{name: "sessions", who: "nuria", open: func(c *clerk, m *morning) {
			for _, browser := range []string{"Firefox, Linux", "", "Chrome, Android"} {
				if _, err := m.app.Agents.SignIn(m.t.Context(), "nuria", "mesa azul con tres patas rotas", agent.From{Source: "x", Browser: browser, Network: "190.12.x.x"}); err != nil {
					m.t.Fatal(err)
				}
			}
			account(c, m)
		}},
		{name: "sessions ended", who: "nuria", open: then(account, sends(`document.querySelector("[value=cerrar-otras]").form`))},
		{name: "code not begun", who: "nuria", open: then(account, sends(`document.querySelector("[name=hacer][value=empezar]").form`))},
		{name: "code begun", who: "nuria", walk: true, open: then(account, func(c *clerk) {
			runs(`document.querySelector("#empezar").value = "mesa azul con tres patas rotas"`)(c)
			sends(`document.querySelector("[name=hacer][value=empezar]").form`)(c)
		})},
		{name: "code wrong", who: "nuria", open: then(account, func(c *clerk) {
			runs(`document.querySelector("#codigo").value = "000000"`)(c)
			sends(`document.querySelector("#codigo").form`)(c)
		})},
		{name: "code on", who: "nuria", open: func(c *clerk, m *morning) {
			account(c, m)
			secret := look[string](c.visitor, `document.querySelector(".secret").innerText`)
			runs(fmt.Sprintf(`document.querySelector("#codigo").value = %q`, codeOf(m.t, secret, m.now())))(c)
			sends(`document.querySelector("#codigo").form`)(c)
		}},
		{name: "code stays", who: "nuria", open: then(account, func(c *clerk) {
			runs(`document.querySelector("#quitar").value = "otra"; document.querySelector("#quitar-codigo").value = "000000"`)(c)
			sends(`document.querySelector("#quitar").form`)(c)
		})},
		{name: "recovery codes", who: "nuria", walk: true, open: then(account, func(c *clerk) {
			runs(`document.querySelector("#recuperacion").value = "mesa azul con tres patas rotas"`)(c)
			sends(`document.querySelector("#recuperacion").form`)(c)
		})},
		{name: "asked for the password again", who: "nuria", walk: true, open: at("/agentes/confirmar?volver=/agentes/cuenta")},
		{name: "wrong password again", who: "nuria", open: then(at("/agentes/confirmar"), func(c *clerk) {
			runs(`document.querySelector("#actual").value = "otra"`)(c)
			sends(`document.querySelector("#actual").form`)(c)
		})},
		{name: "asked for the code", who: "nuria", open: func(c *clerk, m *morning) {
			c.at("/agentes/cuenta")
			c.press("Salir")
			c.signIn("nuria", "mesa azul con tres patas rotas")
		}},
		{name: "wrong code", who: "nuria", open: func(c *clerk, m *morning) {
			runs(`document.querySelector("#codigo").value = "000000"`)(c)
			sends(`document.querySelector("#codigo").form`)(c)
		}},
		{name: "not found", who: "ana", open: func(c *clerk, m *morning) { c.open(m.base + "/agentes/casos/C-0000-000") }},
		{name: "for supervisors", who: "ana", open: at("/agentes/supervision/agentes")},
		{name: "account changed meanwhile", who: "luis", open: func(c *clerk, m *morning) {
			if err := m.app.Agents.SetPassword(m.t.Context(), "eva", "luis", "mesa azul con tres patas rotas"); err != nil {
				m.t.Fatal(err)
			}
			contains(m.t, "the page", c.open(m.base+"/agentes"), "Hubo un cambio en su cuenta")
		}},
		{name: "nothing done for too long", who: "ana", open: func(c *clerk, m *morning) {
			m.later(31 * time.Minute)
			contains(m.t, "the page", c.open(m.base+"/agentes"), "sin que hiciera nada")
		}},
	}
}

// atTheStart are the pages that show something else when nothing has happened yet.
func atTheStart() []deskPage {
	return []deskPage{
		{name: "nobody waits", who: "ana", open: at("/agentes")},
		{name: "nothing closed", who: "ana", open: at("/agentes?ver=cerrados")},
		{name: "nothing open", who: "eva", open: at("/agentes?ver=todos")},
		{name: "no figures", who: "eva", open: at("/agentes/supervision")},
		{name: "no answers", who: "eva", open: at("/agentes/supervision/respuestas")},
		{name: "all understood", who: "eva", open: at("/agentes/supervision/no-entendido")},
		{name: "usual hours", who: "eva", open: at("/agentes/supervision/horario")},
	}
}

// atTheDesk are the inbox and the conversations.
func atTheDesk() []deskPage {
	acted := func(act func(c *clerk)) func(c *clerk, m *morning) {
		return then(to(mine), func(c *clerk) {
			act(c)
			c.until("the page answers", `document.querySelector("#dicho").innerText + document.querySelector("#mostrado").innerText !== ""`)
		})
	}
	sent := func(form string) func(c *clerk) {
		return runs(`document.querySelector('form[data-form="` + form + `"]').requestSubmit()`)
	}
	counter := func(c *clerk, m *morning) { c.open(m.base + "/agentes/ventanilla") } // which has no stream
	return []deskPage{
		{name: "queue", who: "ana", walk: true, open: at("/agentes")},
		{name: "mine", who: "ana", open: at("/agentes?ver=mios")},
		{name: "closed", who: "ana", open: at("/agentes?ver=cerrados")},
		{name: "everybody's", who: "eva", open: at("/agentes?ver=todos")},
		{name: "nothing mine", who: "eva", open: at("/agentes?ver=mios")},
		{name: "nobody was quicker", who: "ana", open: at("/agentes?ver=espera&dicho=nadie")},
		{name: "waiting", who: "ana", open: to(func(m *morning) string { return "/agentes/casos/" + m.waiting })},
		{name: "step by step", who: "eva", open: to(func(m *morning) string { return "/agentes/casos/" + m.slow })},
		{name: "conversation", who: "ana", open: to(mine)},
		{name: "everything unfolded", who: "ana", walk: true, open: then(to(mine), runs(unfold))},
		{name: "ready answers", who: "ana", open: then(to(mine), func(c *clerk) {
			do(c.visitor, "ask for them", chromedp.Steps(chromedp.Focus(chromedp.CSS("#texto")), pressing("/")))
			c.until("they are listed", `!document.querySelector("#respuestas").hidden`)
		}), except: []string{"color-contrast", "color-contrast-enhanced"}}, // of the lines that the list lies over
		{name: "shortcuts", who: "ana", open: then(to(mine), func(c *clerk) {
			runs(`sessionStorage.clear(); document.querySelector("#texto").value = ""`)(c)
			do(c.visitor, "ask for them", chromedp.Steps(chromedp.Focus(chromedp.CSS("#lineas")), pressing("?")))
			c.until("they are shown", `document.querySelector("#ayuda").open`)
		})},
		{name: "number shown", who: "ana", open: acted(sent("numero"))},
		{name: "reason shown", who: "ana", open: acted(sent("porque"))},
		{name: "nothing chosen", who: "ana", open: acted(func(c *clerk) { runs(unfold)(c); sent("devolver")(c) })},
		{name: "note kept", who: "ana", open: acted(func(c *clerk) {
			runs(`document.querySelector("#nota").value = "Llama desde el trabajo."`)(c)
			sent("nota")(c)
		})},
		{name: "masked before it goes", who: "ana", open: then(to(mine), func(c *clerk) {
			do(c.visitor, "type a number", chromedp.Steps(chromedp.Focus(chromedp.CSS("#texto")), pressing("El 1710034065")))
			c.until("what will go out is shown", `!document.querySelector("#texto-vista").hidden`)
		})},
		{name: "asked about", who: "ana", open: then(to(mine), func(c *clerk) {
			runs(`document.querySelector("#texto").value = "/xyz"`)(c)
			sent("decir")(c)
			c.until("it is asked about", `document.querySelector("#dicho .ask") !== null`)
			runs(`document.querySelector("#texto").value = ""; document.querySelector("#texto").dispatchEvent(new Event("input", { bubbles: true }))`)(c)
		})},
		{name: "still there", who: "ana", open: then(at("/agentes"), runs(`document.querySelector("#sigue-en").textContent = "1:30"; document.querySelector("#sigue").showModal()`))},
		{name: "a case that left", who: "ana", open: then(at("/agentes"), runs(`toast("Eva puso este caso otra vez en la cola. Ahora está en la cola.")`))},
		{name: "connection lost", who: "ana", open: then(to(mine), runs(`document.querySelector("#sin-conexion").hidden = false; document.querySelector("#escribe").hidden = false`))},
		{name: "number wants the password", who: "ana", open: func(c *clerk, m *morning) {
			sessions, err := m.app.Store.Sessions.Of(m.t.Context(), "ana")
			for i := range sessions {
				sessions[i].Proved = time.Time{}
				err = errors.Join(err, m.app.Store.Sessions.Save(m.t.Context(), &sessions[i]))
			}
			if err != nil {
				m.t.Fatal(err)
			}
			acted(sent("numero"))(c, m)
			c.shows("escriba su contraseña")
		}},
		{name: "of a colleague", who: "ana", open: to(func(m *morning) string { return "/agentes/casos/" + m.others })},
		{name: "of an agent", who: "eva", open: then(to(func(m *morning) string { return "/agentes/casos/" + m.others + "?ver=todos" }), runs(unfold))},
		{name: "closed case", who: "ana", open: to(func(m *morning) string { return "/agentes/casos/" + m.closed + "?ver=cerrados" })},
		{name: "notice", who: "ana", open: to(func(m *morning) string { return "/agentes/avisos/" + m.notice })},
		{name: "notice without a word", who: "ana", open: then(to(func(m *morning) string { return "/agentes/avisos/" + m.notice }), sends(`document.querySelector("#hallado").form`))},
		{name: "notice closed", who: "ana", open: func(c *clerk, m *morning) {
			c.at("/agentes/avisos/" + m.notice)
			runs(`document.querySelector("#hallado").value = "Habló con la titular: fue su hija."`)(c)
			sends(`document.querySelector("#hallado").form`)(c)
			c.at("/agentes/avisos/" + m.notice)
		}},
		{name: "news without script", who: "ana", open: func(c *clerk, m *morning) {
			do(c.visitor, "open the frame", chromedp.Navigate(m.base+"/agentes/casos/"+m.mine+"/novedades?desde=0"))
		}},
		{name: "paused", who: "ana", open: then(at("/agentes"), sends(`document.querySelector('form[action="/agentes/pausa"]')`))},
		{name: "taken by another", who: "ana", open: func(c *clerk, m *morning) {
			c.at("/agentes/casos/" + m.waiting)
			once := look[string](c.visitor, `document.querySelector("form[data-form=tomar] [name=once]").value`)
			m.does("luis", m.waiting, func(d handoff.Deed) error { return m.app.Desk.Claim(m.t.Context(), d) })
			c.until("it is not to be had any more", `document.querySelector("#tomar") === null`)
			sends(fmt.Sprintf(`(() => {
				const f = document.createElement("form");
				f.method = "post"; f.action = "/agentes/casos/%s/tomar"; f.innerHTML = '<input name="once" value="%s"><button>x</button>';
				document.body.append(f);
				return f;
			})()`, m.waiting, once))(c)
			c.shows("Ya lo tomó Luis")
		}},
		{name: "lost while writing", who: "ana", open: func(c *clerk, m *morning) {
			c.at(mine(m))
			do(c.visitor, "write", chromedp.SendKeys(chromedp.CSS("#texto"), "Le envío otro"))
			m.does("eva", m.mine, func(d handoff.Deed) error { return m.app.Desk.Release(m.t.Context(), d) })
			c.until("it is told", `document.querySelector("#escribir .bad") !== null`)
		}},
		{name: "put off, with something for later", who: "ana", open: func(c *clerk, m *morning) {
			m.does("ana", m.mine, func(d handoff.Deed) error { return m.app.Desk.Claim(m.t.Context(), d) })
			m.does("ana", m.mine, func(d handoff.Deed) error {
				return m.app.Desk.SayLater(m.t.Context(), d, "¿Ya le llegó el correo? Ábralo cuando pueda, por favor.", m.now().Add(2*time.Hour), true)
			})
			then(to(mine), runs(unfold))(c, m)
			c.shows("Retomar ahora")
		}},
		{name: "no such moment", who: "ana", open: func(c *clerk, m *morning) {
			m.does("ana", m.mine, func(d handoff.Deed) error { return m.app.Desk.Resume(m.t.Context(), d) })
			m.does("ana", m.mine, func(d handoff.Deed) error { return m.app.Desk.Unsay(m.t.Context(), d) })
			acted(func(c *clerk) {
				runs(unfold + `; document.querySelector("#hasta").value = "time"`)(c)
				sent("posponer")(c)
			})(c, m)
			c.shows("No puede ser a esa hora")
		}},
		{name: "named in a note", who: "luis", open: func(c *clerk, m *morning) {
			m.does("ana", m.mine, func(d handoff.Deed) error { return m.app.Desk.Note(m.t.Context(), d, "@luis, ¿qué le digo?") })
			c.at("/agentes/casos/" + m.mine + "?ver=mios")
			c.shows("¿qué le digo?")
		}},
		{name: "earlier cases", who: "ana", open: func(c *clerk, m *morning) {
			m.before = m.again("ana")
			then(to(func(m *morning) string { return "/agentes/casos/" + m.mine + "?ver=mios" }), runs(unfold))(c, m)
			c.shows("Casos anteriores")
		}},
		{name: "an earlier case", who: "ana", open: to(func(m *morning) string { return "/agentes/casos/" + m.mine + "/antes/" + m.before })},
		{name: "as many as one may", who: "ana", open: at("/agentes?ver=espera&dicho=enough")},
		{name: "counter", who: "vera", walk: true, open: counter},
		{name: "counter, no such case", who: "vera", open: then(counter, func(c *clerk) {
			runs(`document.querySelector("#caso").value = "C22222222"`)(c)
			sends(`document.querySelector("#caso").form`)(c)
			c.shows("No hay ningún caso")
		})},
		{name: "counter, a case", who: "vera", open: func(c *clerk, m *morning) {
			counter(c, m)
			runs(`document.querySelector("#caso").value = "` + m.closed + `"`)(c)
			sends(`document.querySelector("#caso").form`)(c)
			c.shows("Cómo terminó")
		}},
		{name: "clerk's account", who: "vera", open: func(c *clerk, m *morning) { c.open(m.base + "/agentes/cuenta") }},
		{name: "shut", who: "ana", open: func(c *clerk, m *morning) {
			m.closeDesk(m.now().Add(3 * time.Hour))
			m.later(0)
			c.at("/agentes")
		}},
		{name: "for the next opening", who: "ana", open: to(func(m *morning) string { return "/agentes/casos/" + m.slow })},
		{name: "shut, nobody knows until when", who: "ana", open: func(c *clerk, m *morning) {
			m.closeDesk(time.Time{})
			c.at("/agentes")
		}},
	}
}

// changes changes an account behind the desk's back.
func (m *morning) changes(login string, change func(a *agent.Agent)) {
	m.t.Helper()
	a, _, err := m.app.Store.Agents.Find(m.t.Context(), login)
	if err == nil {
		change(&a)
		err = m.app.Store.Agents.Save(m.t.Context(), &a)
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

// closeDesk closes the desk by hand.
func (m *morning) closeDesk(until time.Time) {
	m.t.Helper()
	s, err := m.app.Store.Schedule.Load(m.t.Context())
	if err == nil {
		err = s.Close("Eva", m.now(), until, "Simulacro")
	}
	if err == nil {
		err = m.app.Store.Schedule.Save(m.t.Context(), &s)
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

// atTheSupervisor are the supervisor's pages, and the lists of what is over.
func atTheSupervisor() []deskPage {
	on := func(page string, act func(c *clerk)) func(c *clerk, m *morning) {
		return then(at("/agentes/"+page), act)
	}
	fill := func(values string) func(c *clerk) {
		return func(c *clerk) {
			runs(`for (const [id, v] of Object.entries(` + values + `)) document.getElementById(id).value = v`)(c)
		}
	}
	both := func(acts ...func(c *clerk)) func(c *clerk) {
		return func(c *clerk) {
			for _, act := range acts {
				act(c)
			}
		}
	}
	of := func(field string) func(c *clerk) { return sends(`document.getElementById("` + field + `").form`) }
	return []deskPage{
		{name: "figures", who: "eva", walk: true, open: on("supervision", runs(unfold))},
		{name: "figures of a week", who: "eva", open: at("/agentes/supervision?dias=7")},
		{name: "figures of some days", who: "eva", open: at("/agentes/supervision?desde=2026-02-20&hasta=2026-03-02&canal=telegram")},
		{name: "figures without cases", who: "eva", open: at("/agentes/supervision?desde=2026-01-20&hasta=2026-01-21")},
		{name: "days refused", who: "eva", open: on("supervision", both(fill(`{desde: "2026-03-02", hasta: "2026-03-01"}`), of("desde")))},
		{name: "cases of a figure", who: "eva", walk: true, open: at("/agentes/supervision/casos?dias=7")},
		{name: "no cases of a figure", who: "eva", open: at("/agentes/supervision/casos?dias=1&cuales=rated&canal=whatsapp")},
		{name: "board", who: "eva", walk: true, open: at("/agentes/supervision/tablero")},
		{name: "procedures", who: "eva", open: at("/agentes/supervision/tramites")},
		{name: "procedures unfolded", who: "eva", walk: true, open: on("supervision/tramites", runs(unfold))},
		{name: "accounts", who: "eva", open: at("/agentes/supervision/agentes")},
		{name: "accounts unfolded", who: "eva", walk: true, open: on("supervision/agentes", runs(unfold))},
		{name: "account refused", who: "eva", open: on("supervision/agentes", of("nuevo-usuario"))},
		{name: "password refused", who: "eva", open: on("supervision/agentes", both(fill(`{"contrasena-luis": "corta"}`), of("contrasena-luis")))},
		{name: "account made", who: "eva", open: on("supervision/agentes", both(
			fill(`{"nuevo-usuario": "mario", "nuevo-nombre": "Mario", "nuevo-contrasena": "mesa azul con tres patas rotas"}`), of("nuevo-usuario"),
		))},
		{name: "account disabled", who: "eva", open: on("supervision/agentes", sends(`document.querySelector("#cuenta-mario [value=desactivar]").form`))},
		{name: "hours", who: "eva", open: at("/agentes/supervision/horario")},
		{name: "hours unfolded", who: "eva", walk: true, open: on("supervision/horario", runs(unfold))},
		{name: "week refused", who: "eva", open: on("supervision/horario", both(fill(`{horas: "lun-vie de ocho a cinco"}`), of("horas")))},
		{name: "row refused", who: "eva", open: on("supervision/horario", both(fill(`{"cierra-3-1": "07:00"}`), of("abre-3-1")))},
		{name: "week seen first", who: "eva", walk: true, open: on("supervision/horario", both(fill(`{horas: "lun-vie 08:00-12:30, 13:30-17:00"}`), of("horas")))},
		{name: "week set", who: "eva", open: on("supervision/horario", both(fill(`{"cierra-1-1": "12h30", "abre-1-2": "13h30", "cierra-1-2": "17h"}`), of("abre-1-1"), presses("[name=visto]")))},
		{name: "day seen first", who: "eva", open: on("supervision/horario", both(fill(`{fecha: "2026-03-16", "dia-nombre": "Reunión", "abre-1": "08:00", "cierra-1": "10:00", "abre-2": "14:00", "cierra-2": "16:00"}`), runs(`document.querySelector("[name=tipo][value=horas]").checked = true`), of("fecha")))},
		{name: "day corrected", who: "eva", open: on("supervision/horario", both(fill(`{fecha: "2026-03-16", "dia-nombre": "Reunión"}`), of("fecha"), presses("[name=visto][value=corregir]")))},
		{name: "closing refused", who: "eva", open: on("supervision/horario", both(fill(`{"cerrar-hasta": "2026-03-01T10:00"}`), of("cerrar-hasta")))},
		{name: "closing seen first", who: "eva", walk: true, open: on("supervision/horario", both(fill(`{"cerrar-hasta": "2026-03-02T16:30", "cerrar-nota": "Simulacro"}`), of("cerrar-hasta")))},
		{name: "closed by hand", who: "eva", open: on("supervision/horario", both(fill(`{"cerrar-hasta": "2026-03-02T16:30", "cerrar-nota": "Simulacro"}`), of("cerrar-hasta"), presses("[name=visto]")))},
		{name: "changed by another", who: "eva", open: func(c *clerk, m *morning) {
			c.at("/agentes/supervision/horario")
			m.closeDesk(m.now().Add(time.Hour))
			fill(`{horas: "lun-vie 09:00-17:00"}`)(c)
			of("horas")(c)
		}},
		{name: "answers", who: "eva", open: on("supervision/respuestas", runs(unfold))},
		{name: "answer refused", who: "eva", open: on("supervision/respuestas", both(fill(`{nombre: "dos palabras", texto: ""}`), of("nombre")))},
		{name: "not understood", who: "eva", open: at("/agentes/supervision/no-entendido")},
		{name: "audit", who: "eva", open: at("/agentes/supervision/auditoria")},
		{name: "audit of a name and a deed", who: "eva", walk: true, open: at("/agentes/supervision/auditoria?quien=ana&que=case_claim")},
		{name: "audit of nothing", who: "eva", open: at("/agentes/supervision/auditoria?quien=nadie")},
		{name: "audit of no case", who: "eva", open: at("/agentes/supervision/auditoria?caso=x")},
		{name: "audit refused", who: "eva", open: at("/agentes/supervision/auditoria?desde=2026-03-02&hasta=2026-03-01")},
		{name: "closed cases", who: "eva", walk: true, open: at("/agentes/cerrados")},
		{name: "no closed cases", who: "ana", open: at("/agentes/cerrados?dia=2026-02-20")},
		{name: "closed cases refused", who: "ana", open: at("/agentes/cerrados?dia=ayer")},
		{name: "alerts", who: "ana", walk: true, open: at("/agentes/alertas")},
		{name: "quiet hours refused", who: "ana", open: on("alertas", both(fill(`{desde: "22:00", hasta: ""}`), of("desde")))},
		{name: "a code for a chat", who: "ana", open: on("alertas", sends(`document.querySelector("[value=codigo]").form`))},
		{name: "search", who: "ana", open: at("/agentes/buscar")},
		{name: "found", who: "ana", open: at("/agentes/buscar?q=enlace")},
		{name: "found nothing", who: "ana", open: at("/agentes/buscar?q=" + url.QueryEscape("ornitorrinco"))},
		{name: "too short", who: "ana", open: at("/agentes/buscar?q=ab")},
		{name: "no such case", who: "ana", open: at("/agentes/buscar?q=C-0000-000")},
	}
}

// deskViews are how large the window is for all pages, and once more a usual phone's.
var deskViews = append(views, view{"360", 360, 740})

// Every page of the console in every state: nothing that axe-core objects to, light and dark, narrow and wide; nothing to be
// scrolled sideways, down to 320 pixels and at 200 %; every target large enough. In a small sweep each page has one look by
// axe-core or by the keyboard, the next one the next day; under the race detector a part of the pages has one.
func TestDesk_pages(t *testing.T) {
	t.Parallel()
	sweep := bottest.NewSweep(t)
	for _, group := range []struct {
		name  string
		open  func(t testing.TB) *morning
		pages []deskPage
	}{
		{"door", openMorning, atTheDoor()},
		{"start", openMorning, atTheStart()},
		{"desk", newMorning, atTheDesk()},
		{"supervisor", newMorning, atTheSupervisor()},
	} {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			m := group.open(t)
			for i, p := range group.pages {
				t.Run(p.name, func(t *testing.T) { p.check(t, m, sweep, i) })
			}
		})
	}
}

// check looks at the page, which is number [i] of a sweep.
func (p deskPage) check(t *testing.T, m *morning, sweep bottest.Sweep, i int) {
	c := m.clerk(p.who)
	was := c.t
	c.visitor.t, m.t = t, t
	defer func() { c.visitor.t, m.t = was, was }()
	c.dark(false)
	do(c.visitor, "size the window", chromedp.EmulateViewport(1280, 900))
	p.open(c, m)
	if !sweep.Takes(i, 1) {
		return
	}
	sweep, i = sweep.Full(), i/4 // not each time the same look at the pages that are chosen
	c.still()
	for _, view := range deskViews {
		do(c.visitor, "size the window", chromedp.EmulateViewport(view.width, view.height))
		c.layout(t, view)
	}
	do(c.visitor, "size the window", chromedp.EmulateViewport(1920, 1080))
	c.measure(t)
	// So tall that nothing is scrolled out of sight within the page: axe-core looks at what is there to be seen.
	do(c.visitor, "size the window", chromedp.EmulateViewport(1280, 4000))
	if sweep.Takes(i, 4) {
		c.axe(t, p.except...)
	}
	if sweep.Takes(i+1, 4) {
		c.dark(true)
		c.still()
		c.axeAsks(t, axeColours, p.except...)
		c.dark(false)
	}
	if sweep.Takes(i+2, 4) {
		do(c.visitor, "size the window", chromedp.EmulateViewport(360, 4000))
		c.still()
		c.axe(t, p.except...)
	}
	if p.walk && sweep.Takes(i+3, 4) {
		do(c.visitor, "size the window", chromedp.EmulateViewport(1280, 900))
		c.keyboard(t)
	}
}

// dark has the browser ask for dark pages, or for light ones.
func (v *visitor) dark(yes bool) {
	v.t.Helper()
	scheme := map[bool]string{false: "light", true: "dark"}[yes]
	if _, err := chromedp.Call(v.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	}); err != nil {
		v.t.Fatal(err)
	}
}

// measure wants no paragraph of the page to have lines of more than some 70 letters; they are not all of one width.
func (c *clerk) measure(t *testing.T) {
	t.Helper()
	for _, long := range look[[]string](c.visitor, `[...document.querySelectorAll("main p, main ul:not([class]) > li")].flatMap((e) => {
		if (!e.checkVisibility() || getComputedStyle(e).display !== "block" && getComputedStyle(e).display !== "list-item") return [];
		const range = document.createRange();
		range.selectNodeContents(e);
		const lines = Math.max(1, Math.round(range.getBoundingClientRect().height / parseFloat(getComputedStyle(e).lineHeight)));
		const letters = e.innerText.length / lines;
		return letters > 80 ? [Math.round(letters) + " letters in a line: " + e.outerHTML.slice(0, 120)] : [];
	})`) {
		t.Errorf("at 1920 pixels: %s", long)
	}
}

// still has the page stay as it is: nothing comes by its stream any more, and what moves has arrived.
func (c *clerk) still() {
	c.t.Helper()
	do(c.visitor, "let the page be still", chromedp.Evaluate[chromedp.Void](`(async () => {
		if (typeof source === "object") source?.close();
		await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
		for (const a of document.getAnimations()) a.finish();
	})()`, chromedp.EvalAwaitPromise))
}

// deskScreenshots are those of docs/desk.md, by their names, and how wide they are.
var deskScreenshots = []struct {
	deskPage
	widths []int64
}{
	{deskPage{name: "queue", who: "ana", open: at("/agentes")}, []int64{1280, 360}},
	{deskPage{name: "conversation", who: "ana", open: to(mine)}, []int64{1280, 360}},
	{deskPage{name: "supervisor", who: "eva", open: at("/agentes/supervision")}, []int64{1280, 360}},
}

// changes are what is another each time in a page: the names of cases, of presses and of turns, and where its stream begins.
var changes = regexp.MustCompile(`\b[CN][2-9CFHJKMPRTWXY]{8}\b(\.\d+)?|name="once" value="[^"]*"|data-stream="[^"]*"|<code>[0-9a-f]{16}</code>`)

// The screenshots of docs/desk.md show the pages as they are: the text names beside each the digest of the page as the server draws it.
func TestDesk_screenshots(t *testing.T) {
	t.Parallel()
	m := newMorning(t)
	file := filepath.Join("..", "..", "docs", "desk.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := string(text)
	for _, p := range deskScreenshots {
		c := m.clerk(p.who)
		do(c.visitor, "size the window", chromedp.EmulateViewport(1280, 740))
		p.open(c, m)
		drawn := look[string](c.visitor, `fetch(location.href).then((answer) => answer.text())`)
		sum := sha256.Sum256([]byte(changes.ReplaceAllString(drawn, "")))
		mark := regexp.MustCompile(`<!-- ` + p.name + ` [0-9a-f]* -->`)
		if !mark.MatchString(got) {
			t.Errorf("docs/desk.md has no line for %s", p.name)
		}
		got = mark.ReplaceAllString(got, fmt.Sprintf("<!-- %s %x -->", p.name, sum[:6]))
		c.still()
		c.sameNames()
		for _, width := range p.widths {
			do(c.visitor, "size the window", chromedp.EmulateViewport(width, 740))
			name := fmt.Sprintf("%s-%d.png", p.name, width)
			if !strings.Contains(got, "(desk/"+name+")") {
				t.Errorf("docs/desk.md does not show %s", name)
			}
			keepScreenshot(c.visitor, filepath.Join("..", "..", "docs", "desk", name), deskColours)
		}
	}
	switch {
	case *update:
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	case got != string(text):
		t.Errorf("docs/desk.md shows pages that have changed since (go test ./internal/e2e -run TestDesk_screenshots -update takes the screenshots anew)")
	}
}

// sameNames gives the cases and turns on the page names that are the same each time.
func (c *clerk) sameNames() {
	c.t.Helper()
	do(c.visitor, "name the cases", chromedp.Evaluate[chromedp.Void](`{
		const names = new Map();
		const same = (ref) => {
			if (!names.has(ref)) names.set(ref, ref[0] + String(names.size + 1).padStart(8, "0"));
			return names.get(ref);
		};
		const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
		while (walk.nextNode()) walk.currentNode.data = walk.currentNode.data.replace(/\b[CN][2-9CFHJKMPRTWXY]{8}\b/g, same);
		for (const turn of document.querySelectorAll("dd code")) turn.textContent = "4bf92f3577b34da6";
	}`))
}
