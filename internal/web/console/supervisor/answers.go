package supervisor

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"llave/bot"
	"llave/internal/handoff"
	"llave/internal/web"
	"llave/internal/web/console"
)

// The limits of the ready answers that supervisors write.
const (
	maxAnswers    = 200
	maxAnswerName = 24
	maxAnswerText = 1000
)

// auditAnswers is written down when a ready answer changes.
const auditAnswers = "desk_answers"

// answersData is the page of the ready answers.
type answersData struct {
	Version  int64
	List     []answerRow
	BuiltIn  []handoff.Answer
	Done     string
	Conflict bool
	Wrong    map[string]string // of the new one
	New      handoff.Answer
	MaxName  int
	MaxText  int

	refused answerRow // the one of which a change was refused, with its name as it is kept
}

// answerRow is one ready answer and, when a change of it was refused, what was typed.
type answerRow struct {
	handoff.Answer
	Open  bool
	Typed handoff.Answer
	Wrong map[string]string // "name", "text" → the template "answer-problem" has the words
}

var answerName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// typedAnswer reads an answer as it is kept: a name in small letters without accents, a text without what cannot be seen.
func typedAnswer(name, text string) handoff.Answer {
	name = strings.TrimPrefix(bot.Fold(name), "/")
	return handoff.Answer{Name: strings.ReplaceAll(name, " ", "-"), Text: strings.TrimSpace(bot.Clean(strings.ReplaceAll(text, "\r\n", "\n")))}
}

// checkAnswer says what is wrong with an answer that takes the place of the one called [was], "" for a new one.
func checkAnswer(a handoff.Answer, was string, list []handoff.Answer) map[string]string {
	wrong := map[string]string{}
	switch {
	case !answerName.MatchString(a.Name) || len(a.Name) > maxAnswerName:
		wrong["name"] = "shape"
	case a.Name != was && slices.ContainsFunc(list, func(o handoff.Answer) bool { return o.Name == a.Name }):
		wrong["name"] = "taken"
	case was == "" && len(list) >= maxAnswers:
		wrong["name"] = "too_many"
	}
	switch {
	case a.Text == "":
		wrong["text"] = "empty"
	case utf8.RuneCountInString(a.Text) > maxAnswerText:
		wrong["text"] = "long"
	}
	return wrong
}

func (c *Room) showAnswers(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	a, err := c.Desk.Store.Answers(r.Context())
	if err != nil {
		return console.Unavailable(err)
	}
	data := answersData{}
	if done := r.URL.Query().Get("hecho"); slices.Contains([]string{"agregar", "cambiar", "borrar"}, done) {
		data.Done = done
	}
	return c.drawAnswers(w, r, v, a, data)
}

// drawAnswers lists the answers.
func (c *Room) drawAnswers(w http.ResponseWriter, r *http.Request, v console.Visit, a handoff.Answers, data answersData) error {
	refused := data.refused
	data.Version, data.BuiltIn, data.MaxName, data.MaxText = a.Version, c.BuiltIn, maxAnswerName, maxAnswerText
	for _, one := range a.List {
		row := answerRow{Answer: one, Typed: one}
		if refused.Open && refused.Name == one.Name {
			row.Open, row.Typed, row.Wrong = true, refused.Typed, refused.Wrong
		}
		data.List = append(data.List, row)
	}
	status := http.StatusOK
	switch {
	case data.Conflict:
		status = http.StatusConflict
	case len(data.Wrong) > 0 || refused.Open:
		status = http.StatusUnprocessableEntity
	}
	return c.show(w, r, console.View{Visit: v, Name: "answers", Here: console.HereSupervisor, Status: status, Data: data})
}

func (c *Room) changeAnswers(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	version, err := strconv.ParseInt(form.Get("version"), 10, 64)
	do, was := form.Get("hacer"), form.Get("era")
	if err != nil || !slices.Contains([]string{"agregar", "cambiar", "borrar"}, do) || do != "agregar" && was == "" {
		return &web.Error{Status: http.StatusBadRequest}
	}
	if do == "agregar" {
		was = ""
	}
	ctx, cancel := console.Detached(r)
	defer cancel()
	a, err := c.Desk.Store.Answers(ctx)
	if err != nil {
		return console.Unavailable(err)
	}
	typed := typedAnswer(form.Get("nombre"), form.Get("texto"))
	again := func(a handoff.Answers, conflict bool, wrong map[string]string) error {
		// A change of what somebody has deleted meanwhile is offered as a new answer, so that the text is not lost.
		if kept := slices.ContainsFunc(a.List, func(o handoff.Answer) bool { return o.Name == was }); do == "cambiar" && kept {
			return c.drawAnswers(w, r, v, a, answersData{Conflict: conflict, refused: answerRow{Answer: handoff.Answer{Name: was}, Open: true, Typed: typed, Wrong: wrong}})
		}
		data := answersData{Conflict: conflict, Wrong: wrong}
		if do != "borrar" {
			data.New = typed
		}
		return c.drawAnswers(w, r, v, a, data)
	}
	if a.Version != version {
		return again(a, true, nil)
	}
	list := slices.Clone(a.List)
	at := slices.IndexFunc(list, func(o handoff.Answer) bool { return o.Name == was })
	detail := typed.Name
	switch {
	case do == "borrar" && at >= 0:
		list, detail = slices.Delete(list, at, at+1), was
	case do == "borrar":
		return web.Redirect(w, r, answersPath+"?hecho=borrar")
	default:
		if wrong := checkAnswer(typed, was, list); len(wrong) > 0 {
			return again(a, false, wrong)
		}
		if at >= 0 {
			list = slices.Delete(list, at, at+1)
		}
		list = append(list, typed)
		slices.SortFunc(list, func(x, y handoff.Answer) int { return strings.Compare(x.Name, y.Name) })
	}
	a.ID, a.List = handoff.AnswersID, list
	err = c.Desk.Store.SaveAnswers(ctx, &a)
	if errors.Is(err, bot.ErrConflict) {
		if a, err = c.Desk.Store.Answers(ctx); err == nil {
			return again(a, true, nil)
		}
	}
	if err != nil {
		return console.Unavailable(err)
	}
	if err := c.Desk.Audit(ctx, auditAnswers+"/"+strconv.FormatInt(a.Version, 10), v.Agent.Login, auditAnswers, detail); err != nil {
		return console.Unavailable(err)
	}
	return web.Redirect(w, r, answersPath+"?hecho="+do)
}
