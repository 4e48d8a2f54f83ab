package mail

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/bottest"
)

// refuseAll has the server say of every mailbox that there is none.
func refuseAll(server *bottest.SMTP) {
	server.FailAlways(bottest.SMTPRcpt, bottest.SMTPFault{Code: 550, Enhanced: "5.1.1", Text: "no such user"})
}

// lines is what a logger wrote, one record each.
type lines struct{ bottest.Buffer }

func (l *lines) count(words string) int { return strings.Count(l.String(), words) }

// known is since when a sender holds refusals back, and how many mailboxes are in the row.
func known(s *Sender) (since time.Time, n int) {
	since = s.row.held()
	s.row.mu.Lock()
	defer s.row.mu.Unlock()
	return since, len(s.row.refused)
}

func rowSender(t *testing.T, server *bottest.SMTP, hold int) (*Sender, *lines) {
	t.Helper()
	log := &lines{}
	return newSender(t, server, Options{RefusedRow: hold, Log: slog.New(slog.NewTextHandler(log, nil))}), log
}

func TestRefusedRow(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	sender, log := rowSender(t, server, 3)
	send := func(want bot.Failure, to string) {
		t.Helper()
		wantFailure(t, sender.Send(t.Context(), letterTo(to)), want)
	}
	state := func(on bool, want int) {
		t.Helper()
		if since, n := known(sender); since.IsZero() == on || n != want {
			t.Errorf("row is %d since %v, want %d, held back %v", n, since, want, on)
		}
	}
	refuseAll(server)
	state(false, 0)
	send(bot.Permanent, "uno@example.org")
	send(bot.Permanent, "dos@example.org")
	for range 5 { // the same again, however it is written
		send(bot.Permanent, "uno@example.org")
		send(bot.Permanent, "DOS@example.org")
	}
	state(false, 2)
	send(bot.Temporary, "tres@example.org")
	state(true, 3)
	send(bot.Temporary, "uno@example.org")
	for i := range 20 {
		err := sender.Send(t.Context(), letterTo(fmt.Sprintf("otro%d@example.org", i)))
		wantFailure(t, err, bot.Temporary)
		wantWords(t, err, "held back")
		var r *Refusal
		if !errors.As(err, &r) || r.Verdict != MailboxBad {
			t.Errorf("error is %v, want the refusal in it", err)
		}
	}
	state(true, 3)
	if n := len(sender.row.refused); n != 3 {
		t.Errorf("%d addresses are remembered, want 3", n)
	}

	server.Heal()
	if err := sender.Send(t.Context(), letterTo("ana@example.org")); err != nil {
		t.Fatal(err)
	}
	state(false, 0)
	refuseAll(server)
	send(bot.Permanent, "tres@example.org")
	server.Heal()
	if err := sender.Send(t.Context(), letterTo("ana@example.org")); err != nil {
		t.Fatal(err)
	}
	if errors, infos, at := log.count("level=ERROR"), log.count("level=INFO"), log.count("@"); errors != 1 || infos != 1 || at != 0 {
		t.Errorf("%d errors, %d infos and %d addresses in the log, want 1, 1 and 0:\n%s", errors, infos, at, log)
	}
}

// What is put off neither lengthens a row nor ends it.
func TestRefusedRow_others(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	sender, _ := rowSender(t, server, 2)
	server.FailAlways(bottest.SMTPRcpt, bottest.SMTPFault{Code: 450, Enhanced: "4.2.0", Text: "greylisted"})
	for i := range 5 {
		wantFailure(t, sender.Send(t.Context(), letterTo(fmt.Sprintf("otro%d@example.org", i))), bot.Temporary)
	}
	wantFailure(t, sender.Send(t.Context(), letterTo("two, at@example.org")), bot.Permanent) // not the server's word
	if _, n := known(sender); n != 0 {
		t.Errorf("row is %d, want 0", n)
	}
	refuseAll(server)
	wantFailure(t, sender.Send(t.Context(), letterTo("uno@example.org")), bot.Permanent)
	server.FailAlways(bottest.SMTPRcpt, bottest.SMTPFault{Code: 451, Enhanced: "4.3.0"})
	wantFailure(t, sender.Send(t.Context(), letterTo("ana@example.org")), bot.Temporary)
	if err := sender.Probe(t.Context(), ""); err != nil { // names no mailbox, so says nothing of one
		t.Fatal(err)
	}
	refuseAll(server)
	wantFailure(t, sender.Send(t.Context(), letterTo("dos@example.org")), bot.Temporary)
}

func TestRefusedRow_never(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	sender, log := rowSender(t, server, 0)
	refuseAll(server)
	for i := range 12 {
		wantFailure(t, sender.Send(t.Context(), letterTo(fmt.Sprintf("otro%d@example.org", i))), bot.Permanent)
	}
	if since, n := known(sender); !since.IsZero() || n != 0 || log.count("level") != 0 {
		t.Errorf("row is %d since %v, %d lines; want none", n, since, log.count("level"))
	}
}

// Many at once: as many are refused for good as the row leaves, and one line is written.
func TestRefusedRow_atOnce(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	sender, log := rowSender(t, server, 5)
	refuseAll(server)
	var mu sync.Mutex
	count := map[bot.Failure]int{}
	var wait sync.WaitGroup
	for i := range 40 {
		wait.Go(func() {
			failure := bot.KindOf(sender.Send(t.Context(), letterTo(fmt.Sprintf("otro%d@example.org", i))))
			sender.Trouble()
			mu.Lock()
			defer mu.Unlock()
			count[failure]++
		})
	}
	wait.Wait()
	if count[bot.Permanent] != 4 || count[bot.Temporary] != 36 || log.count("level=ERROR") != 1 {
		t.Errorf("%v and %d errors, want 4 refused for good, 36 held back, 1 error", count, log.count("level=ERROR"))
	}
}

// A server that relays for nobody is in trouble once it has said so of enough mailboxes, though each refusal is ours by itself.
func TestRefusedRow_policy(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	sender, log := rowSender(t, server, 3)
	server.FailAlways(bottest.SMTPRcpt, bottest.SMTPFault{Code: 554, Enhanced: "5.7.1", Text: "Relay access denied"})
	for i, want := range []bool{false, false, true, true} {
		wantFailure(t, sender.Send(t.Context(), letterTo(fmt.Sprintf("uno%d@example.org", i))), bot.Temporary)
		if got := sender.InTrouble(); got != want {
			t.Errorf("after %d mailboxes: in trouble %t, want %t", i+1, got, want)
		}
	}
	server.Heal()
	if err := sender.Send(t.Context(), letterTo("ana@example.org")); err != nil || !sender.Trouble().Since.IsZero() || !sender.InTrouble() {
		t.Errorf("a letter was accepted (%v): the operator is told of %+v; people of trouble: %t, want still, or it would tell of that letter", err, sender.Trouble(), sender.InTrouble())
	}
	sender.row.last = time.Now().Add(-illFor)
	if sender.InTrouble() {
		t.Error("half a minute after the last refusal of those that made the row people are still told")
	}
	if n := log.count("level=ERROR"); n != 1 {
		t.Errorf("%d error lines, want 1", n)
	}
}

// Bad mailboxes of different days are no row.
func TestRefusedRow_ages(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	now := time.Now()
	srv, err := ParseURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	sender, err := New(Options{Server: srv, From: from, RefusedRow: 3, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sender.Close() })
	refuseAll(server)
	for i := range 6 {
		wantFailure(t, sender.Send(t.Context(), letterTo(fmt.Sprintf("uno%d@example.org", i))), bot.Permanent)
		now = now.Add(rowAge + time.Minute)
	}
}
