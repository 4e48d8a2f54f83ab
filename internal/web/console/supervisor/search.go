package supervisor

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"llave/bot"
	"llave/internal/handoff"
	"llave/internal/web"
	"llave/internal/web/console"
)

const (
	searchTime = 5 * time.Second // how long a search may look
	searchHits = 100             // how many lines it shows
)

// searchData is the page of the search.
type searchData struct {
	Words    string
	Short    bool // too short to look for
	Cases    bool // only cases by their number: the visitor is no supervisor
	NotYours bool // words were looked for all the same
	NoCase   string
	Asked    bool
	Wanted   wanted
	Found    []foundCase // by what is asked for beside words
	Hits     []hitRow
	Full     bool           // there may be more
	DownTo   console.Moment // how far back it looked; zero: to the end
}

// hitRow is a line that was found.
type hitRow struct {
	Ref    string
	Seq    int64 // the line
	From   string
	By     string
	At     console.Moment
	Pieces []piece
}

// piece is part of a line; Mark says that it was looked for.
type piece struct {
	Text string
	Mark bool
}

// search looks for words in the transcripts, or goes to the case whose number was typed.
func (c *Room) search(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	words := strings.TrimSpace(bot.Cut(r.URL.Query().Get("q"), 200))
	now, err := c.now(r)
	if err != nil {
		return err
	}
	data := searchData{Words: words, Asked: words != "", Cases: !v.Supervisor(), Wanted: c.wantedOf(r, now)}
	if ref, ok := bot.ParseRef(words); ok {
		switch path, err := c.numbered(r.Context(), ref); {
		case err == nil:
			return web.Redirect(w, r, path)
		case !errors.Is(err, handoff.ErrNoCase):
			return console.Unavailable(err)
		case strings.ContainsAny(words, "0123456789-"): // else it may be a word
			data.NoCase = ref
		}
	}
	if data.Wanted.Problem == "" && data.Wanted.Some() && !data.Asked {
		ctx, cancel := context.WithTimeout(r.Context(), searchTime)
		defer cancel()
		if data.Found, err = c.findCases(ctx, v, data.Wanted); err != nil && ctx.Err() == nil {
			return console.Unavailable(err)
		}
	}
	if data.Wanted.Problem == "" && data.Asked && data.NoCase == "" {
		ctx, cancel := context.WithTimeout(r.Context(), searchTime)
		defer cancel()
		hits, downTo, err := c.Desk.SearchIn(ctx, handoff.Deed{Once: rand.Text(), Actor: v.Actor()}, words, c.within(data.Wanted), searchHits)
		switch {
		case errors.Is(err, handoff.ErrNotYours):
			data.NotYours = true
		case errors.Is(err, handoff.ErrTooShort):
			data.Short = true
		case err != nil:
			return console.Unavailable(err)
		default:
			data.Full = len(hits) >= searchHits
			if data.Full || ctx.Err() != nil {
				data.DownTo = c.Moment(downTo)
			}
			for _, h := range hits {
				data.Hits = append(data.Hits, hitRow{h.Ref, h.Line.Seq, h.Line.From, h.Line.By, c.Moment(h.Line.At), snippet(h.Line.Text, words)})
			}
		}
	}
	status := http.StatusOK
	if data.NotYours {
		status = http.StatusForbidden
	}
	return c.show(w, r, console.View{Visit: v, Name: "search", Here: console.HereSearch, Status: status, Data: data})
}

// numbered is the page of a case, or of a notice, with that number. handoff.ErrNoCase when there is none.
func (c *Room) numbered(ctx context.Context, ref string) (path string, err error) {
	found, err := c.Desk.Find(ctx, ref)
	if err == nil {
		return console.CasePath + url.PathEscape(found.Ref), nil
	}
	if errors.Is(err, handoff.ErrNoCase) {
		notice, known, failed := c.Desk.Store.Case(ctx, ref)
		if failed != nil {
			return "", failed
		}
		if known && notice.Notice {
			return console.NoticePath + url.PathEscape(notice.Ref), nil
		}
	}
	return "", err
}

// How much of a line is shown, in runes: so much before the first word that was found, and so much in all.
const (
	snippetBefore = 80
	snippetWhole  = 360
)

// snippet is the part of a line around the words that were looked for, with them marked.
func snippet(text, words string) []piece {
	runes := []rune(text)
	marked := marks(runes, strings.Fields(bot.Fold(words)))
	from, to := 0, len(runes)
	if len(runes) > snippetWhole {
		from = max(slices.Index(marked, true)-snippetBefore, 0)
		to = min(from+snippetWhole, len(runes))
		from = max(to-snippetWhole, 0)
	}
	var out []piece
	if from > 0 {
		out = append(out, piece{Text: "… "})
	}
	for start := from; start < to; {
		end := start + 1
		for end < to && marked[end] == marked[start] {
			end++
		}
		out = append(out, piece{string(runes[start:end]), marked[start]})
		start = end
	}
	if to < len(runes) {
		out = append(out, piece{Text: " …"})
	}
	return out
}

// marks says which runes of a text belong to one of the words, which are folded. Each rune is folded by itself, so that
// it is known where in the text a match lies.
func marks(text []rune, words []string) []bool {
	var folded strings.Builder
	var of []int // byte of folded → rune of text
	for i, r := range text {
		f := bot.Fold(string(r))
		if unicode.IsSpace(r) {
			f = " "
		}
		folded.WriteString(f)
		for range len(f) {
			of = append(of, i)
		}
	}
	all := folded.String()
	marked := make([]bool, len(text))
	for _, word := range words {
		for at := 0; ; {
			next := strings.Index(all[at:], word)
			if next < 0 || word == "" {
				break
			}
			at += next
			for i := of[at]; i <= of[at+len(word)-1]; i++ {
				marked[i] = true
			}
			at += len(word)
		}
	}
	for i := 1; i < len(text); i++ { // accents that are written by themselves go with their letter
		marked[i] = marked[i] || marked[i-1] && unicode.Is(unicode.M, text[i])
	}
	return marked
}

// pages are the pages of a list that is too long for one.
type paging struct {
	Page       int
	Prev, Next string // addresses; "" when there is none
}

// pageOf reads which page is wanted.
func pageOf(r *http.Request) int {
	n, err := strconv.Atoi(r.URL.Query().Get("pagina"))
	if err != nil {
		return 1
	}
	return min(max(n, 1), 1000)
}

// newPaging makes the links to the pages before and after.
func newPaging(r *http.Request, page int, more bool) paging {
	to := func(n int) string {
		q := r.URL.Query()
		q.Set("pagina", strconv.Itoa(n))
		q.Del(console.ReloadParam)
		return r.URL.Path + "?" + q.Encode()
	}
	p := paging{Page: page}
	if page > 1 {
		p.Prev = to(page - 1)
	}
	if more {
		p.Next = to(page + 1)
	}
	return p
}

// pageSize is how many rows of a list are shown at once.
const pageSize = 50

// closedData is the list of the cases of a day that are over.
type closedData struct {
	Day        string
	When       dateWords
	Problem    string
	Prev, Next string // days; Next is "" on today
	Rows       []closedRow
	Files      bool // may take the transcripts away
	Paging     paging
}

type closedRow struct {
	Ref, Channel, Reason, Agent   string
	Rating                        int
	Asked, Taken, Answered, Ended console.Moment
	Waited, Took                  string
}

// closed lists the cases that were asked for on a day and are over, the latest first.
func (c *Room) closed(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	now, err := c.now(r)
	if err != nil {
		return err
	}
	typed := r.URL.Query().Get("dia")
	day, problem := c.daysOf(typed, typed, now, 1)
	page := pageOf(r)
	data := closedData{Day: string(day.From), When: dateOf(day.From), Problem: problem, Files: v.Supervisor()}
	status := http.StatusOK
	if problem != "" {
		data.Day, status = bot.Cut(typed, 20), http.StatusUnprocessableEntity
		return c.show(w, r, console.View{Visit: v, Name: "closed", Here: console.HereClosed, Status: status, Data: data})
	}
	data.Prev = string(handoff.DateOf(day.begins.AddDate(0, 0, -1)))
	if day.ends.Before(now) {
		data.Next = string(handoff.DateOf(day.ends))
	}
	calendar, err := c.Desk.Calendar(r.Context())
	if err != nil {
		return console.Unavailable(err)
	}
	records, err := c.Desk.Closed(r.Context(), v.Actor(), day.begins, day.ends, page*pageSize+1)
	if err != nil {
		return console.Unavailable(err)
	}
	more := len(records) > page*pageSize
	records = records[min((page-1)*pageSize, len(records)):min(page*pageSize, len(records))]
	for _, rec := range records {
		h := rec.Handoff
		channel, _ := bot.SplitConversationID(rec.Conv)
		row := closedRow{
			Ref: h.Ref, Channel: channel, Reason: h.Reason, Agent: h.AgentName, Rating: h.Rating,
			Asked: c.Moment(h.Asked), Taken: c.Moment(h.Taken), Answered: c.Moment(h.Answered), Ended: c.Moment(h.Ended),
		}
		if !h.Answered.IsZero() {
			row.Waited = length(max(h.Answered.Sub(calendar.WaitFrom(h.Asked, h.Answered)), 0))
		}
		if !h.Taken.IsZero() && !h.Ended.IsZero() {
			row.Took = length(h.Ended.Sub(h.Taken))
		}
		data.Rows = append(data.Rows, row)
	}
	data.Paging = newPaging(r, page, more)
	return c.show(w, r, console.View{Visit: v, Name: "closed", Here: console.HereClosed, Status: status, Data: data})
}
