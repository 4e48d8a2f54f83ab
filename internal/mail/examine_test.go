package mail

import (
	"testing"
	"time"

	"llave/internal/bottest"
)

// An examination comes as far as a recipient would be named, ends its connection, and says where and why it ended; health sees
// nothing of it.
func TestExamine(t *testing.T) {
	smtp, err := bottest.StartSMTPWith(bottest.SMTPOptions{StartTLS: true, User: "llave", Password: "a-password", CertFor: 48 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = smtp.Close() })
	server, err := ParseURL(smtp.URL())
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Server: server, From: "IESS <clave@correo.example>", RootCAs: smtp.RootCAs()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	e := s.Examine(t.Context(), "b@rebotes.example")
	if e.Failed != "" || !e.Signed || e.TLS != "TLS 1.3" || time.Until(e.CertEnd) > 48*time.Hour || time.Until(e.CertEnd) < 47*time.Hour {
		t.Errorf("with all well: %+v", e)
	}
	if n := smtp.Count(bottest.SMTPRcpt); n != 0 {
		t.Errorf("%d recipients were named", n)
	}
	for stage, want := range map[bottest.SMTPStage]Stage{bottest.SMTPAuth: StageAuth, bottest.SMTPMail: StageFrom} {
		smtp.Fail(stage, bottest.SMTPFault{Code: 550, Text: "not you"})
		if e := s.Examine(t.Context(), ""); e.Failed != want || e.Answer != 550 || e.Reason == "" {
			t.Errorf("refused at %s: %+v, want %s and 550", stage, e, want)
		}
	}
	smtp.Down()
	if e := s.Examine(t.Context(), ""); e.Failed != StageDial || e.Reason != "connect: connection refused" {
		t.Errorf("away: %+v", e)
	}
	if got := s.Trouble(); !got.Since.IsZero() {
		t.Errorf("health has seen it: %+v", got)
	}
}
