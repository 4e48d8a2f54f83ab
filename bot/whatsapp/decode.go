package whatsapp

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"llave/bot"
)

// incoming is one part of a webhook: a message, the news that a person goes by other names, or a report on a message
// of ours. Where ignored is not empty, nobody handles it, and ignored says what it was.
type incoming struct {
	bot.Update        // a message, without the chat, which only People knows; of a report the ID, which is our message's
	from       Names  // who sent it, or got our message
	to         Names  // where not empty: who they are from now on
	status     Status // where not empty: what became of our message
	code       int    // why it failed, in the Cloud API's numbers
	ignored    string
}

// text is a JSON string, or a number as it was written: ids and times come as either. Anything else is no text.
type text string

// UnmarshalJSON never fails.
func (t *text) UnmarshalJSON(raw []byte) error {
	var s string
	switch {
	case len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil:
		*t = text(s)
	case len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9'):
		*t = text(raw)
	default:
		*t = ""
	}
	return nil
}

type (
	wireBody struct {
		Entry []struct {
			Changes []struct {
				Field text            `json:"field"`
				Value json.RawMessage `json:"value"`
			} `json:"changes"`
		} `json:"entry"`
	}
	wireValue struct {
		Metadata struct {
			PhoneNumberID text `json:"phone_number_id"`
		} `json:"metadata"`
		Contacts []wireContact     `json:"contacts"`
		Messages []json.RawMessage `json:"messages"`
		Statuses []json.RawMessage `json:"statuses"`
		Errors   []wireError       `json:"errors"`
	}
	wireContact struct {
		WaID   text `json:"wa_id"`
		UserID text `json:"user_id"`
	}
	wireError struct {
		Code text `json:"code"`
	}
	wireStatus struct {
		ID              text        `json:"id"`
		Status          text        `json:"status"`
		Timestamp       text        `json:"timestamp"`
		RecipientID     text        `json:"recipient_id"`
		RecipientUserID text        `json:"recipient_user_id"`
		Errors          []wireError `json:"errors"`
	}
	wireMessage struct {
		From       text `json:"from"`
		FromUserID text `json:"from_user_id"`
		GroupID    text `json:"group_id"`
		ID         text `json:"id"`
		Timestamp  text `json:"timestamp"`
		wireContent
		Interactive struct {
			Type        text       `json:"type"`
			ButtonReply wireChoice `json:"button_reply"`
			ListReply   wireChoice `json:"list_reply"`
		} `json:"interactive"`
		Button struct {
			Payload text `json:"payload"`
			Text    text `json:"text"`
		} `json:"button"`
		Contacts []struct {
			Phones []struct {
				WaID text `json:"wa_id"`
			} `json:"phones"`
		} `json:"contacts"`
		Edit struct {
			Original text        `json:"original_message_id"`
			Message  wireContent `json:"message"`
		} `json:"edit"`
		Unsupported struct {
			Type text `json:"type"`
		} `json:"unsupported"`
		Errors   []wireError `json:"errors"`
		System   wireSystem  `json:"system"`
		Location wirePlace   `json:"location"`
	}
	// wireContent is what a message and the new text of an edited one have in common.
	wireContent struct {
		Type text `json:"type"`
		Text struct {
			Body text `json:"body"`
		} `json:"text"`
		Image    wireMedia `json:"image"`
		Video    wireMedia `json:"video"`
		Document wireMedia `json:"document"`
		Audio    struct {
			Voice bool `json:"voice"`
		} `json:"audio"`
	}
	wireMedia struct {
		Caption text `json:"caption"`
	}
	wirePlace struct {
		Latitude  text `json:"latitude"`
		Longitude text `json:"longitude"`
	}
	wireChoice struct {
		ID    text `json:"id"`
		Title text `json:"title"`
	}
	wireSystem struct {
		WaID           text `json:"wa_id"`
		NewWaID        text `json:"new_wa_id"` // up to v11; wa_id was the old one then
		UserID         text `json:"user_id"`
		PreviousUserID text `json:"previous_user_id"`
	}
)

// errNoWebhook never says more: the cause may quote what a person wrote.
var errNoWebhook = errors.New("not a webhook's body")

// decode reads a webhook's body and returns its parts in their order. Our number is the one with that id; what is of
// another one, or is of no use, comes back as ignored. An error means that the body is no JSON object.
func decode(raw []byte, numberID string) ([]incoming, error) {
	var body wireBody
	if lenient(raw, &body) != nil || !bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte("{")) {
		return nil, errNoWebhook
	}
	var all []incoming
	for _, e := range body.Entry {
		for _, change := range e.Changes {
			if change.Field != "messages" {
				all = append(all, incoming{ignored: "field"})
				continue
			}
			all = append(all, decodeValue(change.Value, numberID)...)
		}
	}
	if len(all) == 0 {
		all = append(all, incoming{ignored: "nothing in it"})
	}
	return all, nil
}

// lenient unmarshals what is of the expected type and leaves out the rest. It fails only on what is not JSON.
func lenient(raw []byte, into any) error {
	err := json.Unmarshal(raw, into)
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return nil
	}
	return err
}

// anotherNumber is the ignored of what was written to a number that is not ours.
const anotherNumber = "another number"

func decodeValue(raw json.RawMessage, numberID string) []incoming {
	var v wireValue
	if len(raw) == 0 || lenient(raw, &v) != nil {
		return []incoming{{ignored: "no value"}}
	}
	if id := string(v.Metadata.PhoneNumberID); id != "" && id != numberID {
		return []incoming{{ignored: anotherNumber}}
	}
	all := make([]incoming, 0, len(v.Messages)+len(v.Statuses)+len(v.Errors))
	for _, m := range v.Messages {
		all = append(all, decodeMessage(m, v.Contacts))
	}
	for _, s := range v.Statuses {
		all = append(all, decodeStatus(s))
	}
	for _, e := range v.Errors {
		all = append(all, incoming{ignored: reported, code: codeOf(e)})
	}
	if len(all) == 0 {
		return []incoming{{ignored: "nothing in it"}}
	}
	return all
}

// reported is the ignored of an error outside any message.
const reported = "error report"

func decodeStatus(raw json.RawMessage) incoming {
	var s wireStatus
	if lenient(raw, &s) != nil {
		return incoming{ignored: "status"}
	}
	in := incoming{status: Status(s.Status), from: namesOf(s.RecipientID, s.RecipientUserID)}
	in.ID = string(s.ID)
	_, in.At = when(s.Timestamp)
	in.code = noCode
	if len(s.Errors) > 0 {
		in.code = codeOf(s.Errors[0])
	}
	if in.ID == "" || in.status == Accepted || !in.status.Known() {
		return incoming{ignored: "status"}
	}
	return in
}

func decodeMessage(raw json.RawMessage, contacts []wireContact) incoming {
	var m wireMessage
	if lenient(raw, &m) != nil {
		return incoming{ignored: "message"}
	}
	in := incoming{from: sender(m, contacts)}
	in.Channel = Name
	in.ID, in.MessageID = string(m.ID), string(m.ID)
	if in.ID == "" { // the same bytes come again under the same name
		sum := sha256.Sum256(raw)
		in.ID = "unnamed/" + hex.EncodeToString(sum[:16])
	}
	in.Order, in.At = when(m.Timestamp)
	switch {
	case m.Type == "system":
		in.system(m)
	case m.GroupID != "":
		// A business is only in groups that it made through the API, and we make none.
		in.ignored = "group"
	default:
		in.content(m)
	}
	if in.ignored == "" && in.from.Empty() {
		in.ignored = "no sender"
	}
	return in
}

// sender returns every name that is known of a message's sender. The contacts beside the messages say which names
// belong together; they may be missing and are in no order.
func sender(m wireMessage, contacts []wireContact) Names {
	n := namesOf(m.From, m.FromUserID)
	if m.From == "" && m.FromUserID == "" && len(contacts) == 1 && m.Type != "" && m.Type != "system" {
		return namesOf(contacts[0].WaID, contacts[0].UserID)
	}
	for _, c := range contacts {
		known := namesOf(c.WaID, c.UserID)
		switch {
		case n.UserID == "" && n.Phone != "" && known.Phone == n.Phone:
			n.UserID = known.UserID
		case n.Phone == "" && n.UserID != "" && known.UserID == n.UserID:
			n.Phone = known.Phone
		}
	}
	return n
}

// system reads that a person goes by other names now: another number, which makes another user id, or another user id
// with the number kept back.
func (in *incoming) system(m wireMessage) {
	s := m.System
	in.MessageID = "" // not the person's, so nothing to mark as read
	if n := namesOf("", s.PreviousUserID); n.UserID != "" {
		in.from.UserID = n.UserID
	}
	phone := s.NewWaID
	if phone == "" {
		phone = s.WaID
	}
	in.to = namesOf(phone, s.UserID)
	if in.from.UserID == in.to.UserID && in.from.Phone != "" {
		in.from.UserID = "" // the message already names them as they are now
	}
	if in.to.Empty() || in.to == in.from {
		in.ignored = "system"
	}
}

func (in *incoming) content(m wireMessage) {
	switch m.Type {
	case "text":
		in.Kind, in.Text = bot.Text, string(m.Text.Body)
	case "interactive":
		if m.Interactive.Type == "nfm_reply" {
			in.Kind, in.Media = bot.Unsupported, bot.ThingForm
			return
		}
		choice := m.Interactive.ButtonReply
		if choice == (wireChoice{}) {
			choice = m.Interactive.ListReply
		}
		in.press(choice.ID, choice.Title)
	case "button":
		if _, _, ours := bot.ReadPress(string(m.Button.Payload)); ours {
			in.press(m.Button.Payload, "")
		} else { // a template that somebody else wrote: what the person said with it
			in.press("", m.Button.Text)
		}
	case "image":
		in.media(bot.ThingPhoto, m.Image)
	case "video":
		in.media(bot.ThingVideo, m.Video)
	case "document":
		in.media(bot.ThingDocument, m.Document)
	case "sticker":
		in.media(bot.ThingSticker, wireMedia{})
	case "audio":
		if m.Audio.Voice {
			in.media(bot.ThingVoice, wireMedia{})
		} else {
			in.media(bot.ThingAudio, wireMedia{})
		}
	case "location":
		in.Kind, in.Spot = bot.Location, m.Location.spot()
	case "contacts":
		in.Kind = bot.Contact
		for _, c := range m.Contacts {
			for _, p := range c.Phones {
				if own := namesOf(p.WaID, "").Phone; own != "" && own == in.from.Phone {
					in.Phone = own
				}
			}
		}
	case "reaction": // one taken back has no emoji
		in.Kind = bot.Reaction
	case "request_welcome": // the chat was opened for the first time, and nothing written
		in.Kind = bot.Start
	case "edit":
		in.Kind, in.Text = bot.Edited, words(m.Edit.Message)
		in.Media = mediaOf(m.Edit.Message)
		if m.Edit.Original != "" {
			in.MessageID = string(m.Edit.Original)
		}
	case "revoke": // they took back what they wrote; it was answered
		in.ignored = "revoke"
	case "order":
		in.Kind, in.Media = bot.Unsupported, bot.ThingOrder
	case "unsupported":
		in.unsupported(m)
	default: // what is invented after us
		in.Kind = bot.Unsupported
	}
	if in.Kind == bot.Text && in.Text == "" {
		in.Kind = bot.Unsupported
	}
}

// untold are the things that the Cloud API only says that there were, by the type that it names.
var untold = map[text]string{
	"poll_creation": bot.ThingPoll, "order": bot.ThingOrder, "product": bot.ThingOrder, "group_invite": bot.ThingInvite, "errors": bot.ThingLost,
}

// notThere is the error of a message that the Cloud API has lost: the first one, often, to a number that was used by a telephone.
const notThere = 131060

// unsupported reads what the Cloud API does not tell: that something was done, and of which type, at best.
func (in *incoming) unsupported(m wireMessage) {
	in.Kind = bot.Unsupported
	switch kind := m.Unsupported.Type; kind {
	case "edit":
		in.Kind = bot.Edited
	case "reaction":
		in.Kind = bot.Reaction
	case "pin", "keep_in_chat", "poll_update": // done to a message that is there already
		in.ignored = "done to a message"
	case "image":
		in.media(bot.ThingPhoto, wireMedia{})
	case "gif":
		in.media(bot.ThingVideo, wireMedia{})
	case "location":
		in.Kind = bot.Location
	default:
		in.Media = untold[kind]
		for _, e := range m.Errors {
			if codeOf(e) == notThere {
				in.Media = bot.ThingLost
			}
		}
	}
}

// mediaOf names what else there is in an edited message than words.
func mediaOf(c wireContent) string {
	switch c.Type {
	case "image":
		return bot.ThingPhoto
	case "video":
		return bot.ThingVideo
	case "document":
		return bot.ThingDocument
	}
	return ""
}

// words are the text of a message, or what stands under its image.
func words(c wireContent) string {
	for _, t := range []text{c.Text.Body, c.Image.Caption, c.Video.Caption, c.Document.Caption} {
		if t != "" {
			return string(t)
		}
	}
	return ""
}

// press reads a choice. A form's answer, a permission to call, and what is invented after us have neither id nor title.
func (in *incoming) press(id, title text) {
	switch {
	case id != "":
		in.Kind = bot.Press
		in.Prompt, in.Button, _ = bot.ReadPress(string(id))
	default:
		in.Kind, in.Text = bot.Text, string(title)
	}
}

// spot is the place that was shared. One that cannot be read is none.
func (p wirePlace) spot() bot.Spot {
	lat, err := strconv.ParseFloat(string(p.Latitude), 64)
	lon, err2 := strconv.ParseFloat(string(p.Longitude), 64)
	if err != nil || err2 != nil {
		return bot.Spot{}
	}
	return bot.SpotAt(lat, lon)
}

func (in *incoming) media(name string, m wireMedia) {
	in.Brings(bot.Media, name, string(m.Caption))
}

// when reads a time in Unix seconds; anything else is no time.
func when(t text) (int64, time.Time) {
	const year9999 = 253402300799
	n, err := strconv.ParseInt(string(t), 10, 64)
	if err != nil || n <= 0 || n > year9999 {
		return 0, time.Time{}
	}
	return n, time.Unix(n, 0)
}

func codeOf(e wireError) int {
	n, err := strconv.Atoi(string(e.Code))
	if err != nil {
		return noCode
	}
	return n
}
