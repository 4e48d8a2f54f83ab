package talk

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"llave/bot"
	"llave/internal/handoff"
	"llave/internal/web"
	"llave/internal/web/console"
)

// lateData is what is to be said later.
type lateData struct {
	When handoff.When
	Text string
}

// earlierCase is an earlier case of the same chat.
type earlierCase struct {
	handoff.Earlier
	From  console.Moment
	Lines []talkLine // its notes
}

// later puts in what the page of a conversation says of now and then: what is put off, what is said later, what was before.
func (c *Room) later(ctx context.Context, v console.Visit, t *talkData, now time.Time) error {
	if t.IsPostponed() {
		when := handoff.WhenOf(t.Case.Until, now, c.Desk.Zone)
		t.Until = &when
	}
	if late := t.Case.Late; late != nil && t.Open() {
		t.Late = &lateData{handoff.WhenOf(late.At, now, c.Desk.Zone), late.Text}
	}
	t.Today = string(handoff.DateOf(now.In(c.Desk.Zone)))
	t.LateMost = c.Moment(c.Desk.LateMost(t.Case))
	earlier, err := c.Desk.Earlier(ctx, v.Actor(), t.Case)
	if err != nil {
		return err
	}
	for _, e := range earlier {
		t.Earlier = append(t.Earlier, earlierCase{e, c.Moment(e.Made), c.talkLines(e.Notes, nil)})
	}
	return nil
}

// moment is the day and the hour of a form, at the desk's place.
func (c *Room) moment(form url.Values) (time.Time, error) {
	at, err := time.ParseInLocation("2006-01-02 15:04", form.Get("dia")+" "+form.Get("hora"), c.Desk.Zone)
	if err != nil {
		return at, refuse(saidNotThen)
	}
	return at.UTC(), nil
}

func (c *Room) postpone(ctx context.Context, d handoff.Deed, form url.Values) error {
	var at time.Time
	switch until := form.Get("hasta"); until {
	case bot.UntilTime:
		var err error
		if at, err = c.moment(form); err != nil {
			return err
		}
	case bot.UntilAnswer, bot.UntilOpening:
	default:
		return refuse(saidChoose)
	}
	return c.Desk.Postpone(ctx, d, form.Get("hasta"), at)
}

func (c *Room) goOn(ctx context.Context, d handoff.Deed, _ url.Values) error {
	return c.Desk.Resume(ctx, d)
}

func (c *Room) sayLater(ctx context.Context, d handoff.Deed, form url.Values) error {
	words, err := text(form, true)
	if err != nil {
		return err
	}
	words = strings.TrimSpace(words)
	var asked *refusal
	if err := c.seen(words, form); errors.As(err, &asked) {
		asked.said = said{Code: saidSeen, As: asked.As}
		return asked
	} else if err != nil {
		return err
	}
	at, err := c.moment(form)
	if err != nil {
		return err
	}
	return c.Desk.SayLater(ctx, d, words, at, form.Get("posponer") != "")
}

func (c *Room) unsay(ctx context.Context, d handoff.Deed, _ url.Values) error {
	return c.Desk.Unsay(ctx, d)
}

// earlierData is an earlier case of a chat, to be read.
type earlierData struct {
	talkData
	Of string // the case beside which it is read
}

// showEarlier shows what was said in an earlier case of the same chat.
func (c *Room) showEarlier(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	was, lines, err := c.Desk.EarlierLines(r.Context(), v.Actor(), r.PathValue("ref"), r.PathValue("before"))
	switch {
	case errors.Is(err, handoff.ErrNotYours):
		return &web.Error{Status: http.StatusForbidden}
	case err != nil:
		return talkFailed(err)
	}
	now, err := c.Desk.Now(r.Context())
	if err != nil {
		return console.Unavailable(err)
	}
	d := earlierData{Of: r.PathValue("ref")}
	d.listed = c.listed(v, console.HereMine, was, now)
	d.AskedAt, d.Lines = c.Moment(was.Asked), c.talkLines(lines, nil)
	return c.show(w, r, console.View{Visit: v, Name: "earlier", Here: console.HereMine, Data: d})
}
