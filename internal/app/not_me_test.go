package app_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"llave/internal/affiliate"
	"llave/internal/bottest/world"
	"llave/internal/store"
)

// subjects are those of the letters to an address, in order.
func subjects(w *world.World, to string) (of []string) {
	for _, l := range w.SMTP.Letters() {
		if l.To == to {
			of = append(of, l.Subject)
		}
	}
	return of
}

// A stranger has read the owner's mail and made a key. A scanner opens the letter's "No fui yo" and changes nothing; the owner
// presses it and has the record locked again, a letter, and a case that the desk sees or, when nobody is there, hears of by mail
// (P206). The stranger's chat hears nothing.
func TestNotMe_wholeRoad(t *testing.T) {
	const desk = "mesa@institucion.example"
	for _, staffed := range []bool{false, true} {
		name := "nobody is at the desk"
		if staffed {
			name = "somebody is"
		}
		t.Run(name, func(t *testing.T) {
			w := world.New(t, onePerson, "LLAVE_REPORT_TO="+desk)
			if staffed {
				w.Agent("ana", false)
			}
			for _, text := range []string{"hola", "1", "1", theirs, "1", "1"} {
				w.Say(text)
			}
			notMe := w.Link(true)
			stranger := world.NewBrowser(t)
			w.Post(stranger, w.Link(false), nil)
			if status, page := w.Post(stranger, w.URL("/clave"), map[string][]string{"clave": {"caballo azul con tres lunas"}, "clave2": {"caballo azul con tres lunas"}}); status != http.StatusOK {
				t.Fatalf("the key page: %d %s", status, page)
			}
			w.Settle()
			status := func() affiliate.Status {
				rec, _, err := w.App.Store.Affiliates.Find(t.Context(), theirs)
				if err != nil {
					t.Fatal(err)
				}
				return rec.Status
			}
			for range 3 {
				w.Get(world.NewBrowser(t), notMe)
			}
			w.Later(time.Hour)
			if got := status(); got != affiliate.Active {
				t.Fatalf("after a scanner the record is %s, want active", got)
			}
			heard := len(w.Phone.Messages(world.Chat))
			owner := world.NewBrowser(t)
			for range 2 {
				if status, page := w.Post(owner, notMe, nil); status != http.StatusOK || !strings.Contains(page, "Bloqueamos su clave otra vez") || !strings.Contains(page, "24 horas") {
					t.Errorf("the page: %d %s", status, page)
				}
				w.Settle()
			}
			if got := status(); got != affiliate.Locked {
				t.Errorf("the record is %s, want locked", got)
			}
			if more := w.Phone.Messages(world.Chat)[heard:]; len(more) > 0 {
				t.Errorf("the stranger's chat hears %q", more[0].Text)
			}
			want := []string{"SOLICITUD DESBLOQUEO DE CLAVE", "SU CLAVE FUE DESBLOQUEADA", "SU CLAVE NUEVA FUE CREADA", "SU CLAVE QUEDÓ BLOQUEADA OTRA VEZ"}
			if got := subjects(w, "uno@correo.example"); !slices.Equal(got, want) {
				t.Errorf("the owner's letters: got %q, want %q", got, want)
			}
			warned := subjects(w, desk)
			if staffed == (len(warned) == 1) || len(warned) > 1 {
				t.Errorf("the institution's letters: got %q", warned)
			}
			notices, err := w.App.Desk.Notices(t.Context())
			if err != nil || len(notices) != 1 || !notices[0].AfterUse {
				t.Errorf("notices at the desk: got %+v, %v, want one that says the link was used", notices, err)
			}
			var audit []string
			err = w.App.Store.Audit.Between(t.Context(), w.Now().Add(-24*time.Hour), w.Now().Add(time.Hour), func(e store.AuditEntry) bool {
				if e.Who == "owner" {
					audit = append(audit, e.What)
				}
				return true
			})
			if slices.Sort(audit); err != nil || !slices.Equal(audit, []string{"key_revoked", "not_me"}) {
				t.Errorf("the audit: got %q, %v", audit, err)
			}
			if n := reportOf(t, w).Complaints; n != 0 {
				t.Errorf("the report counts %d complaints of who filed none", n)
			}
		})
	}
}
