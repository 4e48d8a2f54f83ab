package unlock

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"llave/bot"
)

// erasedChat is what the name of a chat begins with that was erased: its links still work for the records' owners, and nobody hears of
// them.
const erasedChat = "~~"

// Erased says that a conversation's id is of a chat that was erased.
func Erased(conv string) bool {
	_, chat := bot.SplitConversationID(conv)
	return strings.HasPrefix(chat, erasedChat)
}

// Erase has nobody find in the document that a conversation asked; [is] says which. The channel stays, since letters name it, and so do
// the limits. It says whether that changed anything.
func (d *Document) Erase(is func(conv string) bool) bool {
	dead := map[string]string{}
	changed := d.Rename(func(conv string) string {
		if !is(conv) {
			return conv
		}
		if dead[conv] == "" {
			channel, _ := bot.SplitConversationID(conv)
			dead[conv] = bot.ConversationID(channel, erasedChat+rand.Text()[:12])
		}
		return dead[conv]
	}, func(string) string { return rand.Text()[:12] }) // the ids of updates stay in the conversation, and would lead back
	kept := d.Promises
	d.Promises = slices.DeleteFunc(slices.Clone(kept), func(p bot.Promise) bool {
		what, ok := p.What.(bot.SendSignal)
		return ok && is(what.Conv)
	})
	return changed || len(d.Promises) != len(kept)
}

// EraseAll has nobody find who asked, and drops what is over and what was learned of the mailbox. A link that lives, a key pass, the
// owner's "No fui yo" and the key stay: they are the owner's.
func (d *Document) EraseAll(now time.Time) (changed bool) {
	changed = d.Erase(func(conv string) bool { return !Erased(conv) })
	if d.Bounced != nil {
		d.Bounced, changed = nil, true
	}
	return changed
}

// TrimAsks drops the requests that no limit counts any more, and says whether there were any.
func (d *Document) TrimAsks(before time.Time) bool {
	n := len(d.Asks)
	d.Asks = slices.DeleteFunc(d.Asks, func(a Asked) bool { return !a.At.After(before) })
	return len(d.Asks) != n
}

// Askers are the conversations that asked, as far as that is kept.
func (d *Document) Askers() (convs []string) {
	for _, a := range d.Asks {
		conv, _, _ := strings.Cut(a.Turn, "/")
		convs = append(convs, conv)
	}
	for _, a := range d.all() {
		convs = append(convs, a.Convs...)
		convs = append(convs, a.By)
	}
	return slices.DeleteFunc(convs, func(conv string) bool { return conv == "" })
}

// AskedBy is when a conversation asked.
func (d *Document) AskedBy(is func(conv string) bool) (at []time.Time) {
	for _, a := range d.Asks {
		if conv, _, _ := strings.Cut(a.Turn, "/"); is(conv) {
			at = append(at, a.At)
		}
	}
	return at
}
