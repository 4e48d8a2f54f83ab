package app_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
	"llave/internal/bottest"
	"llave/internal/bottest/world"
	"llave/internal/handoff"
	"llave/internal/store"
)

// theirs is the number of somebody who may unlock, and onePerson an import of them.
var (
	theirs    = bottest.Cedula(1)
	onePerson = "_id,id_type,category,full_name,email,data_updated_at,status\n" +
		theirs + ",cedula,affiliate,Persona Uno,uno@correo.example,2025-03-01,locked\n"
)

// sayIn writes a text in a chat and wants the answer to hold something; "" wants none.
func sayIn(t *testing.T, w *world.World, chat int64, text, want string) {
	t.Helper()
	wantBubble(t, "after "+text, w.DoIn(chat, func() error { w.Phone.Say(chat, text); return nil }), want)
}

func wantBubble(t *testing.T, when string, got []bottest.ChatMessage, want string) {
	t.Helper()
	var texts []string
	for _, m := range got {
		texts = append(texts, m.Text)
	}
	if all := strings.Join(texts, "\n"); want == "" && all != "" || !strings.Contains(all, want) {
		t.Fatalf("%s the bot said %q, want %q", when, all, want)
	}
}

// pressLink frees the key by the newest letter's link.
func pressLink(t *testing.T, w *world.World) {
	t.Helper()
	if status, page := w.Post(world.NewBrowser(t), w.Link(false), nil); status != http.StatusOK {
		t.Fatalf("the link's button: %d %s", status, page)
	}
}

func wantConversations(t *testing.T, w *world.World, want int64) {
	t.Helper()
	if got, err := w.App.Store.Conversations.Count(t.Context()); err != nil || got != want {
		t.Errorf("%d conversations (%v), want %d", got, err, want)
	}
}

// lastSend is whom the newest message was sent to.
func lastSend(w *world.World) (to, recipient string) {
	calls := w.Graph.Calls("messages")
	last := calls[len(calls)-1].Params
	return last["to"], last["recipient"]
}

// A person whose number goes half way, when both names were known, goes on where they were, is written to by the other
// name, and the same when it comes back.
func TestWhatsApp_hiddenNumber(t *testing.T) {
	w := world.NewOn(t, world.WhatsApp, onePerson)
	phone, user := strconv.FormatInt(world.Chat, 10), w.Graph.UserID(world.Chat)
	sayIn(t, w, world.Chat, "hola", "Hola. Soy Llave")
	sayIn(t, w, world.Chat, "1", "¿Qué necesita hoy?")
	sayIn(t, w, world.Chat, "1", "número de cédula")
	w.Graph.HidePhone(world.Chat)
	sayIn(t, w, world.Chat, theirs, "¿Es correcto?")
	if to, recipient := lastSend(w); to != "" || recipient != user {
		t.Errorf("sent to %q and %q, want to the user id", to, recipient)
	}
	sayIn(t, w, world.Chat, "1", "Enviar enlace")
	sayIn(t, w, world.Chat, "1", "SOLICITUD DESBLOQUEO DE CLAVE")
	wantBubble(t, "after the link", w.Do(func() error { pressLink(t, w); return nil }), "Su clave ya está desbloqueada")
	w.Graph.ShowPhone(world.Chat)
	sayIn(t, w, world.Chat, "menú", "¿Qué necesita hoy?")
	if to, recipient := lastSend(w); to != phone || recipient != "" {
		t.Errorf("sent to %q and %q, want to the number", to, recipient)
	}
	wantConversations(t, w, 1)
}

// Somebody known by the user id alone, whose number appears, is still the same.
func TestWhatsApp_numberAppears(t *testing.T) {
	w := world.NewOn(t, world.WhatsApp, onePerson)
	w.Graph.HidePhone(world.Chat)
	sayIn(t, w, world.Chat, "hola", "Hola. Soy Llave")
	sayIn(t, w, world.Chat, "1", "¿Qué necesita hoy?")
	w.Graph.ShowPhone(world.Chat)
	sayIn(t, w, world.Chat, "1", "número de cédula")
	wantConversations(t, w, 1)
}

// A conversation follows a person to another number, also what comes unasked before they have written from it. Whoever
// has the old number now is somebody else.
func TestWhatsApp_changedNumber(t *testing.T) {
	for _, names := range []string{"number alone", "both names", "user id alone"} {
		t.Run(names, func(t *testing.T) {
			const other = world.Chat + 1000
			w := world.NewOn(t, world.WhatsApp, onePerson)
			switch names {
			case "both names":
				w.Graph.UserID(world.Chat)
			case "user id alone":
				w.Graph.HidePhone(world.Chat)
			}
			sayIn(t, w, world.Chat, "hola", "Hola. Soy Llave")
			sayIn(t, w, world.Chat, "1", "¿Qué necesita hoy?")
			w.Graph.ChangeNumber(world.Chat, other)
			sayIn(t, w, other, "1", "número de cédula")
			sayIn(t, w, other, theirs, "¿Es correcto?")
			sayIn(t, w, other, "1", "Enviar enlace")
			sayIn(t, w, other, "1", "SOLICITUD DESBLOQUEO DE CLAVE")
			w.Graph.ChangeNumber(other, other+1)
			w.Settle()
			wantBubble(t, "after the link", w.DoIn(other+1, func() error { pressLink(t, w); return nil }), "Su clave ya está desbloqueada")
			wantConversations(t, w, 1)
			sayIn(t, w, world.Chat, "1", "Hola. Soy Llave")
			wantConversations(t, w, 2)
			if strings.Contains(w.Log.String(), strconv.FormatInt(other, 10)) {
				t.Error("the log holds a number")
			}
		})
	}
}

// A message for somebody who has been silent for more than a day waits for their next one; an approved template, where
// there is one, asks them to write, once.
func TestWhatsApp_closedWindow(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings []string
		knocks   string // what the person sees meanwhile
		refuse   func(g *bottest.Graph)
	}{
		{"no template", nil, "", nil},
		{"a template", []string{"LLAVE_WHATSAPP_TEMPLATE=volver:es"}, world.Template, nil},
		{"by WhatsApp's clock", nil, "", func(g *bottest.Graph) { g.Fail("messages", 1, bottest.GraphFaultWindow) }},
		{"by WhatsApp's clock, a template", []string{"LLAVE_WHATSAPP_TEMPLATE=volver:es"}, world.Template, func(g *bottest.Graph) { g.Fail("messages", 1, bottest.GraphFaultWindow) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world.NewOn(t, world.WhatsApp, "", append(c.settings, "LLAVE_RETENTION_IDLE=72h")...)
			sayIn(t, w, world.Chat, "hola", "Hola. Soy Llave")
			if c.refuse == nil { // for a day nothing can be sent
				w.Graph.Fail("messages", 1000, bottest.GraphFaultServerError)
				sayIn(t, w, world.Chat, "1", "")
				w.Graph.Heal()
				wantBubble(t, "after a day", w.Do(func() error { w.Later(25 * time.Hour); return nil }), c.knocks)
			} else {
				c.refuse(w.Graph)
				sayIn(t, w, world.Chat, "1", c.knocks)
			}
			wantBubble(t, "later", w.Do(func() error { w.Later(time.Hour); return nil }), "")
			got := w.Do(func() error { w.Phone.Say(world.Chat, "ayuda"); return nil })
			wantBubble(t, "when the person wrote", got[:1], "¿Qué necesita hoy?") // what had waited comes first
			wantBubble(t, "later", w.Do(func() error { w.Later(time.Hour); return nil }), "")
		})
	}
}

// A message that was taken and is then reported as failed: by its code it waits for the person, or is sent again and
// arrives once, or the person is not written to until they write.
func TestWhatsApp_failedLater(t *testing.T) {
	for _, c := range []struct {
		code          int
		soon, written int // how often it arrives within a minute, and when the person has written
	}{
		{131047, 0, 1},
		{131026, 0, 0},
		{131056, 1, 0},
		{130429, 1, 0},
		{131000, 1, 0},
		{100, 0, 0},
	} {
		t.Run(strconv.Itoa(c.code), func(t *testing.T) {
			w := world.NewOn(t, world.WhatsApp, "")
			sayIn(t, w, world.Chat, "hola", "Hola. Soy Llave")
			sayIn(t, w, world.Chat, "1", "¿Qué necesita hoy?")
			w.Graph.FailStatus(world.Chat, c.code)
			arrived := func(act func() error) (n int) {
				for _, m := range w.Do(act) {
					n += strings.Count(m.Text, "número de cédula")
				}
				return n
			}
			if got := arrived(func() error {
				sayIn(t, w, world.Chat, "1", "")
				w.Heard(world.Chat, "status/") // it is told of beside the sending
				for range 12 {
					w.Later(5 * time.Second)
				}
				return nil
			}); got != c.soon {
				t.Errorf("within a minute it arrived %d times, want %d", got, c.soon)
			}
			if got := arrived(func() error { w.Phone.Say(world.Chat, "menú"); return nil }); got != c.written {
				t.Errorf("when the person had written it came %d times, want %d", got, c.written)
			}
			if got := arrived(func() error { w.Later(time.Hour); return nil }); got != 0 {
				t.Errorf("later it came %d times more", got)
			}
		})
	}
}

// Statuses come in any order and more than once, and a message only moves forward: what was read cannot fail any more,
// and what failed is sent again once, however often that is reported.
func TestWhatsApp_statuses(t *testing.T) {
	w := world.NewOn(t, world.WhatsApp, "")
	status := func(m bottest.ChatMessage) string {
		t.Helper()
		id := w.Graph.WAMID(world.Chat, m.ID)
		for range 200 { // it is noted beside the conversation
			d, err := w.App.Store.Deliveries.Move(t.Context(), w.App.Store.Book.Message(id), "", func(string) bool { return false }, func(*store.Delivery) {})
			if err != nil {
				t.Fatal(err)
			}
			if d.Conv != "" {
				return d.Status
			}
			time.Sleep(10 * time.Millisecond)
		}
		return "not noted"
	}
	answer := func(text string) bottest.ChatMessage {
		t.Helper()
		got := w.Do(func() error { w.Phone.Say(world.Chat, text); return nil })
		if len(got) != 1 {
			t.Fatalf("%q was answered with %d bubbles, want 1", text, len(got))
		}
		return got[0]
	}
	for _, c := range []struct {
		order []string
		want  string
	}{
		{[]string{"sent", "delivered", "read"}, "read"},
		{[]string{"read", "delivered", "sent"}, "read"},
		{[]string{"delivered", "delivered", "sent", "delivered"}, "delivered"},
		{[]string{"sent"}, "sent"},
		{nil, "accepted"},
	} {
		w.Graph.Statuses(c.order...)
		if got := status(answer("hola")); got != c.want {
			t.Errorf("after %v: got %q, want %q", c.order, got, c.want)
		}
	}
	report := func(m bottest.ChatMessage, what string) []bottest.ChatMessage {
		return w.Do(func() error {
			defer w.Later(time.Minute)
			return w.Graph.Report(world.Chat, m.ID, what, 131000)
		})
	}
	w.Graph.Statuses("read")
	read := answer("menú")
	if again := report(read, "failed"); len(again) != 0 || status(read) != "read" {
		t.Errorf("what was read failed: got %v and %d more, want read and none", status(read), len(again))
	}
	w.Graph.Statuses()
	lost := answer("ayuda")
	again := slices.Concat(report(lost, "failed"), report(lost, "failed"), report(lost, "delivered"))
	if len(again) != 1 || again[0].Text != lost.Text || status(lost) != "failed" {
		t.Errorf("what failed: got %q and %d more, want failed and the same once more", status(lost), len(again))
	}
}

// A number that was given up is sold again: whoever has it now begins anew. The old conversation is over: its case is closed
// and says why, what waited to be said and what its timers and its link would say reaches nobody (P116).
func TestWhatsApp_recycledNumber(t *testing.T) {
	w := world.NewOn(t, world.WhatsApp, onePerson)
	w.Graph.UserID(world.Chat)
	ana := w.Agent("ana", false)
	for _, text := range []string{"hola", "1", "english", "1", theirs, "1", "1"} {
		w.DoIn(world.Chat, func() error { w.Phone.Say(world.Chat, text); return nil })
	}
	sayIn(t, w, world.Chat, "person", "Your case is C")
	h := w.Case(world.Chat)
	if err := w.App.Desk.Claim(t.Context(), handoff.Deed{Once: "1", Ref: h.Ref, Actor: ana}); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	w.Graph.Fail("messages", 1000, bottest.GraphFaultServerError)
	if err := w.App.Desk.Say(t.Context(), handoff.Deed{Once: "2", Ref: h.Ref, Actor: ana}, "su secreto"); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	w.Graph.Recycle(world.Chat)
	w.Graph.Heal()

	got := w.Do(func() error { w.Phone.Say(world.Chat, "estado"); return nil })
	got = append(got, w.Do(func() error { w.Later(time.Minute); return nil })...)
	if len(got) != 1 || !strings.HasPrefix(got[0].Text, "Hola. Soy Llave") {
		t.Fatalf("whoever has the number now reads %+v, want the welcome alone", got)
	}
	file, found, err := w.App.Store.Desk.Case(t.Context(), h.Ref)
	if err != nil || !found || file.Handoff.Open() || file.Handoff.Reason != handoff.ChangedHands {
		t.Errorf("the old case: got %+v (%v, %v), want it closed because the number changed hands", file.Handoff, found, err)
	}
	lines, err := w.App.Desk.Store.Lines(t.Context(), h.Ref, 0, 100)
	if n := len(lines); err != nil || n == 0 || lines[n-1].From != bot.FromEvent || lines[n-1].Text != flows.NoteChangedHands {
		t.Errorf("the agents read %+v (%v), want last that the number changed hands", lines, err)
	}
	if err := w.App.Desk.Say(t.Context(), handoff.Deed{Once: "3", Ref: h.Ref, Actor: ana}, "su secreto"); err == nil {
		t.Error("an agent could still write into the old case")
	}
	old, found, err := w.App.Store.Conversations.Find(t.Context(), w.App.Store.Book.Conv(bot.ConversationID("whatsapp", strconv.FormatInt(world.Chat, 10))))
	if err != nil || !found || len(old.Slots) > 0 || len(old.Tail) > 0 || old.Attempt != "" {
		t.Errorf("the old conversation holds %+v (%v)", old, err)
	}
	wantBubble(t, "when the old one's link is used", w.Do(func() error { pressLink(t, w); return nil }), "")
	wantBubble(t, "in the time of the old one's link", w.Do(func() error { w.Later(11 * time.Minute); return nil }), "")
	sayIn(t, w, world.Chat, "1", "¿Qué necesita hoy?")
	sayIn(t, w, world.Chat, "estado", "¿Qué necesita hoy?")
	wantConversations(t, w, 2)
}

// A user id that appears under a number known without one is the same person's. Two people with one telephone are one chat.
func TestWhatsApp_userIDAppears(t *testing.T) {
	w := world.NewOn(t, world.WhatsApp, onePerson)
	sayIn(t, w, world.Chat, "hola", "Hola. Soy Llave")
	sayIn(t, w, world.Chat, "1", "¿Qué necesita hoy?")
	w.Graph.UserID(world.Chat)
	sayIn(t, w, world.Chat, "1", "número de cédula")
	sayIn(t, w, world.Chat, theirs, "¿Es correcto?")
	wantConversations(t, w, 1)
}

// The channel says that a person has another number: conversation and case go with them, and the agent's words too. Whoever
// has the old number now begins anew, whether they write before anything is known of them or after.
func TestWhatsApp_changedNumberWithCase(t *testing.T) {
	const other = world.Chat + 1000
	w := world.NewOn(t, world.WhatsApp, onePerson)
	w.Graph.UserID(world.Chat)
	ana := w.Agent("ana", false)
	sayIn(t, w, world.Chat, "hola", "Hola. Soy Llave")
	sayIn(t, w, world.Chat, "1", "¿Qué necesita hoy?")
	sayIn(t, w, world.Chat, "persona", "Su caso es C")
	h := w.Case(world.Chat)
	w.Graph.ChangeNumber(world.Chat, other)
	w.Settle()
	w.Graph.Recycle(world.Chat)
	sayIn(t, w, world.Chat, "estado", "Hola. Soy Llave")
	said := w.DoIn(other, func() error {
		if err := w.App.Desk.Claim(t.Context(), handoff.Deed{Once: "1", Ref: h.Ref, Actor: ana}); err != nil {
			return err
		}
		return w.App.Desk.Say(t.Context(), handoff.Deed{Once: "2", Ref: h.Ref, Actor: ana}, "ya le ayudo")
	})
	wantBubble(t, "when the agent writes", said, "ya le ayudo")
	sayIn(t, w, other, "gracias", "")
	if h := w.Case(world.Chat); !h.Held() { // the conversation is still named by the first number
		t.Errorf("the case is %+v, want it with the agent", h)
	}
	wantConversations(t, w, 2)
}
