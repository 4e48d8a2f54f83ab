package app_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/bottest"
	"llave/internal/bottest/world"
)

// newReceiver is a program of the institution that listens.
func newReceiver(t *testing.T) *bottest.Receiver {
	t.Helper()
	r, err := bottest.NewReceiver(eventsSecret)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Up(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// shownDead is what `llave events list --json` says of one.
type shownDead struct {
	ID, Event, Why string
	Happened, Died time.Time
	Tries          int
}

// deadEvents calls `llave events list --json`.
func deadEvents(t *testing.T, environ []string) (list []shownDead) {
	t.Helper()
	code, out, errs := run(t, environ, "", "events", "list", "--json")
	if code != 0 {
		t.Fatalf("events list: exit %d: %s", code, errs)
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatalf("events list: %v in %s", err, out)
	}
	return list
}

// An event that is not taken within a day is kept, listed without anybody's number, and sent again by command, under its own id, with
// what it said; while the receiver is rude it stays listed (P707).
func TestEvents_dead(t *testing.T) {
	r := newReceiver(t)
	always := func(bottest.BotCall) bool { return true }
	r.FailWhere(always, 1000, bottest.ReceiverFault{Status: 503})
	dir := t.TempDir()
	environ := []string{
		"LLAVE_EVENTS_URL=" + r.URL() + "/hush", "LLAVE_EVENTS_SECRET=" + eventsSecret, "LLAVE_DATA_DIR=" + dir,
		"LLAVE_SECRET_KEY=" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)),
	}
	w := world.New(t, onePerson, environ...)
	for _, text := range []string{"hola", "1", "1", theirs, "1", "1"} {
		w.Say(text)
	}
	pressLink(t, w)
	w.Settle()
	w.Say("persona")
	if code, out, errs := run(t, environ, "", "events", "list"); code != 0 || strings.Count(out, "\n") != 1 || !strings.Contains(errs, "still tried by serve, and not listed: 2, the oldest since 20") {
		t.Errorf("while they are tried: exit %d, %q, %q", code, out, errs)
	}
	for range 30 {
		w.Later(time.Hour)
	}
	if n := len(r.Calls("")); n < 2*12 || n > 2*60 {
		t.Errorf("two events were tried %d times in a day", n)
	}
	if log := w.Log.String(); strings.Contains(log, "hush") || strings.Count(log, "event was not taken within a day") != 2 {
		t.Errorf("want two warnings, and not the address: %s", log)
	}
	tried := len(r.Calls(""))
	for range 3 {
		w.Later(time.Hour)
	}
	if n := len(r.Calls("")); n != tried {
		t.Errorf("%d tries of dead events", n-tried)
	}
	if err := w.App.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}

	dead := deadEvents(t, environ)
	var names []string
	for _, d := range dead {
		names = append(names, d.Event)
		if lived := d.Died.Sub(d.Happened); lived < bot.AnnouncedFor || lived > bot.AnnouncedFor+2*time.Hour || d.Why != "the receiver of events answers 503" || d.Tries < 12 {
			t.Errorf("got %+v, want a day, many tries and the answer", d)
		}
	}
	slices.Sort(names)
	if want := []string{bot.ToldHandoff, bot.ToldUnlocked}; !slices.Equal(names, want) {
		t.Fatalf("dead are %q, want %q", names, want)
	}
	_, shown, _ := run(t, environ, "", "events", "list")
	if !strings.HasPrefix(shown, "ID ") || strings.Count(shown, "\n") != 3 || strings.Contains(shown, theirs) {
		t.Errorf("listed:\n%s", shown)
	}

	// Still rude: it stays, with one try more.
	code, out, errs := run(t, environ, "", "events", "resend", dead[0].ID)
	if code != 1 || !strings.Contains(out, "not taken: the receiver of events answers 503") || !strings.Contains(errs, "1 of 1 events were not taken") {
		t.Errorf("resend to a rude one: exit %d, %q, %q", code, out, errs)
	}
	if again := deadEvents(t, environ); len(again) != 2 || again[0].Tries+again[1].Tries != dead[0].Tries+dead[1].Tries+1 {
		t.Errorf("afterwards %+v", again)
	}
	r.Heal()
	code, out, _ = run(t, environ, "", "events", "resend", "--all", "--json")
	var done []struct {
		ID, Event string
		Taken     bool
	}
	if err := json.Unmarshal([]byte(out), &done); err != nil || code != 0 || len(done) != 2 || !done[0].Taken || !done[1].Taken {
		t.Errorf("resend: exit %d, %v, %s", code, err, out)
	}
	if left := deadEvents(t, environ); len(left) != 0 {
		t.Errorf("still listed: %+v", left)
	}
	told := r.Told()
	if len(told) != 2 || len(r.Bad()) > 0 {
		t.Fatalf("it was told %+v, bad %v", told, r.Bad())
	}
	for _, e := range told {
		i := slices.IndexFunc(dead, func(d shownDead) bool { return d.ID == e.ID })
		if i < 0 || !e.Data.Time.Equal(dead[i].Happened) || e.Type == bot.ToldUnlocked && e.Data.RecordID != theirs || e.Type == bot.ToldHandoff && e.Data.Case == "" {
			t.Errorf("it was told %+v, want one of %+v with what it is about", e, dead)
		}
	}
}

func TestEvents_commandRefuses(t *testing.T) {
	environ := []string{"LLAVE_DATA_DIR=" + t.TempDir()}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"events"}, 2, "list, resend"},
		{[]string{"events", "list", "all"}, 2, "all"},
		{[]string{"events", "resend"}, 2, "name the events to send again, or give --all"},
		{[]string{"events", "resend", "e1", "--all"}, 2, "name the events to send again, or give --all"},
		{[]string{"events", "list"}, 1, "there is no store in"},
		{[]string{"events", "resend", "e1"}, 1, "there is no store in"},
	} {
		if code, _, stderr := run(t, environ, "", c.args...); code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: exit %d, %q, want %d and %q", c.args, code, stderr, c.code, c.want)
		}
	}
	dir := t.TempDir()
	environ = []string{"LLAVE_DATA_DIR=" + dir, "LLAVE_SMTP_URL=smtp://127.0.0.1:25?tls=none"}
	if code, _, stderr := run(t, environ, "", "purge"); code != 0 { // makes the store
		t.Fatal(stderr)
	}
	if code, _, stderr := run(t, environ, "", "events", "resend", "--all"); code != 1 || !strings.Contains(stderr, "LLAVE_EVENTS_URL is not set") {
		t.Errorf("with nobody to send to: exit %d, %q", code, stderr)
	}
	environ = append(environ, "LLAVE_EVENTS_URL=http://127.0.0.1:1/", "LLAVE_EVENTS_SECRET="+eventsSecret)
	if code, _, stderr := run(t, environ, "", "events", "resend", "e1"); code != 1 || !strings.Contains(stderr, "no dead event has the id e1") {
		t.Errorf("one that is not there: exit %d, %q", code, stderr)
	}
}

// TestReceiverExample has deploy/receiver, built and run as its comment says, hear of a day's events: each once, and only those that are
// signed.
func TestReceiverExample(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "receiver")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "llave/deploy/receiver").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), binary, "-addr", "127.0.0.1:0")
	cmd.Env = append(cmd.Environ(), "EVENTS_SECRET="+eventsSecret)
	var printed bottest.Buffer
	var logged bottest.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &logged
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	listening := regexp.MustCompile(`listening on (\S+)`)
	var at []string
	for until := time.Now().Add(20 * time.Second); at == nil; at = listening.FindStringSubmatch(logged.String()) {
		if time.Now().After(until) {
			t.Fatalf("it does not listen: %s", logged.String())
		}
		time.Sleep(5 * time.Millisecond)
	}
	w := world.New(t, onePerson, "LLAVE_EVENTS_URL=http://"+at[1]+"/", "LLAVE_EVENTS_SECRET="+eventsSecret)
	for _, text := range []string{"hola", "1", "1", theirs, "1", "1"} {
		w.Say(text)
	}
	pressLink(t, w)
	w.Settle()
	w.Say("persona")
	w.Settle()
	if out := printed.String(); strings.Count(out, "\n") != 2 || !strings.Contains(out, fmt.Sprintf("%q", bot.ToldUnlocked)) || !strings.Contains(out, theirs) || !strings.Contains(out, fmt.Sprintf("%q", bot.ToldHandoff)) {
		t.Errorf("it printed %q, and logged %q", out, logged.String())
	}
	res, err := w.Browser.Post("http://"+at[1]+"/", "application/json", strings.NewReader(`{"type":"key.unlocked"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 401 || strings.Count(printed.String(), "\n") != 2 {
		t.Errorf("one that nobody signed: %d, and it printed %q", res.StatusCode, printed.String())
	}
}
