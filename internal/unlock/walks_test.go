package unlock_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
	"llave/internal/affiliate"
	"llave/internal/bottest"
	"llave/internal/handoff"
	"llave/internal/runner"
	"llave/internal/runner/runnertest"
)

// everybody has a record, and a key that is locked.
type everybody struct{}

func (everybody) Find(_ context.Context, number string) (affiliate.Record, bool, error) {
	return affiliate.Record{ID: number, Email: "uno@correo.example", Status: affiliate.Locked, DataUpdatedAt: time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)}, true, nil
}

func (everybody) SetStatus(context.Context, affiliate.Record, affiliate.Status) error { return nil }

// watched are the conversations of two processes. Of every one that is written it notes whose record it is bound to then: its
// outcome was shown, since nobody here is ineligible, or a letter asked for.
type watched struct {
	runner.Conversations
	mu      sync.Mutex
	reached map[string]map[string]bool // records by conversation
}

func (w *watched) Save(ctx context.Context, c *bot.Conversation) error {
	if err := w.Conversations.Save(ctx, c); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if record := c.Slots["record"]; record != "" {
		w.reaches(c.ID, record)
	}
	for _, p := range c.Promises {
		if p.Kind() == bot.PromiseLink {
			w.reaches(c.ID, p.Record)
		}
	}
	return nil
}

func (w *watched) reaches(conv, record string) {
	if w.reached[conv] == nil {
		w.reached[conv] = map[string]bool{}
	}
	w.reached[conv][record] = true
}

// mute takes everything that is sent.
type mute struct{}

func (mute) Send(context.Context, string, bot.Reply) error { return nil }
func (mute) Delete(context.Context, string, string) error  { return nil }

// staffed is a desk at which somebody is.
type staffed struct{ handoff.Hours }

func (d staffed) Calendar(context.Context) (handoff.Calendar, error) {
	return handoff.Calendar{Hours: d.Hours, Zone: time.UTC}, nil
}
func (staffed) Takes(context.Context, string) (bool, error) { return false, nil }
func (staffed) Ahead(context.Context, string) (int, error)  { return 0, nil }
func (d staffed) LineUp(ctx context.Context, h *bot.Handoff) (int, error) {
	handoff.Wait(h)
	return d.Ahead(ctx, h.Queue)
}
func (staffed) Staffed(context.Context) (bool, error) { return true, nil }

// twoProcesses are runners over one store.
func twoProcesses(t *testing.T, s *service, w *watched, uniform bool) (both [2]*runner.Runner) {
	t.Helper()
	hours, err := handoff.ParseHours("mon-sun 00:00-24:00")
	if err != nil {
		t.Fatal(err)
	}
	for i := range both {
		flow, err := flows.New(flows.Options{
			Records: everybody{}, Vault: s.vault, PublicURL: "http://localhost", LinkTTL: 3 * time.Minute, Desk: staffed{hours}, Uniform: uniform,
			Limits: flows.Limits{NumbersHour: 3, NumbersDay: 10, MessagesMinute: 1000}, Idle: 24 * time.Hour, Seen: 192 * time.Hour,
			Erasing: func(string) flows.Erasing { return flows.Deleted },
		})
		if err != nil {
			t.Fatal(err)
		}
		both[i], err = runner.New(runner.Options{
			Name: "process " + strconv.Itoa(i), Conversations: w, Unlocks: s.store.Unlocks, Processes: s.store.Processes, Engine: flow, Now: s.Now,
			Reserve: s.Reserve, Open: func(conv, sealed string) (string, error) { return flows.OpenReply(s.vault, conv, sealed) },
			Keepers: runnertest.Keepers(), Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		both[i].Bind("telegram", mute{})
		t.Cleanup(func() {
			if err := both[i].Stop(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	return both
}

// A chat that two processes answer at once, two messages or presses at a time, never reaches more records than the limit of an
// hour allows, whatever it does and whatever an agent does with it (P304). 30 walks on each store; TEST_WALKS=10000 has as many
// as docs/security.md tells of.
func TestLimits_walksOfTwoProcesses(t *testing.T) {
	const moves, most = 24, 3
	walks := 30
	if n, err := strconv.Atoi(os.Getenv("TEST_WALKS")); err == nil {
		walks = n
	}
	onEveryStore(t, func(t *testing.T, s *service) {
		s.Affiliates = everybody{} // of the reservation too
		w := &watched{Conversations: s.store.Conversations, reached: map[string]map[string]bool{}}
		guided, uniform := twoProcesses(t, s, w, false), twoProcesses(t, s, w, true)
		var together sync.WaitGroup
		gate := make(chan struct{}, 4)
		for i := range walks {
			gate <- struct{}{}
			together.Go(func() {
				defer func() { <-gate }()
				both := guided
				if i%2 == 1 {
					both = uniform
				}
				h := &hand{t: t, s: s, both: both, conv: fmt.Sprint("telegram:", i), r: rand.New(rand.NewPCG(uint64(i), 11))}
				for _, text := range []string{"hola", "sí", "desbloquear", bottest.Cedula(1 + h.r.IntN(12)), "sí"} {
					h.does(h.both[h.r.IntN(2)], bot.Update{Kind: bot.Text, Text: text})
				}
				for range moves {
					h.moves()
				}
			})
		}
		together.Wait()
		w.mu.Lock() // what was promised may still be kept
		defer w.mu.Unlock()
		n, reached := 0, 0
		for conv, records := range w.reached {
			if len(records) > most {
				t.Errorf("%s reached %d records in an hour, want %d at most", conv, len(records), most)
			}
			if reached += len(records); len(records) == most {
				n++
			}
		}
		t.Logf("%d walks reached %d records; %d came to the limit", len(w.reached), reached, n)
		if n == 0 {
			t.Error("no walk came to the limit: nothing was shown")
		}
	})
}

// hand is who walks.
type hand struct {
	t    *testing.T
	s    *service
	both [2]*runner.Runner
	conv string
	r    *rand.Rand
	n    atomic.Int64
	old  []bot.Update
}

// moves does two things at once, one in each process.
func (h *hand) moves() {
	c, err := h.s.store.Conversations.Load(h.t.Context(), h.conv)
	if err != nil {
		h.t.Error(err)
		return
	}
	for _, b := range c.Shown {
		h.old = append(h.old, bot.Update{Kind: bot.Press, Button: b, Prompt: c.Prompt})
	}
	var at sync.WaitGroup
	for _, process := range h.both {
		u := h.next(c)
		at.Go(func() { h.does(process, u) })
	}
	at.Wait()
}

func (h *hand) does(process *runner.Runner, u bot.Update) {
	n := h.n.Add(1)
	u.ID, u.Channel, u.Chat, u.MessageID = fmt.Sprint("u", n), "telegram", strings.TrimPrefix(h.conv, "telegram:"), fmt.Sprint("m", n)
	if err := process.Handle(h.t.Context(), u); err != nil {
		h.t.Errorf("%s: %+v: %v", h.conv, u, err)
	}
}

// next is what one of the two does: what leads on, more often than not.
func (h *hand) next(c bot.Conversation) bot.Update {
	number := bottest.Cedula(1 + h.r.IntN(12))
	words := []string{number, "desbloquear " + number, "no, es " + number, "sí, " + number, "sí", "sí", "1", "atrás", "menú", "corregir", "generar clave", "enviar enlace", "reenviar enlace", "persona", "borrar mis datos", "otro enlace"}
	switch n := h.r.IntN(10); {
	case c.State == flows.ConfirmNumber && n < 6:
		return bot.Update{Kind: bot.Text, Text: "sí"}
	case n < 2 && c.Handoff != nil:
		return bot.Update{Kind: bot.Desk, Text: "Buenos días", Desk: &bot.DeskAct{
			Do: []string{bot.DeskClaim, bot.DeskReturn, bot.DeskLink}[h.r.IntN(3)], Ref: c.Handoff.Ref, Agent: "ana", Name: "Ana", State: flows.ReturnSteps[h.r.IntN(len(flows.ReturnSteps))],
		}}
	case n < 5 && len(c.Shown) > 0:
		return bot.Update{Kind: bot.Press, Button: c.Shown[h.r.IntN(min(2, len(c.Shown)))], Prompt: c.Prompt}
	case n < 6 && len(h.old) > 0:
		return h.old[h.r.IntN(len(h.old))]
	}
	return bot.Update{Kind: bot.Text, Text: words[h.r.IntN(len(words))]}
}
