package app_test

import (
	"testing"
	"time"

	"llave/internal/bottest"
)

// A full mailbox: its owner's notice is tried for three days and then dropped. Each try is timed, and the dropping is no try. It is no
// trouble of the mail server's, whatever the notice's age.
func TestKeep_tookOfTries(t *testing.T) {
	w := newSteered(t, nil)
	for _, text := range []string{"hola", "1", "1", theirs, "1", "1"} {
		w.Say(text)
	}
	w.SMTP.RefuseRcpt("uno@correo.example", bottest.SMTPFault{Code: 452, Text: "4.2.2 mailbox full"})
	pressLink(t, w.World)
	w.Settle()
	for range 5 {
		w.Later(time.Hour)
	}
	now := scrape(t, w.App)
	if now.of("llave_trouble", `part="mail"`) != 0 || now.of("llave_outbox_oldest_age_seconds", `lane="mail"`) < 4*3600 {
		t.Errorf("trouble is %d, and the letter is owed for %d s: want none, and hours", now.of("llave_trouble", `part="mail"`), now.of("llave_outbox_oldest_age_seconds"))
	}
	for range 70 {
		w.Later(time.Hour)
	}
	now = scrape(t, w.App)
	tries := now.of("llave_promises_total", `kind="notice"`, `result="temporary"`)
	if n := now.of("llave_promises_total", `kind="notice"`, `result="worthless"`); n != 1 || tries < 10 {
		t.Errorf("%d are dropped after %d tries, want one after many", n, tries)
	}
	if timed := now.of("llave_promise_keep_duration_seconds_count", `kind="notice"`); timed != tries {
		t.Errorf("%d tries are timed, want %d", timed, tries)
	}
}
