package telegram

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	tgbotapi "github.com/go-telegram-bot-api/telegram-bot-api/v5"

	"llave/bot"
)

// incoming is one decoded update. Where ignored is not empty, nobody handles it, and ignored says what it was.
type incoming struct {
	bot.Update
	id      int    // update_id
	query   string // callback query to answer
	ignored string
}

// wireUpdate is tgbotapi's update and what the Bot API has learned since.
type wireUpdate struct {
	tgbotapi.Update
	MessageReaction *struct {
		Chat      *tgbotapi.Chat `json:"chat"`
		MessageID int            `json:"message_id"`
		User      *tgbotapi.User `json:"user"`
		Date      int            `json:"date"`
	} `json:"message_reaction"`
}

var errNoUpdate = errors.New("not an update")

// decode reads one update. An error means that the bytes are not one; whatever is one but of no use comes back as
// ignored. A field whose type has changed since tgbotapi was written does not spoil the rest.
func decode(raw []byte) (incoming, error) {
	var w wireUpdate
	err := json.Unmarshal(raw, &w)
	var wrongType *json.UnmarshalTypeError
	switch {
	case err != nil && !errors.As(err, &wrongType):
		return incoming{}, fmt.Errorf("%w: not JSON", errNoUpdate) // the cause may quote what a person wrote
	case w.UpdateID <= 0:
		return incoming{}, fmt.Errorf("%w: no update_id", errNoUpdate)
	}
	in := incoming{id: w.UpdateID}
	in.Channel = Name
	in.ID, in.Order = strconv.Itoa(w.UpdateID), int64(w.UpdateID)
	switch {
	case w.Message != nil:
		in.message(w.Message, raw)
	case w.EditedMessage != nil:
		in.edited(w.EditedMessage)
	case w.CallbackQuery != nil:
		in.press(w.CallbackQuery, raw)
	case w.MyChatMember != nil:
		in.membership(w.MyChatMember)
	case w.MessageReaction != nil:
		r := w.MessageReaction
		in.Kind = bot.Reaction
		in.from(r.Chat, r.User, r.MessageID, r.Date)
	default:
		in.ignored = "kind"
	}
	if in.ignored == "" && in.Chat == "" {
		in.ignored = "no chat"
	}
	return in, nil
}

// from fills in where an update came from. Other bots are not listened to.
func (in *incoming) from(chat *tgbotapi.Chat, user *tgbotapi.User, messageID, date int) {
	if chat != nil && chat.ID != 0 {
		in.Chat = strconv.FormatInt(chat.ID, 10)
		in.Group = chat.Type != "private"
		if chat.Type == "channel" { // where everybody would read an answer, and nobody speaks to us
			in.ignored = "channel"
		}
	}
	if user != nil && user.IsBot {
		in.ignored = "from a bot"
	}
	if messageID != 0 {
		in.MessageID = strconv.Itoa(messageID)
	}
	if date > 0 {
		in.At = time.Unix(int64(date), 0)
	}
}

func (in *incoming) message(m *tgbotapi.Message, raw []byte) {
	in.from(m.Chat, m.From, m.MessageID, m.Date)
	in.Album = m.MediaGroupID
	switch media := mediaOf(m); {
	case m.Text != "":
		in.Kind, in.Text = textKind(m.Text)
	case m.Contact != nil:
		in.Kind = bot.Contact
		if m.From != nil && m.Contact.UserID != 0 && m.Contact.UserID == m.From.ID {
			in.Phone = digits(m.Contact.PhoneNumber)
		}
	case m.Location != nil || m.Venue != nil:
		in.Kind, in.Spot = bot.Location, spotOf(m)
	case media != "":
		in.Brings(bot.Media, media, m.Caption)
	default:
		in.other(m, raw)
	}
}

// spotOf is the place that was shared; of a live one, where it began.
func spotOf(m *tgbotapi.Message) bot.Spot {
	at := m.Location
	if at == nil {
		at = &m.Venue.Location
	}
	return bot.SpotAt(at.Latitude, at.Longitude)
}

func mediaOf(m *tgbotapi.Message) string {
	switch {
	case len(m.Photo) > 0:
		return bot.ThingPhoto
	case m.Voice != nil:
		return bot.ThingVoice
	case m.Sticker != nil:
		return bot.ThingSticker
	case m.Animation != nil, m.Video != nil, m.VideoNote != nil: // an animation is also a document
		return bot.ThingVideo
	case m.Audio != nil:
		return bot.ThingAudio
	case m.Document != nil:
		return bot.ThingDocument
	}
	return ""
}

// textKind tells /start and its payload from everything else. Another command is what it is called: "/menu" and
// "/menu@our_bot" are the word "menu". (tgbotapi's CommandArguments counts bytes where Telegram counts UTF-16 units.)
func textKind(text string) (bot.Kind, string) {
	if !strings.HasPrefix(text, "/") {
		return bot.Text, text
	}
	name, rest := text[1:], ""
	if i := strings.IndexAny(name, " \t\n\r"); i >= 0 {
		name, rest = name[:i], strings.TrimSpace(name[i:])
	}
	name, _, _ = strings.Cut(name, "@")
	switch {
	case strings.EqualFold(name, "start"):
		return bot.Start, rest
	case name == "": // "/", "/@…", "/ 5": no command
		return bot.Text, text
	case rest == "":
		return bot.Text, name
	}
	return bot.Text, name + " " + rest
}

func (in *incoming) edited(m *tgbotapi.Message) {
	in.Kind = bot.Edited
	in.from(m.Chat, m.From, m.MessageID, m.EditDate)
	_, in.Text = textKind(m.Text)
	switch {
	case m.Location != nil: // somebody shares where they are going; it changes every few seconds
		in.ignored = "live location"
	case in.Text == "":
		in.Media, in.Text = mediaOf(m), m.Caption
	}
}

func (in *incoming) press(q *tgbotapi.CallbackQuery, raw []byte) {
	in.Kind = bot.Press
	in.query = q.ID
	in.Prompt, in.Button, _ = bot.ReadPress(q.Data)
	// An old message comes as an inaccessible one, without text and with the date 0. No message at all: inline mode,
	// which we do not have. The date is the question's, not the press's.
	if q.Message == nil {
		in.ignored = "no chat"
		return
	}
	in.from(q.Message.Chat, q.From, q.Message.MessageID, 0)
	in.Bubble = bubbleOf(q.Message, raw)
}

// membership is the bot's own place in a chat: blocked and let in again by a person, added to and put out of a group.
func (in *incoming) membership(c *tgbotapi.ChatMemberUpdated) {
	in.from(&c.Chat, &c.From, 0, c.Date)
	was, is := present(c.OldChatMember.Status), present(c.NewChatMember.Status)
	switch {
	case in.ignored != "":
	case was && !is:
		in.Kind = bot.Blocked
	case !is || was:
		in.ignored = "membership"
	case in.Group:
		in.Kind = bot.Unsupported
	default:
		in.Kind = bot.Unblocked
	}
}

func present(status string) bool {
	return status != "" && status != "left" && status != "kicked"
}

// serviceFields name the messages that Telegram writes itself. Everything else without known content was sent by a
// person, and gets an answer.
var serviceFields = []string{
	"new_chat_members", "left_chat_member", "chat_owner_left", "chat_owner_changed", "new_chat_title", "new_chat_photo",
	"delete_chat_photo", "group_chat_created", "supergroup_chat_created", "channel_chat_created",
	"message_auto_delete_timer_changed", "migrate_to_chat_id", "migrate_from_chat_id", "pinned_message",
	"connected_website", "write_access_allowed", "proximity_alert_triggered", "boost_added", "chat_background_set",
	"forum_topic_created", "forum_topic_edited", "forum_topic_closed", "forum_topic_reopened",
	"general_forum_topic_hidden", "general_forum_topic_unhidden", "giveaway_created", "giveaway_winners",
	"giveaway_completed", "paid_message_price_changed", "direct_message_price_changed", "video_chat_scheduled",
	"video_chat_started", "video_chat_ended", "video_chat_participants_invited", "refunded_payment",
	"checklist_tasks_done", "checklist_tasks_added", "suggested_post_approved", "suggested_post_approval_failed",
	"suggested_post_declined", "suggested_post_paid", "suggested_post_refunded",
}

// otherFields name what a person can send besides, in the order in which they are looked for. Gifts are service messages too,
// and somebody waits for a word of thanks.
var otherFields = []struct{ field, thing string }{
	{"poll", bot.ThingPoll}, {"dice", bot.ThingDice}, {"game", bot.ThingGame}, {"story", bot.ThingStory}, {"paid_media", bot.ThingPaid},
	{"giveaway", bot.ThingGiveaway}, {"checklist", bot.ThingChecklist}, {"invoice", bot.ThingInvoice},
	{"gift", bot.ThingGift}, {"unique_gift", bot.ThingGift},
}

// other reads what is neither words nor a file.
func (in *incoming) other(m *tgbotapi.Message, raw []byte) {
	var u struct {
		Message map[string]json.RawMessage `json:"message"`
	}
	_ = json.Unmarshal(raw, &u) // what cannot be read has no field that is known
	for _, o := range otherFields {
		if _, ok := u.Message[o.field]; ok {
			in.Brings(bot.Unsupported, o.thing, m.Caption)
			return
		}
	}
	for _, field := range serviceFields {
		if _, ok := u.Message[field]; ok {
			in.ignored = "service message"
			return
		}
	}
	in.Brings(bot.Unsupported, "", m.Caption)
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}
