package whatsapp

import (
	"bytes"
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"llave/bot"
)

const (
	wamid = "wamid.HBgLNzcwMTEyMzQ1NjcVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ0RgA=" // of the fixtures' messages
	ours  = "wamid.HBgLNzcwMTEyMzQ1NjcVAgARGBI3MEM2RUJFNkI0RENGQTVDRjUA"     // of the message their reports are on
)

var (
	fixtureDate = time.Unix(1795300000, 0)
	someone     = Names{Phone: "77011234567"}
)

// TestDecode_fixtures reads every webhook of the fixtures as its name says.
func TestDecode_fixtures(t *testing.T) {
	message := func(u bot.Update) []incoming {
		u.Channel, u.ID, u.MessageID, u.Order, u.At = Name, wamid, wamid, 1795300000, fixtureDate
		return []incoming{{Update: u, from: someone}}
	}
	report := func(s Status, code int) []incoming {
		return []incoming{{Update: bot.Update{ID: ours, At: fixtureDate}, from: someone, status: s, code: code}}
	}
	want := map[string][]incoming{
		"in_audio_voice":              message(bot.Update{Kind: bot.Media, Media: "voice"}),
		"in_button_reply":             message(bot.Update{Kind: bot.Press, Button: "lang:kk"}),
		"in_contacts":                 message(bot.Update{Kind: bot.Contact, Phone: "77011234567"}),
		"in_document":                 message(bot.Update{Kind: bot.Media, Media: "document"}),
		"in_flow_reply":               message(bot.Update{Kind: bot.Unsupported, Media: "form"}),
		"in_image":                    message(bot.Update{Kind: bot.Text, Media: "photo", Text: "чек"}),
		"in_list_reply":               message(bot.Update{Kind: bot.Press, Button: "svc:1"}),
		"in_location":                 message(bot.Update{Kind: bot.Location, Spot: bot.SpotAt(43.238949, 76.889709)}),
		"in_reaction":                 message(bot.Update{Kind: bot.Reaction}),
		"in_reaction_removed":         message(bot.Update{Kind: bot.Reaction}),
		"in_system_number_changed":    message(bot.Update{}),
		"in_template_quick_reply":     message(bot.Update{Kind: bot.Text, Text: "Отписаться"}),
		"in_text":                     message(bot.Update{Kind: bot.Text, Text: "Сәлем 👋"}),
		"in_text_bsuid_no_phone":      message(bot.Update{Kind: bot.Text, Text: "Сәлем"}),
		"in_two_messages_one_webhook": append(message(bot.Update{Kind: bot.Text, Text: "1"}), message(bot.Update{Kind: bot.Text, Text: "2"})...),
		"in_unsupported":              message(bot.Update{Kind: bot.Unsupported}),
		"status_delivered":            report(Delivered, noCode),
		"status_failed_131026":        report(Failed, 131026),
		"status_failed_131047":        report(Failed, 131047),
		"status_read":                 report(Read, noCode),
		"status_sent":                 report(Sent, noCode),
	}
	want["in_system_number_changed"][0].to = Names{Phone: "77017654321"}
	want["in_system_number_changed"][0].MessageID = ""
	want["in_text_bsuid_no_phone"][0].from = Names{UserID: "KZ.13491208655302741918"}
	second := &want["in_two_messages_one_webhook"][1]
	second.ID = "wamid.HBgLNzcwMTEyMzQ1NjcVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ0AgA="
	second.MessageID = second.ID

	var names []string
	for _, pattern := range []string{"in_*.json", "status_*.json"} {
		files, err := filepath.Glob(filepath.Join(fixtures, pattern))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, files...)
	}
	if len(names) != len(want) {
		t.Fatalf("found %d fixtures, the table has %d", len(names), len(want))
	}
	for _, file := range names {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			got, err := decode(fixture(t, name+".json"), testNumberID)
			if err != nil || len(got) != len(want[name]) {
				t.Fatalf("got %+v, %v, want %d parts", got, err, len(want[name]))
			}
			for i := range got {
				if got[i] != want[name][i] {
					t.Errorf("part %d\ngot  %+v\nwant %+v", i, got[i], want[name][i])
				}
			}
		})
	}
}

// TestFixtures_same: where the fixtures lie beside the checkout, as they do in CI, the copies in ours are theirs. A clone by
// itself has nothing to compare them with.
func TestFixtures_same(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "fixtures", "whatsapp")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("SKIP: no fixtures lie beside this checkout to compare the copies with")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d (%v)", len(files), err)
	}
	for _, file := range files {
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(fixture(t, filepath.Base(file)), want) {
			t.Errorf("%s differs from the one beside the checkout", filepath.Base(file))
		}
	}
}

// TestDecode_messages: kinds that have no fixture, and fields that are not as expected.
func TestDecode_messages(t *testing.T) {
	me := Names{Phone: "593990000001"}
	tests := []struct {
		name, message string
		want          bot.Update
		ignored       string
	}{
		{name: "our button", message: `"type":"interactive","interactive":{"type":"button_reply","button_reply":{"id":"12:yes","title":"Sí"}}`, want: bot.Update{Kind: bot.Press, Prompt: 12, Button: "yes"}},
		{name: "our row", message: `"type":"interactive","interactive":{"type":"list_reply","list_reply":{"id":"3:menu:a","title":"A"}}`, want: bot.Update{Kind: bot.Press, Prompt: 3, Button: "menu:a"}},
		{name: "a choice without id", message: `"type":"interactive","interactive":{"type":"button_reply","button_reply":{"title":"Sí"}}`, want: bot.Update{Kind: bot.Text, Text: "Sí"}},
		{name: "leave to call", message: `"type":"interactive","interactive":{"type":"call_permission_reply","call_permission_reply":{"response":"accept"}}`, want: bot.Update{Kind: bot.Unsupported}},
		{name: "our template's button", message: `"type":"button","button":{"payload":"7:resume","text":"Seguir"}`, want: bot.Update{Kind: bot.Press, Prompt: 7, Button: "resume"}},
		{name: "button without anything", message: `"type":"button","button":{}`, want: bot.Update{Kind: bot.Unsupported}},
		{name: "sound", message: `"type":"audio","audio":{"id":"1"}`, want: bot.Update{Kind: bot.Media, Media: "audio"}},
		{name: "video", message: `"type":"video","video":{"caption":"mire"}`, want: bot.Update{Kind: bot.Text, Media: "video", Text: "mire"}},
		{name: "sticker", message: `"type":"sticker","sticker":{"animated":false}`, want: bot.Update{Kind: bot.Media, Media: "sticker"}},
		{name: "document with caption", message: `"type":"document","document":{"caption":"carta"}`, want: bot.Update{Kind: bot.Text, Media: "document", Text: "carta"}},
		{name: "another's contact", message: `"type":"contacts","contacts":[{"phones":[{"phone":"+593 99 000 0001","wa_id":"593990000002"}]}]`, want: bot.Update{Kind: bot.Contact}},
		{name: "own contact among others", message: `"type":"contacts","contacts":[{"phones":[{"wa_id":"593990000002"}]},{"phones":[{},{"wa_id":"593990000001"}]}]`, want: bot.Update{Kind: bot.Contact, Phone: "593990000001"}},
		{name: "contact only typed like the own", message: `"type":"contacts","contacts":[{"phones":[{"phone":"593990000001"}]}]`, want: bot.Update{Kind: bot.Contact}},
		{name: "order", message: `"type":"order","order":{"catalog_id":"1"}`, want: bot.Update{Kind: bot.Unsupported, Media: "order"}},
		{name: "poll", message: `"type":"unsupported","errors":[{"code":131051}],"unsupported":{"type":"poll_creation"}`, want: bot.Update{Kind: bot.Unsupported, Media: "poll"}},
		{name: "product", message: `"type":"unsupported","unsupported":{"type":"product"}`, want: bot.Update{Kind: bot.Unsupported, Media: "order"}},
		{name: "invitation", message: `"type":"unsupported","unsupported":{"type":"group_invite"}`, want: bot.Update{Kind: bot.Unsupported, Media: "invite"}},
		{name: "edit that is not told", message: `"type":"unsupported","errors":[{"code":131051}],"unsupported":{"type":"edit"}`, want: bot.Update{Kind: bot.Edited}},
		{name: "picture that is not told", message: `"type":"unsupported","unsupported":{"type":"image"}`, want: bot.Update{Kind: bot.Media, Media: "photo"}},
		{name: "moving picture", message: `"type":"unsupported","unsupported":{"type":"gif"}`, want: bot.Update{Kind: bot.Media, Media: "video"}},
		{name: "place that is not told", message: `"type":"unsupported","unsupported":{"type":"location"}`, want: bot.Update{Kind: bot.Location}},
		{name: "reaction that is not told", message: `"type":"unsupported","unsupported":{"type":"reaction"}`, want: bot.Update{Kind: bot.Reaction}},
		{name: "pin", message: `"type":"unsupported","unsupported":{"type":"pin"}`, ignored: "done to a message"},
		{name: "kept in the chat", message: `"type":"unsupported","unsupported":{"type":"keep_in_chat"}`, ignored: "done to a message"},
		{name: "vote", message: `"type":"unsupported","unsupported":{"type":"poll_update"}`, ignored: "done to a message"},
		{name: "lost", message: `"type":"unsupported","errors":[{"code":131060,"title":"This message is currently unavailable."}]`, want: bot.Update{Kind: bot.Unsupported, Media: "lost"}},
		{name: "lost with a type", message: `"type":"unsupported","errors":[{"code":"131060"}],"unsupported":{"type":"errors"}`, want: bot.Update{Kind: bot.Unsupported, Media: "lost"}},
		{name: "type of 2031", message: `"type":"unsupported","errors":[{"code":131051}],"unsupported":{"type":"hologram"}`, want: bot.Update{Kind: bot.Unsupported}},
		{name: "first opened", message: `"type":"request_welcome"`, want: bot.Update{Kind: bot.Start}},
		{name: "edited", message: `"type":"edit","edit":{"original_message_id":"wamid.X","message":{"type":"text","text":{"body":"otra"}}}`, want: bot.Update{Kind: bot.Edited, Text: "otra", MessageID: "wamid.X"}},
		{name: "edited caption", message: `"type":"edit","edit":{"message":{"type":"image","image":{"caption":"otra"}}}`, want: bot.Update{Kind: bot.Edited, Media: "photo", Text: "otra"}},
		{name: "taken back", message: `"type":"revoke","revoke":{"original_message_id":"wamid.X"}`, ignored: "revoke"},
		{name: "kind of 2031", message: `"type":"telepathy","telepathy":{"thought":"?"}`, want: bot.Update{Kind: bot.Unsupported}},
		{name: "no kind", message: `"text":{"body":"hola"}`, want: bot.Update{Kind: bot.Unsupported}},
		{name: "kind of another type", message: `"type":[1]`, want: bot.Update{Kind: bot.Unsupported}},
		{name: "group", message: `"group_id":"Y2FwaV9","type":"text","text":{"body":"hola"}`, ignored: "group"},
		{name: "text in reply to something", message: `"context":{"id":"wamid.X","forwarded":true},"referral":{"source_id":1},"type":"text","text":{"body":"hola"}`, want: bot.Update{Kind: bot.Text, Text: "hola"}},
		{name: "text of another type", message: `"type":"text","text":"hola"`, want: bot.Update{Kind: bot.Unsupported}},
		{name: "empty text", message: `"type":"text","text":{"body":""}`, want: bot.Update{Kind: bot.Unsupported}},
		{name: "number as text", message: `"type":"text","text":{"body":1710034065}`, want: bot.Update{Kind: bot.Text, Text: "1710034065"}},
		{name: "caption of another type", message: `"type":"image","image":{"caption":{"a":1}}`, want: bot.Update{Kind: bot.Media, Media: "photo"}},
		{name: "voice of another type", message: `"type":"audio","audio":{"voice":"yes"}`, want: bot.Update{Kind: bot.Media, Media: "audio"}},
		{name: "names of a person that are none", message: `"type":"system","system":{"type":"user_identity_changed","identity":"x"}`, ignored: "system"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := hook(messages(`{"from":"593990000001","id":"wamid.A","timestamp":"1795300000",` + tt.message + `}`))
			got := one(t, body)
			if got.ignored != tt.ignored {
				t.Fatalf("ignored as %q, want %q", got.ignored, tt.ignored)
			}
			want := tt.want
			want.Channel, want.ID, want.MessageID, want.Order, want.At = Name, "wamid.A", cmp.Or(want.MessageID, "wamid.A"), 1795300000, fixtureDate
			if got.ignored == "" && (got.Update != want || got.from != me) {
				t.Errorf("got  %+v of %+v\nwant %+v of %+v", got.Update, got.from, want, me)
			}
		})
	}
}

// one decodes a body with one part.
func one(t testing.TB, body string) incoming {
	t.Helper()
	got, err := decode([]byte(body), testNumberID)
	if err != nil || len(got) != 1 {
		t.Fatalf("got %+v, %v, want one part", got, err)
	}
	return got[0]
}

// TestDecode_longText: what is too long for an answer is for the conversation to say.
func TestDecode_longText(t *testing.T) {
	long := strings.Repeat("ñ", 10_000)
	if got := one(t, hook(messages(said("593990000001", "wamid.A", long)))); got.Text != long {
		t.Errorf("got %d bytes, want %d", len(got.Text), len(long))
	}
}

// TestDecode_names: who sent a message, by whatever it says.
func TestDecode_names(t *testing.T) {
	both := Names{Phone: "593990000001", UserID: "EC.123abc"}
	contacts := `"contacts":[{"profile":{"name":"B"},"wa_id":"593990000002","user_id":"EC.other"},{"profile":{"username":"a"},"wa_id":"593990000001","user_id":"EC.123abc"}]`
	tests := []struct {
		name, contacts, sender string
		want                   Names
	}{
		{"both", ``, `"from":"593990000001","from_user_id":"EC.123abc"`, both},
		{"phone alone", ``, `"from":"593990000001"`, Names{Phone: "593990000001"}},
		{"user id alone", ``, `"from_user_id":"EC.123abc"`, Names{UserID: "EC.123abc"}},
		{"the phone's user id beside it", contacts, `"from":"593990000001"`, both},
		{"the user id's phone beside it", contacts, `"from_user_id":"EC.123abc"`, both},
		{"nobody of that name beside it", contacts, `"from":"593990000009"`, Names{Phone: "593990000009"}},
		{"not named, and one beside it", `"contacts":[{"user_id":"EC.123abc"}]`, `"x":1`, Names{UserID: "EC.123abc"}},
		{"not named, and two beside it", contacts, `"x":1`, Names{}},
		{"contacts of another type", `"contacts":{"wa_id":"593990000001"}`, `"from":"593990000001"`, Names{Phone: "593990000001"}},
		{"one contact of another type", `"contacts":[7,{"wa_id":593990000001,"user_id":"EC.123abc"}]`, `"from":593990000001`, both},
		{"number", ``, `"from":593990000001`, Names{Phone: "593990000001"}},
		{"with +", ``, `"from":"+593990000001"`, Names{Phone: "593990000001"}},
		{"user id where the phone stands", ``, `"from":"EC.123abc"`, Names{UserID: "EC.123abc"}},
		{"parent", ``, `"from_user_id":"EC.ENT.123abc"`, Names{UserID: "EC.ENT.123abc"}},
		{"no name", ``, `"from":"a/b:c"`, Names{}},
		{"empty", ``, `"from":""`, Names{}},
		{"other types", ``, `"from":{},"from_user_id":[]`, Names{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			parts := []string{messages(`{` + tt.sender + `,"id":"wamid.A","timestamp":1795300000,"type":"text","text":{"body":"hola"}}`)}
			if tt.contacts != "" {
				parts = append(parts, tt.contacts)
			}
			got := one(t, hook(parts...))
			if got.from != tt.want || (got.ignored == "no sender") != tt.want.Empty() {
				t.Errorf("got %+v, ignored as %q, want %+v", got.from, got.ignored, tt.want)
			}
			if got.Order != 1795300000 {
				t.Errorf("order %d, want the time", got.Order)
			}
		})
	}
}

// TestDecode_moves: a person goes by other names.
func TestDecode_moves(t *testing.T) {
	tests := []struct {
		name, message string
		from, to      Names
		ignored       string
	}{
		{name: "number and user id", message: `"from":"593990000001","system":{"type":"user_changed_number","wa_id":"593990000002","user_id":"EC.new","previous_user_id":"EC.old"}`,
			from: Names{"593990000001", "EC.old"}, to: Names{"593990000002", "EC.new"}},
		{name: "already named by the new id", message: `"from":"593990000001","from_user_id":"EC.new","system":{"type":"user_changed_number","wa_id":"593990000002","user_id":"EC.new"}`,
			from: Names{Phone: "593990000001"}, to: Names{"593990000002", "EC.new"}},
		{name: "as it was called before", message: `"from":"593990000001","system":{"type":"customer_changed_number","wa_id":"593990000001","new_wa_id":593990000002}`,
			from: Names{Phone: "593990000001"}, to: Names{Phone: "593990000002"}},
		{name: "the number is kept back", message: `"system":{"type":"user_changed_user_id","user_id":"EC.new","previous_user_id":"EC.old"}`,
			from: Names{UserID: "EC.old"}, to: Names{UserID: "EC.new"}},
		{name: "the number is kept back now", message: `"from":"593990000001","from_user_id":"EC.new","system":{"type":"user_changed_user_id","user_id":"EC.new","previous_user_id":"EC.old"}`,
			from: Names{"593990000001", "EC.old"}, to: Names{UserID: "EC.new"}},
		{name: "nobody knows from what", message: `"system":{"type":"user_changed_user_id","user_id":"EC.new"}`, ignored: "no sender"},
		{name: "to what it was", message: `"from":"593990000001","system":{"type":"user_changed_number","wa_id":"593990000001"}`, ignored: "system"},
		{name: "to nothing", message: `"from":"593990000001","system":{"type":"user_changed_number"}`, ignored: "system"},
		{name: "system of another type", message: `"from":"593990000001","system":"changed"`, ignored: "system"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := one(t, hook(messages(`{"id":"wamid.A","timestamp":"1","type":"system",`+tt.message+`}`)))
			if got.ignored != tt.ignored || got.ignored == "" && (got.from != tt.from || got.to != tt.to) {
				t.Errorf("got from %+v to %+v, ignored as %q, want from %+v to %+v, %q", got.from, got.to, got.ignored, tt.from, tt.to, tt.ignored)
			}
		})
	}
}

// TestDecode_noID: a message without id has one of its own bytes, so that it is the same one when it comes again.
func TestDecode_noID(t *testing.T) {
	message := `{"from":"593990000001","timestamp":"1795300000","type":"text","text":{"body":"%"}}`
	a := one(t, hook(messages(strings.ReplaceAll(message, "%", "a"))))
	again := one(t, hook(messages(said("593990000001", "", "b"))))
	same := one(t, hook(messages(strings.ReplaceAll(message, "%", "a"))))
	if a.ID == "" || a.ID != same.ID || a.ID == again.ID || a.MessageID != "" {
		t.Errorf("got ids %q, %q and %q, message id %q", a.ID, same.ID, again.ID, a.MessageID)
	}
}

func TestDecode_times(t *testing.T) {
	for written, want := range map[string]int64{`"1795300000"`: 1795300000, `1795300000`: 1795300000, `"0"`: 0, `-5`: 0, `"soon"`: 0, `1.5`: 0, `1e9`: 0,
		`"99999999999999999999"`: 0, `"1795300000000000"`: 0, `null`: 0, `{}`: 0, `true`: 0} {
		got := one(t, hook(messages(`{"from":"593990000001","id":"wamid.A","timestamp":`+written+`,"type":"request_welcome"}`)))
		if got.Order != want || want == 0 != got.At.IsZero() || want != 0 && got.At.Unix() != want {
			t.Errorf("%s: got order %d at %v, want %d", written, got.Order, got.At, want)
		}
	}
}

// TestDecode_parts: what else a body may hold; each part stands by itself.
func TestDecode_parts(t *testing.T) {
	hola := said("593990000001", "wamid.A", "hola")
	body := func(changes ...string) string {
		return `{"entry":[{"changes":[` + strings.Join(changes, ",") + `]}]}`
	}
	tests := []struct {
		name, body, want string
	}{
		{"two entries", `{"entry":[{"changes":[` + change(messages(hola)) + `]},{"changes":[` + change(messages(said("593990000002", "wamid.B", "b"))) + `,` + change(statuses(`{"id":"wamid.O","status":"read"}`)) + `]}]}`, "hola b read"},
		{"without metadata", body(`{"field":"messages","value":{` + messages(hola) + `}}`), "hola"},
		{"metadata of another type", body(`{"field":"messages","value":{"metadata":[],` + messages(hola) + `}}`), "hola"},
		{"id as number", body(`{"field":"messages","value":{"metadata":{"phone_number_id":` + testNumberID + `},` + messages(hola) + `}}`), "hola"},
		{"another number", body(`{"field":"messages","value":{"metadata":{"phone_number_id":"1"},`+messages(hola)+`}}`, change(messages(hola))), "-another number hola"},
		{"another field", body(`{"field":"account_update","value":{`+messages(hola)+`}}`, change(messages(hola))), "-field hola"},
		{"no field", body(`{"value":{` + messages(hola) + `}}`), "-field"},
		{"value of another type", body(`{"field":"messages","value":7}`, change(messages(hola))), "-nothing in it hola"},
		{"no value", body(`{"field":"messages"}`), "-no value"},
		{"change of another type", body(`[]`, change(messages(hola))), "-field hola"},
		{"entry of another type", `{"entry":[3,{"changes":"x"},{"changes":[` + change(messages(hola)) + `]}]}`, "hola"},
		{"entries of another type", `{"entry":{}}`, "-nothing in it"},
		{"another object", `{"object":"page"}`, "-nothing in it"},
		{"message of another type", hook(messages(`"x"`, `null`, `{}`, hola)), "-no sender -no sender -no sender hola"},
		{"messages of another type", hook(`"messages":{"a":1}`, statuses(`{"id":"wamid.O","status":"sent"}`)), "sent"},
		{"status nobody knows", hook(statuses(`{"id":"wamid.O","status":"warning"}`, `{"id":"wamid.O","status":"accepted"}`, `{"status":"sent"}`, `7`, `{"id":"wamid.O","status":"failed"}`)), "-status -status -status -status failed"},
		{"errors outside messages", hook(`"errors":[{"code":"130429","title":"Rate limit hit"},5]`), "-error report -error report"},
		{"nothing", hook(), "-nothing in it"},
		{"unknown fields", hook(messages(hola), `"telepathy":[1]`), "hola"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			all, err := decode([]byte(tt.body), testNumberID)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, in := range all {
				switch {
				case in.ignored != "":
					got = append(got, "-"+in.ignored)
				case in.status != "":
					got = append(got, string(in.status))
				default:
					got = append(got, in.Text)
				}
			}
			if got := strings.Join(got, " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDecode_noWebhook(t *testing.T) {
	for _, raw := range []string{``, `x`, `{`, `[]`, `"hola"`, `7`, `null`, ` `, `{"entry":[]} trailing`, `{"entry":[{"changes":[{"value":{"text":"593990000001}}`,
		strings.Repeat(`{"a":`, 20_000)} {
		if _, err := decode([]byte(raw), testNumberID); !errors.Is(err, errNoWebhook) || strings.Contains(err.Error(), "593") {
			t.Errorf("decode(%.40q): got %v, want %v", raw, err, errNoWebhook)
		}
	}
}

// FuzzDecode: whatever comes, decode does not fail badly, and what it lets through can be handled.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(fixtures, "*.json"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		f.Add(fixture(f, filepath.Base(file)))
	}
	f.Add([]byte(hook(messages(said("593990000001", "", "hola")), statuses(`{"id":1,"status":"failed","errors":[{"code":"x"}]}`), `"errors":[{}]`)))
	f.Add([]byte(`{"entry":[{"changes":[{"field":"messages","value":{"contacts":[{}],"messages":[{"type":"text"}]}}]}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		all, err := decode(raw, testNumberID)
		if err == nil && len(all) == 0 {
			t.Error("nothing of a body, not even that it was ignored")
		}
		n := 0
		for _, line := range linesOf(all) {
			n += len(line)
		}
		if n != len(all) {
			t.Errorf("%d parts in lines, want %d", n, len(all))
		}
		for _, in := range all {
			switch {
			case in.ignored != "":
			case in.status != "":
				if in.ID == "" || !in.status.Known() {
					t.Errorf("let through the report %+v", in)
				}
			case in.from.Empty() || in.ID == "":
				t.Errorf("let through %+v", in)
			case !in.to.Empty():
			case in.Kind == "" || in.Channel != Name || in.Kind == bot.Text && in.Text == "":
				t.Errorf("let through %+v", in)
			case in.Kind == bot.Press && in.Prompt > 0:
				if prompt, id, ours := bot.ReadPress(bot.PressData(in.Prompt, in.Button)); !ours || prompt != in.Prompt || id != in.Button {
					t.Errorf("pressed %d %q, sent again it is %d %q", in.Prompt, in.Button, prompt, id)
				}
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	raw := fixture(b, "in_button_reply.json")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decode(raw, testNumberID); err != nil {
			b.Fatal(err)
		}
	}
}
