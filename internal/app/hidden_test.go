package app

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"llave/internal/secret"
)

// A chat's id stands in no line, whichever way it comes there, and the same chat is called the same in all of them.
func TestHidden(t *testing.T) {
	write := func(key byte, log func(*slog.Logger)) string {
		v, err := secret.New(bytes.Repeat([]byte{key}, 32))
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		log(hideChats(slog.New(slog.NewJSONHandler(&out, nil)), v))
		return out.String()
	}
	lost := fmt.Errorf("load from conversations: %w", errors.New(`no "whatsapp:593991234567" there`))
	lines := write(1, func(l *slog.Logger) {
		l.Info("turn", "conv", "whatsapp:593991234567", "n", 3)
		l.Error("store away", "error", lost)
		l.With("conv", "whatsapp:593991234567").WithGroup("g").Warn("of whatsapp:593991234567/desk/ana", slog.Group("in", "chat", "whatsapp:593991234567"))
		l.Info("promise", "id", "whatsapp:593991234567/u5/say", "errs", []error{lost})
	})
	if strings.Contains(lines, "593991234567") {
		t.Errorf("the telephone stands in the log:\n%s", lines)
	}
	name := conversations.FindString(lines)
	if n := strings.Count(lines, name); name == "" || n != 7 {
		t.Errorf("the chat is called %q %d times, want 7:\n%s", name, n, lines)
	}
	if !strings.Contains(lines, name+"/u5/say") || !strings.Contains(lines, `"n":3`) {
		t.Errorf("more than the chat is hidden:\n%s", lines)
	}
	for channel := range erasing {
		for _, line := range []string{channel + ":ab12", "load " + channel + ":ab12: gone", "of " + channel + ":ab12.", channel + ":US.ab12/x"} {
			if got := write(1, func(l *slog.Logger) { l.Info(line) }); strings.Contains(got, "ab12") {
				t.Errorf("%s: %s", line, got)
			}
		}
	}
	if a, b := write(1, func(l *slog.Logger) { l.Info("whatsapp:593991234567: gone") }), name+": gone"; !strings.Contains(a, b) {
		t.Errorf("%s, want %s", a, b)
	}
	if got := write(1, func(l *slog.Logger) { l.Info("x", "error", error(nil), "list", []int{1}) }); !strings.Contains(got, `"error":null,"list":[1]`) {
		t.Errorf("what holds no chat is changed: %s", got)
	}
	if other := write(2, func(l *slog.Logger) { l.Info("turn", "conv", "whatsapp:593991234567") }); strings.Contains(other, name) {
		t.Errorf("under another key the chat has the same name: %s", other)
	}
}
