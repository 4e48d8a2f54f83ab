package talk

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"llave/internal/handoff"
	"llave/internal/web/console"
)

// Ready answers, each a line "/name" and its words until the next. They may hold {agente} and {caso}.
//
//go:embed ready.txt
var readyFile string

// BuiltIn are the ready answers that every desk has.
var BuiltIn = parseAnswers(readyFile)

func parseAnswers(file string) []handoff.Answer {
	var out []handoff.Answer
	for _, part := range strings.Split("\n"+file, "\n/")[1:] {
		name, words, _ := strings.Cut(part, "\n")
		out = append(out, handoff.Answer{Name: strings.TrimSpace(name), Text: strings.TrimSpace(words)})
	}
	return out
}

// greeted is how people are addressed by {persona}, which supervisors could write once: nobody's name is known here, so a greeting goes
// without one, and anywhere else it is "usted".
var greeted = regexp.MustCompile(`(?i)(hola|buen[oa]s(?: d[ií]as| tardes| noches)?|estimad[oa](?:/a|\(a\))?|saludos|gracias|disculpe|bienvenid[oa]|señora?),? \{persona\}`)

// readyFor are the answers for a conversation, its own words filled in: the built-in ones, and those that supervisors wrote,
// which come in place of a built-in one of the same name. They are in order of their names.
func (c *Room) readyFor(ctx context.Context, v console.Visit, of handoff.Case) ([]handoff.Answer, error) {
	own, err := c.Desk.Store.Answers(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the ready answers: %w", err)
	}
	byName := map[string]string{}
	for _, a := range slices.Concat(BuiltIn, own.List) {
		byName[a.Name] = a.Text
	}
	fill := strings.NewReplacer("{agente}", v.Agent.Name, "{caso}", of.Ref, "{persona}", "usted")
	for name, words := range byName {
		byName[name] = greeted.ReplaceAllString(words, "$1")
	}
	out := make([]handoff.Answer, 0, len(byName))
	for name, words := range byName {
		out = append(out, handoff.Answer{Name: name, Text: fill.Replace(words)})
	}
	slices.SortFunc(out, func(a, b handoff.Answer) int { return compareNames(a.Name, b.Name) })
	return out, nil
}

// compareNames puts names into the order in which people look for them.
func compareNames(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) }

// putReady puts a ready answer into the field for the message, for a page without script.
func (c *Room) putReady(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	return c.askTalk(w, r, v, http.StatusOK, func(t *talkData) {
		words := strings.TrimSpace(r.PostFormValue("texto"))
		for _, a := range t.Ready {
			if a.Name == r.PostFormValue("lista") {
				words = strings.TrimSpace(words + "\n" + a.Text)
			}
		}
		t.Refused, t.Typed = formSay, map[string]string{"texto": words}
	})
}
