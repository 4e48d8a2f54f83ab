package supervisor

import (
	"crypto/rand"
	"html"
	"net/http"
	"strings"
	"time"

	"llave/internal/handoff"
	"llave/internal/web/console"
)

// dayRange is some days at the desk: begins ≤ t < ends.
type dayRange struct {
	From, To     handoff.Date
	begins, ends time.Time
}

// What can be wrong with a range of days; the template "range-problem" has the words.
const (
	rangeNoDate  = "no_date"
	rangeOrder   = "order"
	rangeTooLong = "too_long"
)

// lastDays are [n] days up to today.
func (c *Room) lastDays(n int, now time.Time) dayRange {
	return c.newRange(now.In(c.Desk.Zone).AddDate(0, 0, 1-n), now.In(c.Desk.Zone))
}

func (c *Room) newRange(first, last time.Time) dayRange {
	midnight := func(t time.Time, after int) time.Time {
		return time.Date(t.Year(), t.Month(), t.Day()+after, 0, 0, 0, 0, c.Desk.Zone)
	}
	return dayRange{handoff.DateOf(first), handoff.DateOf(last), midnight(first, 0), midnight(last, 1)}
}

// daysOf reads a range that somebody chose. Without either day it is today; [problem] says what is wrong with it.
func (c *Room) daysOf(from, to string, now time.Time, most int) (d dayRange, problem string) {
	from, to = strings.TrimSpace(from), strings.TrimSpace(to)
	switch {
	case from == "" && to == "":
		return c.lastDays(1, now), ""
	case from == "":
		from = to
	case to == "":
		to = from
	}
	first, err := time.ParseInLocation(time.DateOnly, from, c.Desk.Zone)
	last, err2 := time.ParseInLocation(time.DateOnly, to, c.Desk.Zone)
	switch {
	case err != nil || err2 != nil:
		return c.lastDays(1, now), rangeNoDate
	case last.Before(first):
		return c.newRange(first, last), rangeOrder
	case last.After(first.AddDate(0, 0, most-1)):
		return c.newRange(first, last), rangeTooLong
	}
	return c.newRange(first, last), ""
}

// cell is a moment as a spreadsheet reads it, at the desk; empty when there is none.
func (c *Room) cell(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(c.Desk.Zone).Format(time.DateTime)
}

// now is the store's clock.
func (c *Room) now(r *http.Request) (time.Time, error) {
	now, err := c.Desk.Now(r.Context())
	if err != nil {
		return now, console.Unavailable(err)
	}
	return now, nil
}

// audit writes down what somebody does. A browser that goes away meanwhile does not keep it from being written.
func (c *Room) audit(r *http.Request, v console.Visit, what, detail string) error {
	ctx, cancel := console.Detached(r)
	defer cancel()
	if err := c.Desk.Audit(ctx, what+"/"+v.Agent.Login+"/"+rand.Text(), v.Agent.Login, what, detail); err != nil {
		return console.Unavailable(err)
	}
	return nil
}

// words returns a look-up of what the templates call something, for what is not a page.
func (c *Room) words() func(part, of string) string {
	seen := map[[2]string]string{}
	return func(part, of string) string {
		if of == "" {
			return ""
		}
		word, ok := seen[[2]string{part, of}]
		if !ok {
			var b strings.Builder
			if err := c.pages.Draw(&b, "closed", part, of); err != nil {
				return of
			}
			word = html.UnescapeString(b.String())
			seen[[2]string{part, of}] = word
		}
		return word
	}
}
