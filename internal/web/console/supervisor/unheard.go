package supervisor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"llave/internal/unheard"
	"llave/internal/web"
	"llave/internal/web/console"
)

// Sentences are what the bot did not understand (store.UnheardTable).
type Sentences interface {
	Often(ctx context.Context, limit int) ([]unheard.Row, error)
	Assign(ctx context.Context, id, meaning string) (unheard.Row, error)
}

// Meaning is what a sentence may be given, and what it is called.
type Meaning struct{ Name, Title string }

// unheardSize is how many rows are shown at once: each has the list of all meanings.
const unheardSize = 20

// auditUnheard is written down when a sentence is given a meaning.
const auditUnheard = "unheard_assigned"

// unheardData is the page of what was not understood.
type unheardData struct {
	Rows     []unheardRow
	Meanings []Meaning
	NotOurs  string
	Done     bool
	Gone     bool // the one that was to be changed is not there any more
	Page     int
	Paging   paging
}

// unheardRow is one sentence.
type unheardRow struct {
	ID, Said, Place, Likely string
	Percent                 int // how likely that is
	Times                   int64
	First, Last             console.Moment
	Assigned                string
	State                   string // "open", "assigned" or "aside"
}

// meaningTitle is what a meaning is called; one that this version does not know is called as it is written.
func (c *Room) meaningTitle(name string) string {
	if i := slices.IndexFunc(c.Meanings, func(m Meaning) bool { return m.Name == name }); i >= 0 {
		return c.Meanings[i].Title
	}
	return name
}

func (c *Room) unheardRow(r unheard.Row) unheardRow {
	row := unheardRow{
		ID: r.ID, Said: r.Said, Place: c.PlaceName(r.Place), Likely: c.meaningTitle(r.Meaning), Percent: int(r.Confidence*100 + 0.5),
		Times: r.Times, First: c.Moment(r.First), Last: c.Moment(r.Last), Assigned: r.Assigned, State: "assigned",
	}
	switch r.Assigned {
	case "":
		row.State = "open"
	case unheard.NotOurs:
		row.State = "aside"
	}
	return row
}

func (c *Room) showUnheard(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	return c.drawUnheard(w, r, v, unheardData{Done: r.URL.Query().Has("hecho")})
}

// drawUnheard lists what was not understood, what was said most often first.
func (c *Room) drawUnheard(w http.ResponseWriter, r *http.Request, v console.Visit, data unheardData) error {
	data.Meanings, data.NotOurs, data.Page = c.Meanings, unheard.NotOurs, pageOf(r)
	rows, err := c.Sentences.Often(r.Context(), data.Page*unheardSize+1)
	if err != nil {
		return console.Unavailable(err)
	}
	more := len(rows) > data.Page*unheardSize
	for _, row := range rows[min((data.Page-1)*unheardSize, len(rows)):min(data.Page*unheardSize, len(rows))] {
		data.Rows = append(data.Rows, c.unheardRow(row))
	}
	data.Paging = newPaging(r, data.Page, more)
	status := http.StatusOK
	if data.Gone {
		status = http.StatusConflict
	}
	return c.show(w, r, console.View{Visit: v, Name: "unheard", Here: console.HereSupervisor, Status: status, Data: data})
}

// assignUnheard gives a sentence a meaning, sets it aside, or takes back either. Of two people who do so at once the later
// one's holds: both are written down.
func (c *Room) assignUnheard(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	id, meaning := form.Get("frase"), form.Get("significa")
	known := meaning == "" || meaning == unheard.NotOurs || slices.ContainsFunc(c.Meanings, func(m Meaning) bool { return m.Name == meaning })
	if id == "" || !known || !form.Has("significa") {
		return &web.Error{Status: http.StatusBadRequest}
	}
	ctx, cancel := console.Detached(r)
	defer cancel()
	row, err := c.Sentences.Assign(ctx, id, meaning)
	switch {
	case errors.Is(err, unheard.ErrNoRow):
		return c.drawUnheard(w, r, v, unheardData{Gone: true})
	case err != nil:
		return console.Unavailable(err)
	}
	if err := c.Desk.Audit(ctx, fmt.Sprintf("%s/%s/%d", auditUnheard, id, row.Version), v.Agent.Login, auditUnheard, meaning); err != nil {
		return console.Unavailable(err)
	}
	return web.Redirect(w, r, unheardPath+"?hecho&pagina="+strconv.Itoa(pageOf(r))+"#f-"+id)
}
