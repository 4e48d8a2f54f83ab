package e2e

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"llave/internal/agent"
	"llave/internal/handoff"
)

// swallower passes bytes on, until it swallows them: nothing is closed, and nobody is told.
type swallower struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	deaf  bool // new connections are dead from the first byte
	conns []*atomic.Bool
}

func newSwallower(t *testing.T, to string) *swallower {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &swallower{listener: l, to: to}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.pass(c)
		}
	}()
	return s
}

func (s *swallower) pass(from net.Conn) {
	defer from.Close()
	to, err := net.Dial("tcp", s.to)
	if err != nil {
		return
	}
	defer to.Close()
	dead := &atomic.Bool{}
	s.mu.Lock()
	dead.Store(s.deaf)
	s.conns = append(s.conns, dead)
	s.mu.Unlock()
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
		go func() {
			defer func() { done <- struct{}{} }()
			b := make([]byte, 32<<10)
			for {
				n, err := way[0].Read(b)
				if err != nil {
					return
				}
				if dead.Load() {
					continue
				}
				if _, err := way[1].Write(b[:n]); err != nil {
					return
				}
			}
		}()
	}
	<-done
}

// swallow has every connection fall silent, those that come too, or lets new ones through again: the old ones stay dead.
func (s *swallower) swallow(deaf bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deaf = deaf
	for _, dead := range s.conns {
		if deaf {
			dead.Store(true)
		}
	}
}

// through has an agent come by a network that can swallow what is sent.
func (o *office) through(login string) (*clerk, *swallower) {
	o.t.Helper()
	s := newSwallower(o.t.(*testing.T), strings.TrimPrefix(o.base, "http://"))
	base := o.base
	o.base = "http://" + s.listener.Addr().String()
	defer func() { o.base = base }()
	return o.sits(login, agent.Member), s
}

// A network that swallows what is sent and closes nothing is noticed and said; what is written meanwhile goes out once, and the page
// has all that was missed once it is back (P765).
func TestDesk_halfOpen(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ana, network := o.through("ana")
	p := o.person()
	ref := p.asks()
	ana.takes(ref)
	p.hears("Hola, le atiende Ana")
	network.swallow(true)
	took := ana.until("the page says that it is cut off", `!document.querySelector("#sin-conexion").hidden`)
	t.Logf("noticed after %v", took.Round(100*time.Millisecond))
	p.last = p.api.Say(p.chat, "¿Me oye?")
	ana.writes("Abra su correo.")
	other := o.person()
	next := other.asks()
	network.swallow(false)
	ana.until("the page is back", `document.querySelector("#sin-conexion").hidden`)
	ana.until("what the person wrote is there", `document.querySelector("#lista-lineas").innerText.includes("¿Me oye?")`)
	p.hears("Abra su correo.")
	ana.until("it stands there once", `[...document.querySelectorAll("#lista-lineas .line.agent")].filter((l) => l.innerText.includes("Abra su correo.")).length === 1 && document.querySelector("#pendientes").children.length === 0`)
	p.silent("it had gone out once")
	ana.at("/agentes")
	ana.until("the case that came is there", `document.querySelector("#caso-`+next+`") !== null`)
}

// A case that is taken from an agent in the middle of a word: what was typed stays, what is typed on goes nowhere and claims nothing,
// and the page says where it went.
func TestDesk_takenFromUnderTheHands(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "LLAVE_AGENT_SILENCE=1m")
	ana, luis := o.sits("ana", agent.Member), o.sits("luis", agent.Member)
	p := o.person()
	ref := p.asks()
	ana.takes(ref)
	p.hears("Hola, le atiende Ana")
	ana.until("the time to answer is shown", `document.querySelector(".silence")?.innerText.includes("para responder")`)
	ana.writes("Cuénteme.")
	p.hears("Cuénteme.")
	ana.until("no answer is owed", `document.querySelector(".silence") === null`)
	p.last = p.api.Say(p.chat, "¿Hola?")
	ana.shows("¿Hola?")
	o.later(50 * time.Second)
	do(ana.visitor, "type", chromedp.Steps(chromedp.Focus(chromedp.CSS("#texto")), pressing("Esto")))
	ana.until("typing is seen", `document.querySelector("#texto").value === "Esto"`)
	waitUntil(t, "typing counts", func() bool { // the page says so every few seconds
		do(ana.visitor, "type on", chromedp.Evaluate[chromedp.Void](`document.querySelector("#texto").dispatchEvent(new Event("input", { bubbles: true })); undefined`))
		c, err := o.app.Desk.Find(t.Context(), ref)
		return err == nil && c.Silent.After(o.now().Add(30*time.Second))
	})
	o.later(30 * time.Second)
	if got := o.held(ref); got != "ana" {
		t.Fatalf("while ana types %q has it", got)
	}
	o.later(3 * time.Minute)
	o.waits(ref)
	p.hears("Ana no pudo seguir")
	ana.shows("Este caso salió de sus manos: nadie respondió a tiempo. Ahora está en la cola.")
	ana.until("what was typed is there", `document.querySelector("#texto-guardado")?.value === "Esto" && document.activeElement !== document.body`)
	ana.keys("c", "c", "t", "n")
	luis.takes(ref)
	p.hears("Hola, le atiende Luis")
	luis.writes("Soy Luis.")
	p.hears("Soy Luis.")
	if got := o.held(ref); got != "luis" {
		t.Errorf("a letter that was typed on took the case: %q has it", got)
	}
	ana.shows("Lo atiende Luis")
	ana.at("/agentes/casos/" + ref)
	ana.shows("Ahora lo atiende Luis.")
	ana.until("what was typed is kept", `document.querySelector("#texto-guardado")?.value === "Esto"`)
}

func waitUntil(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(answerWithin); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// A message and a note that are half written are there on another device; what would be masked is shown, "/" works in the middle, and
// what looks like a ready answer is asked about.
func TestDesk_drafts(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ana := o.sits("ana", agent.Member)
	p := o.person()
	ref := p.asks()
	ana.takes(ref)
	p.hears("Hola, le atiende Ana")
	do(ana.visitor, "type a number", chromedp.Steps(chromedp.Focus(chromedp.CSS("#texto")), pressing("Su cédula 1710034065")))
	ana.until("what will go out is shown", `!document.querySelector("#texto-vista").hidden && document.querySelector("#texto-vista").innerText.includes("171•••••65")`)
	do(ana.visitor, "begin a note", chromedp.Steps(click("[data-mode=nota]"), chromedp.SendKeys(chromedp.CSS("#nota"), "Oye mal")))
	waitUntil(t, "both are kept", func() bool {
		d, err := o.app.Store.Desk.Draft(t.Context(), ref, "ana")
		return err == nil && d.Text == "Su cédula 171•••••65" && d.Note == "Oye mal"
	})
	again := o.sits("ana", agent.Member)
	again.at("/agentes/casos/" + ref)
	again.until("both are on the other device", `document.querySelector("#texto").value === "Su cédula 171•••••65" && document.querySelector("#nota").value === "Oye mal"`)
	p.silent("nothing was sent")

	do(ana.visitor, "send it", chromedp.Steps(click("[data-mode=texto]"), pressing(kb.Enter)))
	p.hears("Su cédula 171•••••65")
	do(ana.visitor, "a ready answer in the middle", pressing("Mire. /grac"))
	ana.until("it is offered", `document.querySelector("#respuestas [aria-selected=true]")?.innerText.startsWith("/gracias")`)
	ana.keys(kb.Enter)
	ana.until("it stands in the middle", `document.querySelector("#texto").value === "Mire. Gracias por esperar. Sigamos."`)
	ana.keys(kb.Enter)
	p.hears("Mire. Gracias por esperar. Sigamos.")
	do(ana.visitor, "no ready answer", pressing("/xyz"+kb.Enter))
	ana.shows("/xyz no se cambió por una respuesta lista")
	p.silent("it is asked about")
	ana.until("it is back in the field", `document.querySelector("#texto").value === "/xyz"`)
	do(ana.visitor, "send it as it is", chromedp.Steps(chromedp.Focus(chromedp.CSS("#texto")), pressing(kb.Enter)))
	p.hears("/xyz")
	waitUntil(t, "what was sent is no draft", func() bool {
		d, err := o.app.Store.Desk.Draft(t.Context(), ref, "ana")
		return err == nil && d.Text == "" && d.Note == "Oye mal"
	})
}

// Closing a case takes the next one by one key; the list keeps its place; new lines below are counted, not jumped to.
func TestDesk_flow(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ana := o.sits("ana", agent.Member)
	p, behind := o.person(), o.person()
	ref := p.asks()
	next := behind.asks()
	var last string
	for range 12 {
		last = o.person().asks()
	}
	ana.takes(ref)
	p.hears("Hola, le atiende Ana")
	do(ana.visitor, "a small window", chromedp.EmulateViewport(1280, 620))
	for i := range 14 {
		ana.writes(fmt.Sprintf("Paso %d: toque el botón y espere a que la página termine de abrirse antes de seguir.", i))
		p.hears(fmt.Sprintf("Paso %d", i))
	}
	do(ana.visitor, "look at the beginning", chromedp.Evaluate[chromedp.Void](`document.querySelector("#lineas").scrollTop = 0; undefined`))
	for _, words := range []string{"ya", "¿y ahora?"} {
		p.last = p.api.Say(p.chat, words)
		ana.shows(words)
	}
	ana.until("two are counted below", `!document.querySelector("#nuevos").hidden && document.querySelector("#nuevos").innerText === "2 nuevos ↓" && document.querySelector("#lineas").scrollTop < 50`)
	do(ana.visitor, "go there", click("#nuevos"))
	ana.until("nothing is below", `document.querySelector("#nuevos").hidden && document.querySelector("#lineas").scrollTop > 100`)

	ana.at("/agentes?ver=espera")
	do(ana.visitor, "scroll the list", chromedp.Evaluate[chromedp.Void](`document.querySelector(".list").scrollTop = 10000; undefined`))
	top := look[float64](ana.visitor, `document.querySelector(".list").scrollTop`)
	do(ana.visitor, "open the last", leaving(click("#caso-"+last+" a")))
	ana.listening()
	if got := look[float64](ana.visitor, `document.querySelector(".list").scrollTop`); top < 50 || got < top-5 || got > top+5 {
		t.Errorf("the list stands at %v, it was scrolled to %v", got, top)
	}

	ana.at("/agentes/casos/" + ref + "?ver=mios")
	ana.keys("s")
	ana.until("the reason is asked for", `document.activeElement.id === "motivo"`)
	do(ana.visitor, "choose it", chromedp.SetValue(chromedp.CSS("#motivo"), handoff.Other))
	do(ana.visitor, "in own words", chromedp.SendKeys(chromedp.CSS("#motivo-palabras"), "Llamó su hijo"))
	do(ana.visitor, "close it and take the next", chromedp.Evaluate[chromedp.Void](`document.querySelector("#motivo-palabras").dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", ctrlKey: true, bubbles: true, cancelable: true })); undefined`))
	p.hears("¿Cómo le atendieron?")
	behind.hears("Hola, le atiende Ana")
	ana.until("the next one is open, with the cursor where one writes", `document.querySelector(".desk").dataset.ref === "`+next+`" && document.activeElement.id === "texto"`)
	if c, err := o.app.Desk.Find(t.Context(), ref); err != nil || c.Reason != handoff.Other {
		t.Errorf("the case: got %+v, %v", c.Reason, err)
	}
}

// Who waits for cases on duty is not signed out for it; who is on a break is asked, and stays when they answer (P768).
func TestDesk_stillThere(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ana := o.sits("ana", agent.Member)
	ana.at("/agentes")
	beat := func() {
		t.Helper()
		do(ana.visitor, "say that the page is there", chromedp.Evaluate[chromedp.Void](`window.answered = false; beat().then(() => { window.answered = true; }); undefined`))
		ana.until("it was heard", `window.answered === true`)
	}
	for range 3 {
		o.later(20 * time.Minute)
		beat()
	}
	ana.until("nobody asks", `location.pathname === "/agentes" && !document.querySelector("#sigue").open`)
	do(ana.visitor, "take a break", leaving(click(".tools form[action='/agentes/pausa'] button")))
	ana.listening()
	o.moved.Add(int64(28*time.Minute + 30*time.Second)) // nobody says meanwhile that ana is on duty
	beat()
	ana.until("ana is asked", `document.querySelector("#sigue").open && /^1:/.test(document.querySelector("#sigue-en").innerText)`)
	do(ana.visitor, "yes", click("#sigue button"))
	ana.until("it is heard", `!document.querySelector("#sigue").open`)
	o.moved.Add(int64(5 * time.Minute))
	beat()
	ana.until("ana is still there", `location.pathname === "/agentes" && !document.querySelector("#sigue").open`)
	o.moved.Add(int64(31 * time.Minute))
	ana.until("without an answer it ends", `location.pathname === "/agentes/entrar"`)
}

// A conversation has the room: six tenths of the height at 1280 by 800, at most 70 letters in a line at 1920; on a telephone its head and
// its field stand, and what can be done is behind one link.
func TestDesk_room(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ana := o.sits("ana", agent.Member)
	p := o.person()
	ref := p.asks()
	ana.takes(ref)
	p.hears("Hola, le atiende Ana")
	for i := range 8 {
		ana.writes(fmt.Sprintf("%d. %s", i, strings.Repeat("Abra su correo y busque el mensaje que le llegó hoy. ", 6)))
		p.hears(fmt.Sprintf("%d. Abra", i))
	}
	for _, window := range []struct{ width, height int64 }{{1280, 800}, {1920, 1080}} {
		do(ana.visitor, "size the window", chromedp.EmulateViewport(window.width, window.height))
		ana.at("/agentes/casos/" + ref)
		if got := look[float64](ana.visitor, `document.querySelector("#lineas").clientHeight / innerHeight`); got < 0.6 {
			t.Errorf("at %d by %d the talk has %.0f %% of the height, want 60", window.width, window.height, got*100)
		}
		longest := look[int](ana.visitor, `(() => {
			let most = 0;
			for (const p of document.querySelectorAll("#lista-lineas .line.agent .text")) {
				const text = p.firstChild, r = document.createRange();
				let top = null, letters = 0;
				for (let i = 0; i < text.length; i++) {
					r.setStart(text, i);
					r.setEnd(text, i + 1);
					const y = Math.round(r.getBoundingClientRect().top);
					letters = y === top ? letters + 1 : 1;
					top = y;
					most = Math.max(most, letters);
				}
			}
			return most;
		})()`)
		if longest > 74 || longest < 40 { // within a few letters: they are not all of one width
			t.Errorf("at %d a line has %d letters, want 70 at most", window.width, longest)
		}
	}
	do(ana.visitor, "a telephone", chromedp.EmulateViewport(360, 740))
	ana.at("/agentes/casos/" + ref)
	ana.until("head and field stand", `(() => {
		const head = document.querySelector(".talk-top").getBoundingClientRect(), field = document.querySelector("#texto").getBoundingClientRect();
		return head.top >= 0 && head.top < 20 && field.bottom <= innerHeight && document.scrollingElement.scrollHeight <= innerHeight + 1
			&& getComputedStyle(document.querySelector("#acciones")).display === "none";
	})()`)
	do(ana.visitor, "see what can be done", click(`.back a[href="#acciones"]`))
	ana.until("it lies over the talk", `getComputedStyle(document.querySelector("#acciones")).display === "block"`)
	do(ana.visitor, "go back", click(".close-acts a"))
	ana.until("the talk is there", `getComputedStyle(document.querySelector("#acciones")).display === "none"`)
}
