package bot_test

import (
	"testing"

	"llave/bot"
)

func TestReadPress(t *testing.T) {
	tests := []struct {
		data   string
		prompt int
		id     string
		ours   bool
	}{
		{"12:yes", 12, "yes", true}, {"0:yes", 0, "yes", true}, {"12:a:b", 12, "a:b", true}, {"12:", 12, "", true},
		{"lang:kk", 0, "lang:kk", false}, {"yes", 0, "yes", false}, {"", 0, "", false}, {"-1:x", 0, "-1:x", false}, {"012:x", 0, "012:x", false}, {"+1:x", 0, "+1:x", false},
	}
	for _, tt := range tests {
		if prompt, id, ours := bot.ReadPress(tt.data); prompt != tt.prompt || id != tt.id || ours != tt.ours {
			t.Errorf("ReadPress(%q): got %d %q %t, want %d %q %t", tt.data, prompt, id, ours, tt.prompt, tt.id, tt.ours)
		}
	}
	if got, want := bot.PressData(12, "a:b"), "12:a:b"; got != want {
		t.Errorf("PressData: got %q, want %q", got, want)
	}
}
