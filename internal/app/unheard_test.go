package app_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"llave/internal/app"
	"llave/internal/bottest/world"
	"llave/internal/config"
	"llave/internal/unheard"
)

// puzzling is a sentence that is asked about.
const puzzling = "mi hermano me dijo que cancele"

// heard are the rows of what was not understood.
func heard(t *testing.T, w *world.World) []unheard.Row {
	t.Helper()
	rows, err := w.App.Store.Unheard.Often(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// atMenu brings a chat to the menu.
func atMenu(t *testing.T, w *world.World, chat int64) {
	t.Helper()
	sayIn(t, w, chat, "hola", "¿Quiere empezar?")
	sayIn(t, w, chat, "sí", "¿Qué necesita hoy?")
}

// Who erases their data takes away what they said within the day (P407, P413): a sentence that somebody else said too stays
// with their count. Neither the row nor its name holds whose it is.
func TestUnheard_erased(t *testing.T) {
	w := world.New(t, onePerson)
	const other = world.Chat + 1
	for _, chat := range []int64{world.Chat, other} {
		atMenu(t, w, chat)
		sayIn(t, w, chat, puzzling, "Cancelar")
	}
	sayIn(t, w, world.Chat, "otra cosa", "otras palabras")
	sayIn(t, w, world.Chat, puzzling+"...", "Cancelar")
	rows := heard(t, w)
	if len(rows) == 0 || rows[0].Times != 3 || rows[0].Said != puzzling || rows[0].Place != "menu" || len(rows[0].Tellers) != 2 {
		t.Fatalf("kept %+v, want the sentence three times, at the menu", rows)
	}
	for _, r := range rows {
		for _, o := range r.Tellers {
			if strings.Contains(o.Who+o.Last, "telegram") {
				t.Errorf("a row says whose it is: %+v", r)
			}
		}
	}
	sayIn(t, w, world.Chat, "menú", "¿Qué necesita hoy?")
	sayIn(t, w, world.Chat, "mis datos", "Lo que no entiendo lo guardo 30 días")
	sayIn(t, w, world.Chat, "borrar mis datos", "¿Borro?")
	sayIn(t, w, world.Chat, "sí, borrar", "borré")
	if rows := heard(t, w); len(rows) != 1 || rows[0].Times != 1 || len(rows[0].Tellers) != 1 {
		t.Errorf("after one of two erased: %+v, want it once", rows)
	}
}

// A day later nobody knows whose a sentence is; after thirty days it is gone.
func TestUnheard_forgotten(t *testing.T) {
	w := world.New(t, onePerson)
	atMenu(t, w, world.Chat)
	sayIn(t, w, world.Chat, puzzling, "Cancelar")
	forget := func(later time.Duration, want int64) {
		t.Helper()
		w.Later(later)
		f, err := w.App.Forget(t.Context())
		if err != nil || f.Unheard != want {
			t.Fatalf("%d sentences forgotten (%v), want %d", f.Unheard, err, want)
		}
	}
	forget(23*time.Hour, 0)
	if rows := heard(t, w); len(rows) != 1 || len(rows[0].Tellers) != 1 {
		t.Fatalf("within the day: %+v", rows)
	}
	forget(time.Hour, 0)
	if rows := heard(t, w); len(rows) != 1 || len(rows[0].Tellers) != 0 || rows[0].Times != 1 {
		t.Fatalf("after a day: %+v, want nobody's", rows)
	}
	forget(28*24*time.Hour, 0)
	forget(24*time.Hour+time.Minute, 1)
	if rows := heard(t, w); len(rows) != 0 {
		t.Errorf("after thirty days: %+v", rows)
	}
}

// Where none are to be kept none are, and what was kept before goes.
func TestUnheard_off(t *testing.T) {
	w := world.New(t, onePerson, "LLAVE_RETENTION_UNHEARD=0")
	atMenu(t, w, world.Chat)
	sayIn(t, w, world.Chat, puzzling, "Cancelar")
	if rows := heard(t, w); len(rows) != 0 {
		t.Errorf("kept %+v", rows)
	}
	old := unheard.Telling{Who: "a", Turn: "b", At: w.Now(), Place: "menu", Said: "de antes"}
	if err := w.App.Store.Unheard.Tell(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	if f, err := w.App.Forget(t.Context()); err != nil || f.Unheard != 1 {
		t.Errorf("%d sentences forgotten (%v), want 1", f.Unheard, err)
	}
	status, page := w.Get(w.Browser, w.URL("/privacidad"))
	if status != 200 || strings.Contains(page, "no entendió") {
		t.Errorf("the notice is %d and says that something is kept: %s", status, page)
	}
}

// The notice of the page says for how long.
func TestUnheard_notice(t *testing.T) {
	w := world.New(t, onePerson, "LLAVE_RETENTION_UNHEARD=240h")
	if status, page := w.Get(w.Browser, w.URL("/privacidad")); status != 200 || !strings.Contains(page, "Lo que el asistente no entendió, sin números:</strong> 10 días") {
		t.Errorf("the notice is %d: %s", status, page)
	}
}

// llave understand --export writes what was given a meaning as examples are written; never what was set aside.
func TestUnderstand_export(t *testing.T) {
	environ := []string{"LLAVE_DATA_DIR=" + t.TempDir(), "LLAVE_SECRET_KEY=" + base64.StdEncoding.EncodeToString(make([]byte, 32))}
	c, err := config.Load(environ, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := app.OpenStore(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []struct{ place, said, meaning string }{
		{"stuck", `dice "no, otra"`, "key_weak"}, {"menu", "todavía nada", ""}, {"menu", "vendo carros", unheard.NotOurs},
		{"offer", "no pues", ""},
	} {
		telling := unheard.Telling{Who: "a", Turn: o.said, At: time.Now(), Place: o.place, Said: o.said}
		if err := s.Unheard.Tell(t.Context(), telling); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Unheard.Assign(t.Context(), telling.ID(), o.meaning); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Engine().Close(); err != nil {
		t.Fatal(err)
	}
	const assigned = "step,\"dice \"\"no, otra\"\"\",key_weak\n"
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"understand", "--export"}, []string{assigned}},
		{[]string{"understand", "--export", "--all"}, []string{assigned, "menu,todavía nada,\n", "any,no pues,\n"}},
	} {
		code, stdout, stderr := run(t, environ, "", tt.args...)
		rows, headed := strings.CutPrefix(stdout, "state,said,meaning\n")
		for _, row := range tt.want {
			headed = headed && strings.Contains(rows, row)
		}
		if code != 0 || stderr != "" || !headed || strings.Count(rows, "\n") != len(tt.want) {
			t.Errorf("%v: exit %d, wrote %q and %q, want %q", tt.args, code, stdout, stderr, tt.want)
		}
	}
}
