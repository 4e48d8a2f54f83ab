package terminal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"llave/bot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// parrot answers each update a second later, as the runner would from another goroutine.
type parrot struct {
	channel *Channel
	mu      sync.Mutex
	heard   []bot.Update
	wg      sync.WaitGroup
}

func (p *parrot) handle(ctx context.Context, u bot.Update) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = append(p.heard, u)
	p.wg.Go(func() {
		time.Sleep(time.Second)
		text := "Empecemos."
		if u.Kind == bot.Text {
			text = "Usted dijo " + u.Text + "."
		}
		p.channel.Send(ctx, u.Chat, bot.Reply{Text: text, Buttons: []bot.Button{{ID: "a", Title: "Continuar"}, {ID: "b", Title: "Ver aviso", URL: "https://llave.example/privacidad"}}})
	})
	return nil
}

func TestRun_piped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &parrot{}
		var out bytes.Buffer
		var mu sync.Mutex
		letters := []Letter{{ID: "old", Subject: "De antes"}}
		p.channel = New(Options{
			In: strings.NewReader("hola\n\n1\n" + strings.Repeat("x", 100<<10) + "\nsin fin de línea"), Out: &out,
			Handle: func(ctx context.Context, u bot.Update) error {
				if u.Text == "1" {
					mu.Lock()
					letters = append(letters, Letter{ID: "new", To: "persona@example.com", Subject: "SOLICITUD", Text: "Abra https://llave.example/x\x1b[31m\n"})
					mu.Unlock()
				}
				return p.handle(ctx, u)
			},
			Letters: func() []Letter {
				mu.Lock()
				defer mu.Unlock()
				return letters
			},
		})
		if err := p.channel.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.wg.Wait()
		if len(p.heard) != 5 || p.heard[0].Kind != bot.Start || p.heard[1].Text != "hola" || p.heard[2].Text != "1" || len(p.heard[3].Text) > 64<<10 || p.heard[4].Text != "sin fin de línea" {
			t.Errorf("heard %d updates: %+v", len(p.heard), p.heard[1].Text)
		}
		ids := map[string]bool{}
		for _, u := range p.heard {
			ids[u.ID] = true
			if u.Conv() != "terminal:local" {
				t.Errorf("conversation %q", u.Conv())
			}
		}
		if len(ids) != 5 {
			t.Errorf("ids repeat: %v", ids)
		}
		text := out.String()
		last := -1
		for _, want := range []string{"Empecemos.\n  1. Continuar\n  2. Ver aviso https://llave.example/privacidad\n", "Usted dijo hola.", "Usted dijo 1.", "Usted dijo sin fin de línea."} {
			at := strings.Index(text, want)
			if at < last || at < 0 {
				t.Errorf("%q is missing or out of order in:\n%s", want, text)
			}
			last = at
		}
		if !strings.Contains(text, "✉ persona@example.com") || !strings.Contains(text, "https://llave.example/x") || strings.Contains(text, "De antes") || strings.ContainsRune(text, '\x1b') {
			t.Errorf("letters:\n%s", text)
		}
	})
}

func TestRun_ends(t *testing.T) {
	nothing := func(ctx context.Context, u bot.Update) error { return nil }
	t.Run("cancelled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			in, w := io.Pipe()
			time.AfterFunc(time.Minute, cancel)
			if err := New(Options{In: in, Out: io.Discard, Handle: nothing}).Run(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want context.Canceled", err)
			}
			w.Close() // lets the reader go
		})
	})
	t.Run("turn fails", func(t *testing.T) {
		broken := errors.New("store is away")
		err := New(Options{In: strings.NewReader(""), Out: io.Discard, Handle: func(context.Context, bot.Update) error { return broken }}).Run(t.Context())
		if !errors.Is(err, broken) {
			t.Errorf("got %v, want %v", err, broken)
		}
	})
	t.Run("output closed", func(t *testing.T) {
		r, w := io.Pipe()
		r.Close()
		c := New(Options{In: strings.NewReader("hola\n"), Out: w})
		c.options.Handle = func(ctx context.Context, u bot.Update) error {
			err := c.Send(ctx, u.Chat, bot.Reply{Text: "x"})
			if got := bot.KindOf(err); got != bot.Gone {
				t.Errorf("send: got %v, want gone", got)
			}
			return nil
		}
		if err := c.Run(t.Context()); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("got %v, want the pipe's error", err)
		}
	})
}
