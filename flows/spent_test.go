package flows_test

import (
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
	"llave/internal/bottest"
	"llave/internal/bottest/world"
)

// What was answered by a button on Telegram loses its keyboard, and the choice stands in it; a bubble with the number loses the
// keyboard alone. What still stands keeps its own (P120).
func TestSpent(t *testing.T) {
	t.Parallel()
	w := world.New(t, "_id,id_type,category,full_name,email,data_updated_at,status\n1710034065,cedula,affiliate,Ana Test,ana@correo.example,2025-03-01,locked\n")
	press := func(label string) {
		t.Helper()
		w.Do(func() error { _, err := w.Phone.Press(world.Chat, label); return err })
	}
	w.Say("hola")
	press("Continuar")
	w.Say("blabla")
	press("Desbloquear clave")
	w.Say("1710034065")
	press("Sí, es correcto")
	press("Enviar enlace")
	changed := func(m bottest.ChatMessage) bool { return m.Edited != nil }
	if !w.Phone.Wait(5*time.Second, func() bool {
		n := 0
		for _, m := range w.Phone.Messages(world.Chat) {
			if changed(m) {
				n++
			}
		}
		return n == 4
	}) {
		t.Errorf("%+v, want four bubbles changed", w.Phone.Messages(world.Chat))
	}
	for _, m := range w.Phone.Messages(world.Chat) {
		now := m.Now()
		switch {
		case strings.HasPrefix(m.Text, "Busque en su correo"):
			if changed(m) || len(now.Rows) != 4 || now.Rows[3][0].Copy == nil || now.Rows[3][0].Copy.Text != "SOLICITUD DESBLOQUEO DE CLAVE" {
				t.Errorf("the last bubble is %+v now, want it as it was sent, with the subject to copy", now)
			}
		case m.Protect:
			if now.Text != m.Text || now.Rows != nil {
				t.Errorf("the bubble with the number is %+v now, want only its keyboard gone", now)
			}
		case changed(m) && (now.Rows != nil || !strings.HasPrefix(now.Text, m.Text+"\n\n✓ ")):
			t.Errorf("%q is %+v now, want the choice under it and no keyboard", m.Text, now)
		case strings.HasPrefix(m.Text, "Escriba su número") && m.Hint != "10 números":
			t.Errorf("%q has the hint %q", m.Text, m.Hint)
		}
	}
	if log := w.Log.String(); strings.Contains(log, "quiere empezar") || strings.Contains(log, "Ver aviso") {
		t.Error("the log has what a bubble said")
	}
}

// Who asks to be forgotten leaves no word of a bubble behind, nor a change of one that was owed; nor does a chat left alone.
func TestSpent_forgotten(t *testing.T) {
	owed := func(k *talk) (all []bot.Spend) {
		for _, p := range k.c.Promises {
			if s, ok := p.What.(bot.Spend); ok {
				all = append(all, s)
			}
		}
		return all
	}
	press := func(k *talk, button string) {
		k.step(bot.Update{Kind: bot.Press, Button: button, Prompt: k.c.Prompt, Bubble: &bot.Bubble{ID: button, Text: "¿Sigue?"}})
	}
	k := at(t, flows.OwnData)
	k.owes = true
	press(k, "erase")
	if got := owed(k); len(got) != 1 || got[0].Text == "" {
		t.Fatalf("before: %+v, want one change, with its words", got)
	}
	press(k, "erase_yes")
	if got := owed(k); len(got) != 1 || got[0].Bubble != "erase_yes" || got[0].Text != "" {
		t.Errorf("after: %+v, want the keyboard of the last one to go and no words", got)
	}

	k = at(t, flows.Welcome)
	k.owes = true
	press(k, "continue")
	k.now = k.now.Add(25 * time.Hour)
	k.signal(bot.SignalForget)
	if got := owed(k); k.c.State != flows.Start || got != nil {
		t.Errorf("left alone: in %s, owed %+v", k.c.State, got)
	}
}
