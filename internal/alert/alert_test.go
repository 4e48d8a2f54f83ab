package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/secret"
)

// shelf keeps bells in memory.
type shelf struct {
	mu    sync.Mutex
	bells map[string]Bell
}

func (s *shelf) Find(_ context.Context, login string) (Bell, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, found := s.bells[login]
	return b, found, nil
}

func (s *shelf) Load(ctx context.Context, login string) (Bell, error) {
	b, _, err := s.Find(ctx, login)
	b.Login = login
	return b, err
}

func (s *shelf) Save(_ context.Context, b *Bell) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bells[b.Login].Version != b.Version {
		return bot.ErrConflict
	}
	b.Version++
	s.bells[b.Login] = *b
	return nil
}

func (s *shelf) Delete(context.Context, string, int64) error { return errors.New("nobody deletes one") }

func (s *shelf) All(context.Context) (all []Bell, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.bells {
		all = append(all, b)
	}
	return all, nil
}

func (s *shelf) PushKey(_ context.Context, fresh func() (PushKey, error)) (PushKey, error) {
	return fresh()
}

// desk is a service of some agents who are all on duty and have linked a chat each.
type desk struct {
	*Service
	mu    sync.Mutex
	now   time.Time
	asked int // how often it was asked who is on duty
	wrote int // messages to chats
	fails error
}

func newDesk(t *testing.T, agents int) *desk {
	t.Helper()
	v, err := secret.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{now: time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)}
	var logins []string
	d.Service = New(Options{
		Bells: &shelf{bells: map[string]Bell{}}, Vault: v, Zone: time.UTC, Site: "https://llave.example", Log: slog.New(slog.DiscardHandler),
		Now: func(context.Context) (time.Time, error) { return d.now, nil },
		OnDuty: func(context.Context) ([]string, error) {
			d.asked++
			return logins, nil
		},
		Words: func(string, int) (string, error) { return "Hay algo", nil },
		Telegram: func(context.Context, string, string) error {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.wrote++
			return d.fails
		},
	})
	for i := range agents {
		login := fmt.Sprintf("agent%d", i)
		code, err := d.NewCode(t.Context(), login)
		if err != nil {
			t.Fatal(err)
		}
		if who, err := d.TakeCode(t.Context(), Code("vincular "+code), login); err != nil || who != login {
			t.Fatalf("linked %q, %v", who, err)
		}
		logins = append(logins, login)
	}
	return d
}

// Who is on duty is asked once for what concerns everybody, and once for what is owed to many: it costs calls to the store for each agent.
func TestRaise_asksOnce(t *testing.T) {
	d := newDesk(t, 20)
	for i := range 2 {
		if err := d.Raise(t.Context(), fmt.Sprint(i), bot.RaiseAlert{Ref: "C1", Topic: bot.AlertNew}, d.now); err != nil {
			t.Fatal(err)
		}
	}
	if d.asked != 2 || d.wrote != 20 {
		t.Errorf("two cases within a burst: asked %d times who is on duty, %d were told", d.asked, d.wrote)
	}
	d.now = d.now.Add(Burst)
	for range 2 {
		if err := d.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if d.asked != 3 || d.wrote != 40 {
		t.Errorf("after it: asked %d times, told %d", d.asked, d.wrote)
	}
}

// The same promise kept twice, by another process too, rings once.
func TestRaise_again(t *testing.T) {
	d := newDesk(t, 1)
	for range 3 {
		if err := d.Raise(t.Context(), "1", bot.RaiseAlert{Topic: bot.AlertNew}, d.now); err != nil {
			t.Fatal(err)
		}
		d.now = d.now.Add(Burst)
		if err := d.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if d.wrote != 1 {
		t.Errorf("told %d times", d.wrote)
	}
}

// What is no news any more is told to nobody.
func TestFlush_late(t *testing.T) {
	d := newDesk(t, 1)
	d.fails = &bot.SendError{Failure: bot.Temporary}
	if err := d.Raise(t.Context(), "1", bot.RaiseAlert{Topic: bot.AlertNew}, d.now); err != nil {
		t.Fatal(err)
	}
	d.now, d.fails = d.now.Add(bot.AlertedFor), nil
	if err := d.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b, err := d.Bell(t.Context(), "agent0"); err != nil || d.wrote != 1 || len(b.Owed) != 0 || b.Chat == "" {
		t.Errorf("written %d times, %v; %+v", d.wrote, err, b)
	}
}

// Words of as many letters are no code: whoever writes them is heard by the bot.
func TestCode(t *testing.T) {
	for text, want := range map[string]string{
		"vincular contrasena": "", "vincular clave nueva": "", "Vincular datos-viejo": "", "vincular ABCDE-FGHI2": "ABCDEFGHI2", "/vincular abcd3 fghij": "abcd3fghij", "vincular": "",
	} {
		if got := Code(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	d := newDesk(t, 0)
	for range 200 {
		code, err := d.NewCode(t.Context(), "ana")
		if err != nil {
			t.Fatal(err)
		}
		if Code("vincular "+code) != strings.ReplaceAll(code, "-", "") {
			t.Fatalf("a code that links nothing: %s", code)
		}
	}
}
