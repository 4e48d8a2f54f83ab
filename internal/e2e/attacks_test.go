package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"llave/internal/bottest"
	"llave/internal/mail/letter"
)

// What attackers did to the built program, from outside, as docs/security.md has it.

// attacked is a running program with ten people's records, in which nobody is held up by the limit of messages.
func attacked(t *testing.T, way string, settings ...string) *environment {
	t.Helper()
	e := newEnvironment(t, way, append([]string{"LLAVE_LIMIT_MESSAGES_MINUTE=1000"}, settings...)...)
	e.imports(t, 10)
	e.serve(t)
	return e
}

// asksLink leads a chat to the link of somebody's record.
func (p *phone) asksLink(record int) {
	p.t.Helper()
	p.says("hola", "Hola. Soy Llave")
	p.says("1", "¿Qué necesita hoy?")
	p.says("1", "Escriba su número")
	p.says(bottest.Cedula(record), "¿Es correcto?")
	p.says("1", "Abra primero")
	p.says("1", "SOLICITUD DESBLOQUEO DE CLAVE")
}

// stranger is a browser without pages: it opens addresses and presses their buttons.
func stranger(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: answerWithin}
}

// pressed sends a page's form and returns what comes of it.
func pressed(t *testing.T, b *http.Client, address string, form url.Values) (status int, page string) {
	t.Helper()
	res, err := b.PostForm(address, form)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// makesKey uses a link in a new browser and makes a key with it, of which the chat that asked for it hears.
func (e *environment) makesKey(t *testing.T, p *phone, link string) *http.Client {
	t.Helper()
	b := stranger(t)
	pressed(t, b, link, nil)
	p.hears("Su clave ya está desbloqueada")
	pressed(t, b, e.base+"/clave", url.Values{"clave": {goodKey}, "clave2": {goodKey}})
	p.hears("Su clave nueva está lista")
	return b
}

// links are the addresses in a letter: the button's, and that of "No fui yo".
func links(l letter.Letter) (link, notMe string) {
	return l.Link("DESBLOQUEO DE CLAVE IESS"), l.Link("No fui yo")
}

// With one record of one's own, the loop that mailed twelve strangers in two minutes: a chat reaches three records in an hour, by
// whatever road (P304).
func TestAttack_limits(t *testing.T) {
	t.Parallel()
	e := attacked(t, byWebhook)
	p := e.phone(t, 0)
	p.asksLink(0)
	link, _ := links(e.letter(t, 0, 0))
	p.says("menú", "¿Qué necesita hoy?")
	p.says(bottest.Cedula(1), "¿Es correcto?")
	p.says("atrás", "")
	pressed(t, stranger(t), link, nil)
	p.hears("Su clave ya está desbloqueada")
	for _, text := range []string{"no me sale", "pedir otro enlace", "enviar enlace"} {
		p.says(text, "")
	}
	for i := 1; i < 6; i++ {
		for _, text := range []string{"desbloquear " + bottest.Cedula(i), "atrás", "reenviar enlace", "sí", "enviar enlace", "1"} {
			p.last = p.api.Say(p.chat, text)
			_, _ = p.api.WaitMessage(p.chat, p.last, time.Second) // the same bubble does not come twice in a moment
		}
	}
	time.Sleep(2 * time.Second) // for what comes late
	mailed := map[string]bool{}
	for _, l := range e.smtp.Letters() {
		mailed[l.To] = true
	}
	if len(mailed) > 3 {
		t.Errorf("%d records were mailed, want 3 at most: %v", len(mailed), mailed)
	}
}

// A stranger asks for the owner's number while the owner does: they hear nothing of what the owner makes of it, and their link ends
// (P204).
func TestAttack_bystander(t *testing.T) {
	t.Parallel()
	for _, disclosure := range []string{"guided", "uniform"} {
		e := attacked(t, byWebhook, "LLAVE_DISCLOSURE="+disclosure, "LLAVE_LINK_TTL=25s")
		bystander, owner := e.phone(t, 8), e.phone(t, 9)
		bystander.asksLink(0)
		owner.asksLink(0)
		link, _ := links(e.letter(t, 0, 1))
		e.makesKey(t, owner, link)
		bystander.hears("ya no sirve")
	}
}

// Somebody has read the owner's mail and made a key. "No fui yo" locks the record again and drops the key; what the stranger has
// is worth nothing; opening it changes nothing (P206).
func TestAttack_notMe(t *testing.T) {
	t.Parallel()
	e := attacked(t, byWebhook, "LLAVE_NOT_ME_HOLD=0s", "LLAVE_REPORT_TO="+address(999))
	p := e.phone(t, 0)
	p.asksLink(0)
	link, notMe := links(e.letter(t, 0, 0))
	b := e.makesKey(t, p, link)
	for range 3 { // a scanner
		if res, err := stranger(t).Get(notMe); err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("opening it: %v, %v", res, err)
		} else {
			res.Body.Close()
		}
	}
	for range 2 {
		status, page := pressed(t, stranger(t), notMe, nil)
		if status != http.StatusOK || !strings.Contains(page, "Bloqueamos su clave otra vez") || !strings.Contains(page, "ya no sirve") {
			t.Errorf("pressed: %d %s", status, page)
		}
	}
	if status, _ := pressed(t, b, e.base+"/clave", url.Values{"clave": {goodKey + " y más"}, "clave2": {goodKey + " y más"}}); status != http.StatusForbidden {
		t.Errorf("the stranger's key page: got %d, want %d", status, http.StatusForbidden)
	}
	p.silent("the owner has pressed \"No fui yo\"")
	told := e.letter(t, 0, 0)
	for !strings.Contains(told.Subject, "BLOQUEADA OTRA VEZ") { // it comes, or the wait fails
		told = e.letter(t, 0, told.Number)
	}
	e.letter(t, 999, 0)
	other := e.phone(t, 1) // who asks now is sent a link that unlocks: the record is locked
	other.asksLink(0)
	if link, _ := links(e.letter(t, 0, told.Number)); !strings.HasPrefix(link, e.base+"/desbloqueo/") {
		t.Errorf("the next letter's link is %q: the record is not locked", link)
	}
}

// A number of WhatsApp is somebody else's now: the new person reads nothing of what the old one said, nor of their link (P116).
func TestAttack_recycledNumber(t *testing.T) {
	t.Parallel()
	e := attacked(t, byWhatsApp)
	p := e.onWhatsApp(t, 0)
	e.graph.UserID(p.chat)
	p.asksLink(0)
	link, _ := links(e.letter(t, 0, 0))
	e.graph.Recycle(p.chat)
	fresh := e.onWhatsApp(t, 0)
	fresh.says("estado", "Hola. Soy Llave")
	pressed(t, stranger(t), link, nil)
	fresh.silent("the old person's link was used")
}

// What is logged names no telephone, at any level (P405).
func TestAttack_log(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, byWhatsApp, "LLAVE_LOG_LEVEL=debug")
	llave := e.serve(t)
	p := e.onWhatsApp(t, 0)
	p.says("hola", "Hola. Soy Llave")
	llave.stop(t) // what is logged of a turn may come after its answer
	if out := llave.stdout.String() + llave.stderr.String(); !strings.Contains(out, "turn") || strings.Contains(out, fmt.Sprint(p.chat)) {
		t.Errorf("the log holds the telephone number, or nothing at all: %s", out)
	}
}
