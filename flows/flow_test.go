package flows_test

import (
	"context"
	"flag"
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"llave/bot"
	"llave/flows"
	"llave/internal/affiliate"
	"llave/internal/secret"
)

var update = flag.Bool("update", false, "write what came into the files it is compared with")

type noRecords struct{}

func (noRecords) Find(context.Context, string) (affiliate.Record, bool, error) {
	return affiliate.Record{}, false, nil
}

func options(t testing.TB) flows.Options {
	t.Helper()
	v, err := secret.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	return flows.Options{
		Records: noRecords{}, Vault: v, PublicURL: "http://localhost:8080", LinkTTL: 3 * time.Minute,
		Limits: flows.Limits{NumbersHour: 3, NumbersDay: 10, MessagesMinute: 20}, Idle: 24 * time.Hour, Seen: 192 * time.Hour, Unheard: 720 * time.Hour,
		Erasing: func(string) flows.Erasing { return flows.Deleted },
	}
}

func newEngine(t testing.TB) *bot.Engine {
	t.Helper()
	e, err := flows.New(options(t))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestTable_diagram(t *testing.T) {
	got := "# The conversation\n\nGenerated from the table in map.go: `go test ./flows -run Diagram -update`. Printed by `llave flow`.\n\n```mermaid\n" +
		newEngine(t).Diagram() + "```\n"
	if *update {
		if err := os.WriteFile("diagram.md", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("diagram.md")
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Error("diagram.md is not the table's; run with -update and read the difference")
	}
}

// families are texts that the code names by what they begin with.
var families = []string{"mail.subject_", "command.", "intro.", "weekday.", "month.", "opening.", "moment.", "thing."}

var name = regexp.MustCompile(`\{[a-z_]+\}`)

func TestCatalogue(t *testing.T) {
	e := newEngine(t)
	cat := e.Languages()[0]
	used := map[string]bool{}
	for _, s := range append(e.States(), bot.Any) {
		p := e.Place(s)
		used[p.Ask] = true
		for _, r := range p.Rows {
			used[r.Text] = true
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	code := ""
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(file, "_test.go") {
			code += string(source)
		}
	}
	buttons := map[string]bool{}
	for key, text := range cat.Texts {
		if !used[strings.TrimSuffix(key, ".slow")] && !strings.Contains(code, `"`+strings.TrimSuffix(key, ".slow")+`"`) && !slices.ContainsFunc(families, func(f string) bool { return strings.HasPrefix(key, f) }) {
			t.Errorf("text %q is not used", key)
		}
		if strings.TrimSpace(text.Text) == "" {
			t.Errorf("text %q is empty", key)
		}
		for _, words := range append([]string{text.Text}, text.Again...) {
			for _, m := range name.FindAllString(words, -1) {
				if n := m[1 : len(m)-1]; n != "question" && n != "again" && n != "whole" && !strings.Contains(code, `"`+n+`"`) && !strings.Contains(code, `"{`+n+`}"`) && !strings.Contains(numberSource(t), `"`+n+`"`) && n != "n" {
					t.Errorf("text %q wants {%s}, which nobody fills in", key, n)
				}
			}
			checkHosts(t, key, words)
		}
		for _, b := range text.Buttons {
			buttons[b] = true
		}
	}
	for id, l := range cat.Labels {
		if n := utf8.RuneCountInString(l.Title); n > 20 {
			t.Errorf("label %q: title %q has %d characters, at most 20 fit", id, l.Title, n)
		}
		if l.Title != "" && !buttons[id] && l.Copies == "" {
			t.Errorf("label %q stands under no text", id)
		}
		if l.Title == "" && !strings.Contains(code, `"`+id+`"`) {
			t.Errorf("label %q is heard nowhere", id)
		}
	}
	for _, s := range e.States() {
		if ask := e.Place(s).Ask; ask != "" {
			if text := cat.Texts[ask]; text.Place == "" {
				t.Errorf("text %q of state %s has no place name", ask, s)
			} else if len(text.Again) < 2 && s != flows.Done {
				t.Errorf("text %q of state %s is asked again in %d other words, want 2", ask, s, len(text.Again))
			}
		}
	}
}

var (
	keyShape = regexp.MustCompile(`^[a-z_]+\.[a-z0-9_.]*(%d)?$`)
	saying   = []string{"Wording", "Fill", "Add"} // methods of a turn that take a text's key
)

// TestCatalogue_keysExist holds that a text that the code names is there, in Spanish first: it would be answered with
// nothing. (Of the map's rows and questions the engine says so; of another language, that it lacks what Spanish has.)
func TestCatalogue_keysExist(t *testing.T) {
	cat := newEngine(t).Languages()[0]
	fset, files := sources(t)
	named := map[string]bool{}
	check := func(n ast.Node, sure, begins bool) {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return
		}
		key, _ := strconv.Unquote(lit.Value) // it was parsed: it is a string
		at := fset.Position(lit.Pos()).String()
		if named[at] || !sure && !keyShape.MatchString(key) || strings.HasSuffix(key, ".toml") {
			return
		}
		named[at] = true
		start, numbered := strings.CutSuffix(key, "%d")
		for k := range cat.Texts {
			if k == key || (begins || numbered) && strings.HasPrefix(k, start) {
				return
			}
		}
		t.Errorf("%s names the text %q, which es.toml lacks", at, key)
	}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if method, ok := n.Fun.(*ast.SelectorExpr); ok && len(n.Args) == 1 && slices.Contains(saying, method.Sel.Name) {
					check(n.Args[0], true, false)
				}
			case *ast.BinaryExpr:
				check(n.X, false, true)
			case *ast.BasicLit:
				check(n, false, false)
			}
			return true
		})
	}
	if len(named) < 100 {
		t.Errorf("the code names %d texts, which cannot be all", len(named))
	}
}

func numberSource(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("hear_number.go")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var host = regexp.MustCompile(`(?i)\b(?:[a-z0-9-]+\.)+(?:gob\.ec|com|org|net|ec|jsfb?)\b`)

// checkHosts holds that only the official hosts reach a person, and never the sheet's two misprints (P107).
func checkHosts(t *testing.T, key, words string) {
	t.Helper()
	for _, h := range host.FindAllString(words, -1) {
		if !slices.Contains([]string{"www.iess.gob.ec", "app.iess.gob.ec", "iess.gob.ec"}, strings.ToLower(h)) {
			t.Errorf("text %q names host %q", key, h)
		}
	}
	for _, misprint := range []string{"iesg", "jsfb"} {
		if strings.Contains(words, misprint) {
			t.Errorf("text %q holds the misprint %q", key, misprint)
		}
	}
}

func TestEngine_refusesABrokenTable(t *testing.T) {
	cat := bot.Catalogue{Texts: map[string]bot.Entry{"a": {Text: "a"}}}
	hear := func(context.Context, *bot.Turn) (bot.Event, error) { return bot.Ignored, nil }
	anywhere := bot.In(bot.Any, "", hear, bot.On(bot.Missed, bot.Stay, "a"), bot.On(bot.MissedOften, bot.Stay, "a"),
		bot.On(bot.StaleButton, bot.Stay, "a"), bot.On(bot.Ignored, bot.Stay, ""))
	for _, c := range []struct {
		name, want string
		places     []bot.Place
	}{
		{"duplicate row", "two rows for Go", []bot.Place{bot.In("A", "a", hear, bot.On("Go", "B", ""), bot.On("Go", "A", "")), bot.In("B", "a", hear, bot.On("Go", "A", ""))}},
		{"unreachable", "B cannot be reached", []bot.Place{bot.In("A", "a", hear, bot.On("Go", bot.Back, "")), bot.In("B", "a", hear, bot.On("Go", "A", ""))}},
		{"no way out", "B cannot be left", []bot.Place{bot.In("A", "a", hear, bot.On("Go", "B", "")), bot.In("B", "a", hear)}},
		{"no text", `says "x", which the catalogue lacks`, []bot.Place{bot.In("A", "a", hear, bot.On("Go", bot.Back, "x"))}},
		{"unknown state", `leads to "C"`, []bot.Place{bot.In("A", "a", hear, bot.On("Go", "C", "a"))}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := bot.NewEngine(bot.Options{Start: "A", Languages: []bot.Catalogue{cat}}, append(c.places, anywhere)...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// FuzzStep talks nonsense to the engine: whatever comes, it stays in a declared state, owes at most one bubble, and
// forgets nothing it has seen.
func FuzzStep(f *testing.F) {
	f.Add("hola|1|desbloquear|1712345678|sí|enviar enlace|menú|\x00|😀", uint8(3))
	f.Add("persona|atrás|atrás|cancelar|queja|no funciona nada|estado", uint8(9))
	e := newEngine(f)
	f.Fuzz(func(t *testing.T, script string, seed uint8) {
		now := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
		c := bot.Conversation{ID: "telegram:1"}
		for i, word := range strings.Split(script, "|") {
			now = now.Add(time.Duration(seed) * time.Second)
			u := bot.Update{ID: string(rune('a'+i%26)) + word[:min(len(word), 3)], Channel: "telegram", Chat: "1", Kind: bot.Text, Text: word}
			kinds := []bot.Kind{bot.Text, bot.Text, bot.Text, bot.Press, bot.Media, bot.Edited, bot.Start, bot.Signal, bot.Contact}
			u.Kind = kinds[(i+int(seed))%len(kinds)]
			if u.Kind == bot.Press && len(c.Shown) > 0 {
				u.Button, u.Prompt = c.Shown[int(seed)%len(c.Shown)], c.Prompt
			}
			if u.Kind == bot.Signal {
				u.Signal, u.Attempt = []string{bot.SignalLinkUsed, bot.SignalKeyMade, bot.SignalLinkExpired, bot.SignalForget}[i%4], c.Attempt
			}
			before := len(c.Promises)
			res := &bot.Reservation{Granted: seed%2 == 0, Attempt: "a1", Ends: now.Add(time.Minute), RetryAt: now.Add(time.Minute)}
			next, out, err := e.Step(context.Background(), c, u, bot.Env{Now: now, Reservation: res})
			if err != nil {
				t.Fatalf("step %q in %s: %v", word, c.State, err)
			}
			said := 0
			for _, p := range next.Promises[min(before-out.Withdrawn, len(next.Promises)):] {
				if p.Kind() == bot.PromiseSay {
					said++
				}
			}
			if said > 1 {
				t.Fatalf("%d bubbles for one turn in %s", said, c.State)
			}
			if !slices.Contains(e.States(), next.State) {
				t.Fatalf("left the map: %s", next.State)
			}
			if u.ID != "" && !out.Repeat && !next.SawUpdate(u, now) {
				t.Fatalf("update %q was not noted", u.ID)
			}
			c = next
		}
	})
}

func BenchmarkStep(b *testing.B) {
	e := newEngine(b)
	now := time.Now()
	c := bot.Conversation{ID: "telegram:1"}
	c, _, _ = e.Step(context.Background(), c, bot.Update{ID: "1", Channel: "telegram", Chat: "1", Kind: bot.Text, Text: "hola"}, bot.Env{Now: now})
	c.Promises = nil
	u := bot.Update{ID: "2", Channel: "telegram", Chat: "1", Kind: bot.Press, Button: "continue", Prompt: c.Prompt}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := e.Step(context.Background(), c, u, bot.Env{Now: now}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "steps/s")
}
