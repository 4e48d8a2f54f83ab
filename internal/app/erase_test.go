package app_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf16"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/bot"
	"llave/internal/bottest"
	"llave/internal/bottest/world"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/bolt"
	"llave/internal/store/storetest"
)

// everything is every collection that a store has.
var everything = func() (names []string) {
	for _, c := range store.Collections {
		names = append(names, c.Name)
	}
	return names
}()

// canaries are what a person is found by, eight of each person: the telephone, the user id, the number, and words said in five places.
type canaries struct {
	chat int64
	all  []string
}

func canariesOf(w *world.World, i int) canaries {
	word := func(where string) string { return fmt.Sprintf("%s%06dvogel", where, 100000+i*7919%900000) }
	chat := 593987000001 + int64(i)*1009
	c := canaries{chat: chat, all: []string{fmt.Sprint(chat), "", bottest.Cedula(i), word("menu"), word("queja"), word("borrador"), word("agente"), word("final")}}
	if w.Graph != nil {
		c.all[1] = w.Graph.UserID(chat)
	} else {
		c.all[1] = word("usuario")
	}
	return c
}

// encodings are the nine forms in which something may lie in a store.
func encodings(s string) map[string][]byte {
	reversed := []byte(s)
	slices.Reverse(reversed)
	var wide []byte
	for _, u := range utf16.Encode([]rune(s)) {
		wide = binary.LittleEndian.AppendUint16(wide, u)
	}
	sum := sha256.Sum256([]byte(s))
	all := map[string][]byte{
		"plain": []byte(s), "reversed": reversed, "hex": []byte(hex.EncodeToString([]byte(s))), "UTF-16": wide,
		"SHA-256 in hex": []byte(hex.EncodeToString(sum[:])), "SHA-256": sum[:],
	}
	for shift := range 3 { // what does not change with what stands before and behind
		text := base64.StdEncoding.EncodeToString(append(make([]byte, shift), s...))
		from := (shift*8 + 5) / 6
		all[fmt.Sprintf("base64 at %d", shift)] = []byte(text[from : (shift+len(s))*8/6])
	}
	return all
}

// found is how many of the canaries stand somewhere, in whichever form.
func found(t *testing.T, people []canaries, in []byte, what string) (n int) {
	t.Helper()
	shown := 0
	for _, p := range people {
		for _, canary := range p.all {
			for form, b := range encodings(canary) {
				if at := bytes.Index(in, b); at >= 0 {
					if n++; shown < 5 && what != "" {
						shown++
						t.Errorf("%s holds a canary (%s): %q", what, form, in[max(0, at-60):min(len(in), at+40)])
					}
				}
			}
		}
	}
	return n
}

// dump is all documents of a store, as they are read by an engine.
func dump(t *testing.T, e store.Engine, leaveOut ...string) []byte {
	t.Helper()
	var all bytes.Buffer
	for _, collection := range everything {
		if slices.Contains(leaveOut, collection) {
			continue
		}
		err := e.Scan(t.Context(), store.Query{Collection: collection}, func(doc bson.Raw) bool {
			all.WriteString(collection)
			all.Write(doc)
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.Bytes()
}

// live has people say their canaries in every place where something of it is kept.
func live(w *world.World, people []canaries) {
	eva := w.Agent("eva", true)
	for _, p := range people {
		say := func(text string) { w.DoIn(p.chat, func() error { w.Phone.Say(p.chat, text); return nil }) }
		for _, text := range []string{
			"hola", "continuar", "zqx " + p.all[3], "presentar queja", "No abre " + p.all[4], "registrar", "menú",
			"desbloquear " + p.all[2], "sí, es correcto", "menú", "presentar queja", "Otra cosa " + p.all[5], "menú", "persona", "Soy " + p.all[6], "y " + p.all[7],
		} {
			say(text)
		}
		if _, err := w.App.Desk.KeepDraft(context.Background(), eva, w.Case(p.chat).Ref, "Dice "+p.all[7], true); err != nil {
			panic(err) // the desk answered none of the people either
		}
	}
}

// leave has people have their chats erased, and lets a minute pass.
func leave(t *testing.T, w *world.World, people []canaries) {
	t.Helper()
	for _, p := range people {
		last := ""
		for _, text := range []string{"menú", "sí", "mis datos", "borrar mis datos", "sí, borrar"} {
			for _, m := range w.DoIn(p.chat, func() error { w.Phone.Say(p.chat, text); return nil }) {
				last = m.Text
			}
		}
		if !strings.HasPrefix(last, "Listo, borré") {
			t.Fatalf("who had the chat erased heard %q", last)
		}
	}
	for range 4 { // as the job does
		w.Later(15 * time.Second)
		if err := w.App.EndErasing(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func crowd(t *testing.T, w *world.World) (people []canaries) {
	t.Helper()
	for i := range bottest.NewSweep(t).Of(125, 6) {
		people = append(people, canariesOf(w, i))
	}
	return people
}

// Within a minute after people had their chats erased nothing by which they can be found is in a dump of the store, in any of nine forms,
// nor, of the embedded one, anywhere in its file; and with the data key nobody reads there what they wrote, but for their complaints
// (P722, P724). Before that everything of theirs is in what the repositories read, and nothing in the dump either (P720, P721).
func TestErase_canaries(t *testing.T) {
	for _, on := range []world.Channel{world.Telegram, world.WhatsApp} {
		t.Run("bolt/"+on.Name, func(t *testing.T) {
			dir := t.TempDir()
			w := world.NewOn(t, on, "", "LLAVE_DATA_DIR="+dir)
			people := crowd(t, w)
			live(w, people)
			file := filepath.Join(dir, bolt.FileName)
			backup := readFile(t, file)
			erased(t, w, people)
			after := readFile(t, file)
			found(t, people, after, "the file")
			noKeyBack(t, w, people, backup, after)
			if err := w.App.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			restored(t, on, dir, people, backup)
		})
		t.Run("mongodb/"+on.Name, func(t *testing.T) {
			e := &timed{Engine: storetest.MongoDB(t)}
			w := world.NewOver(t, on, e)
			e.world.Store(w)
			people := crowd(t, w)
			live(w, people)
			erased(t, w, people)
		})
	}
}

// timed is an engine whose clock is the world's, once there is one.
type timed struct {
	store.Engine
	world atomic.Pointer[world.World]
}

func (e *timed) Now(ctx context.Context) (time.Time, error) {
	if w := e.world.Load(); w != nil {
		return w.Now(), nil
	}
	return e.Engine.Now(ctx)
}

// erased has people erased and judges what is left of them.
func erased(t *testing.T, w *world.World, people []canaries) {
	t.Helper()
	for _, p := range people {
		if k, err := w.App.Store.KeptOf(t.Context(), conversation(w, p.chat)); err != nil || len(k.Drafts) != 1 {
			t.Fatalf("%d drafts are kept, %v", len(k.Drafts), err)
		}
	}
	before := found(t, people, dump(t, w.App.Store.Engine()), "")
	if before < 3*len(people) {
		t.Fatalf("%d canaries of %d people are kept: nothing is shown", before, len(people))
	}
	found(t, people, dump(t, w.App.Store.Raw(), store.Unheard, store.Presence), "the dump before the erasure")
	leave(t, w, people)
	found(t, people, dump(t, w.App.Store.Raw()), "the dump")
	found(t, people, dump(t, w.App.Store.Engine(), store.Complaints), "what is read with the data key")
	if n := found(t, people, dump(t, w.App.Store.Engine()), ""); n != len(people) {
		t.Errorf("%d complaints can be read, want one of each of %d people", n, len(people))
	}
	if n := found(t, people, []byte(w.Log.String()), "the log"); n > 0 {
		t.Errorf("the log holds %d canaries", n)
	}
	for _, p := range people {
		k, err := w.App.Store.KeptOf(t.Context(), conversation(w, p.chat))
		if err != nil {
			t.Fatal(err)
		}
		if k.Chat != "" || k.Contact != nil || len(k.Lines)+len(k.Drafts)+len(k.Complaints)+len(k.Cases)+len(k.Deliveries)+len(k.Sentences)+len(k.Records) > 0 {
			t.Fatalf("of an erased chat there is %+v", k)
		}
		if k.Conversation == nil || len(k.Conversation.Numbers) != 1 || len(k.Conversation.Filed) != 1 {
			t.Fatalf("the limits do not stay: %+v", k.Conversation)
		}
	}
}

// Who has the chat erased while a link of theirs lives is taken off the record's document, by the chat's name and by the one that an
// earlier version gave it; the link works for its owner all the same, and the chat hears nothing of it (P722).
func TestErase_link(t *testing.T) {
	for _, on := range []world.Channel{world.Telegram, world.WhatsApp} {
		t.Run(on.Name, func(t *testing.T) {
			w := world.NewOn(t, on, onePerson)
			for _, text := range []string{"hola", "1", "1", theirs, "1", "1"} {
				w.Say(text)
			}
			conv := conversation(w, world.Chat)
			names := func() (n int) {
				t.Helper()
				err := w.App.Store.Raw().Scan(t.Context(), store.Query{Collection: store.Unlocks}, func(doc bson.Raw) bool {
					n += strings.Count(doc.String(), conv) + strings.Count(doc.String(), fmt.Sprint(world.Chat))
					return true
				})
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
			if names() == 0 {
				t.Fatal("nobody has asked for the link: nothing is shown")
			}
			for _, text := range []string{"mis datos", "borrar mis datos", "sí, borrar"} {
				w.Say(text)
			}
			w.Later(15 * time.Second)
			if err := w.App.EndErasing(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := names(); n != 0 {
				t.Errorf("the documents of links name the chat %d times", n)
			}
			said := len(w.Phone.Messages(world.Chat))
			pressLink(t, w)
			w.Settle()
			if n := len(w.Phone.Messages(world.Chat)); n != said {
				t.Errorf("the erased chat heard %d things of the link", n-said)
			}
		})
	}
}

func conversation(w *world.World, chat int64) string {
	channel := "telegram"
	if w.Graph != nil {
		channel = "whatsapp"
	}
	return w.App.Store.Book.Conv(bot.ConversationID(channel, fmt.Sprint(chat)))
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	all, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// noKeyBack holds that of the keys of before none can be had from the file with the data key, on whichever page.
func noKeyBack(t *testing.T, w *world.World, people []canaries, before, after []byte) {
	t.Helper()
	keys := func(file []byte) map[string]bool {
		all := map[string]bool{}
		field := []byte("\x05sealed\x00")
		for at := bytes.Index(file, field); at >= 0; {
			rest := file[at+len(field):]
			if len(rest) > 5 {
				if size := int(binary.LittleEndian.Uint32(rest)); size > 0 && size < 1<<16 && len(rest) > size+5 {
					for _, p := range people {
						conv := conversation(w, p.chat)
						plain, err := w.App.Vault.OpenAt(secret.BookEntry.Of(conv), rest[5:5+size])
						if err != nil {
							continue
						}
						if _, key, ok := bson.Raw(plain).Lookup("key").BinaryOK(); ok {
							all[string(key)] = true
						}
					}
				}
			}
			next := bytes.Index(rest, field)
			if next < 0 {
				break
			}
			at += len(field) + next
		}
		return all
	}
	old, now := keys(before), keys(after)
	if len(old) < len(people) {
		t.Fatalf("%d keys of %d people are in the file before: nothing is shown", len(old), len(people))
	}
	for key := range old {
		if now[key] {
			t.Error("a key that was destroyed can be had from the file")
		}
	}
}

// restored puts the file back as it was before, and holds that a process erases again what was erased since (P723).
func restored(t *testing.T, on world.Channel, dir string, people []canaries, backup []byte) {
	t.Helper()
	t.Run("restored", func(t *testing.T) {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, bolt.FileName), backup, 0o600); err != nil {
			t.Fatal(err)
		}
		again := world.NewOn(t, on, "", "LLAVE_DATA_DIR="+dir)
		found(t, people, dump(t, again.App.Store.Raw()), "the dump of a backup that was put back")
		found(t, people, dump(t, again.App.Store.Engine(), store.Complaints), "what is read of a backup that was put back")
		found(t, people, readFile(t, filepath.Join(dir, bolt.FileName)), "the file that was put back")
	})
}
