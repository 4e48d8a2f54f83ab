package app

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"llave/bot"
	"llave/bot/telegram"
	"llave/bot/whatsapp"
	"llave/flows"
	"llave/internal/agent"
	"llave/internal/handoff"
	"llave/internal/metrics"
	"llave/internal/runner"
	"llave/internal/store"
	"llave/internal/unlock"
	"llave/internal/web/public"
)

// newMetrics counts nothing yet, and says what the program was built from.
func newMetrics() *metrics.Metrics {
	b := built()
	return metrics.New(metrics.Build{Version: b.Version, Revision: b.Commit, GoVersion: b.Go})
}

// watchEngine has the store's operations measured, and seen by who says how the store is.
func (a *App) watchEngine(e store.Engine) store.Engine {
	return store.Watched(e, func(d store.Done) {
		a.Metrics.Store(d.Operation, d.Took, d.Err != nil)
		a.storeHealth.done(d)
	})
}

// watchNow has the metrics ask how things are, and names what will be counted. Call it once every part is there.
func (a *App) watchNow() {
	e := metrics.Expected{Stages: flows.Stages, Operations: store.Operations, Jobs: a.jobs.Names(), Limits: []string{wrongLinks, untrustedProxy, deskLimits[agent.AlertGuessed], deskLimits[agent.AlertCodes]}, Pages: public.Outcomes, Links: []string{string(unlock.KindUnlock), string(unlock.KindGenerate)}}
	for _, kind := range bot.PromiseKinds() {
		e.Promises = append(e.Promises, string(kind))
	}
	for _, limit := range limitsMet {
		e.Limits = append(e.Limits, limit)
	}
	for _, ch := range a.channels {
		e.Channels = append(e.Channels, ch.name)
	}
	a.Metrics.Expect(e)
	a.Metrics.Watch(a.now)
}

// limitsMet are the events of who met a limit, and what metrics call it.
var limitsMet = map[bot.Event]string{
	flows.TooManyNumbers: "numbers", flows.TooManyMails: "mails", flows.EnoughMails: "mails_live", flows.TooFast: "messages",
	flows.FastAtDesk: "messages_desk", flows.CaseFull: "case_full", flows.TooManyComplaints: "complaints",
}

// wrongLinks is the limit that an address meets on the pages.
const wrongLinks = "wrong_links"

// deskLimits are what metrics call the limits that are met at the desk's door.
var deskLimits = map[string]string{agent.AlertGuessed: "desk_passwords", agent.AlertCodes: "desk_codes"}

// alertDesk tells the operators that somebody guesses at the desk's door; whose account it is the audit says.
func (a *App) alertDesk(what string) {
	a.Metrics.Limit(deskLimits[what])
	switch what {
	case agent.AlertGuessed:
		a.options.Log.Warn("strangers guess at the password of an account of the desk: the audit says whose")
	case agent.AlertCodes:
		a.options.Log.Warn("somebody who has the password of an account of the desk guesses at its codes: give it another password; the audit says whose")
	}
}

// watched counts what the runner does.
type watched struct {
	m      *metrics.Metrics
	sees   func(event, of, what string)
	limits chan<- limitMet // for the audit
}

// Turned counts a turn.
func (w watched) Turned(t runner.Turned) {
	if t.Result == runner.TurnConflict {
		w.m.Conflict(t.Channel)
		return
	}
	w.m.Turn(t.Channel, string(t.Outcome.Event), t.Result, t.Step, t.Commit)
	if t.Result != runner.TurnCommitted {
		return
	}
	if t.Media != "" {
		w.m.Attachment(t.Channel, t.Media)
	}
	if limit := limitsMet[t.Outcome.Event]; limit != "" {
		w.m.Limit(limit)
		w.sees(eventLimitReached, "limit", limit)
		meets(w.limits, limitMet{"chat", t.Channel, limit})
	}
	y := t.Outcome.Tally
	if y.Sense != "" {
		w.m.Sentence(y.Place, string(y.Sense), y.Confidence)
	}
	if y.Left != nil {
		w.m.Left(y.Left.Stage, y.Left.Why)
	}
	for _, stage := range y.Reached {
		w.m.Reached(stage)
	}
}

// Tried counts what became of a promise.
func (w watched) Tried(t runner.Tried) {
	w.m.Promise(string(t.Kind), t.Result, t.Took)
	if t.Result == runner.PromiseGivenUp {
		w.sees(eventUnexpected, "promise", string(t.Kind))
	}
	if t.Kind == bot.PromiseSay && t.Result == runner.PromiseKept {
		w.m.Reply(t.Channel, t.Owed)
	}
}

// FlowFault counts an update for which the flow had no answer.
func (w watched) FlowFault() {
	w.m.FlowFault()
	w.sees(eventUnexpected, "flow", "no_answer")
}

// watchLink counts a step of a link.
func (a *App) watchLink(h unlock.Happened) {
	kind := string(h.Kind)
	switch h.Step {
	case unlock.StepMade:
		a.Metrics.LinkMade(kind)
	case unlock.StepAccepted, unlock.StepKey:
		a.Metrics.LinkStep(string(h.Step), h.Took)
	case unlock.StepPressed:
		a.Metrics.LinkStep(string(h.Step), h.Took)
		a.Metrics.LinkEnded(kind, "used")
	default:
		a.Metrics.LinkEnded(kind, string(h.Step))
	}
}

// watchPage counts what became of a visit to the pages of links and keys.
func (a *App) watchPage(outcome string) {
	a.Metrics.LinkPage(outcome)
	a.seesPage(outcome)
	if outcome == "limited" {
		a.Metrics.Limit(wrongLinks)
		meets(a.limits, limitMet{"unknown", "pages", wrongLinks})
	}
}

// watchLetter counts what the mail server said of a letter. What never came to it is not counted.
func (a *App) watchLetter(kind string, err error) {
	a.seesLetter(err)
	var said *bot.SendError
	switch {
	case err == nil:
		a.Metrics.Letter(kind, "accepted")
	case !errors.As(err, &said):
	case said.Failure == bot.Permanent:
		a.Metrics.Letter(kind, "refused")
	default:
		a.Metrics.Letter(kind, "temporary")
	}
}

// watchJob counts a run of periodic work.
func (a *App) watchJob(name string, took time.Duration, err error) {
	a.Metrics.Job(name, err == nil, took)
}

// received are the words of the channels for what came, as metrics call them.
var received = map[string]string{
	telegram.CountUpdate: "handled", telegram.CountIgnored: "ignored", telegram.CountMalformed: "malformed",
	telegram.CountHandleFailed: "failed", telegram.CountRefused: "refused", whatsapp.CountNoRoom: "no_room",
}

// watchChannel counts what happens between a platform and us. What is sent is counted by the words that both channels have.
func (a *App) watchChannel(name string) func(what string) {
	return func(what string) {
		a.seesChannel(name, what)
		kind, failed := strings.CutPrefix(what, "send_")
		result, came := received[what]
		switch {
		case came:
			a.Metrics.Update(name, result)
		case what == telegram.CountSent:
			a.Metrics.Sent(name)
		case failed:
			a.Metrics.SendError(name, kind)
		default:
			a.Metrics.ChannelEvent(name, what)
		}
	}
}

// webhooks are the routes on which platforms wait for us.
var webhooks = map[string]string{telegram.WebhookPath: telegram.Name, whatsapp.WebhookPath: whatsapp.Name}

// watchRequest counts a request.
func (a *App) watchRequest(route string, status int, took time.Duration) {
	code := strconv.Itoa(status)
	a.Metrics.Request(route, code)
	a.seesAnswer(route, status)
	if channel := webhooks[route]; channel != "" && status != http.StatusMethodNotAllowed {
		a.Metrics.Webhook(channel, code, took)
	}
}

// now is how things are, for who scrapes. What the store does not say in time is left out, and nothing else: a store that answers is
// up, as /readyz has it.
func (a *App) now(ctx context.Context) metrics.Now {
	t := a.mailer.Trouble()
	n := metrics.Now{Trouble: map[string]time.Time{"mail": t.Since}, LettersWaiting: t.Waiting}
	for name, t := range a.channelTroubles() {
		n.Trouble[name] = t.Since
	}
	n.ClockOffset = a.clockOffset(ctx)
	if a.stopping.Load() || !a.askStore(ctx).Since.IsZero() {
		return n
	}
	n.StoreUp = true
	at, err := a.Store.Now(ctx)
	if err != nil {
		a.options.Log.Warn("metrics: the store's clock", "error", err)
		return n
	}
	if owed, err := a.Store.Owed(ctx); err != nil {
		a.options.Log.Warn("metrics: what is owed", "error", err)
	} else {
		n.Outbox = map[string]metrics.Owed{}
		for _, lane := range bot.Lanes {
			o := owed[lane]
			row := metrics.Owed{Promises: o.Promises}
			if !o.Oldest.IsZero() {
				row.Oldest = max(0, at.Sub(o.Oldest))
			}
			n.Outbox[string(lane)] = row
		}
	}
	if waiting, err := a.Store.Desk.Queue(ctx, handoff.QueueWaiting, queueMost); err != nil {
		a.options.Log.Warn("metrics: the queue", "error", err)
	} else {
		n.Queue = &metrics.Queue{Length: len(waiting)}
		for _, c := range waiting {
			n.Queue.Longest = max(n.Queue.Longest, at.Sub(c.Asked))
		}
	}
	if dead, err := a.Store.Events.Count(ctx); err != nil {
		a.options.Log.Warn("metrics: dead events", "error", err)
	} else {
		n.DeadEvents = &dead
	}
	return n
}

// queueMost is how many of those who wait are looked at.
const queueMost = 10_000
