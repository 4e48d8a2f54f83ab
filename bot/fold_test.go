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
