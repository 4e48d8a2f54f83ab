package runner

import (
	"context"
	"errors"
	"slices"
	"strings"

	"llave/bot"
	"llave/internal/trace"
)

// What a turn's spans say of it, and nothing else: none of it tells whose it is.
const (
	attrTurn    = "llave.turn" // as the log's lines have it
	attrChannel = "llave.channel"
	attrKind    = "llave.kind"
	attrSignal  = "llave.signal"
	attrFrom    = "llave.from"
	attrEvent   = "llave.event"
	attrTo      = "llave.to"
	attrText    = "llave.text" // the catalogue's key
	attrPromise = "llave.promise"
	attrTries   = "llave.tries"
	attrBubbles = "llave.bubbles"
)

// receive begins the channel's part: from an update that was handed over to its answer, waiting for its turn included.
func (r *Runner) receive(ctx context.Context, u bot.Update) (context.Context, trace.Span) {
	if r.Trace == nil {
		return ctx, trace.Span{}
	}
	ctx, span := r.Trace.Under(ctx, u.Trace, "channel "+u.Channel, trace.Taking)
	span.Set(attrChannel, u.Channel)
	span.Set(attrKind, string(u.Kind))
	return ctx, span
}

func endTurn(span trace.Span, u bot.Update, out bot.Outcome, ref string, err error) {
	span.Set(attrTurn, trace.ID(ref))
	span.Set(attrChannel, u.Channel)
	span.Set(attrKind, string(u.Kind))
	span.Set(attrSignal, u.Signal)
	span.Set(attrFrom, string(out.From))
	span.Set(attrEvent, string(out.Event))
	span.Set(attrTo, string(out.To))
	span.Set(attrText, out.Text)
	if err != nil {
		span.Fail("not answered")
	}
	span.End()
}

func (r *Runner) load(ctx context.Context, id string) (bot.Conversation, error) {
	ctx, span := r.Trace.Start(ctx, "load")
	defer span.End()
	return r.Conversations.Load(ctx, id)
}

// traceStep is step, seen.
func (r *Runner) traceStep(ctx context.Context, c bot.Conversation, u bot.Update, env bot.Env) (bot.Conversation, bot.Outcome, error) {
	ctx, span := r.Trace.Start(ctx, "step")
	defer span.End()
	return r.step(ctx, c, u, env)
}

func (r *Runner) commit(ctx context.Context, c *bot.Conversation) error {
	ctx, span := r.Trace.Start(ctx, "commit")
	defer span.End()
	err := r.Conversations.Save(ctx, c)
	if err != nil {
		span.Fail("not committed")
	}
	return err
}

// spanOf is what keeping a promise is called in a trace, and whether that goes out of the house.
func spanOf(p bot.Promise) (name string, kind trace.Kind) {
	switch p.Kind() {
	case bot.PromiseSay:
		return "send", trace.Sending
	case bot.PromiseDelete, bot.PromiseSpend, bot.PromiseAnnounce:
		return string(p.Kind()), trace.Sending
	case bot.PromiseLink, bot.PromiseNotice, bot.PromiseRevoked, bot.PromiseWarning:
		return "letter", trace.Sending
	}
	return string(p.Kind()), trace.Inside
}

// traceTry is a try of what is owed, seen in the trace of the turn that promised it.
func (k keeping) traceTry(ctx context.Context, g *grip, doc document, owed []bot.Promise) (Effects, error) {
	p := owed[0]
	name, kind := spanOf(p)
	ctx, span := k.Trace.Under(ctx, p.Trace, name, kind)
	defer span.End()
	span.Set(attrTurn, trace.ID(p.Trace))
	span.Set(attrPromise, string(p.Kind()))
	span.SetInt(attrTries, p.Tries)
	if p.Kind() == bot.PromiseSay {
		span.SetInt(attrBubbles, len(owed))
	}
	effects, err := k.tryOnce(ctx, g, doc, owed)
	switch {
	case errors.Is(err, ErrDead):
		span.Fail(PromiseDead)
	case err != nil:
		span.Fail(bot.KindOf(err).String())
	}
	return effects, err
}

// went writes the line of a message that went out. Letters have theirs where they are sent.
func (k keeping) went(t try) {
	if t.owed[0].Kind() != bot.PromiseSay {
		return
	}
	channel, _ := bot.SplitConversationID(k.id)
	var turns []string
	for _, p := range t.owed {
		if id := trace.ID(p.Trace); id != "" && !slices.Contains(turns, id) {
			turns = append(turns, id)
		}
	}
	// A bubble may answer several turns at once: each is named.
	k.Log.Info("message sent", "conv", k.id, "channel", channel, "turn", strings.Join(turns, ","), "trace_id", trace.Of(t.owed[0].Trace), "tries", t.owed[0].Tries, "took", t.took)
}
