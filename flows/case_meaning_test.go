package flows_test

import "testing"

// A case knows what the person's last words came to, and nothing of what they told of themselves.
func TestCaseMeaning(t *testing.T) {
	for _, tt := range []struct {
		said []string
		want string
	}{
		{[]string{"hola", "cuánto cuesta", "persona"}, "cost"},
		{[]string{"hola", "persona"}, ""},
		{[]string{"hola", "soy sordo", "persona"}, ""},
	} {
		k, _ := staffedTalk(t)
		for _, words := range tt.said {
			k.says(words)
		}
		if k.c.Handoff == nil {
			t.Errorf("%q: there is no case", tt.said)
		} else if got := k.c.Handoff.Meaning; got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.said, got, tt.want)
		}
	}
}
