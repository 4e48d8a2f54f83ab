package bot

import "testing"

func TestFold(t *testing.T) {
	for _, tc := range []struct{ in, clean, fold string }{
		{"  Sí, está   BIEN ", "  Sí, está   BIEN ", "si, esta bien"},
		{"Ñandú", "Ñandú", "nandu"},
		{"N\u0303andu\u0301", "Ñandú", "nandu"},
		{"ｈｏｌａ", "hola", "hola"},
		{"𝐡𝐨𝐥𝐚", "hola", "hola"},
		{"ho\u200bla\u202e", "hola", "hola"},
		{"1\ufe0f\u20e3", "1", "1"},
		{"a\u00a0b\nc", "a b\nc", "a b c"},
		{"\xffhola", "hola", "hola"},
		{"", "", ""},
	} {
		if got := Clean(tc.in); got != tc.clean {
			t.Errorf("Clean(%q): got %q, want %q", tc.in, got, tc.clean)
		}
		if got := Fold(tc.in); got != tc.fold {
			t.Errorf("Fold(%q): got %q, want %q", tc.in, got, tc.fold)
		}
	}
}

func TestAlike(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"Guayaquil", "guayakil", true},
		{"Ibarra", "ibara", true},
		{"Loja", "loga", false}, // too short to forgive
		{"Santo Domingo", "santodomingo", true},
		{"Quito", "Cuenca", false},
		{"", "Loja", false},
	} {
		if got := Alike(tc.a, tc.b); got != tc.want {
			t.Errorf("Alike(%q, %q): got %v, want %v", tc.a, tc.b, got, tc.want)
		}
	}
}
