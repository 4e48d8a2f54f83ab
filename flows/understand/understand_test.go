package understand_test

import (
	"slices"
	"strings"
	"testing"

	"llave/flows/understand"
)

var rules = understand.Rules{
	Manners:  []string{"por favor"},
	Filler:   []string{"la", "el", "mi", "que", "se", "me"},
	Ordinary: []string{"perro"},
	Denying:  []string{"no"},
	Turning:  []string{"pero"},
	Things:   map[string][]string{"key": {"clave"}, "mail": {"correo electrónico", "correo"}},
	Deeds:    map[string][]string{"unlock": {"desbloque*"}, "arrive": {"llega"}, "erase": {"borre"}, "want": {"quiero"}},
	Intents: map[string]understand.Intent{
		"unlock": {Signs: []string{"unlock", "unlock key"}, Against: []string{"mail"}},
		"lost":   {Signs: []string{"mail !arrive"}},
		"key":    {Signs: []string{"key=2.4"}},
		"erase":  {Signs: []string{"erase"}, Phrases: []string{"borre todo"}, Careful: true},
	},
}

func TestRead(t *testing.T) {
	u, err := understand.New(rules)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text    string
		outcome understand.Outcome
		intent  string
	}{
		{"Desbloquear", understand.Sure, "unlock"},
		{"quiero desbloquear mi clave", understand.Sure, "unlock"},
		{"DESBLOQUEAR LA KLAVE", understand.Sure, "unlock"}, // as it sounds
		{"desvloquear la clafe", understand.Sure, "unlock"}, // a wrong letter
		{"no quiero desbloquear", understand.Nothing, ""},   // denied
		{"no, desbloquear", understand.Sure, "unlock"},      // a denial of something else
		{"no perro pero desbloquear clave", understand.Sure, "unlock"},
		{"no me llega el correo electrónico", understand.Sure, "lost"},
		{"llega el correo", understand.Nothing, ""},
		{"borre todo por favor", understand.Sure, "erase"}, // all that was said
		{"perro borre todo perro", understand.Unsure, "erase"},
		{"borre", understand.Unsure, "erase"},
		{"mi perro", understand.Nothing, ""},
		{"", understand.Nothing, ""},
		{"¿?", understand.Nothing, ""},
		{strings.Repeat("perro ", 5000) + "desbloquear", understand.Nothing, ""}, // nobody needs that many words
	} {
		m := u.Read(c.text)
		if m.Outcome != c.outcome || c.intent != "" && (len(m.Intents) == 0 || m.Intents[0] != c.intent) {
			t.Errorf("%.40q: got %s %v, want %s %s", c.text, m.Outcome, m.Intents, c.outcome, c.intent)
		}
	}
}

// What the question that stands expects is likelier, but never enough for what cannot be taken back.
func TestRead_expected(t *testing.T) {
	u, err := understand.New(rules)
	if err != nil {
		t.Fatal(err)
	}
	if m := u.Read("la clave del perro"); m.Outcome != understand.Unsure {
		t.Errorf("got %s %v, want unsure", m.Outcome, m.Intents)
	}
	if m := u.Read("la clave del perro", "key"); !m.Is("key") {
		t.Errorf("expected: got %s %v, want sure of key", m.Outcome, m.Intents)
	}
	if m := u.Read("borre perro", "erase"); m.Outcome != understand.Unsure {
		t.Errorf("careful: got %s %v, want unsure", m.Outcome, m.Intents)
	}
}

func TestNew_refusesBadRules(t *testing.T) {
	for _, c := range []struct {
		name, want string
		intent     understand.Intent
	}{
		{"unknown concept", "is no concept", understand.Intent{Signs: []string{"nobody"}}},
		{"bad weight", "weight", understand.Intent{Signs: []string{"key=much"}}},
		{"empty sign", "is empty", understand.Intent{Against: []string{" "}}},
		{"empty phrase", "says nothing", understand.Intent{Phrases: []string{"¡!"}}},
	} {
		r := rules
		r.Intents = map[string]understand.Intent{"x": c.intent}
		if _, err := understand.New(r); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
	}
}

func TestSound(t *testing.T) {
	for _, same := range [][]string{
		{"desbloquear", "desvloquear", "desblokear", "DESBLOQUEAR"}, {"llave", "yave", "llabe"}, {"hola", "ola", "holaaa"},
		{"cédula", "sedula", "zédula"}, {"gerente", "jerente"},
	} {
		for _, w := range same[1:] {
			if got, want := understand.Sound(w), understand.Sound(same[0]); got != want {
				t.Errorf("%s: got %s, want %s", w, got, want)
			}
		}
	}
	if understand.Sound("chao") == understand.Sound("cao") {
		t.Error("ch sounds like c")
	}
}

func TestIntents(t *testing.T) {
	u, err := understand.New(rules)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := u.Intents(), []string{"erase", "key", "lost", "unlock"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
