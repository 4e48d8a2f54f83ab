package mail

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/internal/bottest"
)

// What the server says of one mailbox, or how long it takes over it, is no trouble of the service; what it does before it knows
// whom a letter is for is (P303).
func TestTrouble(t *testing.T) {
	rude := func(stage bottest.SMTPStage, code int) func(*bottest.SMTP) {
		return func(s *bottest.SMTP) { s.FailAlways(stage, bottest.SMTPFault{Code: code, Text: "no"}) }
	}
	for _, tt := range []struct {
		name    string
		do      func(*bottest.SMTP)
		trouble string // how its reason begins
		waiting int
	}{
		{"well", func(*bottest.SMTP) {}, "", 0},
		{"gone", func(s *bottest.SMTP) { s.Down() }, "connect: connection refused", 1},
		{"turns us away", rude(bottest.SMTPConnect, 554), "mail server turned us away", 1},
		{"refuses the sender", rude(bottest.SMTPMail, 550), "mail server refused the sender", 1},
		{"busy", rude(bottest.SMTPMail, 421), "mail server asks to try later", 1},
		{"no such mailbox", func(s *bottest.SMTP) {
			s.FailAlways(bottest.SMTPRcpt, bottest.SMTPFault{Code: 550, Enhanced: "5.1.1", Text: "no"})
		}, "", 0},
		{"refused without a reason", rude(bottest.SMTPRcpt, 550), "letters are refused for what we are, not for the mailbox: 550 at RCPT TO", 1},
		{"policy at RCPT", func(s *bottest.SMTP) {
			s.FailAlways(bottest.SMTPRcpt, bottest.SMTPFault{Code: 550, Enhanced: "5.7.1", Text: "relaying denied"})
		}, "letters are refused for what we are, not for the mailbox: 550 5.7.1 at RCPT TO", 1},
		{"policy at the end", rude(bottest.SMTPData, 554), "letters are refused for what we are, not for the mailbox: 554 at handover", 1},
		{"mailbox busy", rude(bottest.SMTPRcpt, 450), "", 1},
		{"letter refused", rude(bottest.SMTPData, 451), "", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := startSMTP(t, bottest.SMTPOptions{})
			s := newSender(t, server, Options{})
			tt.do(server)
			_ = s.Send(t.Context(), letterTo("ana@example.org"))
			got := s.Trouble()
			if !strings.HasPrefix(got.Reason, tt.trouble) || got.Since.IsZero() != (tt.trouble == "") {
				t.Errorf("trouble since %v: %q, want %q", got.Since, got.Reason, tt.trouble)
			}
			if people := strings.HasPrefix(tt.trouble, "mail server") || strings.HasPrefix(tt.trouble, "connect"); s.InTrouble() != people {
				t.Errorf("people are told of trouble: %t, want %t", s.InTrouble(), people)
			}
			if (got.Do == "") != got.Since.IsZero() {
				t.Errorf("what to do is %q, and trouble %q", got.Do, got.Reason)
			}
			if got.Waiting != tt.waiting {
				t.Errorf("%d letters wait, want %d", got.Waiting, tt.waiting)
			}
		})
	}
}

func TestTrouble_ends(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	s := newSender(t, server, Options{})
	server.Down()
	_ = s.Send(t.Context(), letterTo("ana@example.org"))
	first := s.Trouble()
	_ = s.Send(t.Context(), letterTo("ana@example.org"))
	if again := s.Trouble(); !again.Since.Equal(first.Since) || again.Waiting != 1 {
		t.Errorf("the same trouble, and the same letter, became %+v after %+v", again, first)
	}
	if err := server.Up(); err != nil {
		t.Fatal(err)
	}
	if err := s.Probe(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if got := s.Trouble(); !got.Since.IsZero() || got.Waiting != 1 {
		t.Errorf("the server is well and a letter waits: %+v", got)
	}
	if err := s.Send(t.Context(), letterTo("ana@example.org")); err != nil {
		t.Fatal(err)
	}
	if got := s.Trouble(); got.Waiting != 0 {
		t.Errorf("the letter went out: %+v", got)
	}
}

// One letter that was refused for what we are is trouble for the operator at once, with stage and code, and for nobody else; others
// that are taken do not end it, and that letter's own end does.
func TestTrouble_policy(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	var log bottest.Buffer
	s := newSender(t, server, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	refused, other := letterTo("ana@example.org"), letterTo("luis@example.org")
	refused.MessageID, other.MessageID = "refused", "other"
	server.FailAlways(bottest.SMTPRcpt, bottest.SMTPFault{Code: 550, Enhanced: "5.7.1", Text: "blocked by policy"})
	_ = s.Send(t.Context(), refused)
	first := s.Trouble()
	if first.Since.IsZero() || first.Some || first.Waiting != 1 || !strings.Contains(first.Do, "LLAVE_MAIL_FROM") || s.InTrouble() {
		t.Errorf("one letter refused: %+v, people are told: %t", first, s.InTrouble())
	}
	s.tell(t.Context(), &watched{})
	for _, want := range []string{"level=ERROR", "takes no letters", "550 5.7.1 at RCPT TO", "LLAVE_MAIL_FROM", "waiting=1"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q: %s", want, log.String())
		}
	}
	server.Heal()
	if err := s.Send(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if got := s.Trouble(); got.Since.IsZero() || !got.Some {
		t.Errorf("another one was taken: %+v", got)
	}
	if err := s.Send(t.Context(), refused); err != nil {
		t.Fatal(err)
	}
	if got := s.Trouble(); !got.Since.IsZero() {
		t.Errorf("it was taken: %+v", got)
	}
}

// A server that does not answer is noticed before the dialogue gives up; one that takes its time over a mailbox is not.
func TestTrouble_hangs(t *testing.T) {
	for stage, want := range map[bottest.SMTPStage]bool{bottest.SMTPConnect: true, bottest.SMTPMail: true, bottest.SMTPRcpt: false, bottest.SMTPData: false} {
		t.Run(string(stage), func(t *testing.T) {
			server := startSMTP(t, bottest.SMTPOptions{})
			s := newSender(t, server, Options{})
			s.health.hung = 50 * time.Millisecond
			server.Slow(stage, time.Minute)
			ctx, cancel := context.WithCancel(t.Context())
			var sending sync.WaitGroup
			sending.Go(func() { _ = s.Send(ctx, letterTo("ana@example.org")) })
			if want {
				waitFor(t, s.InTrouble)
			} else {
				time.Sleep(300 * time.Millisecond)
				if s.InTrouble() {
					t.Error("one mailbox's slowness counts as the server's")
				}
			}
			cancel()
			sending.Wait()
			server.Down()
		})
	}
}

// While others come through, a dialogue that hangs is that one's trouble; eight slow mailboxes that hold every connection are too.
func TestTrouble_othersComeThrough(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	s := newSender(t, server, Options{})
	s.health.hung = 50 * time.Millisecond
	stuck := s.health.begin()
	time.Sleep(100 * time.Millisecond)
	if !s.InTrouble() {
		t.Fatal("nothing was proved: a hung dialogue is no trouble")
	}
	if err := s.Send(t.Context(), letterTo("ana@example.org")); err != nil {
		t.Fatal(err)
	}
	if got := s.Trouble(); !got.Since.IsZero() {
		t.Errorf("a letter went out meanwhile, and the server is in trouble: %+v", got)
	}
	s.health.ended(stuck, nil)

	for range cap(s.slots) { // dialogues over slow mailboxes
		s.slots <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	waiting.Go(func() { _ = s.Probe(ctx, "") })
	time.Sleep(100 * time.Millisecond)
	if s.InTrouble() {
		t.Error("who waits for a connection counts as trouble of the server")
	}
	cancel()
	waiting.Wait()
}

// A server that puts every letter off is trouble for the operator, after a minute with none taken; people are told of their own.
func TestTrouble_putsOff(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	s := newSender(t, server, Options{})
	server.FailAlways(bottest.SMTPRcpt, bottest.SMTPFault{Code: 451, Enhanced: "4.3.0", Text: "disk full"})
	for i := range putOffMany {
		l := letterTo("ana@example.org")
		l.MessageID = fmt.Sprint("letter-", i)
		_ = s.Send(t.Context(), l)
	}
	if got := s.Trouble(); !got.Since.IsZero() {
		t.Errorf("greylisting looks like that for a while: %+v", got)
	}
	for id, w := range s.health.waiting {
		w.first = w.first.Add(-putOffFor)
		s.health.waiting[id] = w
	}
	if got := s.Trouble(); got.Reason != "every letter is put off" || s.InTrouble() {
		t.Errorf("trouble is %+v, people are told of the service: %t", got, s.InTrouble())
	}
	server.Heal()
	if err := s.Send(t.Context(), letterTo("luis@example.org")); err != nil {
		t.Fatal(err)
	}
	if got := s.Trouble(); !got.Since.IsZero() {
		t.Errorf("a letter was taken: %+v", got)
	}
}

// One line when trouble begins and one when it is over, however many letters fail meanwhile.
func TestWatch(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	var log bottest.Buffer
	s := newSender(t, server, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	server.Down()
	ctx, stop := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { s.Watch(ctx, func() string { return "" }) })
	waitFor(t, func() bool { return strings.Contains(log.String(), "takes no letters") })
	fails := func() {
		for range 5 {
			_ = s.Send(ctx, letterTo("ana@example.org"))
		}
	}
	fails()
	s.health.mu.Lock()
	s.health.trouble.Since = s.health.trouble.Since.Add(-loudAfter)
	s.health.mu.Unlock()
	waitFor(t, func() bool { return strings.Contains(log.String(), "level=ERROR") }) // it was no start of both
	if err := server.Up(); err != nil {
		t.Fatal(err)
	}
	if err := s.Probe(ctx, ""); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return strings.Contains(log.String(), "takes letters again") })
	server.Down()
	fails()
	waitFor(t, func() bool { return strings.Count(log.String(), "takes no letters") == 3 })
	fails()
	time.Sleep(1200 * time.Millisecond) // one more look
	stop()
	watching.Wait()
	got := log.String()
	for _, want := range []string{"level=WARN msg=\"the mail server takes no letters\"", "level=ERROR msg=\"the mail server takes no letters\"", "level=INFO msg=\"the mail server takes letters again\""} {
		if n := strings.Count(got, want); n != 1 && !strings.Contains(want, "ERROR") || n == 0 || n > 2 {
			t.Errorf("%d times %q, want once, an error twice:\n%s", n, want, got)
		}
	}
	if !strings.Contains(got, "waiting=1") || !strings.Contains(got, s.opt.Server.Addr()) || strings.Contains(got, "ana@") {
		t.Errorf("the lines say how many wait and where, and name nobody:\n%s", got)
	}
}
