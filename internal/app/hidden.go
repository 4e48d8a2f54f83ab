package app

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"

	"llave/internal/secret"
	"llave/internal/store"
)

// hidden is a handler of log lines in which no chat can be recognised: wherever a conversation's id stands, in a value, an
// error or the message, the chat in it is named by a keyed hash (P405), the one by which it goes in the store. The same chat has the
// same name in every line, and another one under another secret key.
type hidden struct {
	next  slog.Handler
	vault *secret.Vault
}

// hideChats is [log] without chats.
func hideChats(log *slog.Logger, v *secret.Vault) *slog.Logger {
	return slog.New(hidden{log.Handler(), v})
}

// conversations finds ids as bot.ConversationID makes them, of every channel that there is.
var conversations = regexp.MustCompile(`\b(` + strings.Join(slices.Sorted(maps.Keys(erasing)), "|") + `):~?[A-Za-z0-9+_=-]+(?:\.[A-Za-z0-9+_=-]+)*`)

func (h hidden) text(s string) string {
	return conversations.ReplaceAllStringFunc(s, func(id string) string { return store.ConversationName(h.vault, id) })
}

func (h hidden) attr(a slog.Attr) slog.Attr {
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindString:
		return slog.String(a.Key, h.text(v.String()))
	case slog.KindGroup:
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(h.attrs(v.Group())...)}
	case slog.KindAny:
		if err, ok := v.Any().(error); ok {
			return slog.String(a.Key, h.text(err.Error()))
		}
		if said := fmt.Sprint(v.Any()); conversations.MatchString(said) {
			return slog.String(a.Key, h.text(said))
		}
		return a
	default:
		return a
	}
}

func (h hidden) attrs(list []slog.Attr) []slog.Attr {
	clean := make([]slog.Attr, len(list))
	for i, a := range list {
		clean[i] = h.attr(a)
	}
	return clean
}

func (h hidden) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h hidden) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, h.text(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.attr(a))
		return true
	})
	return h.next.Handle(ctx, clean)
}

func (h hidden) WithAttrs(list []slog.Attr) slog.Handler {
	return hidden{h.next.WithAttrs(h.attrs(list)), h.vault}
}

func (h hidden) WithGroup(name string) slog.Handler { return hidden{h.next.WithGroup(name), h.vault} }
