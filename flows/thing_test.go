package flows_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/bot"
	"llave/flows"
	"llave/internal/bottest"
	"llave/internal/bottest/world"
	"llave/internal/store"
)

// collections are all there are in the store.
var collections = []string{
	store.Affiliates, store.Conversations, store.Unlocks, store.Complaints, store.Cases, store.Leases, store.Counters, store.Audit, store.Names, store.Book,
	store.Deliveries, store.Lines, store.Presence, store.Agents, store.Sessions, store.Tries, store.Unheard, store.Events,
}

// Of what people send besides words nothing is kept but what it was: no id, name or thumbnail of a file, no place, nobody's
// contact (P124). The words under it are.
func TestThings_keepNothing(t *testing.T) {
	for _, on := range []struct {
		world.Channel
		things []string
	}{
		{world.Telegram, []string{
			"photo", "video", "voice", "audio", "document", "animation", "sticker", "location", "contact", "poll", "dice", "game", "gift", "story", "paid_media",
			"giveaway", "checklist", "invoice", "pin", "hologram", "album 3",
		}},
		{world.WhatsApp, []string{"photo", "video", "voice", "audio", "document", "sticker", "location", "order", "form", "poll", "once", "gif", "lost", "album 3"}},
	} {
		t.Run(on.Name, func(t *testing.T) {
			t.Parallel()
			w := world.NewOn(t, on.Channel, "")
			w.Say("hola")
			w.Say("continuar")
			for _, where := range []string{"menú", "queja", "persona"} {
				w.Say(where)
				for _, what := range on.things {
					w.Later(10 * time.Second)
					w.Do(func() error { return w.Phone.Send(world.Chat, what, "leche y pan") })
				}
			}
			raw := keptOf(t, w)
			if !bytes.Contains(raw, []byte("leche y pan")) {
				t.Error("the words under a thing are not kept: nothing was looked at")
			}
			if i := bytes.Index(bytes.ToLower(raw), []byte(bottest.Canary)); i >= 0 {
				t.Errorf("something of a file is kept: %q", raw[max(0, i-60):min(len(raw), i+60)])
			}
			for _, at := range bottest.CanaryPlace {
				bits := binary.LittleEndian.AppendUint64(nil, math.Float64bits(at))
				if bytes.Contains(raw, bits) || bytes.Contains(raw, []byte(fmt.Sprint(at)[:7])) {
					t.Errorf("a place is kept: %v", at)
				}
			}
			if lines := w.Log.String(); strings.Contains(strings.ToLower(lines), bottest.Canary) {
				t.Error("something of a file is in the log")
			}
			page := httptest.NewRecorder()
			w.App.Metrics.Handler().ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
			for _, what := range []string{bot.ThingVoice, bot.ThingPhoto, bot.ThingPoll} {
				if !strings.Contains(page.Body.String(), `llave_attachments_total{channel="`+on.Name+`",thing="`+what+`"}`) {
					t.Errorf("%s is not counted", what)
				}
			}
		})
	}
}

// keptOf is everything in the store of a world, as it is stored.
func keptOf(t *testing.T, w *world.World) (raw []byte) {
	t.Helper()
	for _, name := range collections {
		err := w.App.Store.Engine().Scan(t.Context(), store.Query{Collection: name}, func(doc bson.Raw) bool {
			raw = append(raw, doc...)
			return true
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return raw
}

// Each thing that a channel may name has a word in the agents' language, in transcripts too, and an answer of its own or one that
// it shares.
func TestThings_named(t *testing.T) {
	cat := newEngine(t).Languages()[0]
	for _, thing := range bot.Things {
		word := cat.Texts["thing."+thing].Text
		if word == "" {
			t.Errorf("%s has no word", thing)
			continue
		}
		k := at(t, flows.Menu)
		k.step(bot.Update{Kind: bot.Unsupported, Media: thing})
		if line := k.c.Tail[len(k.c.Tail)-2]; line.From != bot.FromPerson || line.Text != "("+word+")" {
			t.Errorf("%s: the transcript shows %q, want %q", thing, line.Text, "("+word+")")
		}
		if !k.said || strings.Contains(k.reply.Text, "no le entendí") {
			t.Errorf("%s: answered %q", thing, k.reply.Text)
		}
	}
	for _, kind := range []bot.Kind{bot.Location, bot.Contact, bot.Reaction, bot.Unsupported, bot.Edited, bot.Start} {
		if cat.Texts["thing."+string(kind)].Text == "" {
			t.Errorf("%s has no word", kind)
		}
	}
}

// A person who writes to an agent is told at once that a picture cannot be seen: once a burst, and again after a minute. What an
// agent reads as well as anybody is not told of.
func TestUnseen_oncePerBurst(t *testing.T) {
	photo, voice := bot.Update{Kind: bot.Media, Media: bot.ThingPhoto}, bot.Update{Kind: bot.Media, Media: bot.ThingVoice}
	captioned := bot.Update{Kind: bot.Text, Media: bot.ThingPhoto, Text: "mire"}
	for _, tt := range []struct {
		name  string
		sends []bot.Update // five seconds apart
		want  []bool
	}{
		{"an album", []bot.Update{captioned, photo, photo}, []bool{true, false, false}},
		{"a picture, then a voice message", []bot.Update{photo, voice}, []bool{true, false}},
		{"a sticker", []bot.Update{{Kind: bot.Media, Media: bot.ThingSticker}}, []bool{false}},
		{"words", []bot.Update{{Kind: bot.Text, Text: "hola"}}, []bool{false}},
		{"a place", []bot.Update{{Kind: bot.Location}}, []bool{true}},
		{"what was lost, twice", []bot.Update{{Kind: bot.Unsupported, Media: bot.ThingLost}, {Kind: bot.Unsupported, Media: bot.ThingLost}}, []bool{true, true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := heldTalk(t, flows.Menu)
			for i, u := range tt.sends {
				if k.step(u); k.said != tt.want[i] {
					t.Errorf("%d: told %t, want %t", i+1, k.said, tt.want[i])
				}
				if k.c.State != flows.WithAgent {
					t.Errorf("%d: went to %s", i+1, k.c.State)
				}
			}
		})
	}
	k := heldTalk(t, flows.Menu)
	told := 0
	for range 30 { // five seconds apart: two and a half minutes
		if k.step(photo); k.said {
			told++
		}
	}
	if told != 3 {
		t.Errorf("told %d times in two and a half minutes, want 3: at once, and after each minute", told)
	}
}

// What is typed, under a picture and in an edit whose question stands comes to the same: a number in each of its forms, a key, a
// code, a wish.
func TestCaptions_likeWords(t *testing.T) {
	everywhere(t, func(t *testing.T, s bot.State) {
		for _, words := range []string{known, "17100340", "AB-12345", "mi clave es Perro2024!", "persona", "menú", "ayuda", "quiero desbloquear mi clave", "cuánto cuesta", "sí"} {
			typed, under := at(t, s), at(t, s)
			alone := typed.says(words)
			got := under.step(bot.Update{Kind: bot.Text, Media: bot.ThingPhoto, Text: words})
			if alone.Event == bot.Missed || alone.Event == flows.Unclear {
				continue
			}
			if got.Event != alone.Event || got.To != alone.To || strings.Replace(under.reply.Text, "(foto) ", "", 1) != typed.reply.Text {
				t.Errorf("%q under a photo came to %s and %q, alone to %s and %q", words, got.Event, under.reply.Text, alone.Event, typed.reply.Text)
			}
		}
	})
}

// Words under a thing are answered as words are, or it is said that they were read: in
// every place nobody who wrote is asked to write.
func TestCaptions_neverAskedToWrite(t *testing.T) {
	everywhere(t, func(t *testing.T, s bot.State) {
		for _, said := range []string{"blabla xyzzy", "me aparece esto", "mal"} {
			for _, thing := range []string{bot.ThingPhoto, bot.ThingVideo, bot.ThingDocument, bot.ThingAudio} {
				k := at(t, s)
				if k.step(bot.Update{Kind: bot.Text, Text: said, Media: thing}); strings.Contains(k.reply.Text, "Escríbame") {
					t.Errorf("%s with %q: %q", thing, said, k.reply.Text)
				}
			}
		}
	})
	for _, thing := range []string{bot.ThingPhoto, bot.ThingVoice, bot.ThingDocument} {
		k := newTalk(t)
		if k.step(bot.Update{Kind: bot.Text, Text: "tralala tralali", Media: thing}); k.c.State != flows.Welcome || strings.HasPrefix(k.reply.Text, "Hola") {
			t.Errorf("%s as the first message: %s, %q", thing, k.c.State, k.reply.Text)
		}
	}
}
