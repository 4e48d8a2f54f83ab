package flows_test

import (
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
)

// However somebody comes to write a complaint, three are filed in an hour at most and five in a day, also by who has their chat
// erased in between. Who has written one that is not filed is told so, and when to write it again.
func TestComplaints_limits(t *testing.T) {
	k := at(t, flows.Menu)
	var filed []time.Time
	refused := 0
	within := func(d time.Duration) (n int) {
		for _, at := range filed {
			if k.now.Sub(at) < d {
				n++
			}
		}
		return n
	}
	files := func(text string) {
		t.Helper()
		if k.c.State != flows.Complaining {
			return
		}
		if k.says(text); k.c.State == flows.ComplaintRead {
			k.says("registrar")
		}
		for _, p := range k.c.Promises {
			if what, ok := p.What.(bot.KeepFile); ok && what.Topic == "complaint" {
				filed = append(filed, k.now)
				if hour, day := within(time.Hour), within(24*time.Hour); hour > 3 || day > 5 {
					t.Fatalf("%d complaints in an hour, %d in a day", hour, day)
				}
				return
			}
		}
		if refused++; !k.said || !strings.Contains(k.reply.Text, "no quedó registrada") || !strings.Contains(k.reply.Text, " en ") || len(k.reply.Buttons) == 0 {
			t.Fatalf("a complaint that is not filed is answered with %q", k.reply.Text)
		}
	}
	for k.now.Before(time.Date(2026, 1, 7, 9, 0, 0, 0, time.UTC)) {
		k.says("menú")
		k.says("presentar queja")
		files("nadie atiende en la ventanilla")
		k.c.State = flows.Complaining // as when an agent gives it back there
		files("y tampoco contestan el teléfono")
		k.says("menú")
		k.says("mis datos")
		k.says("borrar mis datos")
		k.says("sí")
		k.says("hola")
		k.says("sí")
		k.now = k.now.Add(17 * time.Minute)
	}
	if len(filed) < 10 || refused == 0 {
		t.Errorf("%d complaints were filed and %d refused, want all that may be, and some: this test sees nothing", len(filed), refused)
	}
}
