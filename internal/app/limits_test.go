package app_test

import (
	"testing"
	"time"

	"llave/internal/bottest"
	"llave/internal/bottest/world"
)

// The numbers that a chat has looked up count for their hour and their day, however soon the operator wants conversations
// forgotten, and though the person has what is kept erased (P304).
func TestLimits_outliveRetention(t *testing.T) {
	w := world.New(t, onePerson, "LLAVE_RETENTION_SEEN=2m", "LLAVE_RETENTION_IDLE=1m")
	looksUp := func(i int, want string) {
		t.Helper()
		for _, text := range []string{"hola", "1", "1", bottest.Cedula(i)} {
			w.Say(text)
		}
		sayIn(t, w, world.Chat, "1", want)
	}
	for i := range 3 {
		looksUp(100+i, "Centro de Atención")
		for _, text := range []string{"mis datos", "borrar mis datos", "sí"} {
			w.Say(text)
		}
		w.Later(10 * time.Minute)
		if _, err := w.App.Forget(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	looksUp(103, "minutos")
	w.Later(50 * time.Minute)
	looksUp(104, "Centro de Atención")
	w.Later(25 * time.Hour)
	if _, err := w.App.Forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantConversations(t, w, 0)
}
