package handoff

import (
	"context"
	"errors"
	"fmt"
	"time"

	"llave/bot"
)

// Counter is what somebody at an institution's counter reads of a case whose number a person shows them: how it stands and ended, and why
// the virtual route is not open, as long as the conversation still has the number. Nothing in it says who the person is, or what was said.
type Counter struct {
	Ref     string
	Asked   time.Time
	Status  string
	Reason  string // closed: how it ended
	From    bot.State
	Agent   string // what people are told the agent is called
	Looked  bool   // Finding counts
	Finding Finding
}

// counterTries are how many codes of no case an account may type in an hour.
const counterTries = 10

// LookUp reads a case by the code that a person shows. ErrNoCase when there is none, ErrTries when too many were wrong within the hour: a
// code counts before it is looked for, and a right one is taken back. Every look is written down first, and that a code was wrong (P776).
func (d *Desk) LookUp(ctx context.Context, deed Deed, code string) (Counter, error) {
	n, err := d.Tries(ctx, deed.Actor.Login, 1)
	switch {
	case err != nil:
		return Counter{}, fmt.Errorf("count codes: %w", err)
	case n > counterTries:
		return Counter{}, ErrTries
	}
	ref, known := bot.ParseRef(code)
	if known {
		deed.Ref = ref
		var c Case
		switch c, err = d.Find(ctx, ref); {
		case err == nil:
			return d.counter(ctx, deed, c)
		case !errors.Is(err, ErrNoCase):
			return Counter{}, err
		}
	}
	deed.Ref = ""
	if err := d.writeDown(ctx, deed, AuditCounterWrong); err != nil {
		return Counter{}, err
	}
	return Counter{}, ErrNoCase
}

// counter is the answer to a code that is a case's.
func (d *Desk) counter(ctx context.Context, deed Deed, c Case) (Counter, error) {
	if err := d.writeDown(ctx, deed, AuditCounter); err != nil {
		return Counter{}, err
	}
	if _, err := d.Tries(ctx, deed.Actor.Login, -1); err != nil {
		return Counter{}, fmt.Errorf("count codes: %w", err)
	}
	out := Counter{Ref: c.Ref, Asked: c.Asked, Status: c.Status, Reason: c.Reason, From: c.From, Agent: c.AgentName}
	conv, found, err := d.Store.FindCase(ctx, c.Ref)
	if err != nil || !found {
		return out, err
	}
	number, err := d.Number(conv)
	if err != nil || number == "" {
		return out, err
	}
	out.Looked = true
	out.Finding, err = d.Look(ctx, number)
	return out, err
}
