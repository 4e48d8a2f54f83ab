package telegram

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"llave/bot"
)

const fixtureChat = "5551234567"

var fixtureDate = time.Unix(1795300000, 0)

// TestDecode_fixtures reads every update of the fixtures as its name says.
func TestDecode_fixtures(t *testing.T) {
	want := map[string]incoming{
		"callback_query":              {query: "2384567890123456789", Update: bot.Update{ID: "700000004", Kind: bot.Press, Button: "lang:kk", MessageID: "103", Bubble: &bot.Bubble{ID: "103", Text: "Выберите язык"}}},
		"callback_query_inaccessible": {query: "2384567890123456790", Update: bot.Update{ID: "700000005", Kind: bot.Press, Button: "lang:kk", MessageID: "90"}},
		"contact":                     {Update: bot.Update{ID: "700000008", Kind: bot.Contact, Phone: "77011234567", MessageID: "104", At: fixtureDate}},
		"contact_of_other_person":     {Update: bot.Update{ID: "700000009", Kind: bot.Contact, MessageID: "105", At: fixtureDate}},
		"edited_message":              {Update: bot.Update{ID: "700000003", Kind: bot.Edited, Text: "Сәлем!", MessageID: "101", At: fixtureDate.Add(20 * time.Second)}},
		"location":                    {Update: bot.Update{ID: "700000010", Kind: bot.Location, Spot: bot.SpotAt(43.238949, 76.889709), MessageID: "106", At: fixtureDate}},
		"message_start_deeplink":      {Update: bot.Update{ID: "700000002", Kind: bot.Start, Text: "ref_42-abc", MessageID: "102", At: fixtureDate}},
		"message_text":                {Update: bot.Update{ID: "700000001", Kind: bot.Text, Text: "Сәлем 👋", MessageID: "101", At: fixtureDate}},
		"my_chat_member_blocked":      {Update: bot.Update{ID: "700000006", Kind: bot.Blocked, At: fixtureDate}},
		"my_chat_member_unblocked":    {Update: bot.Update{ID: "700000007", Kind: bot.Unblocked, At: fixtureDate}},
		"photo":                       {Update: bot.Update{ID: "700000012", Kind: bot.Text, Media: "photo", Text: "чек", MessageID: "108", At: fixtureDate}},
		"voice":                       {Update: bot.Update{ID: "700000011", Kind: bot.Media, Media: "voice", MessageID: "107", At: fixtureDate}},
		"web_app_data":                {Update: bot.Update{ID: "700000013", Kind: bot.Unsupported, MessageID: "109", At: fixtureDate}},
	}
	files, err := filepath.Glob(filepath.Join("testdata", "update_*.json"))
	if err != nil || len(files) != len(want) {
		t.Fatalf("found %d fixtures (%v), the table has %d", len(files), err, len(want))
	}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "update_"), ".json")
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := decode(raw)
			if err != nil {
				t.Fatal(err)
			}
			want := want[name]
			want.Channel, want.Chat = Name, fixtureChat
			want.id, want.Order = got.id, int64(got.id)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			if fmt.Sprint(got.id) != got.ID {
				t.Errorf("update id %d, want %s", got.id, got.ID)
			}
		})
	}
}

// TestDecode reads what the fixtures do not show. body stands behind the update_id; message, if set, inside a message
// from a person in a private chat.
func TestDecode(t *testing.T) {
	tests := []struct {
		name, message, body string
		want                bot.Update // Channel, ID and, for message, Chat and MessageID are understood
		ignored             string
	}{
		{name: "start", message: `"text":"/start"`, want: bot.Update{Kind: bot.Start}},
		{name: "start at us", message: `"text":"/start@example_bot ñandú_7"`, want: bot.Update{Kind: bot.Start, Text: "ñandú_7"}},
		{name: "start in capitals", message: `"text":"/START\nx"`, want: bot.Update{Kind: bot.Start, Text: "x"}},
		{name: "starting is not start", message: `"text":"/starter"`, want: bot.Update{Kind: bot.Text, Text: "starter"}},
		{name: "command", message: `"text":"/menu"`, want: bot.Update{Kind: bot.Text, Text: "menu"}},
		{name: "command at us", message: `"text":"/menu@example_bot"`, want: bot.Update{Kind: bot.Text, Text: "menu"}},
		{name: "command with more", message: `"text":"/estado ñ 1"`, want: bot.Update{Kind: bot.Text, Text: "estado ñ 1"}},
		{name: "slash alone", message: `"text":"/"`, want: bot.Update{Kind: bot.Text, Text: "/"}},
		{name: "slash and space", message: `"text":"/ menu"`, want: bot.Update{Kind: bot.Text, Text: "/ menu"}},
		{name: "sticker", message: `"sticker":{"file_id":"a","emoji":"👍"}`, want: bot.Update{Kind: bot.Media, Media: "sticker"}},
		{name: "document", message: `"document":{"file_id":"a"},"caption":"mi cédula"`, want: bot.Update{Kind: bot.Text, Media: "document", Text: "mi cédula"}},
		{name: "animation", message: `"animation":{"file_id":"a"},"document":{"file_id":"a"}`, want: bot.Update{Kind: bot.Media, Media: "video"}},
		{name: "video", message: `"video":{"file_id":"a"}`, want: bot.Update{Kind: bot.Media, Media: "video"}},
		{name: "video note", message: `"video_note":{"file_id":"a"}`, want: bot.Update{Kind: bot.Media, Media: "video"}},
		{name: "audio", message: `"audio":{"file_id":"a"}`, want: bot.Update{Kind: bot.Media, Media: "audio"}},
		{name: "venue", message: `"venue":{"title":"IESS","address":"x","location":{"latitude":1,"longitude":2}}`, want: bot.Update{Kind: bot.Location, Spot: bot.SpotAt(1, 2)}},
		{name: "no such place", message: `"location":{"latitude":91,"longitude":2}`, want: bot.Update{Kind: bot.Location}},
		{name: "photo of an album", message: `"photo":[{"file_id":"a"}],"media_group_id":"77","caption":"1710034065"`, want: bot.Update{Kind: bot.Text, Media: "photo", Text: "1710034065", Album: "77"}},
		{name: "photo without words", message: `"photo":[{"file_id":"a"}],"caption":" \u200b"`, want: bot.Update{Kind: bot.Media, Media: "photo"}},
		{name: "voice with words", message: `"voice":{"file_id":"a"},"caption":"persona"`, want: bot.Update{Kind: bot.Text, Media: "voice", Text: "persona"}},
		{name: "video with words", message: `"video":{"file_id":"a"},"caption":"mire"`, want: bot.Update{Kind: bot.Text, Media: "video", Text: "mire"}},
		{name: "animation with words", message: `"animation":{"file_id":"a"},"document":{"file_id":"a"},"caption":"hola"`, want: bot.Update{Kind: bot.Text, Media: "video", Text: "hola"}},
		{name: "audio with words", message: `"audio":{"file_id":"a"},"caption":"oiga"`, want: bot.Update{Kind: bot.Text, Media: "audio", Text: "oiga"}},
		{name: "poll", message: `"poll":{"id":"1","question":"?"}`, want: bot.Update{Kind: bot.Unsupported, Media: "poll"}},
		{name: "dice", message: `"dice":{"emoji":"🎲","value":6}`, want: bot.Update{Kind: bot.Unsupported, Media: "dice"}},
		{name: "game", message: `"game":{"title":"x"}`, want: bot.Update{Kind: bot.Unsupported, Media: "game"}},
		{name: "gift", message: `"gift":{"gift":{"id":"1"},"text":"x"}`, want: bot.Update{Kind: bot.Unsupported, Media: "gift"}},
		{name: "unique gift", message: `"unique_gift":{"gift":{"name":"x"}}`, want: bot.Update{Kind: bot.Unsupported, Media: "gift"}},
		{name: "a story", message: `"story":{"id":1}`, want: bot.Update{Kind: bot.Unsupported, Media: "story"}},
		{name: "paid media", message: `"paid_media":{"star_count":1}`, want: bot.Update{Kind: bot.Unsupported, Media: "paid_media"}},
		{name: "paid media with words", message: `"paid_media":{"star_count":1},"caption":"menú"`, want: bot.Update{Kind: bot.Text, Media: "paid_media", Text: "menú"}},
		{name: "giveaway", message: `"giveaway":{"winner_count":1}`, want: bot.Update{Kind: bot.Unsupported, Media: "giveaway"}},
		{name: "checklist", message: `"checklist":{"title":"x","tasks":[]}`, want: bot.Update{Kind: bot.Unsupported, Media: "checklist"}},
		{name: "invoice", message: `"invoice":{"title":"x"}`, want: bot.Update{Kind: bot.Unsupported, Media: "invoice"}},
		{name: "giveaway that ended", message: `"giveaway_completed":{"winner_count":1}`, ignored: "service message"},
		{name: "something of 2031", message: `"hologram":{"id":1}`, want: bot.Update{Kind: bot.Unsupported}},
		{name: "a field that changed its type", message: `"text":"hola","via_bot":[1,2],"sticker":"gone"`, want: bot.Update{Kind: bot.Text, Text: "hola"}},
		{name: "contact with plus", message: `"contact":{"phone_number":"+593 99-000-0000","user_id":42}`, want: bot.Update{Kind: bot.Contact, Phone: "593990000000"}},
		{name: "contact of another user", message: `"contact":{"phone_number":"593990000000","user_id":43}`, want: bot.Update{Kind: bot.Contact}},
		{name: "pinned", message: `"pinned_message":{"message_id":3,"chat":{"id":42,"type":"private"},"date":0}`, ignored: "service message"},
		{name: "auto-delete timer", message: `"message_auto_delete_timer_changed":{"message_auto_delete_time":86400}`, ignored: "service message"},
		{name: "background", message: `"chat_background_set":{"type":{}}`, ignored: "service message"},

		{name: "group", body: `"message":{"message_id":9,"from":{"id":42},"chat":{"id":-100,"type":"supergroup"},"text":"/menu@example_bot"}`,
			want: bot.Update{Kind: bot.Text, Text: "menu", Chat: "-100", MessageID: "9", Group: true}},
		{name: "somebody joined a group", body: `"message":{"message_id":9,"from":{"id":42},"chat":{"id":-100,"type":"group"},"new_chat_members":[{"id":1}]}`, ignored: "service message"},
		{name: "added to a group", body: `"my_chat_member":{"chat":{"id":-100,"type":"group"},"from":{"id":42},"old_chat_member":{"status":"left"},"new_chat_member":{"status":"member"}}`,
			want: bot.Update{Kind: bot.Unsupported, Chat: "-100", Group: true}},
		{name: "made administrator", body: `"my_chat_member":{"chat":{"id":-100,"type":"group"},"from":{"id":42},"old_chat_member":{"status":"member"},"new_chat_member":{"status":"administrator"}}`, ignored: "membership"},
		{name: "put out of a group", body: `"my_chat_member":{"chat":{"id":-100,"type":"group"},"from":{"id":42},"old_chat_member":{"status":"member"},"new_chat_member":{"status":"left"}}`,
			want: bot.Update{Kind: bot.Blocked, Chat: "-100", Group: true}},
		{name: "another bot", body: `"message":{"message_id":9,"from":{"id":42,"is_bot":true},"chat":{"id":-100,"type":"group"},"text":"hola"}`, ignored: "from a bot"},
		{name: "edited caption", body: `"edited_message":{"message_id":9,"from":{"id":42},"chat":{"id":42,"type":"private"},"caption":"otra"}`,
			want: bot.Update{Kind: bot.Edited, Text: "otra", Chat: "42", MessageID: "9"}},
		{name: "edited words under a photo", body: `"edited_message":{"message_id":9,"from":{"id":42},"chat":{"id":42,"type":"private"},"photo":[{"file_id":"a"}],"caption":"otra"}`,
			want: bot.Update{Kind: bot.Edited, Media: "photo", Text: "otra", Chat: "42", MessageID: "9"}},
		{name: "edited command", body: `"edited_message":{"message_id":9,"from":{"id":42},"chat":{"id":42,"type":"private"},"text":"/menu"}`,
			want: bot.Update{Kind: bot.Edited, Text: "menu", Chat: "42", MessageID: "9"}},
		{name: "made administrator of a channel", body: `"my_chat_member":{"chat":{"id":-100,"type":"channel"},"from":{"id":42},"old_chat_member":{"status":"left"},"new_chat_member":{"status":"administrator"}}`, ignored: "channel"},
		{name: "pressed in a channel", body: `"callback_query":{"id":"7","from":{"id":42},"message":{"message_id":9,"chat":{"id":-100,"type":"channel"},"date":0},"data":"12:yes"}`, ignored: "channel"},
		{name: "live location", body: `"edited_message":{"message_id":9,"from":{"id":42},"chat":{"id":42,"type":"private"},"location":{"latitude":1,"longitude":1}}`, ignored: "live location"},
		{name: "our button", body: `"callback_query":{"id":"7","from":{"id":42},"message":{"message_id":9,"chat":{"id":42,"type":"private"},"date":0},"data":"12:yes"}`,
			want: bot.Update{Kind: bot.Press, Prompt: 12, Button: "yes", Chat: "42", MessageID: "9"}},
		{name: "press from inline mode", body: `"callback_query":{"id":"7","from":{"id":42},"inline_message_id":"x","data":"12:yes"}`, ignored: "no chat"},
		{name: "reaction", body: `"message_reaction":{"chat":{"id":42,"type":"private"},"message_id":9,"user":{"id":42},"new_reaction":[{"type":"emoji","emoji":"👍"}]}`,
			want: bot.Update{Kind: bot.Reaction, Chat: "42", MessageID: "9"}},
		{name: "stopped poll", body: `"poll":{"id":"1"}`, ignored: "kind"},
		{name: "inline query", body: `"inline_query":{"id":"1","from":{"id":42},"query":"x"}`, ignored: "kind"},
		{name: "channel post", body: `"channel_post":{"message_id":1,"chat":{"id":-100,"type":"channel"},"text":"x"}`, ignored: "kind"},
		{name: "kind of 2031", body: `"telepathy":{"id":"1"}`, ignored: "kind"},
		{name: "message without chat", body: `"message":{"message_id":1,"text":"x"}`, ignored: "no chat"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body, want := tt.body, tt.want
			if tt.message != "" {
				body = `"message":{"message_id":9,"from":{"id":42,"is_bot":false},"chat":{"id":42,"type":"private"},` + tt.message + `}`
				want.Chat, want.MessageID = "42", "9"
			}
			got, err := decode([]byte(`{"update_id":5,` + body + `}`))
			if err != nil {
				t.Fatal(err)
			}
			if got.ignored != tt.ignored {
				t.Fatalf("ignored as %q, want %q", got.ignored, tt.ignored)
			}
			want.Channel, want.ID, want.Order = Name, "5", 5
			if got.ignored == "" && !reflect.DeepEqual(got.Update, want) {
				t.Errorf("got  %+v\nwant %+v", got.Update, want)
			}
		})
	}
}

func TestDecode_noUpdate(t *testing.T) {
	for _, raw := range []string{``, `x`, `{`, `[]`, `"hola"`, `7`, `null`, `{}`, `{"message":{"text":"1710034065"}}`, `{"update_id":"5"}`,
		`{"update_id":0}`, `{"update_id":5} trailing`, "{\"update_id\":5,\"message\":{\"text\":\"171\x00\"}"} {
		_, err := decode([]byte(raw))
		if !errors.Is(err, errNoUpdate) {
			t.Errorf("decode(%q): got %v, want %v", raw, err, errNoUpdate)
		}
		if err != nil && strings.Contains(err.Error(), "171") {
			t.Errorf("the error repeats what was written: %v", err)
		}
	}
}

// FuzzDecode: whatever comes, decode does not fail badly, and what it lets through can be handled.
func FuzzDecode(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join("testdata", "*.json"))
	for _, file := range files {
		f.Add(fixture(f, filepath.Base(file)))
	}
	f.Add([]byte(`{"update_id":1,"message":{"chat":{"id":1,"type":"private"},"text":"/@"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		in, err := decode(raw)
		switch {
		case err != nil || in.ignored != "":
		case in.Chat == "" || in.Kind == "" || in.ID == "" || in.Channel != Name:
			t.Errorf("let through %+v", in)
		case in.Kind == bot.Press:
			if prompt, id, _ := bot.ReadPress(bot.PressData(in.Prompt, in.Button)); prompt != in.Prompt || id != in.Button {
				t.Errorf("pressed %d %q, sent again it is %d %q", in.Prompt, in.Button, prompt, id)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	raw := fixture(b, "update_message_text.json")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decode(raw); err != nil {
			b.Fatal(err)
		}
	}
}
