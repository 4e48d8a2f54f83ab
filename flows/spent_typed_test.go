package flows_test

import (
	"testing"
	"time"

	"llave/internal/bottest"
	"llave/internal/bottest/world"
)

// A question that was answered in words loses its keyboard too; what still stands keeps its own, and so does what was not understood (P120).
func TestSpent_typed(t *testing.T) {
	t.Parallel()
	w := world.New(t, "_id,id_type,category,full_name,email,data_updated_at,status\n1710034065,cedula,affiliate,Ana Test,ana@correo.example,2025-03-01,locked\n")
	bare := func(n int) {
		t.Helper()
		count := func() (bare int) {
			for _, m := range w.Phone.Messages(world.Chat) {
				if m.Bot && len(m.Rows) > 0 && m.Now().Rows == nil {
					bare++
				}
			}
			return bare
		}
		if !w.Phone.Wait(5*time.Second, func() bool { return count() == n }) {
			t.Errorf("%d keyboards are gone, want %d", count(), n)
		}
	}
	w.Say("hola")
	w.Say("sí")
	bare(1)
	w.Say("blabla")
	w.Say("desbloquear")
	bare(2)
	w.Say("1710034065")
	w.Say("sí")
	bare(3)
	var last bottest.ChatMessage
	for _, m := range w.Phone.Messages(world.Chat) {
		if m.Bot && len(m.Rows) > 0 {
			last = m
		}
		if e := m.Now(); m.Bot && e.Text != m.Text {
			t.Errorf("%q became %q, want its keyboard gone and no more", m.Text, e.Text)
		}
	}
	if last.Now().Rows == nil {
		t.Error("the question that stands has lost its keyboard")
	}
}
