package e2e

import (
	"net/http"
	"net/http/cookiejar"
	"testing"
	"time"

	"llave/internal/bottest"
)

// A process that is killed between its promise and the letter, and on WhatsApp between its promise and the message: the
// next one keeps the promises, the link works, and the chat goes on where it was.
func TestServe_killed(t *testing.T) {
	t.Parallel()
	for _, way := range []string{byWebhook, byWhatsApp} {
		onBothStores(t, way, func(t *testing.T, store ...string) { killHalfWay(t, newEnvironment(t, way, store...)) })
	}
}

func killHalfWay(t *testing.T, e *environment) {
	e.imports(t, people)
	first := e.serve(t)
	p := e.phone(t, walker)
	p.comesToSend(bottest.Cedula(walker))
	e.smtp.Down()
	const linkSent = "SOLICITUD DESBLOQUEO DE CLAVE"
	said := ""
	if e.graph != nil { // no answer to the message
		e.graph.Fail("messages", 1, bottest.GraphFaultTimeout(time.Hour))
		var err error
		if p.last, err = p.api.Press(p.chat, "Enviar enlace"); err != nil {
			t.Fatal(err)
		}
		if !p.api.Wait(answerWithin, func() bool { return p.api.Pending() == 0 }) {
			t.Fatal("what was pressed was not taken")
		}
		p.silent("the message is on its way")
	} else {
		said = p.presses("Enviar enlace", linkSent)
	}
	first.Kill()
	if e.graph != nil {
		e.graph.Heal()
	}
	if err := e.smtp.Up(); err != nil {
		t.Fatal(err)
	}

	second := e.serve(t)
	if e.graph != nil {
		said = p.hears(linkSent)
	}
	l := e.letter(t, walker, 0)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: answerWithin}
	res, err := browser.PostForm(l.Link("DESBLOQUEO DE CLAVE IESS"), nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("the link's button: got %d, want 200", res.StatusCode)
	}
	// What was accepted and the dead process had not yet noted is said once more, in the same words.
	if m, err := p.api.WaitMessage(p.chat, p.last, answerWithin); err == nil && m.Text == said {
		p.last = m.ID
	}
	p.hears("Su clave ya está desbloqueada")
	second.stop(t)
	e.oneLink(t, walker)
}

// A process on the embedded store is killed while it polls and while a bubble of its hangs. The store belongs to one process,
// so the next one waits for nothing that the last one had; the log says how long after it was ready both were answered.
func TestServe_killedPolling(t *testing.T) {
	e := newEnvironment(t, byPolling)
	p, other := e.phone(t, walker), e.phone(t, walker+1)
	process := e.serve(t)
	p.says("hola", "Hola. Soy Llave")
	for range 3 {
		hangs := make(chan struct{}, 1)
		e.api.FailWhere(func(c bottest.BotCall) bool {
			if c.Method != "sendMessage" {
				return false
			}
			hangs <- struct{}{}
			return true
		}, 1, bottest.FaultTimeout(time.Hour))
		p.last = e.api.Say(p.chat, "menú")
		<-hangs
		process.Kill()
		e.api.Heal()
		other.last = e.api.Say(other.chat, "menú") // holds everywhere, so that it is answered however soon it is said again
		process = e.serve(t)
		ready := time.Now()
		other.hears("")
		came := time.Since(ready)
		p.hears("")
		t.Logf("after ready: what came meanwhile was answered within %v, the bubble that hung within %v", came.Round(time.Millisecond), time.Since(ready).Round(time.Millisecond))
	}
	process.stop(t)
}
