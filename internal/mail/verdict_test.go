package mail

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/bottest"
)

// Every answer goes over the wire: what a server says at a stage, and what it means for the letter.
func TestSend_answers(t *testing.T) {
	const away = bot.Temporary
	tests := []struct {
		stage bottest.SMTPStage
		code  int
		more  string // the enhanced code
		want  bot.Failure
	}{
		{bottest.SMTPConnect, 421, "4.3.2", away},
		{bottest.SMTPConnect, 521, "", away},
		{bottest.SMTPConnect, 554, "5.7.1", away},
		{bottest.SMTPHello, 550, "5.7.1", away},
		{bottest.SMTPHello, 504, "5.5.2", away},
		{bottest.SMTPMail, 421, "4.7.0", away},
		{bottest.SMTPMail, 451, "4.3.0", away},
		{bottest.SMTPMail, 530, "5.7.0", away},
		{bottest.SMTPMail, 550, "5.1.8", away},
		{bottest.SMTPMail, 553, "5.1.7", away},
		{bottest.SMTPMail, 552, "5.3.4", away},
		{bottest.SMTPRcpt, 421, "4.3.2", away},
		{bottest.SMTPRcpt, 450, "4.2.1", away},
		{bottest.SMTPRcpt, 450, "4.7.1", away},
		{bottest.SMTPRcpt, 451, "4.7.1", away},
		{bottest.SMTPRcpt, 452, "4.2.2", away},
		{bottest.SMTPRcpt, 501, "5.1.3", bot.Permanent},
		{bottest.SMTPRcpt, 503, "5.5.1", away},
		{bottest.SMTPRcpt, 530, "", away},
		{bottest.SMTPRcpt, 535, "5.7.8", away},
		{bottest.SMTPRcpt, 550, "", away},
		{bottest.SMTPRcpt, 550, "5.0.0", away},
		{bottest.SMTPRcpt, 550, "5.1.1", bot.Permanent},
		{bottest.SMTPRcpt, 550, "5.1.10", bot.Permanent},
		{bottest.SMTPRcpt, 550, "5.2.1", bot.Permanent},
		{bottest.SMTPRcpt, 550, "5.4.1", bot.Permanent},
		{bottest.SMTPRcpt, 550, "5.7.1", away},
		{bottest.SMTPRcpt, 550, "4.2.1", away},
		{bottest.SMTPRcpt, 551, "5.1.6", bot.Permanent},
		{bottest.SMTPRcpt, 552, "", away},
		{bottest.SMTPRcpt, 552, "5.2.2", bot.Permanent},
		{bottest.SMTPRcpt, 553, "5.6.7", bot.Permanent},
		{bottest.SMTPRcpt, 553, "5.1.8", away},
		{bottest.SMTPRcpt, 554, "5.7.1", away},
		{bottest.SMTPRcpt, 555, "5.5.4", away},
		{bottest.SMTPRcpt, 556, "", bot.Permanent},
		{bottest.SMTPData, 421, "4.3.0", away},
		{bottest.SMTPData, 451, "4.3.0", away},
		{bottest.SMTPData, 452, "4.3.1", away},
		{bottest.SMTPData, 550, "5.1.1", bot.Permanent},
		{bottest.SMTPData, 552, "5.2.2", bot.Permanent},
		{bottest.SMTPData, 552, "5.3.4", away},
		{bottest.SMTPData, 554, "", away},
		{bottest.SMTPData, 554, "5.6.0", away},
		{bottest.SMTPData, 554, "5.7.1", away},
	}
	server := startSMTP(t, bottest.SMTPOptions{})
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %d %s", tt.stage, tt.code, tt.more), func(t *testing.T) {
			server.Heal()
			server.FailAlways(tt.stage, bottest.SMTPFault{Code: tt.code, Enhanced: tt.more, Text: "<ana@example.org> no, sorry"})
			err := newSender(t, server, Options{}).Send(t.Context(), letterTo("ana@example.org"))
			wantFailure(t, err, tt.want)
			var r *Refusal
			if !errors.As(err, &r) {
				t.Fatalf("error is %v, want one with the answer", err)
			}
			if r.Code != tt.code || r.Enhanced != tt.more {
				t.Errorf("the error tells %d %q, the server said %d %q", r.Code, r.Enhanced, tt.code, tt.more)
			}
		})
	}
	if n := len(server.Letters()); n != 0 {
		t.Errorf("%d letters came through", n)
	}
}

// The words of the answer count too, come over the wire like the code, and go no further.
func TestSend_answersInWords(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	for _, tt := range []struct {
		stage    bottest.SMTPStage
		code     int
		more     string
		words    string
		want     Verdict
		enhanced string
	}{
		{bottest.SMTPRcpt, 550, "", "<ana@example.org>: no such user, sorry", MailboxBad, ""},
		{bottest.SMTPRcpt, 550, "5.7.1", "<ana@example.org>... user unknown, sorry", MailboxBad, "5.7.1"},
		{bottest.SMTPRcpt, 550, "", "sorry (#5.1.1)", MailboxBad, "5.1.1"},
		{bottest.SMTPRcpt, 553, "", "sorry, not in my rcpthosts (#5.7.1)", Ours, "5.7.1"},
		{bottest.SMTPRcpt, 550, "5.1.1", "ana@example.org sorry, blocked", Ours, "5.1.1"},
		{bottest.SMTPRcpt, 552, "", "ana@example.org sorry, over quota", MailboxFull, ""},
		{bottest.SMTPData, 554, "", "sorry, rejected by DMARC policy", Ours, ""},
		{bottest.SMTPRcpt, 550, "", "sorry, slow down, too many of you", Ours, ""},
		{bottest.SMTPRcpt, 452, "4.2.2", "ana@example.org sorry, over quota", Later, "4.2.2"},
		{bottest.SMTPMail, 550, "", "sorry, user unknown", Ours, ""},
	} {
		t.Run(fmt.Sprintf("%s %d %s %s", tt.stage, tt.code, tt.more, tt.words), func(t *testing.T) {
			server.Heal()
			server.FailAlways(tt.stage, bottest.SMTPFault{Code: tt.code, Enhanced: tt.more, Text: tt.words})
			err := newSender(t, server, Options{}).Send(t.Context(), letterTo("ana@example.org"))
			wantFailure(t, err, tt.want.Failure())
			var r *Refusal
			if !errors.As(err, &r) || r.Verdict != tt.want || r.Enhanced != tt.enhanced {
				t.Errorf("got %+v, want %s with code %q", r, tt.want, tt.enhanced)
			}
		})
	}
}

// wantFailure checks the kind, and that the words hold neither address nor letter.
func wantFailure(t *testing.T, err error, want bot.Failure) {
	t.Helper()
	var s *bot.SendError
	if !errors.As(err, &s) {
		t.Fatalf("error is %v, want a *bot.SendError", err)
	}
	if s.Failure != want {
		t.Errorf("error is %q, want it %v", err, want)
	}
	for _, secret := range []string{"ana", "@", "sorry", "una-palabra-secreta", "hunter2"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error holds %q: %v", secret, err)
		}
	}
}

func TestSend_serverIsAway(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		server := startSMTP(t, bottest.SMTPOptions{})
		sender := newSender(t, server, Options{})
		server.Down()
		err := sender.Send(t.Context(), letterTo("ana@example.org"))
		wantFailure(t, err, bot.Temporary)
		wantWords(t, err, "connection refused")
		wantFailure(t, sender.Probe(t.Context(), ""), bot.Temporary)
		if err := server.Up(); err != nil {
			t.Fatal(err)
		}
		if err := sender.Send(t.Context(), letterTo("ana@example.org")); err != nil {
			t.Errorf("the server is back, and: %v", err)
		}
	})
	t.Run("name", func(t *testing.T) {
		sender, err := New(Options{Server: Server{Host: "mail.invalid.", Port: 25, Security: StartTLS}, From: from, DialTimeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		wantFailure(t, sender.Send(t.Context(), letterTo("ana@example.org")), bot.Temporary)
	})
	t.Run("cut at the greeting", func(t *testing.T) {
		server := startSMTP(t, bottest.SMTPOptions{})
		server.FailAlways(bottest.SMTPConnect, bottest.SMTPFault{Drop: true})
		err := newSender(t, server, Options{}).Send(t.Context(), letterTo("ana@example.org"))
		wantFailure(t, err, bot.Temporary)
		wantWords(t, err, "greeting: the connection was lost")
	})
	t.Run("never greets", func(t *testing.T) {
		server := startSMTP(t, bottest.SMTPOptions{})
		server.Slow(bottest.SMTPConnect, time.Hour)
		err := newSender(t, server, Options{DialTimeout: 50 * time.Millisecond}).Send(t.Context(), letterTo("ana@example.org"))
		wantFailure(t, err, bot.Temporary)
		wantWords(t, err, "greeting: no answer in time")
	})
	t.Run("never answers", func(t *testing.T) {
		server := startSMTP(t, bottest.SMTPOptions{})
		server.Slow(bottest.SMTPRcpt, time.Hour)
		err := newSender(t, server, Options{SendTimeout: 100 * time.Millisecond}).Send(t.Context(), letterTo("ana@example.org"))
		wantFailure(t, err, bot.Temporary)
		wantWords(t, err, "RCPT TO: no answer in time")
	})
	t.Run("every connection busy", func(t *testing.T) {
		server := startSMTP(t, bottest.SMTPOptions{})
		sender := newSender(t, server, Options{Connections: 1, SendTimeout: 50 * time.Millisecond})
		sender.slots <- struct{}{}
		err := sender.Send(t.Context(), letterTo("ana@example.org"))
		wantFailure(t, err, bot.Temporary)
		wantWords(t, err, "stayed busy")
	})
	t.Run("given up", func(t *testing.T) {
		server := startSMTP(t, bottest.SMTPOptions{})
		server.Slow(bottest.SMTPData, time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error, 1)
		sender := newSender(t, server, Options{})
		go func() { done <- sender.Send(ctx, letterTo("ana@example.org")) }()
		waitFor(t, func() bool { return server.Count(bottest.SMTPRcpt) == 1 })
		cancel()
		err := <-done
		wantFailure(t, err, bot.Temporary)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v, want context.Canceled in it", err)
		}
	})
	t.Run("no SMTP at all", func(t *testing.T) {
		server := startSMTP(t, bottest.SMTPOptions{Implicit: true})
		srv, err := ParseURL("smtp://" + server.Addr() + "?tls=none")
		if err != nil {
			t.Fatal(err)
		}
		sender, err := New(Options{Server: srv, From: from, DialTimeout: 100 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		wantFailure(t, sender.Send(t.Context(), letterTo("ana@example.org")), bot.Temporary)
	})
}

func wantWords(t *testing.T, err error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("error is %v, want one that says %q", err, words)
	}
}

// What is said of the sender, of the letter's form, or in Spanish. The sentences are made up after what servers say.
func TestJudge_senderAndSpanish(t *testing.T) {
	for text, want := range map[string]Verdict{
		"5.1.7 Invalid address":                                                         Ours,
		"5.7.1 The sender's address is not valid":                                       Ours,
		"Sender's address could not be verified: account not found":                     Ours,
		"Your message was rejected because the from header address is invalid":          Ours,
		"5.6.0 Malformed message: invalid address syntax in header From":                Ours,
		"5.1.8 Domain of address b-abc@devuelve.example does not exist":                 Ours,
		"Return-Path address is invalid: user unknown":                                  Ours,
		"5.7.1 Domain x.example is not allowed to send: Account disabled":               Ours,
		"5.1.0 a@b.example sender rejected: not allowed to send mail. Error: AUP#CDRBL": Ours,
		"El usuario no existe":                                                          MailboxBad,
		"Destinatario desconocido":                                                      MailboxBad,
		"Buzón lleno":                                                                   MailboxFull,
		"La cuenta está deshabilitada":                                                  MailboxBad,
		"5.6.7 address needs SMTPUTF8":                                                  MailboxBad,
		"5.1.1 The email account that you tried to reach does not exist":                MailboxBad,
	} {
		if got := Judge(StageRcpt, 550, text); got != want {
			t.Errorf("550 %s: %s, want %s", text, got, want)
		}
	}
}
