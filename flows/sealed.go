package flows

import (
	"fmt"

	"llave/bot"
	"llave/internal/secret"
)

// sealedAs are the fields of what the engine keeps sealed.
var sealedAs = map[bot.Sealed]*secret.Field{bot.SealedReply: secret.Reply, bot.SealedSaid: secret.Said, bot.SealedEach: secret.Each}

// OpenReply opens a reply of a conversation that was sealed because it holds a number.
func OpenReply(v *secret.Vault, conv, sealed string) (string, error) {
	return v.Open(secret.Reply.Of(conv), sealed)
}

// keeps remembers a text, sealed, in a slot that is one of secret.Slots. It opens in that slot of that conversation alone.
func (f *flow) keeps(t *bot.Turn, slot, text string) {
	t.Remember(slot, f.Vault.Seal(secret.Slots[slot].Of(t.Conv.ID), text))
}

// kept is what a slot keeps sealed.
func (f *flow) kept(t *bot.Turn, slot string) (string, error) { return opens(f.Vault, t.Conv, slot) }

func opens(v *secret.Vault, c *bot.Conversation, slot string) (string, error) {
	text, err := v.Open(secret.Slots[slot].Of(c.ID), c.Slots[slot])
	if err != nil {
		return "", fmt.Errorf("open %s: %w", slot, err)
	}
	return text, nil
}

// moves has what one slot keeps sealed be another's. What cannot be opened is lost.
func (f *flow) moves(t *bot.Turn, from, to string) {
	text, err := f.kept(t, from)
	t.Forget(from, to)
	if err == nil {
		f.keeps(t, to, text)
	}
}
