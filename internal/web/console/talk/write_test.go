package talk_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/bottest"
	"llave/internal/handoff"
	"llave/internal/web/console/consoletest"
)

// What an agent has begun to write is there again on another device, masked, for nobody else; what was sent is no draft any more, and a
// case that left its agent leaves them what they wrote (P766).
func TestDraft(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := d.Ask("1")
	d.Claim("ana", of)
	ana, elsewhere, sup := d.As("ana"), d.As("ana"), d.As("sup")
	keep := func(field, words string) bottest.Page {
		t.Helper()
		form := url.Values{"que": {field}, "texto": {words}}
		return ana.Do(http.MethodPost, casePath(of, "borrador"), form, "Accept", "application/json", "Sec-Fetch-Dest", "empty").Want(t, http.StatusOK)
	}
	if got := keep("decir", "Le llamo al "+number+" luego").Body; !strings.Contains(got, `"as":"Le llamo al `+masked) {
		t.Errorf("what would go out: got %s", got)
	}
	if got := keep("nota", "Es <b>sorda</b>.").Body; got != "{}" {
		t.Errorf("of a note that goes as it is: got %s", got)
	}
	p := elsewhere.Get(casePath(of, "")).Want(t, http.StatusOK, ">Le llamo al "+masked+" luego</textarea>", "Es &lt;b&gt;sorda&lt;/b&gt;.</textarea>")
	if strings.Contains(p.Body, number) {
		t.Error("the draft was kept with the whole number")
	}
	if other := sup.Get(casePath(of, "")); strings.Contains(other.Body, "Le llamo al") || strings.Contains(other.Body, "sorda") {
		t.Error("another reads the draft")
	}
	sup.Do(http.MethodPost, casePath(of, "borrador"), url.Values{"que": {"decir"}, "texto": {"de otra"}}, "Sec-Fetch-Dest", "empty").Want(t, http.StatusOK)
	if draft, err := d.Store.Desk.Draft(t.Context(), of.Ref, "sup"); err != nil || draft.Version != 0 {
		t.Errorf("who may not write has a draft: %+v, %v", draft, err)
	}

	keep("decir", "Ya le ayudo.")
	ana.Post(casePath(of, "decir"), "once", strings.Repeat("a", 20), "texto", "Ya le ayudo.").To(t, casePath(of, "")+"?ver=espera")
	if draft, err := d.Store.Desk.Draft(t.Context(), of.Ref, "ana"); err != nil || draft.Text != "" || draft.Note == "" {
		t.Errorf("after it was sent: got %+v, %v; want the note alone", draft, err)
	}
	keep("decir", "Y otra cosa")
	release := handoff.Deed{Once: "r", Ref: of.Ref, Actor: handoff.Actor{Login: "sup", Name: "Eva", Supervisor: true}}
	if err := d.Desk.Desk.Release(t.Context(), release); err != nil {
		t.Fatal(err)
	}
	d.Claim("sup", of)
	ana.Get(casePath(of, "")).Want(t, http.StatusForbidden, "Eva puso este caso otra vez en la cola", "Y otra cosa</textarea>")

	if n, err := d.Store.Desk.ForgetDrafts(t.Context(), d.Clock.Now().Add(6*24*time.Hour), 10); err != nil || n != 0 {
		t.Errorf("after six days %d are forgotten, %v", n, err)
	}
	if n, err := d.Store.Desk.ForgetDrafts(t.Context(), d.Clock.Now().Add(8*24*time.Hour), 10); err != nil || n != 1 {
		t.Errorf("after eight days %d are forgotten, %v; want 1", n, err)
	}
}

// A draft goes with all else that is kept of a chat.
func TestDraft_erased(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := d.Ask("1")
	d.Claim("ana", of)
	if _, err := d.Desk.Desk.KeepDraft(t.Context(), handoff.Actor{Login: "ana"}, of.Ref, "Su hijo", false); err != nil {
		t.Fatal(err)
	}
	kept, err := d.Store.KeptOf(t.Context(), of.Conv)
	if err != nil || len(kept.Drafts) != 1 || kept.Drafts[0].Text != "Su hijo" {
		t.Fatalf("what is kept of the chat: got %+v, %v; want the draft", kept.Drafts, err)
	}
	if err := d.Store.Desk.EraseDrafts(t.Context(), of.Conv); err != nil {
		t.Fatal(err)
	}
	if draft, err := d.Store.Desk.Draft(t.Context(), of.Ref, "ana"); err != nil || draft.Version != 0 {
		t.Errorf("after erasing: got %+v, %v", draft, err)
	}
}

// Words that would go out as something else, or that a ready answer was meant by, go once the agent has seen that (P767).
func TestSay_seenFirst(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := d.Ask("1")
	d.Claim("ana", of)
	ana := d.As("ana")
	say := casePath(of, "decir")
	for i, c := range []struct{ words, asks, visto string }{
		{"Su número es " + number, "A la persona le llegará así", "Su número es " + masked},
		{"/xyz", "<strong>/xyz</strong> no se cambió", "/xyz"},
		{"Mire /saludo y siga", "<strong>/saludo</strong> no se cambió", "Mire /saludo y siga"},
	} {
		once := strings.Repeat(string(rune('a'+i)), 20)
		before := len(said(d.Desk, of))
		p := ana.Post(say, "once", once, "texto", c.words).Want(t, http.StatusUnprocessableEntity, c.asks, "Enviar así", `name="visto" value="`+c.visto+`"`, c.words+"</textarea>")
		if got := len(said(d.Desk, of)); got != before {
			t.Errorf("%q went out unseen: %s", c.words, p.Main())
		}
		ana.Post(say, "once", once, "texto", c.words, "visto", c.visto).To(t, casePath(of, "")+"?ver=espera")
		if got := said(d.Desk, of); got[len(got)-1] != "agent: "+c.visto {
			t.Errorf("%q: the person got %q", c.words, got[len(got)-1])
		}
	}
	for i, words := range []string{"Abra https://www.iess.gob.ec/es/ y siga", "24/7, y/o", "Vaya a la av. 10/12"} {
		ana.Post(say, "once", strings.Repeat(string(rune('p'+i)), 20), "texto", words).To(t, casePath(of, "")+"?ver=espera")
	}
}

// A long text goes out whole, in several messages, each once, however often it is sent.
func TestSay_long(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := d.Ask("1")
	d.Claim("ana", of)
	ana := d.As("ana")
	paragraph := strings.Repeat("Abra su correo y busque el mensaje. ", 30)
	long := strings.TrimSpace(strings.Repeat(strings.TrimSpace(paragraph)+"\n\n", 8))
	for range 2 {
		ana.Post(casePath(of, "decir"), "once", strings.Repeat("l", 20), "texto", long).To(t, casePath(of, "")+"?ver=espera")
	}
	var parts []string
	for _, l := range said(d.Desk, of) {
		if words, is := strings.CutPrefix(l, "agent: "); is {
			parts = append(parts, words)
		}
	}
	if got := strings.Join(parts, "\n\n"); got != long || len(parts) != len(handoff.Parts(long)) || len(parts) < 2 {
		t.Errorf("%d messages of %d letters in all, want the whole of %d once", len(parts), len(got), len(long))
	}
	much := strings.Repeat("n", handoff.PartsMost*bot.LineRunes+1)
	ana.Post(casePath(of, "decir"), "once", strings.Repeat("m", 20), "texto", much).Want(t, http.StatusUnprocessableEntity, "Es demasiado largo", much+"</textarea>")
}

// A case is closed for a reason in the agent's own words, which colleagues read, and the next one is taken with the same press, once.
func TestResolve_next(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := d.Ask("1")
	d.Clock.Advance(5 * time.Second)
	next := d.Ask("2")
	d.Clock.Advance(5 * time.Second)
	third := d.Ask("3")
	d.Claim("ana", of)
	ana := d.As("ana")
	resolve := casePath(of, "resolver")
	once := strings.Repeat("s", 20)
	ana.Post(resolve, "once", once, "motivo", "other", "texto", " ").Want(t, http.StatusUnprocessableEntity, "Escriba con sus palabras")
	for range 2 {
		ana.Post(resolve, "once", once, "motivo", "other", "texto", "Llamó su hijo.", "siguiente", "si").To(t, casePath(next, "")+"?ver=mios")
	}
	if got := d.Find(of.Ref); got.Open() || got.Reason != handoff.Other {
		t.Errorf("case: got %s %q", got.Status, got.Reason)
	}
	if got := said(d.Desk, of); !strings.Contains(strings.Join(got, "\n"), "note: Llamó su hijo.") {
		t.Errorf("the reason is not in the transcript: %q", got)
	}
	if of := d.Find(third.Ref); of.Held() {
		t.Error("one press took two")
	}
	d.Claim("sup", third)
	ana.Post(casePath(next, "resolver"), "once", strings.Repeat("u", 20), "motivo", "solved", "siguiente", "si").To(t, "/agentes?ver=espera&dicho=nadie")
}

// Typing puts off the end of the silence, for as long again at most (P765), and the page says until when the agent has to answer.
func TestTyping(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := d.Ask("1")
	d.Claim("ana", of)
	ana := d.As("ana")
	began := d.Clock.Now()
	end := func() time.Duration { return d.Find(of.Ref).Silent.Sub(began).Round(time.Second) }
	ana.Get(casePath(of, "")).Want(t, http.StatusOK, "Responda antes de las", `class="silence"`)
	if got := end(); got != 10*time.Minute {
		t.Fatalf("the silence ends after %v", got)
	}
	for _, c := range []struct{ at, want time.Duration }{
		{time.Second, 10 * time.Minute}, {9 * time.Minute, 19 * time.Minute}, {15 * time.Minute, 20 * time.Minute}, {19 * time.Minute, 20 * time.Minute},
	} {
		d.Clock.Advance(c.at - d.Clock.Now().Sub(began))
		ana.Post(casePath(of, "escribiendo")).Want(t, http.StatusNoContent)
		if got := end(); got != c.want {
			t.Errorf("typing after %v: the silence ends after %v, want %v", c.at, got, c.want)
		}
	}
	d.As("sup").Post(casePath(of, "escribiendo")).Want(t, http.StatusNoContent)
	ana.Post(casePath(of, "decir"), "once", strings.Repeat("w", 20), "texto", "Aquí estoy.").To(t, casePath(of, "")+"?ver=espera")
	if got := d.Find(of.Ref); !got.Silent.IsZero() || !got.Patience.IsZero() {
		t.Errorf("after an answer: %v, %v", got.Silent, got.Patience)
	}
}

// An agent is told where a case went that was taken from them, also when they were not connected as it went; not of what they did.
func TestStream_left(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of, own := d.Ask("1"), d.Ask("2")
	d.Claim("ana", of)
	d.Claim("ana", own)
	ana := d.As("ana")
	e := listen(ana, "?ver=espera")
	counts := e.wait("counts", nil)
	held := counts.data["held"]
	eva := handoff.Actor{Login: "sup", Name: "Eva", Supervisor: true}
	if err := d.Desk.Desk.Resolve(t.Context(), handoff.Deed{Once: "1", Ref: own.Ref, Actor: handoff.Actor{Login: "ana", Name: "Ana"}}, handoff.Solved); err != nil {
		t.Fatal(err)
	}
	e.wait("counts", func(h heard) bool { return h.data["mine"] == 1.0 })
	if err := d.Desk.Desk.Release(t.Context(), handoff.Deed{Once: "2", Ref: of.Ref, Actor: eva}); err != nil {
		t.Fatal(err)
	}
	if got := e.wait("left", nil); got.data["ref"] != of.Ref || !strings.Contains(got.html(), "Eva puso este caso otra vez en la cola") {
		t.Errorf("got %v", got.data)
	}
	e.close()
	back := listen(ana, "?"+url.Values{"ver": {"espera"}, "tenia": {held.(string)}}.Encode())
	back.wait("left", func(h heard) bool { return h.data["ref"] == of.Ref })
	back.close()
}
