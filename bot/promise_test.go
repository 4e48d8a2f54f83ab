package bot_test

import (
	"bytes"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/bot"
)

// old is a conversation that owes one promise of each kind and more, as commit 06ecc36 stored it.
const old = "testdata/promises-06ecc36.bson"

func readOld(t testing.TB) (bson.Raw, bot.Conversation) {
	t.Helper()
	raw, err := os.ReadFile(old)
	if err != nil {
		t.Fatal(err)
	}
	var c bot.Conversation
	if err := bson.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	return raw, c
}

// newerKinds were added after 06ecc36: its sample cannot have them.
var newerKinds = []bot.PromiseKind{bot.PromiseUnheard, bot.PromiseUnsay, bot.PromiseWarning, bot.PromiseRevoked, bot.PromiseLock, bot.PromiseAnnounce, bot.PromiseSpend, bot.PromiseAlert, bot.PromiseVisit}

// What commit 06ecc36 stored is read and written again byte for byte, so that two versions may share a store.
func TestPromise_storedForm(t *testing.T) {
	raw, c := readOld(t)
	met := map[bot.PromiseKind]bool{}
	for _, p := range c.Promises {
		met[p.Kind()] = true
	}
	for _, k := range bot.PromiseKinds() {
		switch newer := slices.Contains(newerKinds, k); {
		case !met[k] && !newer:
			t.Errorf("no promise of kind %q in the sample; one that 06ecc36 did not have belongs on newerKinds", k)
		case met[k] && newer:
			t.Errorf("kind %q is on newerKinds, and in the sample", k)
		}
	}
	at := time.Date(2026, 3, 2, 15, 0, 0, 123e6, time.UTC)
	want := bot.Promise{
		ID: "telegram:1/7/say", Attempt: "a1", Made: at, Schedule: bot.Schedule{NotBefore: at.Add(time.Second), Tries: 2},
		What: bot.Say{Reply: &bot.Reply{Text: "Revise su correo.", Prompt: 3, Buttons: []bot.Button{{ID: "resend", Title: "Enviar otra vez"}}, Protect: true}},
	}
	if !reflect.DeepEqual(c.Promises[0], want) {
		t.Errorf("read %+v, want %+v", c.Promises[0], want)
	}
	again, err := bson.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again, raw) {
		t.Errorf("written again it is\n%v\nwant\n%v", bson.Raw(again), raw)
	}
}

// A promise that a later version made is carried whole, with the schedule that trying it gave it. Here it waits with everything
// else where that version has a lane of its own for it.
func TestPromise_unknownKind(t *testing.T) {
	for stored, lane := range map[string]bot.Lane{"event": bot.LaneEvent, "mail": bot.LaneMail, "fax": bot.LaneEvent, "": bot.LaneEvent} {
		t.Run(stored, func(t *testing.T) { unknownKind(t, stored, lane) })
	}
}

func unknownKind(t *testing.T, stored string, lane bot.Lane) {
	made := time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)
	raw, err := bson.Marshal(bson.D{
		{Key: "id", Value: "p"}, {Key: "lane", Value: stored}, {Key: "kind", Value: "fax"}, {Key: "number", Value: int32(7)},
		{Key: "made", Value: made}, {Key: "tries", Value: int32(1)},
	})
	if err != nil {
		t.Fatal(err)
	}
	var p bot.Promise
	if err := bson.Unmarshal(raw, &p); err != nil {
		t.Fatal(err)
	}
	if p.ID != "p" || p.Lane() != lane || p.Kind() != "fax" || !p.Made.Equal(made) || p.Tries != 1 {
		t.Errorf("read %+v", p)
	}
	if again, err := bson.Marshal(p); err != nil || !bytes.Equal(again, raw) {
		t.Errorf("written again it is %v (%v), want %v", bson.Raw(again), err, bson.Raw(raw))
	}
	p.Tries, p.Waits = 2, true
	again, err := bson.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := bson.Raw(again).Lookup("number").AsInt64OK(); n != 7 || bson.Raw(again).Lookup("lane").StringValue() != stored {
		t.Errorf("after a try it is %v, want its number and its lane as they were", bson.Raw(again))
	}
	var tried bot.Promise
	if err := bson.Unmarshal(again, &tried); err != nil || tried.Tries != 2 || !tried.Waits {
		t.Errorf("tried %+v (%v), want two tries that wait", tried, err)
	}
}

type unlisted struct{}

func (unlisted) Kind() bot.PromiseKind { return "unlisted" }
func (unlisted) Lane() bot.Lane        { return bot.LaneEvent }
func (unlisted) Told() bool            { return false }

// What could not be read again is not written.
func TestPromise_notOnTheList(t *testing.T) {
	for _, what := range []bot.Duty{nil, unlisted{}} {
		if raw, err := bson.Marshal(bot.Promise{ID: "p", What: what}); err == nil {
			t.Errorf("a promise of %T was written as %v", what, bson.Raw(raw))
		}
	}
}

// Who was told of a letter, of a file's number or that their lines are forgotten hears when it cannot be done.
func TestDuty_told(t *testing.T) {
	for _, told := range []bot.Duty{bot.MailLink{}, bot.KeepFile{}, bot.EraseChat{}, bot.Unknown{}} {
		if !told.Told() {
			t.Errorf("of %T nobody was told, want that somebody was", told)
		}
	}
	for _, own := range []bot.Duty{
		bot.Say{}, bot.Delete{}, bot.MailNotice{}, bot.Activate{}, bot.SendSignal{}, bot.KeepCase{}, bot.KeepLines{}, bot.KeepAudit{}, bot.Spend{}, bot.KeepVisit{},
	} {
		if own.Told() {
			t.Errorf("of %T somebody was told, want that nobody was", own)
		}
	}
}

func TestPromiseKinds_once(t *testing.T) {
	kinds := bot.PromiseKinds()
	slices.Sort(kinds)
	if once := slices.Compact(slices.Clone(kinds)); len(once) != len(kinds) || len(once) == 0 {
		t.Errorf("kinds %v, want each once", kinds)
	}
}

func BenchmarkConversation_stored(b *testing.B) {
	raw, c := readOld(b)
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var c bot.Conversation
			if err := bson.Unmarshal(raw, &c); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := bson.Marshal(c); err != nil {
				b.Fatal(err)
			}
		}
	})
}
