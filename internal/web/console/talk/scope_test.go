package talk_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"llave/internal/agent"
	"llave/internal/bottest"
	"llave/internal/web/console/consoletest"
)

// P742: an agent reads what waits and what is theirs, and nothing else, by no road; a supervisor reads all. Each reading is written down, once
// an hour.
func TestScope(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	d.Add("eva", agent.Member)
	of := d.Ask("1")
	d.Write("1", "mi secreto")
	ana, eva, sup := d.As("ana"), d.As("eva"), d.As("sup")
	page := casePath(of, "")
	roads := []string{page, page + "?ver=mios&antes=90", page + "?dicho=pasar", casePath(of, "lineas") + "?antes=90", casePath(of, "novedades") + "?desde=0", "/agentes?ver=espera", "/agentes?ver=todos", "/agentes?ver=cerrados", "/agentes/cerrados", "/agentes/buscar?q=secreto", "/agentes/buscar?q=" + of.Ref}
	secret := func(b *consoletest.Browser) (seen bool) {
		for _, road := range roads {
			p := b.Get(road)
			seen = seen || strings.Contains(p.Body, "mi secreto")
		}
		return seen
	}
	if !secret(ana) || !secret(eva) {
		t.Error("who waits cannot be read")
	}
	press := func(b *consoletest.Browser, what string, more ...string) {
		t.Helper()
		form := casePath(of, what)
		b.Post(form, append([]string{"once", nonce(t, b.Get(page), form)}, more...)...)
	}
	press(ana, "tomar")
	if !secret(ana) || !secret(sup) {
		t.Error("an agent cannot read their own case, or a supervisor another's")
	}
	if secret(eva) {
		t.Error("an agent reads a case of another")
	}
	eva.Get(page).Want(t, http.StatusForbidden, "Lo atiende <strong>Persona de Prueba</strong>")
	eva.Get(casePath(of, "lineas")+"?antes=90").Want(t, http.StatusForbidden)
	theirs := listen(eva, "?ver=mios&caso="+of.Ref+"&desde=0")
	own := listen(ana, "?ver=mios&caso="+of.Ref+"&desde="+strconv.FormatInt(d.Find(of.Ref).Lines, 10))
	d.Write("1", "otro secreto")
	own.wait("lines", saysHTML("otro secreto"))
	if h := theirs.wait("head", nil); strings.Contains(fmt.Sprint(h.data), "secreto") {
		t.Error("the stream of another shows a head with words")
	}
	theirs.none(time.Second, "lines", "row")
	press(ana, "resolver", "motivo", "solved")
	if !secret(ana) || !secret(sup) || secret(eva) {
		t.Error("a case that is over is read by whom it was not, or not by whom it was")
	}

	read := func(login string) (n int) {
		for _, told := range d.Told("case_read") {
			if told == login+": "+of.Ref {
				n++
			}
		}
		return n
	}
	if a, e, s := read("ana"), read("eva"), read("sup"); a != 1 || e != 1 || s != 1 {
		t.Errorf("written down %d, %d and %d times within an hour, want once each", a, e, s)
	}
	d.Clock.Advance(20 * time.Minute) // 10:20
	ana.Get(page)
	d.Clock.Advance(20 * time.Minute)
	ana.Get("/agentes")
	d.Clock.Advance(20 * time.Minute)
	ana.Get(page)
	if n := read("ana"); n != 2 {
		t.Errorf("in the next hour: written down %d times, want twice in all", n)
	}
}

// A whole number is shown to who typed the password a moment ago.
func TestScope_revealWantsThePassword(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := askWithNumber(d.Desk, "1")
	d.Claim("ana", of)
	ana := d.As("ana")
	page, number := casePath(of, ""), casePath(of, "numero")
	ana.Post(number, "once", nonce(t, ana.Get(page), number)).Want(t, http.StatusOK, "Número completo")
	d.Clock.Advance(agent.ProofLife)
	before := len(d.Told("case_reveal"))
	p := ana.Post(number, "once", nonce(t, ana.Get(page), number)).Want(t, http.StatusForbidden, `href="/agentes/confirmar?volver=/agentes/casos/`+of.Ref+`"`)
	if strings.Contains(p.Body, "Número completo") || len(d.Told("case_reveal")) != before {
		t.Error("the number was shown without the password")
	}
	ana.Get("/agentes/confirmar?volver="+page).Want(t, http.StatusOK, "Confirme que es usted")
	ana.Post("/agentes/confirmar", "actual", "no es esta", "volver", page).Want(t, http.StatusUnprocessableEntity, "No es su contraseña")
	ana.Post("/agentes/confirmar", "actual", consoletest.Password, "volver", page).To(t, page)
	ana.Post(number, "once", nonce(t, ana.Get(page), number)).Want(t, http.StatusOK, "Número completo")
	ana.Post("/agentes/confirmar", "actual", consoletest.Password, "volver", "https://otro.example/").To(t, "/agentes")
}

// The head of a conversation has the number's mask, before and after the whole one was shown, which stands in one place.
func TestTalk_maskInTheHead(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := askWithNumber(d.Desk, "1")
	d.Claim("ana", of)
	ana := d.As("ana")
	page, number := casePath(of, ""), casePath(of, "numero")
	mask := regexp.MustCompile(`<span>Número <strong>\d+•+\d+</strong></span>`)
	p := ana.Get(page).Want(t, http.StatusOK)
	shown := ana.Post(number, "once", nonce(t, p, number)).Want(t, http.StatusOK, "Número completo")
	for name, p := range map[string]bottest.Page{"before": p, "when it is shown": shown, "after": ana.Get(page)} {
		if !mask.MatchString(p.Body) {
			t.Errorf("%s: the head has no mask", name)
		}
	}
	whole := regexp.MustCompile(`class="number">(\d+)<`).FindStringSubmatch(shown.Body)
	if whole == nil || strings.Count(shown.Body, whole[1]) != 1 {
		t.Error("the whole number does not stand in one place")
	}
}

// Every number and every record that is shown stands in the audit, although the browser chooses how its presses are named: one name for
// many cases, or one that was used long ago, leaves nothing out. Pressed twice it is one.
func TestScope_revealIsWrittenDown(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	ana := d.As("ana")
	once, want := "", 0
	for _, chat := range []string{"1", "2", "3"} {
		of := askWithNumber(d.Desk, chat)
		d.Claim("ana", of)
		show := func() {
			t.Helper()
			for what, told := range map[string]string{"numero": "case_reveal", "porque": "case_why"} {
				form := casePath(of, what)
				if once == "" {
					once = nonce(t, ana.Get(casePath(of, "")), form)
				}
				for range 2 {
					ana.Post(form, "once", once).Want(t, http.StatusOK)
				}
				if got := d.Told(told); len(got) != want || !slices.Contains(got, "ana: "+of.Ref) {
					t.Errorf("case %s: %s stands there %d times, of %q; want %d", chat, told, len(got), got, want)
				}
			}
		}
		want++
		show()
		if chat == "3" {
			for range 5 { // an hour and more, in which they are there
				ana.Post("/agentes/confirmar", "actual", consoletest.Password)
				d.Clock.Advance(agent.ProofLife - time.Minute)
			}
			want++
			show()
		}
	}
}
