package bottest

import (
	"fmt"
	"strings"
	"time"
)

// Canary is in everything that a person's phone tells of a file or place: ids, names, thumbnails, addresses. Nobody may keep it.
const Canary = "canario"

// CanaryPlace is where every place is that is sent: its latitude and longitude.
var CanaryPlace = [2]float64{-0.21987654321, -78.51298765432}

// telegramThings are what a message of a person holds besides words, by what people would call it.
var telegramThings = map[string]func() map[string]any{
	"photo": func() map[string]any {
		return map[string]any{"photo": []any{telegramFile("width", 90, "height", 67), telegramFile("width", 1280, "height", 960)}}
	},
	"video": func() map[string]any { return map[string]any{"video": telegramFile("duration", 3)} },
	"voice": func() map[string]any {
		return map[string]any{"voice": telegramFile("duration", 3, "mime_type", "audio/ogg")}
	},
	"audio": func() map[string]any { return map[string]any{"audio": telegramFile("duration", 3, "title", Canary)} },
	"document": func() map[string]any {
		return map[string]any{"document": telegramFile("mime_type", "application/pdf")}
	},
	"animation": func() map[string]any {
		return map[string]any{"animation": telegramFile("duration", 3), "document": telegramFile()}
	},
	"sticker": func() map[string]any {
		return map[string]any{"sticker": telegramFile("emoji", "👍", "set_name", Canary)}
	},
	"location": func() map[string]any {
		return map[string]any{"location": map[string]any{"latitude": CanaryPlace[0], "longitude": CanaryPlace[1]}}
	},
	"contact": func() map[string]any {
		return map[string]any{"contact": map[string]any{"phone_number": "593990000009", "first_name": Canary}}
	},
	"poll": func() map[string]any {
		return map[string]any{"poll": map[string]any{"id": "1", "question": Canary, "options": []any{}}}
	},
	"dice": func() map[string]any { return map[string]any{"dice": map[string]any{"emoji": "🎲", "value": 6}} },
	"game": func() map[string]any { return map[string]any{"game": map[string]any{"title": Canary}} },
	"gift": func() map[string]any {
		return map[string]any{"gift": map[string]any{"gift": map[string]any{"id": Canary}, "text": Canary}}
	},
	"unique_gift": func() map[string]any { return map[string]any{"unique_gift": map[string]any{"origin": "transfer"}} },
	"story":       func() map[string]any { return map[string]any{"story": map[string]any{"id": 1}} },
	"paid_media": func() map[string]any {
		return map[string]any{"paid_media": map[string]any{"star_count": 5, "paid_media": []any{}}}
	},
	"giveaway":  func() map[string]any { return map[string]any{"giveaway": map[string]any{"winner_count": 1}} },
	"checklist": func() map[string]any { return map[string]any{"checklist": map[string]any{"title": Canary}} },
	"invoice":   func() map[string]any { return map[string]any{"invoice": map[string]any{"title": Canary}} },
	"pin": func() map[string]any {
		return map[string]any{"pinned_message": map[string]any{"message_id": 1, "date": 1, "text": Canary}}
	},
	"hologram": func() map[string]any { return map[string]any{"hologram": map[string]any{"id": Canary}} },
}

// telegramFile is what Telegram tells of a file, with more fields by name and value.
func telegramFile(more ...any) map[string]any {
	f := map[string]any{
		"file_id": "AgAC" + Canary, "file_unique_id": "AQAD" + Canary, "file_size": 98765, "file_name": Canary + ".pdf",
		"thumbnail": map[string]any{"file_id": "AAMC" + Canary, "file_unique_id": "AQADt" + Canary, "width": 90, "height": 67},
	}
	for i := 0; i+1 < len(more); i += 2 {
		f[more[i].(string)] = more[i+1]
	}
	return f
}

// Send sends a thing, with words under it where there are some; "album 3" is so many photos at once, the words under the first.
func (b *BotAPI) Send(chat int64, what, words string) error {
	name, many := albumOf(what)
	content := telegramThings[name]
	if content == nil {
		return fmt.Errorf("nobody can send %q there", what)
	}
	group := fmt.Sprintf("1%d", time.Now().UnixNano())
	for i := range max(many, 1) {
		m := content()
		if many > 0 {
			m["media_group_id"] = group
		}
		caption := ""
		if i == 0 && words != "" {
			caption, m["caption"] = words, words
		}
		b.write(chat, caption, m)
	}
	return nil
}

// albumOf reads "album 3".
func albumOf(what string) (name string, many int) {
	if rest, album := strings.CutPrefix(what, "album"); album {
		_, _ = fmt.Sscan(rest, &many)
		return "photo", max(many, 2)
	}
	return what, 0
}

// whatsAppThings are what a message of a person holds besides words, by what people would call it.
var whatsAppThings = map[string]struct {
	kind    string
	content map[string]any
}{
	"photo":    {"image", whatsAppFile("mime_type", "image/jpeg")},
	"video":    {"video", whatsAppFile("mime_type", "video/mp4")},
	"voice":    {"audio", whatsAppFile("mime_type", "audio/ogg; codecs=opus", "voice", true)},
	"audio":    {"audio", whatsAppFile("mime_type", "audio/mpeg")},
	"document": {"document", whatsAppFile("mime_type", "application/pdf", "filename", Canary+".pdf")},
	"sticker":  {"sticker", whatsAppFile("mime_type", "image/webp", "animated", false)},
	"location": {"location", map[string]any{"latitude": CanaryPlace[0], "longitude": CanaryPlace[1], "name": Canary, "address": Canary}},
	"order":    {"order", map[string]any{"catalog_id": Canary, "text": Canary, "product_items": []any{}}},
	"form": {"interactive", map[string]any{"type": "nfm_reply", "nfm_reply": map[string]any{
		"name": "flow", "body": "Sent", "response_json": `{"flow_token":"` + Canary + `"}`,
	}}},
}

// whatsAppUntold are what WhatsApp does not tell, by the type it names and the error it gives.
var whatsAppUntold = map[string]struct {
	kind string
	code int
}{
	"poll": {"poll_creation", 131051}, "vote": {"poll_update", 131051}, "pin": {"pin", 131051}, "keep": {"keep_in_chat", 131051},
	"invite": {"group_invite", 131051}, "product": {"product", 131051}, "once": {"image", 131051}, "gif": {"gif", 131051},
	"reaction": {"reaction", 131051}, "hologram": {"", 131051}, "lost": {"", 131060},
}

// whatsAppFile is what WhatsApp tells of a file, with more fields by name and value.
func whatsAppFile(more ...any) map[string]any {
	f := map[string]any{"sha256": graphHash, "id": "1003383421387257" + Canary, "url": "https://lookaside.example/" + Canary}
	for i := 0; i+1 < len(more); i += 2 {
		f[more[i].(string)] = more[i+1]
	}
	return f
}

// Send sends a thing, with words under it where there are some. An album is so many messages there, of which nothing says that
// they belong together.
func (g *Graph) Send(chat int64, what, words string) error {
	name, many := albumOf(what)
	if u, ok := whatsAppUntold[name]; ok {
		g.untold(chat, u.kind, u.code)
		return nil
	}
	thing, ok := whatsAppThings[name]
	if !ok {
		return fmt.Errorf("nobody can send %q there", what)
	}
	for i := range max(many, 1) {
		content, caption := map[string]any{}, ""
		for k, v := range thing.content {
			content[k] = v
		}
		if i == 0 && words != "" {
			caption, content["caption"] = words, words
		}
		g.write(chat, caption, thing.kind, content)
	}
	return nil
}
