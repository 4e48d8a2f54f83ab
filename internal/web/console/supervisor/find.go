package supervisor

import (
	"context"
	"net/http"
	"strings"
	"time"

	"llave/bot"
	"llave/internal/handoff"
	"llave/internal/web/console"
)

// wanted is what a search asks for beside words.
type wanted struct {
	Agent   string // part of the name of who had the case last
	Topic   string // part of what the case is about, of where the bot was, or of how it ended, in words
	From    string // days on which it was asked for
	To      string
	Problem string
	days    dayRange
}

// findDays is how far back cases are looked for when no day is given, and how many days there may be between two.
const findDays = 30

// wantedOf reads what a search asks for.
func (c *Room) wantedOf(r *http.Request, now time.Time) wanted {
	q := r.URL.Query()
	is := func(name string) string { return strings.TrimSpace(bot.Cut(q.Get(name), 100)) }
	w := wanted{Agent: is("agente"), Topic: is("tema"), From: is("desde"), To: is("hasta")}
	if w.days = c.lastDays(findDays, now); w.From != "" || w.To != "" {
		w.days, w.Problem = c.daysOf(w.From, w.To, now, 366)
	}
	return w
}

// Some says whether anything is asked for.
func (w wanted) Some() bool { return w.Agent != "" || w.Topic != "" || w.From != "" || w.To != "" }

// fits says whether a case is one of those.
func (c *Room) fits(w wanted, h bot.Handoff) bool {
	has := func(part string, in ...string) bool {
		return strings.Contains(bot.Fold(strings.Join(in, " ")), bot.Fold(part))
	}
	return has(w.Agent, h.AgentName, h.Agent) && has(w.Topic, c.meaningTitle(h.Meaning), c.StateName(h.From), reasonWords[h.Reason]) && !h.Asked.Before(w.days.begins) && h.Asked.Before(w.days.ends)
}

// reasonWords are the reasons as people look for them.
var reasonWords = map[string]string{
	handoff.Solved: "resuelto", handoff.InPerson: "oficina presencial", handoff.NoAnswer: "ya no escribe", handoff.NotOurs: "otro tema", handoff.Misuse: "uso indebido",
	handoff.Other: "otro motivo", handoff.Left: "no espero", handoff.Returned: "volvio al bot",
}

// foundCase is a case that was found.
type foundCase struct {
	Ref, Topic, Agent, Reason string
	Open                      bool
	Asked                     console.Moment
}

// findMost is how many cases are shown.
const findMost = 100

// findCases lists the cases that a search asks for and that the visitor may read, the latest first.
func (c *Room) findCases(ctx context.Context, v console.Visit, w wanted) (found []foundCase, err error) {
	err = c.Desk.Store.EachCase(ctx, w.days.begins, w.days.ends, func(f handoff.CaseFile) bool {
		h := f.Handoff
		if !f.Notice && handoff.MayRead(v.Actor(), handoff.Case{Handoff: h}) && c.fits(w, h) {
			found = append(found, foundCase{h.Ref, c.StateName(h.From), h.AgentName, h.Reason, h.Open(), c.Moment(h.Asked)})
		}
		return len(found) < findMost && ctx.Err() == nil
	})
	return found, err
}

// within narrows a search for words to the cases that are asked for. What a case is is asked once.
func (c *Room) within(w wanted) handoff.Within {
	if !w.Some() {
		return handoff.Within{}
	}
	known := map[string]bool{}
	return handoff.Within{From: w.days.begins, Has: func(ctx context.Context, ref string) bool {
		is, asked := known[ref]
		if !asked {
			of, err := c.Desk.Find(ctx, ref)
			is = err == nil && c.fits(w, of.Handoff)
			known[ref] = is
		}
		return is
	}}
}
