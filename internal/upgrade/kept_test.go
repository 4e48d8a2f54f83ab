package upgrade

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/flows"
	"llave/internal/affiliate"
	"llave/internal/bottest"
	"llave/internal/store"
)

// times says how often a promise has been kept, as far as the outside and the store tell. Where one alone cannot be told
// from others with the same words, it is how often these were said to the chat, by promise.
func (l *left) times(t *testing.T, p owed, all []owed) int {
	t.Helper()
	switch p.Kind {
	case "say":
		return l.said(t, p) / l.alike(t, p, all)
	case "delete":
		return len(slices.DeleteFunc(l.api.Calls("deleteMessage"), func(c bottest.BotCall) bool {
			return "telegram:"+c.Params["chat_id"] != p.by || c.Params["message_id"] != p.MessageID
		}))
	case "link", "notice":
		return l.mailed(t, p)
	case "activate":
		return l.active(t, p)
	case "signal":
		return l.heard(t, p)
	case "file":
		return l.found(t, p.Ref, store.Complaints, store.Cases)
	case "case":
		return l.recorded(t, p)
	case "lines":
		return l.transcribed(t, p)
	case "audit":
		id, err := l.app.Store.AuditID(t.Context(), p.ID)
		must(t, err)
		return l.found(t, id, store.Audit)
	case "erase":
		return l.erased(t, p)
	}
	t.Fatalf("a promise of kind %q, which no case here knows", p.Kind)
	return 0
}

// text is what a bubble says.
func (l *left) text(t *testing.T, p owed) string {
	t.Helper()
	if !p.Reply.Sealed {
		return p.Reply.Text
	}
	text, err := flows.OpenReply(l.app.Vault, p.by, p.Reply.Text)
	must(t, err)
	return text
}

// said is how often a bubble's words came to the chat. By WhatsApp several may come in one.
func (l *left) said(t *testing.T, p owed) (n int) {
	t.Helper()
	const between = "\n\n"
	for _, m := range l.bubbles(p.by) {
		if m.Text == l.text(t, p) || strings.HasPrefix(p.by, onWhatsApp) && strings.Contains(between+m.Text+between, between+l.text(t, p)+between) {
			n++
		}
	}
	return n
}

// alike is how many promises of a chat have the same words.
func (l *left) alike(t *testing.T, p owed, all []owed) (n int) {
	t.Helper()
	for _, other := range all {
		if other.Kind == "say" && other.by == p.by && l.text(t, other) == l.text(t, p) {
			n++
		}
	}
	return n
}

// bubbles are what came to a conversation's chat.
func (l *left) bubbles(conv string) []bottest.ChatMessage {
	for _, p := range l.People {
		if l.conversation(p) == conv {
			return l.phone(p).Messages(p.Chat)
		}
	}
	return nil
}

func (l *left) phone(p person) phone {
	if p.On == onWhatsApp {
		return l.graph
	}
	return l.api
}

// mailed is how many letters of a promise came. They bear its own Message-ID.
func (l *left) mailed(t *testing.T, p owed) (n int) {
	t.Helper()
	for _, m := range l.smtp.Letters() {
		if strings.HasPrefix(m.MessageID, l.app.Vault.Derive("message-id", p.ID)) {
			n++
		}
	}
	return n
}

// active is 1 when the record has its key unlocked.
func (l *left) active(t *testing.T, p owed) int {
	t.Helper()
	for _, person := range l.People {
		if affiliate.Hash(l.app.Vault, person.Number) != p.Record {
			continue
		}
		r, _, err := l.app.Store.Affiliates.Find(t.Context(), person.Number)
		must(t, err)
		if r.Status == affiliate.Active {
			return 1
		}
	}
	return 0
}

// heard is how often a conversation has heard a signal.
func (l *left) heard(t *testing.T, p owed) (n int) {
	t.Helper()
	var c struct {
		Seen []struct {
			ID string `bson:"id"`
		} `bson:"seen"`
	}
	l.get(t, store.Conversations, l.conv(p.Conv), &c)
	for _, s := range c.Seen {
		if s.ID == "signal/"+p.ID {
			n++
		}
	}
	return n
}

// get reads a document, and says whether there is one.
func (l *left) get(t *testing.T, collection, id string, into any) bool {
	t.Helper()
	raw, err := l.reads().Get(t.Context(), collection, id)
	if errors.Is(err, store.ErrNotFound) {
		return false
	}
	must(t, err)
	must(t, bson.Unmarshal(raw, into))
	return true
}

// found is in how many of the collections a document is.
func (l *left) found(t *testing.T, id string, in ...string) (n int) {
	t.Helper()
	for _, c := range in {
		if l.get(t, c, id, &bson.M{}) {
			n++
		}
	}
	return n
}

// recorded is 1 when a case file is as new as the promise.
func (l *left) recorded(t *testing.T, p owed) int {
	t.Helper()
	var f struct {
		Handoff struct {
			Rev int64 `bson:"rev"`
		} `bson:"handoff"`
	}
	if l.get(t, store.Cases, p.Ref, &f) && f.Handoff.Rev >= p.Handoff.Rev {
		return 1
	}
	return 0
}

// transcribed is 1 when every line stands in the transcript.
func (l *left) transcribed(t *testing.T, p owed) int {
	t.Helper()
	for _, line := range p.Lines {
		var kept struct {
			Text string `bson:"text"`
			Conv string `bson:"conv"`
		}
		if !l.get(t, store.Lines, fmt.Sprintf("%s/%08d", p.Ref, line.Seq), &kept) || kept.Text != line.Text || kept.Conv != l.conv(p.Conv) {
			return 0
		}
	}
	return 1
}

// erased is 1 when nothing is kept of what was said with the desk.
func (l *left) erased(t *testing.T, p owed) int {
	t.Helper()
	n, err := l.engine.Count(t.Context(), store.Query{Collection: store.Lines, Field: "conv", From: l.conv(p.Conv), To: l.conv(p.Conv) + "\x00"})
	must(t, err)
	if n == 0 {
		return 1
	}
	return 0
}
