package flows_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
	"llave/internal/affiliate"
	"llave/internal/bottest"
	"llave/internal/secret"
)

// noPackages has every import fail: what the package itself declares is resolved without them.
type noPackages struct{}

func (noPackages) Import(string) (*types.Package, error) { return nil, errors.New("not needed here") }

// sources are the package's own files, parsed.
func sources(t *testing.T) (*token.FileSet, []*ast.File) {
	t.Helper()
	fset := token.NewFileSet()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return fset, files
}

// TestMap_noEarNamesAState holds that states stand in map.go alone: what an ear must know of where it is, is a trait or a
// row there. New may name the first one.
func TestMap_noEarNamesAState(t *testing.T) {
	fset, files := sources(t)
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: noPackages{}, Error: func(error) {}}
	pkg, _ := config.Check("flows", fset, files, &info) // the imports are missing, by design
	declared := map[types.Object]bool{}
	for _, s := range newEngine(t).States() {
		if c := pkg.Scope().Lookup(string(s)); c != nil {
			declared[c] = true
		}
	}
	if len(declared) < 30 {
		t.Fatalf("found %d states declared, which cannot be all", len(declared))
	}
	inMap := 0
	for id, object := range info.Uses {
		at := fset.Position(id.Pos())
		switch {
		case !declared[object]:
		case at.Filename == "map.go":
			inMap++
		case at.Filename == "flow.go" && object.Name() == "Start":
		default:
			t.Errorf("%s names the state %s: ask the place for a trait or a row (see map.go)", at, id.Name)
		}
	}
	if inMap == 0 {
		t.Error("map.go names no state: this test sees nothing")
	}
}

// reached are the states that are come to without passing those where one of the events leads. What an agent says of how a
// case ended counts for nothing: it is said anywhere.
func reached(e *bot.Engine, events ...bot.Event) map[bot.State]bool {
	rows := func(s bot.State) []bot.Row { return slices.Concat(e.Place(s).Rows, e.Place(bot.Any).Rows) }
	closed := map[bot.State]bool{}
	for _, s := range e.States() {
		for _, r := range rows(s) {
			if slices.Contains(events, r.Event) {
				closed[r.To] = true
			}
		}
	}
	been := map[bot.State]bool{flows.Start: true}
	for todo := []bot.State{flows.Start}; len(todo) > 0; todo = todo[1:] {
		for _, r := range rows(todo[0]) {
			if r.To != bot.Stay && r.To != bot.Back && r.Event != flows.Resolved && !closed[r.To] && !been[r.To] {
				been[r.To] = true
				todo = append(todo, r.To)
			}
		}
	}
	return been
}

// TestMap_traitsAfterTheLink holds that the traits of what comes after the link are where they belong: a place to which no
// way leads but from where the use of the link, or the key that was made, leads to, is one where that is no news; and one
// that belongs to the procedure is taken out of the way back when another begins.
func TestMap_traitsAfterTheLink(t *testing.T) {
	e := newEngine(t)
	unused, unmade := reached(e, flows.LinkUsed, flows.LinkOpened, flows.KeyMade), reached(e, flows.KeyMade)
	after := 0
	for _, s := range e.States() {
		p := e.Place(s)
		for trait, without := range map[bot.Trait]bool{flows.LinkUsedBy: unused[s], flows.KeyMadeBy: unmade[s]} {
			switch {
			case p.Is(trait) && without:
				t.Errorf("state %s has the trait %q, and a way leads there on which that is not so: the news would be lost", s, trait)
			case !p.Is(trait) && !without:
				t.Errorf("state %s lacks the trait %q: no way leads there but where that is so", s, trait)
			}
		}
		if unused[s] {
			continue
		}
		after++
		if !p.Is(flows.InKey, flows.AfterKey, flows.NoResume) {
			t.Errorf("state %s comes after the link's use, and says neither InKey nor AfterKey, nor NoResume if nothing is half done there", s)
		}
	}
	if after < 8 {
		t.Errorf("%d states come after the link's use, which cannot be all", after)
	}
}

// story is a place that a stranger might add: people tell something in their own words.
const (
	story    bot.State = "Story"
	toldOne  bot.Event = "ToldOne"
	slotTold           = "told"
)

func hearStory(_ context.Context, t *bot.Turn) (bot.Event, error) {
	if t.Update.Kind != bot.Text || t.Text() == "" {
		return "", nil
	}
	t.Remember(slotTold, affiliate.MaskAll(t.Text()))
	return toldOne, nil
}

// storyEngine is the map with that place in it.
func storyEngine(t *testing.T, hear bot.Hear, traits ...bot.Trait) *bot.Engine {
	t.Helper()
	place := bot.In(story, "complaint.ask", hear, bot.On(toldOne, bot.Stay, "thanks")).With(traits...)
	e, err := flows.NewWith(options(t), place, bot.On("Reached", story, ""))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// tell says a sentence in the story's place, and returns what came of it and what was kept.
func tell(t *testing.T, e *bot.Engine, n int, sentence string) (bot.Outcome, string) {
	t.Helper()
	now := time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)
	c := bot.Conversation{ID: "webchat:1", State: story, Text: "complaint.ask", LastAt: now.Add(-2 * flows.ResumeAfter), Back: []bot.State{flows.Menu}}
	u := bot.Update{ID: fmt.Sprint(n), Channel: "webchat", Chat: "1", Kind: bot.Text, Text: sentence}
	next, out, err := e.Step(t.Context(), c, u, bot.Env{Now: now})
	if err != nil {
		t.Fatalf("%q: %v", sentence, err)
	}
	return out, next.Slots[slotTold]
}

// bareWords are the events of a bare word or a key alone. What else a person writes where free text is asked for is theirs.
var bareWords = []bot.Event{flows.AskedMenu, flows.WentBack, flows.AskedRepeat, flows.AskedHelp, flows.AskedStatus, flows.AskedLanguage,
	flows.AskedEnglish, flows.SaidHello, flows.SaidThanks, flows.Cancelled, flows.AskedSlow, flows.AskedQuick, flows.Ticketed, flows.WroteSecret, flows.Reworded,
	flows.CameBack} // a greeting, after long

// remindersSet are what the bare word "recuérdeme" comes to.
var remindersSet = []bot.Event{flows.AskedRemind, flows.RemindSet, flows.RemindMoved, flows.RemindPast, flows.RemindTooLate, flows.RemindTooLateHere}

// putsOff are sentences that are that word, with or without a time, and nothing else. What was written so far waits with the rest.
var putsOff = regexp.MustCompile(`^(recuerd[ea](me|melo|nme)|remind me)( (por favor|porfa|a|en|la|las|el|de|al|y|media|` +
	`luego|despues|mas|tarde|manana|noche|pasado|lunes|martes|miercoles|jueves|viernes|sabado|domingo|una|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|horas?|minutos|` +
	`\d+|in|an|at|hours?|tomorrow|later|please))*$`)

// wordsOf are the words of a sentence, folded.
func wordsOf(sentence string) []string {
	return strings.FieldsFunc(bot.Fold(sentence), func(r rune) bool { return !('a' <= r && r <= 'z' || '0' <= r && r <= '9') })
}

// isBare says whether a sentence is nothing but a phrase that stands for a word in one of the catalogues, give or take
// manners and a slip. In English they stand in front too: "please help me sir" asks for help, and tells nothing.
func isBare(e *bot.Engine, sentence string) bool { return isLabel(e, sentence) }

// isLabel is isBare of some labels only; with none named, of all.
func isLabel(e *bot.Engine, sentence string, labels ...string) bool {
	said := wordsOf(sentence)
	if len(said) > 1 && said[0] == "please" {
		said = said[1:]
	}
	for _, cat := range e.Languages() {
		for id, l := range cat.Labels {
			if len(labels) > 0 && !slices.Contains(labels, id) {
				continue
			}
			for _, phrase := range append(slices.Clone(l.Words), l.Title) {
				p := bot.Fold(phrase)
				words := len(strings.Fields(p))
				if len(said) >= words && len(said) <= words+2 && bot.Near(strings.Join(said[:words], " "), p, bot.Slips(len(p))) {
					return true
				}
			}
		}
	}
	return false
}

// TestMap_freeTextLosesNoWord talks every labelled sentence into a place with free text that was added to the map: each
// is kept as it was written (with numbers and keys hidden), or it is nothing but a bare word, and was acted on as one. It may be
// put off by "recuérdeme", with or without a time, and by nothing else.
func TestMap_freeTextLosesNoWord(t *testing.T) {
	e := storyEngine(t, hearStory, bot.FreeText)
	sweep := bottest.NewSweep(t)
	kept, bare, asked := 0, 0, 0
	for i, sentence := range labelled(t) {
		if !sweep.Takes(i, 10) {
			continue
		}
		out, told := tell(t, e, i, sentence)
		switch {
		case out.Event == toldOne && told == affiliate.MaskAll(bot.Clean(sentence)):
			kept++
		case slices.Contains(bareWords, out.Event) && (isBare(e, sentence) || out.Event == flows.WroteSecret && len(strings.Fields(sentence)) == 1):
			bare++
		case slices.Contains(remindersSet, out.Event) && putsOff.MatchString(strings.Join(wordsOf(sentence), " ")):
			bare++
		case out.Event == flows.EmergencyOrWords: // asked whether it belongs to what is written
			asked++
		default:
			t.Errorf("%q: %s, kept %q", sentence, out.Event, told)
		}
	}
	t.Logf("%d sentences kept, %d acted on as bare words, %d answered with 911 and asked about", kept, bare, asked)
}

// TestMap_freeTextNeedsItsTrait shows that the test above can fail: without the trait, words are taken for wishes.
func TestMap_freeTextNeedsItsTrait(t *testing.T) {
	e := storyEngine(t, hearStory)
	lost := 0
	for i, sentence := range labelled(t)[:1000] {
		if out, _ := tell(t, e, i, sentence); out.Event != toldOne {
			lost++
		}
	}
	if lost < 100 {
		t.Errorf("%d sentences were not kept without the trait, want many", lost)
	}
}

// TestMap_whoKeepsWordsIsFreeText says every labelled sentence in every state: where what a person wrote is kept, in a slot
// or in a promise to somebody else than them, the place says bot.FreeText (or an agent reads it).
func TestMap_whoKeepsWordsIsFreeText(t *testing.T) {
	o := options(t)
	e, err := flows.New(o)
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]string{"number": o.Vault.Seal(secret.Number.Of("webchat:1"), bottest.Nobodys(0)), "record": affiliate.Hash(o.Vault, bottest.Nobodys(0))}
	now := time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)
	sentences := slices.DeleteFunc(labelled(t), func(s string) bool { return len(s) < 25 })
	keeping, step := map[bot.State]bool{}, bottest.NewSweep(t).Of(50, 500)
	for n, s := range e.States() {
		for i := n; i < len(sentences); i += step {
			c := bot.Conversation{ID: "webchat:1", State: s, Text: e.Place(s).Ask, LastAt: now, Back: []bot.State{flows.Menu}, Slots: maps.Clone(given)}
			u := bot.Update{ID: fmt.Sprint(i), Channel: "webchat", Chat: "1", Kind: bot.Text, Text: sentences[i]}
			next, _, err := e.Step(t.Context(), c, u, bot.Env{Now: now, Reservation: &bot.Reservation{}})
			if err != nil {
				t.Fatalf("%s: %q: %v", s, sentences[i], err)
			}
			began := e.Place(next.State).Is(bot.FreeText) || next.Slots["wish"] == "complaint"                              // of a complaint, with the wish for it
			if next.Handoff == nil && !(began && !e.Place(s).Is(bot.FreeText)) && keepsWords(o.Vault, next, sentences[i]) { // of a case, the agent reads what led to it
				keeping[s] = true
			}
		}
	}
	for s := range keeping {
		if !e.Place(s).Is(bot.FreeText, flows.AtDesk) {
			t.Errorf("state %s keeps what people write, and does not say bot.FreeText", s)
		}
	}
	if !keeping[flows.Complaining] {
		t.Error("no complaint was kept: this test sees nothing")
	}
}

// keepsWords says whether a conversation holds a sentence in a slot, as a complaint sealed, or owes it to somebody.
func keepsWords(v *secret.Vault, c bot.Conversation, sentence string) bool {
	holds := func(text string) bool { return strings.Contains(text, affiliate.MaskAll(bot.Clean(sentence))) }
	for _, value := range c.Slots {
		if holds(value) {
			return true
		}
	}
	if complaint, err := flows.OpenComplaint(v, c); err == nil && holds(complaint) {
		return true
	}
	return slices.ContainsFunc(c.Promises, func(p bot.Promise) bool { return p.Lane() != bot.LaneChat && holds(fmt.Sprintf("%+v", p)) })
}

// confided are sentences in which somebody writes what must not be kept.
var confided = []struct{ sentence, not string }{
	{"fui el lunes con mi cédula 1710034065 y nadie me atendió", "1710034065"},
	{"soy el 171 003 4065 y espero desde hace un mes", "171 003 4065"},
	{"la página no abre, mi clave es Abc12345 y no me deja entrar", "Abc12345"},
}

// keptBare are those of confided that a conversation holds as they were written after they were said in a state, and whether
// any words of them were kept at all.
func keptBare(t *testing.T, e *bot.Engine, s bot.State) (bare []string, kept bool) {
	t.Helper()
	now, v := time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC), options(t).Vault
	for i, c := range confided {
		before := bot.Conversation{ID: "webchat:1", State: s, Text: e.Place(s).Ask, LastAt: now, Back: []bot.State{flows.Menu}}
		before.Handoff = &bot.Handoff{Ref: "C22222222", Status: bot.HandoffClosed} // words on how it went are its line
		u := bot.Update{ID: fmt.Sprint(i), Channel: "webchat", Chat: "1", Kind: bot.Text, Text: c.sentence}
		next, _, err := e.Step(t.Context(), before, u, bot.Env{Now: now, Reservation: &bot.Reservation{}})
		if err != nil {
			t.Fatalf("%s: %q: %v", s, c.sentence, err)
		}
		stored, err := json.Marshal(next)
		if err != nil {
			t.Fatal(err)
		}
		sealed, _ := flows.OpenComplaint(v, next)
		if strings.Contains(string(stored)+sealed, c.not) {
			bare = append(bare, c.sentence)
		}
		kept = kept || keepsWords(v, next, c.sentence)
	}
	return bare, kept
}

// TestMap_freeTextIsMasked says a number and a key inside a sentence wherever words are asked for: they are kept, and masked.
func TestMap_freeTextIsMasked(t *testing.T) {
	e := newEngine(t)
	for _, s := range e.States() {
		if !e.Place(s).Is(bot.FreeText) {
			continue
		}
		bare, kept := keptBare(t, e, s)
		if len(bare) > 0 {
			t.Errorf("state %s keeps %q as it was written: see affiliate.MaskAll", s, bare)
		}
		if !kept {
			t.Errorf("state %s says bot.FreeText, and what is written there is in no slot and no promise: it is lost", s)
		}
	}
	if _, kept := keptBare(t, storyEngine(t, func(context.Context, *bot.Turn) (bot.Event, error) { return toldOne, nil }, bot.FreeText), story); kept {
		t.Error("an ear that keeps nothing: found words kept")
	}
	bare, _ := keptBare(t, storyEngine(t, func(_ context.Context, t *bot.Turn) (bot.Event, error) {
		t.Remember(slotTold, t.Text())
		return toldOne, nil
	}, bot.FreeText), story)
	if len(bare) != len(confided) {
		t.Errorf("an ear that masks nothing: found %q, want all", bare)
	}
}

// labelled are all sentences that are labelled with their meaning.
func labelled(t *testing.T) []string {
	t.Helper()
	var out []string
	files, err := filepath.Glob("said/*.csv")
	if err != nil || len(files) == 0 {
		t.Fatalf("no sentences: %v", err)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(f).ReadAll()
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows[1:] {
			out = append(out, row[1]) // state,said,meaning
		}
	}
	return out
}
