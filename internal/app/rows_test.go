package app_test

import (
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
