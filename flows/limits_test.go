package flows_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
	"llave/internal/affiliate"
	"llave/internal/bottest"
	"llave/internal/secret"
)

// strangers are looked up by somebody who means no good. Every other one may be unlocked; of each look-up it is noted whose
// it was.
type strangers struct{ last string }

func (s *strangers) Find(_ context.Context, number string) (affiliate.Record, bool, error) {
	s.last = number
	rec := affiliate.Record{ID: number, Email: "ana@correo.example", Status: affiliate.Locked, DataUpdatedAt: time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)}
	if number[8]%2 == 0 {
		rec.Email = ""
	}
	return rec, true, nil
}

// prober walks through the conversation as it likes: every button, those of old bubbles, numbers in every form, an agent who
// gives back at any step.
type prober struct {
	e       *bot.Engine
	v       *secret.Vault
	records *strangers
	r       *rand.Rand
	numbers []string
	c       bot.Conversation
	now     time.Time
	n       int
	old     []bot.Update         // presses of bubbles there were
	reached map[string]time.Time // records by their keyed hash: since when each counts
}

// The limits are those of the settings' defaults.
const (
	numbersHour = 3
	numbersDay  = 10
)

// outcomes are the events that show what a number comes to.
var outcomes = map[bot.Event]bool{flows.Eligible: true, flows.NotEligible: true, flows.Unsaid: true}

// reaches notes that the outcome of a record was shown or a letter to it asked for, and says what is wrong with that.
func (p *prober) reaches(record string) error {
	if at, counted := p.reached[record]; counted && p.now.Sub(at) < 24*time.Hour {
		return nil
	}
	hour, day := 0, 0
	for _, at := range p.reached {
		if p.now.Sub(at) < time.Hour {
			hour++
		}
		if p.now.Sub(at) < 24*time.Hour {
			day++
		}
	}
	p.reached[record] = p.now
	if hour >= numbersHour || day >= numbersDay {
		return fmt.Errorf("one record more, after %d in an hour and %d in a day", hour, day)
	}
	return nil
}

// step does one thing, as the runner does: what is to be reserved is reserved, and the turn done again.
func (p *prober) step(u bot.Update) error {
	p.n++
	p.now = p.now.Add(time.Duration(5+p.r.IntN(60)) * time.Second)
	if p.r.IntN(40) == 0 {
		p.now = p.now.Add(time.Duration(p.r.IntN(90)) * time.Minute)
	}
	u.ID, u.Channel, u.Chat, u.MessageID = fmt.Sprint("u", p.n), "telegram", "1", fmt.Sprint("m", p.n)
	p.c.Promises, p.records.last = nil, ""
	env := bot.Env{Now: p.now}
	next, out, err := p.e.Step(context.Background(), p.c, u, env)
	var need *bot.NeedsReservation
	if errors.As(err, &need) {
		env.Reservation = &bot.Reservation{Granted: true, Attempt: need.Ask.Record[:12], Ends: p.now.Add(10 * time.Minute)}
		next, out, err = p.e.Step(context.Background(), p.c, u, env)
	}
	if err != nil {
		return fmt.Errorf("%+v in %s: %w", u, p.c.State, err)
	}
	p.c = next
	for _, b := range p.c.Shown {
		p.old = append(p.old, bot.Update{Kind: bot.Press, Button: b, Prompt: p.c.Prompt})
	}
	if outcomes[out.Event] || out.Event == flows.MailRefused && p.records.last != "" { // looked up again for another letter
		err = p.reaches(affiliate.Hash(p.v, p.records.last))
	}
	for _, pr := range p.c.Promises {
		if pr.Lane() == bot.LaneMail {
			err = errors.Join(err, p.reaches(pr.Record))
		}
	}
	if err != nil {
		return fmt.Errorf("%+v leads to %s (%s): %w", u, p.c.State, out.Event, err)
	}
	return nil
}

// next is what is done next.
func (p *prober) next() bot.Update {
	number := p.numbers[p.r.IntN(len(p.numbers))]
	words := []string{
		number, "desbloquear " + number, "olvidé mi clave, " + number, "no, es " + number, "sí, " + number, "sí", "no", "1", "2", "3", "atrás", "menú", "corregir",
		"desbloquear", "generar clave", "enviar enlace", "reenviar enlace", "otro enlace", "persona", "mis datos", "borrar mis datos", "no me sale", "cancelar", "hola", "estado",
	}
	if p.e.Place(p.c.State).Is(flows.ReadsBack) && p.r.IntN(2) == 0 {
		return bot.Update{Kind: bot.Text, Text: "sí"}
	}
	switch n := p.r.IntN(100); {
	case n < 15 && p.c.Handoff != nil:
		return deed(p.r, p.c)
	case n < 45 && len(p.c.Shown) > 0:
		return bot.Update{Kind: bot.Press, Button: p.c.Shown[p.r.IntN(len(p.c.Shown))], Prompt: p.c.Prompt}
	case n < 52 && len(p.old) > 0:
		return p.old[p.r.IntN(len(p.old))]
	case n < 60:
		return bot.Update{Kind: bot.Signal, Signal: signalled[p.r.IntN(len(signalled))], Attempt: p.c.Attempt}
	}
	return bot.Update{Kind: bot.Text, Text: words[p.r.IntN(len(words))]}
}

// Whatever road is walked, a chat never learns of more numbers, nor has letters sent to more records, than the limits allow
// (P304): not by going back, by old bubbles, by an agent's giving back, by erasing. 10,000 walks of 60 steps in either
// disclosure, a small sweep a two-hundredth.
func TestLimits_walks(t *testing.T) {
	t.Parallel()
	sweep := bottest.NewSweep(t)
	v, err := secret.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	var numbers []string
	for i := range 24 {
		numbers = append(numbers, bottest.Cedula(i+1))
	}
	var looked [2]*strangers
	var engines [2]*bot.Engine
	for i := range engines {
		looked[i] = &strangers{}
		engines[i], err = flows.New(flows.Options{
			Records: looked[i], Vault: v, PublicURL: "http://localhost:8080", LinkTTL: 3 * time.Minute, Desk: &frontDesk{}, Uniform: i == 1,
			Limits: flows.Limits{NumbersHour: numbersHour, NumbersDay: numbersDay, MessagesMinute: 1000}, Idle: 24 * time.Hour, Seen: 192 * time.Hour,
			Erasing: func(string) flows.Erasing { return flows.Deleted },
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	shown, most := 0, 0
	for i := range 10_000 {
		if !sweep.Takes(i, 200) {
			continue
		}
		records, e := looked[i%2], engines[i%2]
		p := &prober{
			e: e, v: v, records: records, r: rand.New(rand.NewPCG(uint64(i), 7)), numbers: numbers, c: bot.Conversation{ID: "telegram:1"},
			now: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC), reached: map[string]time.Time{},
		}
		var done []bot.Update
		for _, text := range []string{"hola", "sí", "desbloquear", numbers[0], "sí"} {
			if err := p.step(bot.Update{Kind: bot.Text, Text: text}); err != nil {
				t.Fatal(err)
			}
		}
		for range 60 {
			u := p.next()
			done = append(done, u)
			if err := p.step(u); err != nil {
				for _, u := range done[max(0, len(done)-12):] {
					t.Logf("%s %q %s%s %+v", u.Kind, u.Text, u.Button, u.Signal, u.Desk)
				}
				t.Fatalf("walk %d: %v", i, err)
			}
		}
		shown, most = shown+len(p.reached), max(most, len(p.reached))
	}
	if t.Logf("%d records reached in all, at most %d in a walk", shown, most); most < numbersHour {
		t.Errorf("at most %d records were reached in a walk: the limit is never met", most)
	}
}
