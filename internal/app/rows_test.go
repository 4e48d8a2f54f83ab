package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"llave/internal/bottest"
	"llave/internal/bottest/world"
)

// A chat's letters to different records do not wait for each other: one's own would tell by its time what the mail server makes of
// another's (P303), and whoever helps two relatives would wait for the one whose mailbox defers.
func TestLetters_waitApart(t *testing.T) {
	own := bottest.Cedula(2)
	w := world.New(t, onePerson+own+",cedula,affiliate,Persona Dos,dos@correo.example,2025-03-01,locked\n", "LLAVE_DISCLOSURE=uniform")
	w.SMTP.RefuseRcpt("uno@correo.example", bottest.SMTPFault{Code: 450, Enhanced: "4.2.0"})
	for _, text := range []string{"hola", "1", "1", theirs, "1", "1", "menú", "1", own, "1", "1"} {
		w.Say(text)
	}
	if got := subjects(w, "dos@correo.example"); len(got) != 1 {
		t.Errorf("while another's mailbox defers one's own letter has not come: %q", got)
	}
	w.SMTP.Heal()
	w.Later(time.Minute)
	if got := subjects(w, "uno@correo.example"); len(got) != 1 {
		t.Errorf("once it does no more: got %q, want its letter", got)
	}
}

// One mailbox that refuses for good sends its owner to an office; when all do, one after another, the mail server is in
// trouble and nobody is sent: their letters wait, and go out once it takes letters again.
func TestLetters_refusedInARow(t *testing.T) {
	own := bottest.Cedula(2)
	w := world.New(t, onePerson+own+",cedula,affiliate,Persona Dos,dos@correo.example,2025-03-01,locked\n", "LLAVE_MAIL_REFUSED_ROW=2")
	w.SMTP.FailAlways(bottest.SMTPRcpt, bottest.SMTPFault{Code: 550, Enhanced: "5.1.1", Text: "no such user"})
	for _, text := range []string{"hola", "1", "1", theirs, "1", "1", "menú", "1", own, "1", "1"} {
		w.Say(text)
	}
	if n := strings.Count(w.Log.String(), `"mailbox refused for good"`); n != 1 {
		t.Errorf("%d mailboxes were refused for good, want the first of two", n)
	}
	if n := strings.Count(w.Log.String(), "every mailbox is refused"); n != 1 {
		t.Errorf("the operator was told %d times, want 1", n)
	}
	w.SMTP.Heal()
	w.Later(time.Minute)
	if got := subjects(w, "dos@correo.example"); len(got) != 1 {
		t.Errorf("once the server takes letters: got %q, want the letter that waited", got)
	}
}

// One letter that is refused for what we are, at whatever stage, is told to the operator at once: /readyz is degraded, with the answer
// and how many wait; and no more once it was taken.
func TestReadyz_policy(t *testing.T) {
	for stage, answer := range map[bottest.SMTPStage]string{bottest.SMTPRcpt: "550 5.7.1 at RCPT TO", bottest.SMTPData: "550 5.7.1 at handover"} {
		w := world.New(t, onePerson)
		w.SMTP.FailAlways(stage, bottest.SMTPFault{Code: 550, Enhanced: "5.7.1", Text: "relaying denied"})
		for _, text := range []string{"hola", "1", "1", theirs, "1", "1"} {
			w.Say(text)
		}
		now := ask(t, w.App)
		if len(now.Reasons) != 1 || now.Status != "degraded" || !strings.Contains(now.String(), answer+"; 1 letter waits") || !strings.Contains(now.Reasons[0].Do, "LLAVE_MAIL_FROM") {
			t.Errorf("one letter waits, and /readyz says %+v: %s", now, now)
		}
		w.SMTP.Heal()
		w.Later(time.Minute)
		if now := ask(t, w.App); now.Status != "ready" {
			t.Errorf("it went out, and /readyz says %s", now)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}
