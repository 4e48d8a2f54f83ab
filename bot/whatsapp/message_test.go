package whatsapp

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"llave/bot"
)

var update = flag.Bool("update", false, "write what came into the files it is compared with")

var (
	byPhone  = Names{Phone: "593990000001", UserID: "EC.13491208655302741918"}
	byUserID = Names{UserID: "EC.13491208655302741918"}
)

// sized is a text of n runes, in words.
func sized(n int) string { return string([]rune(strings.Repeat("Acción útil. ", n/13+1))[:n]) }

// answers are n buttons.
func answers(n int) []bot.Button {
	var out []bot.Button
	for i := range n {
		out = append(out, bot.Button{ID: fmt.Sprint("option", i+1), Title: fmt.Sprint("Opción ", i+1)})
	}
	return out
}

func titled(titles ...string) []bot.Button {
	var out []bot.Button
	for i, t := range titles {
		out = append(out, bot.Button{ID: fmt.Sprint("option", i+1), Title: t})
	}
	return out
}

var (
	portal = bot.Button{ID: "portal", Title: "Ir al portal", URL: "https://www.iess.gob.ec/"}
	notice = bot.Button{ID: "notice", Title: "Ver aviso", URL: "https://llave.example.org/privacidad"}
)

// TestMessage_golden compares every shape whole. Run with -update to write what message makes.
func TestMessage_golden(t *testing.T) {
	const ask = "¿Es correcto?"
	for name, tt := range map[string]struct {
		to Names
		r  bot.Reply
	}{
		"text":                  {byPhone, bot.Reply{Text: "Hola <b> & \"más\" 👋🏽\n\nSiga."}},
		"text_protected":        {byPhone, bot.Reply{Text: "x", Protect: true}},
		"text_4096":             {byPhone, bot.Reply{Text: sized(4096)}},
		"text_4097":             {byPhone, bot.Reply{Text: sized(4097)}},
		"text_by_user_id":       {byUserID, bot.Reply{Text: ask}},
		"buttons_1":             {byPhone, bot.Reply{Text: ask, Prompt: 7, Buttons: answers(1)}},
		"buttons_2":             {byPhone, bot.Reply{Text: ask, Prompt: 7, Buttons: answers(2)}},
		"buttons_3":             {byPhone, bot.Reply{Text: ask, Prompt: 7, Buttons: answers(3)}},
		"buttons_by_user_id":    {byUserID, bot.Reply{Text: ask, Prompt: 7, Buttons: answers(1)}},
		"buttons_titles":        {byPhone, bot.Reply{Text: ask, Buttons: titled("Sí, está bien así ok", "Sí, está bien así, ok", "👍🏽 ¡Está bien así! 👍🏽👍🏽")}},
		"buttons_title_cluster": {byPhone, bot.Reply{Text: ask, Buttons: titled("aaaaaaaaaaaaaaaaa👨‍👩‍👧", "ñññññññññññññññññññ", "ñññññññññññññññññññññ")}},
		"buttons_same_when_cut": {byPhone, bot.Reply{Text: ask, Buttons: titled("Atención presencial Quito", "Atención presencial Loja")}},
		"list_same_when_cut":    {byPhone, bot.Reply{Text: ask, Buttons: titled("Atención presencial en Quito", "Atención presencial en Loja")}},
		"buttons_1024":          {byPhone, bot.Reply{Text: sized(1024), Buttons: answers(2)}},
		"buttons_1025":          {byPhone, bot.Reply{Text: sized(1025), Buttons: answers(2)}},
		"buttons_4096":          {byPhone, bot.Reply{Text: sized(4096), Buttons: answers(2)}},
		"buttons_4097":          {byPhone, bot.Reply{Text: sized(4097), Buttons: answers(2)}},
		"list_4":                {byPhone, bot.Reply{Text: ask, Prompt: 12, Buttons: answers(4)}},
		"list_10":               {byPhone, bot.Reply{Text: ask, Prompt: 12, Buttons: answers(10)}},
		"list_titles": {byPhone, bot.Reply{Text: ask, Buttons: titled("Veinticuatro caracteres.", "Veinticinco caracteres, sí", "Corto",
			"Un título que no cabe en su fila y tampoco cabe entero en la descripción que va debajo de ella")}},
		"list_4096":      {byPhone, bot.Reply{Text: sized(4096), Buttons: answers(4)}},
		"list_4097":      {byPhone, bot.Reply{Text: sized(4097), Buttons: answers(4)}},
		"numbered_11":    {byPhone, bot.Reply{Text: ask, Prompt: 12, Buttons: answers(11)}},
		"link":           {byPhone, bot.Reply{Text: "Abra el portal.", Buttons: []bot.Button{portal}}},
		"link_title":     {byPhone, bot.Reply{Text: "Abra el portal.", Buttons: []bot.Button{{Title: "Ir al portal de los servicios", URL: portal.URL}}}},
		"link_1025":      {byPhone, bot.Reply{Text: sized(1025), Buttons: []bot.Button{portal}}},
		"link_4090":      {byPhone, bot.Reply{Text: sized(4090), Buttons: []bot.Button{portal}}},
		"link_localhost": {byPhone, bot.Reply{Text: "Lea el aviso.", Buttons: []bot.Button{{Title: "Ver aviso", URL: "http://localhost:8080/privacidad"}}}},
		"links_2":        {byPhone, bot.Reply{Text: "Abra el portal.", Buttons: []bot.Button{portal, notice}}},
		"link_and_2":     {byPhone, bot.Reply{Text: ask, Prompt: 3, Buttons: append([]bot.Button{notice}, answers(2)...)}},
		"link_and_4":     {byPhone, bot.Reply{Text: ask, Prompt: 3, Buttons: append(answers(4), portal)}},
		"link_and_11":    {byPhone, bot.Reply{Text: ask, Prompt: 3, Buttons: append(answers(11), portal)}},
		"link_and_1020":  {byPhone, bot.Reply{Text: sized(1020), Buttons: append(answers(2), portal)}},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := message(tt.to, tt.r)
			if err != nil {
				t.Fatal(err)
			}
			within(t, m)
			golden(t, "message_"+name+".json", m)
		})
	}
	t.Run("template", func(t *testing.T) {
		golden(t, "message_template.json", templateMessage(byPhone, "novedad_tramite:es_EC"))
		golden(t, "message_template_by_user_id.json", templateMessage(byUserID, "novedad_tramite:es"))
	})
}

func golden(t *testing.T, name string, m outgoing) {
	t.Helper()
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(m); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

// within checks WhatsApp's limits.
func within(t *testing.T, m outgoing) {
	t.Helper()
	limit := func(what, s string, n int) {
		if got := runes(s); got < 1 || got > n {
			t.Errorf("%s has %d runes, want 1 to %d: %q", what, got, n, s)
		}
	}
	if m.Text != nil {
		limit("text", m.Text.Body, 4096)
	}
	if i := m.Interactive; i != nil {
		limit("body", i.Body.Text, map[string]int{"button": 1024, "cta_url": 1024, "list": 4096}[i.Type])
		for _, b := range i.Action.Buttons {
			limit("button", b.Reply.Title, 20)
		}
		if len(i.Action.Buttons) > 3 {
			t.Errorf("%d buttons", len(i.Action.Buttons))
		}
		for _, s := range i.Action.Sections {
			limit("list's button", i.Action.Button, 20)
			if len(s.Rows) > 10 {
				t.Errorf("%d rows", len(s.Rows))
			}
			for _, r := range s.Rows {
				limit("row", r.Title, 24)
				limit("description", "x"+r.Description, 73)
			}
		}
		if p := i.Action.Parameters; p != nil {
			limit("link's button", p.DisplayText, 20)
		}
	}
}

func TestMessage_wrong(t *testing.T) {
	for name, r := range map[string]bot.Reply{
		"no text":  {Text: " \n"},
		"no title": {Text: "x", Buttons: []bot.Button{{ID: "a", Title: " "}}},
		"long id":  {Text: "x", Buttons: []bot.Button{{ID: strings.Repeat("a", 200), Title: "A"}}},
	} {
		if m, err := message(byPhone, r); err == nil {
			t.Errorf("%s: got %+v, want an error", name, m)
		}
	}
}

// TestMessage_fixtures compares our shapes with the documented ones: every field of ours is there with the same type,
// and what we leave out is what the case says.
func TestMessage_fixtures(t *testing.T) {
	made := func(to Names, r bot.Reply) outgoing {
		m, err := message(to, r)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	tests := []struct {
		fixture    string
		ours       outgoing
		more, less []string // what only ours has, what only the fixture has
	}{
		{"out_text.json", made(byPhone, bot.Reply{Text: "x"}), nil, nil},
		{"out_text_bsuid.json", made(byUserID, bot.Reply{Text: "x"}), []string{".text.preview_url bool"}, nil},
		{"out_buttons.json", made(byPhone, bot.Reply{Text: "x", Buttons: answers(3)}), nil,
			[]string{".interactive.footer.text string", ".interactive.header.text string", ".interactive.header.type string"}},
		{"out_list.json", made(byPhone, bot.Reply{Text: "x", Buttons: titled("Una fila de título muy largo", "B", "C", "D")}), nil,
			[]string{".interactive.action.sections[].title string", ".interactive.footer.text string", ".interactive.header.text string", ".interactive.header.type string"}},
		{"out_cta_url.json", made(byPhone, bot.Reply{Text: "x", Buttons: []bot.Button{portal}}), nil, nil},
		{"out_template.json", templateMessage(byPhone, "a:es"), nil, []string{
			".template.components[].index string", ".template.components[].parameters[].payload string", ".template.components[].parameters[].text string",
			".template.components[].parameters[].type string", ".template.components[].sub_type string", ".template.components[].type string",
		}},
	}
	for _, tt := range tests {
		raw, err := os.ReadFile(filepath.Join(fixtures, tt.fixture))
		if err != nil {
			t.Fatal(err)
		}
		ours, err := json.Marshal(tt.ours)
		if err != nil {
			t.Fatal(err)
		}
		got, want := shape(t, ours), shape(t, raw)
		more := slices.DeleteFunc(slices.Clone(got), func(p string) bool { return slices.Contains(want, p) })
		less := slices.DeleteFunc(slices.Clone(want), func(p string) bool { return slices.Contains(got, p) })
		if !slices.Equal(more, tt.more) || !slices.Equal(less, tt.less) {
			t.Errorf("%s: only ours has %q, want %q; only the fixture has %q, want %q", tt.fixture, more, tt.more, less, tt.less)
		}
		for _, constant := range []string{"messaging_product", "recipient_type", "type"} {
			if got, want := field(t, ours, constant), field(t, raw, constant); got != want {
				t.Errorf("%s: %s is %q, want %q", tt.fixture, constant, got, want)
			}
		}
		if tt.ours.Interactive != nil {
			if got, want := tt.ours.Interactive.Type, field(t, []byte(field(t, raw, "interactive")), "type"); got != want {
				t.Errorf("%s: interactive type %q, want %q", tt.fixture, got, want)
			}
		}
	}
}

// shape lists the paths of all values in a JSON document with their types.
func shape(t *testing.T, raw []byte) []string {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	var out []string
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, e := range v {
				walk(path+"."+k, e)
			}
		case []any:
			for _, e := range v {
				walk(path+"[]", e)
			}
		default:
			out = append(out, fmt.Sprintf("%s %T", path, v))
		}
	}
	walk("", v)
	slices.Sort(out)
	return slices.Compact(out)
}

// field is one field of an object: a string's value, or the JSON of anything else.
func field(t *testing.T, raw []byte, name string) string {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		t.Fatal(err)
	}
	var s string
	if json.Unmarshal(fields[name], &s) == nil {
		return s
	}
	return string(fields[name])
}

func TestFit(t *testing.T) {
	tests := []struct {
		name, in string
		n        int
		want     string
	}{
		{"short", "hola", 20, "hola"},
		{"just fits", strings.Repeat("á", 20), 20, strings.Repeat("á", 20)},
		{"one too many", strings.Repeat("á", 21), 20, strings.Repeat("á", 19) + "…"},
		{"at a word", "Atención presencial hoy", 20, "Atención presencial…"},
		{"the word before", "Atención presencialmente", 20, "Atención presencial…"},
		{"no word near", "a bcdefghijklmnopqrstuvwxyz", 20, "a bcdefghijklmnopqr…"},
		{"an accent stays on its letter", "aaaaaaaaae\u0301bb", 11, "aaaaaaaaa…"},
		{"a family stays whole", "aaaaaaaaa👨‍👩‍👧bb", 13, "aaaaaaaaa…"},
		{"a skin tone stays on its hand", "aaaaaaaaa👍🏽b", 11, "aaaaaaaaa…"},
		{"marks without end", "e" + strings.Repeat("\u0301", 30), 10, "e" + strings.Repeat("\u0301", 8) + "…"},
		{"room for nothing else", "hola", 1, "…"},
		{"no room", "hola", 0, ""},
	}
	for _, tt := range tests {
		if got := fit(tt.in, tt.n); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// FuzzFit: whatever comes, the result is whole runes, no more than asked for, and the beginning of the text.
func FuzzFit(f *testing.F) {
	f.Add("Atención presencial en Quito", 20)
	f.Add("aaaaaaaaa👨‍👩‍👧bb", 13)
	f.Add("e\u0301\u0301\u0301", 2)
	f.Add("\xff\xfe bytes", 3)
	f.Add("", -1)
	f.Fuzz(func(t *testing.T, text string, n int) {
		got := fit(text, n)
		if runes(got) > max(n, 0) {
			t.Errorf("fit(%q, %d) = %q, which has %d runes", text, n, got, runes(got))
		}
		if utf8.ValidString(text) && !utf8.ValidString(got) {
			t.Errorf("fit(%q, %d) = %q splits a rune", text, n, got)
		}
		if got == text {
			return
		}
		kept, cut := strings.CutSuffix(got, "…")
		if !cut && n > 0 || !strings.HasPrefix(string([]rune(text)), kept) {
			t.Errorf("fit(%q, %d) = %q is not its beginning and a …", text, n, got)
		}
		if strings.TrimRightFunc(kept, unicode.IsSpace) != kept {
			t.Errorf("fit(%q, %d) = %q ends in space", text, n, got)
		}
	})
}

// FuzzMessage: no reply makes a message that breaks a limit.
func FuzzMessage(f *testing.F) {
	f.Add("Hola. ", uint16(1), "Sí", uint8(1), "", 3)
	f.Add("Hola. ", uint16(900), "largo ", uint8(200), "https://www.iess.gob.ec/", 12)
	f.Fuzz(func(t *testing.T, words string, texts uint16, title string, titles uint8, address string, n int) {
		r := bot.Reply{Text: strings.Repeat(words, int(texts%2000))}
		title = strings.Repeat(title, int(titles))
		for i := range min(max(n, 0), 15) {
			r.Buttons = append(r.Buttons, bot.Button{ID: fmt.Sprint(i), Title: title})
		}
		if address != "" {
			r.Buttons = append(r.Buttons, bot.Button{ID: "url", Title: title, URL: address})
		}
		if m, err := message(byPhone, r); err == nil {
			within(t, m)
		}
	})
}
