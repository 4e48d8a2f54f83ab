package supervisor

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"time"

	"llave/internal/handoff"
	"llave/internal/web/console"
)

// hoursPreview is what would come of a change of the hours at once. Nothing of it counts before the supervisor has seen it: a
// saved closing is told to everybody who waits (P780).
type hoursPreview struct {
	Do      string
	Effect  string // "closes", "opens" or "same"
	Told    int    // people who would be told
	Waiting int    // for the next opening, as they were told, and are told nothing now
	Opens   bool   // the desk would be open
	Next    *handoff.When
	Was     *handoff.When // when it opened or closed next before
	Week    []spanWords   // the week as it would be
	Day     *dayRow
	Date    dateWords // of a day that is dropped
	Until   *handoff.When
	Note    string
	Again   bool // another preview was seen: something has changed since
	Fields  []hiddenField
}

type hiddenField struct{ Name, Value string }

// hiddenFields are those of a form, to be sent once more.
func hiddenFields(form url.Values) (all []hiddenField) {
	for name, values := range form {
		if name == "visto" {
			continue
		}
		for _, v := range values {
			all = append(all, hiddenField{name, v})
		}
	}
	slices.SortStableFunc(all, func(a, b hiddenField) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// hoursChange is a schedule that would take the place of another, by a form and what was typed into it.
type hoursChange struct {
	do        string
	was, next handoff.Schedule
	typed     hoursTyped
}

// preview says what would come of it.
func (c *Room) preview(ctx context.Context, change hoursChange, now time.Time) (*hoursPreview, error) {
	do, was, next := change.do, change.was, change.next
	before := handoff.Calendar{Hours: c.Desk.Hours, Schedule: was, Zone: c.Desk.Zone}
	after := handoff.Calendar{Hours: c.Desk.Hours, Schedule: next, Zone: c.Desk.Zone}
	p := &hoursPreview{Do: do, Effect: "same", Opens: after.Open(now)}
	waiting, scheduled, err := c.Desk.Waiting(ctx)
	if err != nil {
		return nil, console.Unavailable(err)
	}
	switch open := before.Open(now); {
	case open && !p.Opens:
		p.Effect, p.Told = "closes", waiting
	case !open && p.Opens:
		p.Effect, p.Told = "opens", scheduled
	default:
		p.Waiting = scheduled
	}
	p.Next, p.Was = c.turning(after, now), c.turning(before, now)
	if p.Was != nil && p.Next != nil && *p.Was == *p.Next || p.Effect != "same" {
		p.Was = nil
	}
	switch do {
	case "semana", "filas":
		p.Week = wordsOf(c.Desk.Hours)
		if own, err := handoff.ParseHours(next.Hours); err == nil {
			p.Week = wordsOf(own)
		}
	case "dia":
		i := slices.IndexFunc(next.Days, func(d handoff.Exception) bool { return string(d.Date) == change.typed.Date })
		p.Day = &dayRow{next.Days[i], dateOf(next.Days[i].Date)}
	case "quitar":
		p.Date = dateOf(handoff.Date(change.typed.Date))
	case "cerrar":
		p.Note = next.ClosedNow.Note
		if until := next.ClosedNow.Until; !until.IsZero() {
			p.Until = c.when(until, now)
		}
	}
	return p, nil
}

// turning is when a desk closes or, closed now, opens next; nil: nobody knows.
func (c *Room) turning(calendar handoff.Calendar, now time.Time) *handoff.When {
	at, known := calendar.NextOpening(now)
	if calendar.Open(now) {
		at, known = calendar.NextClosing(now)
	}
	if !known {
		return nil
	}
	return c.when(at, now)
}
