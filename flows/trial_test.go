package flows_test

import (
	"slices"
	"strings"
	"testing"

	"llave/flows"
)

func newTrial(t *testing.T) *flows.Trial {
	t.Helper()
	x, err := flows.NewTrial(flows.Options{
		PublicURL: "http://localhost:8080", LinkTTL: 3 * 60e9, Limits: flows.Limits{NumbersHour: 3, NumbersDay: 10, MessagesMinute: 20},
		Idle: 24 * 3600e9, Seen: 192 * 3600e9, Erasing: func(string) flows.Erasing { return flows.StaysHere },
	})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// What a trial says is what the conversation does, and names it as the examples do.
func TestTrial(t *testing.T) {
	x := newTrial(t)
	for _, c := range []struct{ state, said, meaning, does, answer string }{
		{"sent", "cuanto tiempo me queda para abrir el link", "time_left", flows.Acts, "2 minutos"},
		{"sent", "no me llega", "not_arrived", flows.Acts, ""},
		{"menu", known, "number", flows.Acts, "171 003 406 5"},
		{"any", known, "number", flows.Acts, "171 003 406 5"},
		{"number", "17900", "number", flows.Acts, "10"},
		{"sent", known, "number", flows.Acts, ""},
		{"ready", "sí", "yes", flows.Acts, ""},
		{"confirm", "no", "no", flows.Acts, ""},
		{"confirm", "sí", "yes", flows.Acts, ""},
		{"tried", "menú", "menu", flows.Acts, ""},
		{"step", "atrás", "back", flows.Acts, "Paso 2 de 5"},
		{"step", "repetir", "repeat", flows.Acts, "Paso 3 de 5"},
		{"office", "ayuda", "help", flows.Acts, ""},
		{"menu", "hola", "hello", flows.Acts, ""},
		{"menu", "gracias", "thanks", flows.Acts, ""},
		{"ready", "cancelar", "cancel", flows.Acts, ""},
		{"menu", "persona", "person", flows.Acts, ""},
		{"menu", "mi clave es Perro2024!", "", flows.Acts, ""},
		{"step", "llamen una ambulancia", "emergency", flows.Acts, "911"},
		{"ready", "enviar enlace", "send", flows.Acts, "3 minutos"},
		{"ended", "reenviar enlace", "resend", flows.Acts, ""},
		{"start", "soy viuda y se me bloqueó la clave", "", flows.Acts, ""},
		{"start", known, "number", flows.Acts, ""},
	} {
		got, err := x.Say(c.said, c.state, "es")
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s %q: %s %.2f %s %.70q %q", c.state, c.said, got.Meaning, got.Confidence, got.Does, got.Answer, got.Buttons)
		if c.meaning != "" && got.Meaning != c.meaning || got.Does != c.does || !strings.Contains(got.Answer, c.answer) {
			t.Errorf("%s, %q: got %+v, want %s, %s, %q", c.state, c.said, got, c.meaning, c.does, c.answer)
		}
	}
}

// Every sentence of the examples can be tried in its state, in both languages; what has no meaning confidence has a rule.
func TestTrial_examples(t *testing.T) {
	x := newTrial(t)
	right, said := 0, 0
	harmed := map[string]int{}
	for i, s := range sentences(t) {
		if i%40 != 0 {
			continue
		}
		language := "es"
		if strings.HasPrefix(s.Writer, "en") {
			language = "en"
		}
		got, err := x.Say(s.Text, s.State, language)
		if err != nil {
			t.Fatalf("%s, %q: %v", s.State, s.Text, err)
		}
		v, err := x.Judge(got, s.Meaning)
		if err != nil {
			t.Fatal(err)
		}
		if said++; v.Right {
			right++
		} else if got.Does == flows.Acts {
			t.Logf("%s %q: %s taken for %s %.2f", s.State, s.Text, s.Meaning, got.Meaning, got.Confidence)
		}
		if v.Dangerous {
			harmed[s.Text]++
		}
		if got.Answer == "" || !slices.Contains([]string{flows.Acts, flows.Asks, flows.Missed}, got.Does) || v.Right && !v.WithinThree {
			t.Errorf("%s, %q: got %+v, %+v", s.State, s.Text, got, v)
		}
	}
	if t.Logf("%d of %d right; harm: %v", right, said, harmed); 10*right < 9*said {
		t.Errorf("%d of %d right: the model has learned these", right, said)
	}
}
