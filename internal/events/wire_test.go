package events_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/bottest"
	"llave/internal/events"
)

const shared = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"

// told is a sender and a receiver with the same secret. The sender's address holds a password.
func told(t *testing.T) (*events.Sender, *bottest.Receiver) {
	t.Helper()
	r, err := bottest.NewReceiver(shared)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Up(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	s, err := events.New(strings.Replace(r.URL(), "http://", "http://us:hush@", 1)+"/events?key=hush", shared)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, r
}

var unlocked = events.Event{ID: "e1", Name: bot.ToldUnlocked, At: time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC), Data: events.Data{Attempt: "a1"}}

// A receiver may be slow, rude or gone. Whatever is no 2xx is to be tried again, and no error holds what the address does.
func TestSend_wire(t *testing.T) {
	elsewhere := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer other.Close()
	for _, c := range []struct {
		name  string
		fault bottest.ReceiverFault
		took  bool // as far as the sender can know
		told  int  // as often the receiver has it afterwards, with the second sending
	}{
		{"rude: 500", bottest.ReceiverFault{Status: 500}, false, 1},
		{"rude: 401", bottest.ReceiverFault{Status: 401}, false, 1},
		{"rude: 410", bottest.ReceiverFault{Status: 410}, false, 1},
		{"rude: 429", bottest.ReceiverFault{Status: 429}, false, 1},
		{"rude: 304", bottest.ReceiverFault{Status: 304}, false, 1},
		{"rude: redirects, keeping the method", bottest.ReceiverFault{Status: 307, Location: other.URL}, false, 1},
		{"rude: redirects", bottest.ReceiverFault{Status: 302, Location: other.URL}, false, 1},
		{"rude: hangs up", bottest.ReceiverFault{Drop: true}, false, 1},
		{"rude: takes it and hangs up", bottest.ReceiverFault{Drop: true, Done: true}, false, 2},
		{"rude: no HTTP", bottest.ReceiverFault{Garbage: true}, false, 1},
		{"rude: takes it and goes on talking", bottest.ReceiverFault{Endless: true}, true, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, r := told(t)
			r.Fail(unlocked.Name, 1, c.fault)
			err := s.Send(t.Context(), unlocked)
			if (err == nil) != c.took {
				t.Errorf("got %v, want taken %t", err, c.took)
			}
			wantTemporary(t, err)
			if err := s.Send(t.Context(), unlocked); err != nil {
				t.Errorf("once it is well: %v", err)
			}
			if got := r.Told(); len(got) != c.told || got[0].ID != "e1" || got[len(got)-1].ID != "e1" || len(r.Bad()) > 0 {
				t.Errorf("it has %+v, bad %v, want it %d times under its own id", got, r.Bad(), c.told)
			}
		})
	}
	if elsewhere > 0 {
		t.Error("a redirect was followed")
	}
	t.Run("gone", func(t *testing.T) {
		s, r := told(t)
		if err := s.Send(t.Context(), unlocked); err != nil {
			t.Fatal(err)
		}
		r.Down()
		err := s.Send(t.Context(), unlocked)
		if err == nil {
			t.Error("taken, by one that is not there")
		}
		wantTemporary(t, err)
		if err := r.Up(); err != nil {
			t.Fatal(err)
		}
		if err := s.Send(t.Context(), unlocked); err != nil {
			t.Errorf("once it is back: %v", err)
		}
	})
	t.Run("slow", func(t *testing.T) {
		s, r := told(t)
		r.Slow("", time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		err := s.Send(ctx, unlocked)
		if err == nil {
			t.Error("taken, by one that does not answer")
		}
		wantTemporary(t, err)
	})
	t.Run("not ours", func(t *testing.T) {
		_, r := told(t)
		s, err := events.New(r.URL(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		wantTemporary(t, s.Send(t.Context(), unlocked))
		if got := r.Bad(); len(got) != 1 || len(r.Told()) != 0 {
			t.Errorf("signed with another secret: it has %v, bad %v", r.Told(), got)
		}
	})
}

// wantTemporary wants an error, if there is one, that says to try again and tells nothing of the address.
func wantTemporary(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	var se *bot.SendError
	if !errors.As(err, &se) || se.Failure != bot.Temporary {
		t.Errorf("got %v, want one that says to try again", err)
	}
	var inURL *url.Error
	if strings.Contains(err.Error(), "hush") || errors.As(err, &inURL) {
		t.Errorf("the error holds the address: %v", err)
	}
}
