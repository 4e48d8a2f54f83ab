package app_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// tried is a line of `llave understand --json`, and tallied the last one.
type tried struct {
	State, Said, Meaning, Does, Answer string
	Confidence                         float64
	Next                               []struct{ Meaning string }
	Buttons                            []string
}

type tally struct {
	Total, Right, Dangerous int
	WithinThree             int              `json:"within_three"`
	ByMeaning               map[string]tally `json:"by_meaning"`
	ByState                 map[string]tally `json:"by_state"`
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// try has one sentence understood.
func try(t *testing.T, environ []string, said string, args ...string) (got tried) {
	t.Helper()
	code, stdout, stderr := run(t, environ, said+"\n", append([]string{"understand", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(stdout), &got); code != 0 || err != nil {
		t.Fatalf("%q: exit %d, %s (%v), %s", said, code, stdout, err, stderr)
	}
	return got
}

func TestUnderstand(t *testing.T) {
	for _, c := range []struct {
		said, state, lang   string
		meaning, does, says string
	}{
		{"cuanto tiempo me queda?", "sent", "es", "time_left", "acts", "2 minutos"},
		{"how much time do i have left?", "sent", "en", "time_left", "acts", "2 minutes"},
		{"cuanto cuesta el tramite", "any", "es", "cost", "acts", "gratis"},
		{"1710034065", "number", "es", "number", "acts", "171 003 406 5"},
		{"menú", "tried", "es", "menu", "acts", "¿Qué necesita hoy?"},
		{"mi clave es Perro2024!", "menu", "es", "", "acts", "no escriba su clave"},
		{"wq zxk", "menu", "es", "-", "missed", "no le entendí"},
	} {
		got := try(t, nil, c.said, "--state", c.state, "--lang", c.lang)
		if got.State != c.state || got.Said != c.said || c.meaning != "-" && got.Meaning != c.meaning || got.Does != c.does || !strings.Contains(got.Answer, c.says) || len(got.Next) != 2 {
			t.Errorf("%s, %q: got %+v", c.state, c.said, got)
		}
	}
	asked := try(t, nil, "anulen todo el proceso que estaba haciendo, ya no deseo seguir con esto", "--state", "ready")
	if asked.Does != "asks" || asked.Buttons[len(asked.Buttons)-1] != "Otra cosa" || !strings.Contains(asked.Answer, "¿Quiso decir") {
		t.Errorf("got %+v, want a question: nothing is ended on a guess", asked)
	}
	code, stdout, _ := run(t, nil, "hola\n\ngracias", "understand", "-")
	if code != 0 || strings.Count(stdout, "any: ") != 2 || !strings.Contains(stdout, "hello 1.00") || !strings.Contains(stdout, "[Desbloquear clave]") {
		t.Errorf("exit %d, %s", code, stdout)
	}
}

// What a labelled file comes to: five right, two done that somebody else had asked for, one neither.
func TestUnderstand_labelled(t *testing.T) {
	file := write(t, "said.csv", "\ufeffstate,said,meaning\r\nsent,no me llega,not_arrived\r\nready,enviar enlace,send\r\nready,\"enviar, enlace\",law\r\n"+
		"menu,hola,hello\r\nmenu,1710034065,number\r\nconfirm,sí,law\r\nconfirm,sí,yes\r\ntried,menú,law\r\n")
	code, stdout, stderr := run(t, nil, "", "understand", "--json", file)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	var sum tally
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &sum); code != 0 || err != nil || len(lines) != 9 {
		t.Fatalf("exit %d, %v, %d lines, %s", code, err, len(lines), stderr)
	}
	if sum.Total != 8 || sum.Right != 5 || sum.WithinThree != 5 || sum.Dangerous != 2 {
		t.Errorf("got %+v, want 8, 5, 5 and 2", sum)
	}
	if got, want := sum.ByMeaning["law"], (tally{Total: 3, Dangerous: 2}); !reflect.DeepEqual(got, want) {
		t.Errorf("by meaning: got %+v, want %+v", got, want)
	}
	if got, want := sum.ByState["confirm"], (tally{Total: 2, Right: 1, WithinThree: 1, Dangerous: 1}); !reflect.DeepEqual(got, want) {
		t.Errorf("by state: got %+v, want %+v", got, want)
	}
	code, stdout, _ = run(t, nil, "", "understand", file)
	for _, want := range []string{"(meant: law)", "8 sentences: 8 answered, 0 asked about, 0 not understood", "right 62.5 %", "dangerous 2", "law              menu             acts       1"} {
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("exit %d: %q is not in %s", code, want, stdout)
		}
	}
	if code, stdout, _ := run(t, nil, "state,said\nsent,hola\n", "understand", "--json", "-"); code != 0 || strings.Count(stdout, "\n") != 1 || !strings.Contains(stdout, `"state":"sent"`) {
		t.Errorf("a table on standard input, without meanings: exit %d, %s", code, stdout)
	}
}

func TestUnderstand_refuses(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "there is no sentence in it"},
		{"state,said\n", "there is no sentence in it"},
		{"estado,dicho\nsent,hola\n", `line 1: "estado,dicho" is no header; expected state,said`},
		{"state,said,meaning\nsent,hola,hello\nlost,hola,hello\n", `line 3: there is no state "lost"`},
		{"state,said,meaning\nsent,hola,greeting\n", `line 2: there is no meaning "greeting"`},
		{"state,said,meaning\nsent,,hello\n", "line 2: nothing is said"},
		{"state,said\nsent,hola, buenas\n", "line 2: 3 columns; expected 2"},
		{"state,said\nsent,\"hola\n", "line"},
		{"state,said\nsent,\xff\xfe\n", "line 2 is not UTF-8"},
	} {
		if code, stdout, stderr := run(t, nil, "", "understand", write(t, "said.csv", c.text)); code != 1 || stdout != "" || !strings.Contains(stderr, c.want) || !strings.Contains(stderr, "said.csv") {
			t.Errorf("%q: exit %d, %q, want 1, the file and %q", c.text, code, stderr, c.want)
		}
	}
	if code, _, stderr := run(t, nil, "", "understand", "nowhere.csv"); code != 1 || !strings.Contains(stderr, "nowhere.csv") {
		t.Errorf("no file: exit %d, %s", code, stderr)
	}
	if code, _, stderr := run(t, nil, "", "understand"); code != 1 || !strings.Contains(stderr, "there is no sentence") {
		t.Errorf("nothing said: exit %d, %s", code, stderr)
	}
}

// What the institution says in its own words is said.
func TestUnderstand_ownWords(t *testing.T) {
	if got := try(t, nil, "vivo en España y no puedo ir"); strings.Contains(got.Answer, "consulado") || got.Meaning != "abroad" {
		t.Fatalf("got %+v", got)
	}
	if got := try(t, []string{"LLAVE_ABROAD_TEXT=Llame al consulado"}, "vivo en España y no puedo ir"); !strings.Contains(got.Answer, " Llame al consulado. ") {
		t.Errorf("got %+v", got)
	}
	const said = "ya hice la clave pero el portal no me deja entrar"
	for lang, usual := range map[string]string{"es": "En el portal toque", "en": "In the portal tap"} {
		if got := try(t, nil, said, "--state", "tried", "--lang", lang); !strings.Contains(got.Answer, usual) {
			t.Errorf("got %+v, want %q", got, usual)
		}
		if got := try(t, []string{"LLAVE_PORTAL_TEXT=Entre por Trámites"}, said, "--state", "tried", "--lang", lang); !strings.Contains(got.Answer, "Entre por Trámites. ") || strings.Contains(got.Answer, usual) {
			t.Errorf("got %+v, want the institution's own words", got)
		}
	}
}

// An institution has a model learned from its own people's words, and the bot understands them by it.
func TestTrain(t *testing.T) {
	dir := t.TempDir()
	for name, rows := range map[string]string{
		"ana.csv":  "sent,zarandunga ausente,not_arrived\nsent,la zarandunga no aparece,not_arrived\nmenu,qué precio tiene,cost\n",
		"luis.csv": "sent,no veo la zarandunga,not_arrived\nmenu,me cobran algo,cost\nmenu,cuánto me cobran,cost\nmenu,mande eso,send\n",
		"rosa.csv": "sent,la zarandunga sigue ausente,not_arrived\nmenu,cobran o no cobran,cost\nmenu,precio por favor,cost\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("state,said,meaning\n"+rows), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	model := filepath.Join(t.TempDir(), "own.bin")
	code, stdout, stderr := run(t, nil, "", "train", "--examples", dir, "--out", model, "--alone", "--json")
	var got struct {
		Sentences, Own, Meanings, Writers, Bytes int
		HeldOut                                  struct{ Total int } `json:"held_out_own"`
	}
	if err := json.Unmarshal([]byte(stdout), &got); code != 0 || err != nil || got.Sentences != 9 || got.Own != 9 || got.Writers != 3 || got.HeldOut.Total != 9 {
		t.Fatalf("exit %d, %s (%v), %s", code, stdout, err, stderr)
	}
	if !strings.Contains(stderr, "100 %") || !strings.Contains(stderr, "left out, 1: send cannot be meant in menu, only in: any, ready") {
		t.Errorf("stderr %q tells neither how far it is nor that what cannot be meant is left out", stderr)
	}
	raw, err := os.ReadFile(model)
	if err != nil || len(raw) != got.Bytes || strings.Contains(string(raw), "zarandunga") {
		t.Errorf("%d bytes (%v), want %d and no sentence in them", len(raw), err, got.Bytes)
	}
	if got := try(t, nil, "zarandunga", "--state", "sent"); got.Meaning == "not_arrived" && got.Does == "acts" {
		t.Fatalf("the model that is built in knows the word: %+v", got)
	}
	if got := try(t, []string{"LLAVE_MODEL_FILE=" + model}, "zarandunga", "--state", "sent"); got.Meaning != "not_arrived" {
		t.Errorf("got %+v, want not_arrived", got)
	}
	if left, err := filepath.Glob(model + "*"); err != nil || len(left) != 1 {
		t.Errorf("%v is left behind (%v)", left, err)
	}
}

func TestTrain_refuses(t *testing.T) {
	out := filepath.Join(t.TempDir(), "own.bin")
	for _, c := range []struct{ text, want string }{
		{"", "there is no sentence in it"},
		{"state,said,meaning\n", "there is no sentence in it"},
		{"state,said\nsent,hola\n", "the column meaning is missing"},
		{"state,said,meaning\nsent,hola,greeting\nmenu,hola,hello\n", "line 2: there is no meaning \"greeting\"\nthe meanings are, explained in docs/meanings.md: abroad, back"},
		{"state,said,meaning\nlost,hola,hello\n", `line 2: there is no state "lost"`},
		{"state,said,meaning\nmenu,mande,send\n", "no sentence is left"},
	} {
		if code, stdout, stderr := run(t, nil, "", "train", "--examples", write(t, "own.csv", c.text), "--out", out); code != 1 || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: exit %d, %q, want 1 and %q", c.text, code, stderr, c.want)
		}
	}
	good := write(t, "own.csv", "state,said,meaning\nmenu,hola,hello\n")
	for _, args := range [][]string{{"--examples", t.TempDir(), "--out", out}, {"--examples", "nowhere.csv", "--out", out}, {"--alone", "--examples", good, "--out", "/nowhere/own.bin"}, {"--alone", "--examples", good, "--out", t.TempDir()}} {
		if code, _, stderr := run(t, nil, "", append([]string{"train"}, args...)...); code != 1 {
			t.Errorf("%v: exit %d, %s, want 1", args, code, stderr)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("something was written")
	}
}

// A model that cannot be used is refused at start, by the name of the setting.
func TestModelFile_refused(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "no model"},
		{"state,said,meaning\nmenu,hola,hello\n", "no model"},
		{"LLAVEM01" + strings.Repeat("x", 100), "another version"},
	} {
		file := write(t, "model.bin", c.text)
		code, _, stderr := run(t, []string{"LLAVE_MODEL_FILE=" + file}, "hola\n", "understand")
		if code != 1 || !strings.Contains(stderr, "LLAVE_MODEL_FILE: "+file) || !strings.Contains(stderr, c.want) {
			t.Errorf("exit %d, %s, want 1 and %q", code, stderr, c.want)
		}
	}
	language, err := os.ReadFile("../../flows/meaning/language.bin") // a model, of other meanings
	if err != nil {
		t.Fatal(err)
	}
	file := write(t, "model.bin", string(language))
	for _, command := range []string{"understand", "chat"} {
		if code, _, stderr := run(t, []string{"LLAVE_MODEL_FILE=" + file}, "hola\n", command); code != 1 || !strings.Contains(stderr, "LLAVE_MODEL_FILE") || !strings.Contains(stderr, "does not know abroad, back") {
			t.Errorf("%s: exit %d, %s, want 1 and what it lacks", command, code, stderr)
		}
	}
}
