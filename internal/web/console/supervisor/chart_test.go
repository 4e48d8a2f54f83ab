package supervisor

import (
	"slices"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/handoff"
)

func TestLength(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 400 * time.Millisecond: "0 s", 59 * time.Second: "59 s", time.Minute: "1 min", 80 * time.Second: "1 min 20 s",
		time.Hour: "1 h", 2*time.Hour + 5*time.Minute + 40*time.Second: "2 h 5 min", 47*time.Hour + 59*time.Minute: "47 h 59 min",
		48 * time.Hour: "2 d", 75 * time.Hour: "3 d 3 h",
	} {
		if got := length(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

func TestScaleTop(t *testing.T) {
	for most, want := range map[int]int{0: 2, 1: 2, 2: 2, 3: 4, 5: 6, 7: 10, 10: 10, 11: 20, 41: 60, 80009: 100000} {
		if got := scaleTop(most); got != want {
			t.Errorf("%d: got %d, want %d", most, got, want)
		}
	}
}

// Every bar of a chart stays within it and stands on the floor.
func TestHourColumns(t *testing.T) {
	var hours [24]handoff.HourFigures
	for i := range hours {
		hours[i] = handoff.HourFigures{Asked: i * 7, Answered: 3}
	}
	c := hourColumns(hours)
	if c.Empty || len(c.Pairs) != 24 || c.Top < 23*7 {
		t.Fatalf("got %+v", c)
	}
	right := percent(0)
	for i, p := range c.Pairs {
		for _, b := range []bar{p.First, p.Second} {
			if b.X < right || b.X+b.Width > 100 || b.Y < 0 || b.Y+b.Height != percent(c.Height) {
				t.Errorf("hour %d: %+v lies outside", i, b)
			}
			right = b.X + b.Width
		}
	}
	if top := hourColumns([24]handoff.HourFigures{9: {Asked: 10}}).Pairs[9].First; top.Y != 0 {
		t.Errorf("the highest bar begins at %v", top.Y)
	}
	if !hourColumns([24]handoff.HourFigures{}).Empty {
		t.Error("a chart of nothing is not empty")
	}
}

func TestReasonRows(t *testing.T) {
	r := reasonRows(map[string]int{handoff.Solved: 4, handoff.Left: 9, handoff.Misuse: 4})
	var names, widths []string
	for _, row := range r {
		names, widths = append(names, row.Name), append(widths, row.Bars[0].Width.String())
	}
	if want := []string{handoff.Left, handoff.Misuse, handoff.Solved}; !slices.Equal(names, want) {
		t.Errorf("order: got %q, want %q", names, want)
	}
	if want := []string{"100", "44.44", "44.44"}; !slices.Equal(widths, want) {
		t.Errorf("widths: got %q, want %q", widths, want)
	}
}

func TestHarmless(t *testing.T) {
	for _, tt := range []struct{ cell, want string }{
		{"", ""},
		{"hola", "hola"},
		{"a=1", "a=1"},
		{"correo@example.com", "correo@example.com"},
		{"2026-03-02 10:00:00", "2026-03-02 10:00:00"},
		{"C-AAAA-AAA", "C-AAAA-AAA"},
		{`=HYPERLINK("http://mal.example";"x")`, `'=HYPERLINK("http://mal.example";"x")`},
		{"+1", "'+1"},
		{"-1", "'-1"},
		{"@x", "'@x"},
		{"\t=1", "'\t'=1"},
		{"\tx", "'\tx"},
		{"\rx", "'\rx"},
		{"\r=1", "'\r'=1"},
		{"\n=1", "'\n'=1"},
		{"＝1", "'＝1"},
		{"＋1", "'＋1"},
		{"－1", "'－1"},
		{"＠x", "'＠x"},
		{"﹦1", "'﹦1"},
		{"−1", "'−1"},
		{" =1", "' =1"},
		{`"=1"`, `'"=1"`},
		{`'=1`, `''=1`},
		{"“=1”", "'“=1”"},
		{"« =1", "'« =1"},
		{" \u00a0=1", "' \u00a0=1"},
		{"\u200b=1", "'\u200b=1"},
		{"\ufeff=1", "'\ufeff=1"},
		{"hola;=1", "hola;'=1"},
		{"hola; \"=1", "hola;' \"=1"},
		{"hola\n-5", "hola\n'-5"},
		{"hola\t@x", "hola\t'@x"},
		{"a;b;+c;d", "a;b;'+c;d"},
	} {
		if got := harmless(tt.cell); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.cell, got, tt.want)
		}
	}
}

func FuzzHarmless(f *testing.F) {
	for _, s := range []string{"=1", " \"+1", "x;\t@", "－1", "a\r\n=b", "\xff=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := harmless(s)
		text := string([]rune(s)) // what is no text comes out as the sign for it
		if strings.ReplaceAll(got, "'", "") != strings.ReplaceAll(text, "'", "") {
			t.Errorf("%q became %q: more than apostrophes", s, got)
		}
		for _, cell := range strings.FieldsFunc(got, func(r rune) bool { return strings.ContainsRune(";\t\r\n", r) }) {
			if rest := strings.TrimLeft(cell, " \""); rest != "" && strings.ContainsRune("=+-@", rune(rest[0])) {
				t.Errorf("%q became %q, of which %q runs", s, got, cell)
			}
		}
	})
}

func TestSnippet(t *testing.T) {
	show := func(pieces []piece) string {
		var b strings.Builder
		for _, p := range pieces {
			if p.Mark {
				b.WriteString("[" + p.Text + "]")
			} else {
				b.WriteString(p.Text)
			}
		}
		return b.String()
	}
	for _, tt := range []struct{ text, words, want string }{
		{"No me llega el correo", "CORREO", "No me llega el [correo]"},
		{"Mi contraseña se BLOQUEÓ.", "contrasena bloqueo", "Mi [contraseña] se [BLOQUEÓ]."},
		{"bloqueo\u0301 la clave", "bloqueó clave", "[bloqueo\u0301] la [clave]"},
		{"ana banana", "ana", "[ana] b[ana]na"},
		{"ＣＬＡＶＥ ancha", "clave", "[ＣＬＡＶＥ] ancha"},
		{"nada de eso", "clave", "nada de eso"},
		{"", "clave", ""},
	} {
		if got := show(snippet(tt.text, tt.words)); got != tt.want {
			t.Errorf("%q in %q: got %q, want %q", tt.words, tt.text, got, tt.want)
		}
	}
	long := strings.Repeat("palabra ", 200) + "CLAVE" + strings.Repeat(" otra", 200)
	got := show(snippet(long, "clave"))
	if !strings.HasPrefix(got, "… ") || !strings.HasSuffix(got, " …") || !strings.Contains(got, "[CLAVE]") || len([]rune(got)) > snippetWhole+10 {
		t.Errorf("of a long line: %q", got)
	}
}

// Whatever Search finds is marked.
func FuzzMarks(f *testing.F) {
	f.Add("La contraseña", "contrasena")
	f.Add("ﬁn de mes", "fin")
	f.Add("Ⅳ İstanbul", "iv istanbul")
	f.Fuzz(func(t *testing.T, text, words string) {
		_ = snippet(text, words)
		if got := len(marks([]rune(text), strings.Fields(bot.Fold(words)))); got != len([]rune(text)) {
			t.Errorf("%d marks for %d runes", got, len([]rune(text)))
		}
	})
}

func TestTail(t *testing.T) {
	for n := range 12 {
		last := newTail[int](5)
		for i := range n {
			last.add(i)
		}
		var want []int
		for i := max(n-5, 0); i < n; i++ {
			want = append(want, i)
		}
		if got := last.all(); !slices.Equal(got, want) {
			t.Errorf("of %d: got %v, want %v", n, got, want)
		}
	}
}
