package whatsapp

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"llave/bot"
)

// What one message may hold, counted in characters (runes).
const (
	textMax        = 4096 // a text, and the body of a list
	buttonsBodyMax = 1024 // the text above reply buttons, and above a link's button
	buttonsMax     = 3
	rowsMax        = 10
	buttonTitleMax = 20 // reply buttons, a link's button, a list's button
	rowTitleMax    = 24
	rowDetailMax   = 72
	idMax          = 200 // of a row; a button's may be longer
)

// listButton opens a list. It is the channel's own word, like the "…" of a cut: no reply has a text for it.
const listButton = "Ver opciones"

// outgoing is one message on the wire: only the shapes we send, with only the fields we fill in.
type outgoing struct {
	Product       string       `json:"messaging_product"`
	RecipientType string       `json:"recipient_type"`
	To            string       `json:"to,omitempty"`        // digits of a phone, or
	Recipient     string       `json:"recipient,omitempty"` // a business-scoped user id
	Type          string       `json:"type"`
	Text          *textPart    `json:"text,omitempty"`
	Image         *imagePart   `json:"image,omitempty"`
	Interactive   *interactive `json:"interactive,omitempty"`
	Template      *template    `json:"template,omitempty"`
}

type textPart struct {
	PreviewURL bool   `json:"preview_url"`
	Body       string `json:"body"`
}

type interactive struct {
	Type   string   `json:"type"` // button, list, cta_url
	Header *header  `json:"header,omitempty"`
	Body   bodyPart `json:"body"`
	Action action   `json:"action"`
}

type bodyPart struct {
	Text string `json:"text"`
}

type action struct {
	Buttons    []replyButton `json:"buttons,omitempty"`  // button
	Button     string        `json:"button,omitempty"`   // list
	Sections   []section     `json:"sections,omitempty"` // list
	Name       string        `json:"name,omitempty"`     // cta_url
	Parameters *linkPart     `json:"parameters,omitempty"`
}

type replyButton struct {
	Type  string `json:"type"`
	Reply option `json:"reply"`
}

type section struct {
	Rows []option `json:"rows"`
}

type option struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"` // of a row
}

type linkPart struct {
	DisplayText string `json:"display_text"`
	URL         string `json:"url"`
}

type template struct {
	Name     string   `json:"name"`
	Language language `json:"language"`
}

type language struct {
	Code string `json:"code"`
}

// envelope addresses a message: by phone where there is one, since that reaches every kind of message.
func envelope(to Names) outgoing {
	out := outgoing{Product: "whatsapp", RecipientType: "individual", To: to.Phone}
	if out.To == "" {
		out.Recipient = to.UserID
	}
	return out
}

// templateMessage is the one message that may go out when the person has been silent for long. It has no parameters:
// what it says was approved beforehand. [which] is "name:language".
func templateMessage(to Names, which string) outgoing {
	name, lang, _ := strings.Cut(which, ":")
	out := envelope(to)
	out.Type, out.Template = "template", &template{Name: name, Language: language{Code: lang}}
	return out
}

// message gives the reply [r] the shape that fits it:
//
//	no answers to choose from   a text, or a link's button when there is exactly one link and the text is short
//	1 to 3, a short text        reply buttons
//	up to 10                    a list; a title that is too long for its row is repeated below it
//	more, or too long a text    a text with numbered options, which are answered by typing the number
//
// Where two buttons or rows would have the same title once cut, the next shape of this table is taken. Other links stand
// below the text. What is too long is cut at a word, never the links or the options.
func message(to Names, r bot.Reply) (outgoing, error) {
	out := envelope(to)
	if strings.TrimSpace(r.Text) == "" {
		return outgoing{}, errors.New("message: it has no text")
	}
	var answers, links []bot.Button
	for _, b := range r.Buttons {
		switch {
		case strings.TrimSpace(b.Title) == "":
			return outgoing{}, errors.New("message: a button has no title")
		case b.URL != "":
			links = append(links, b)
		case len(bot.PressData(r.Prompt, b.ID)) > idMax:
			return outgoing{}, fmt.Errorf("message: a button's id of %d bytes is too long", len(b.ID))
		default:
			answers = append(answers, b)
		}
	}
	if len(answers) == 0 && len(links) == 1 && runes(r.Text) <= buttonsBodyMax && linkable(links[0].URL) {
		out.linkButton(r.Text, links[0])
		return out, nil
	}
	tail := ""
	for _, b := range links {
		tail += "\n\n" + b.Title + ": " + b.URL
	}
	size := runes(r.Text) + runes(tail)
	switch n := len(answers); {
	case n == 0:
		out.text(r.Text, tail)
	case n <= buttonsMax && size <= buttonsBodyMax && distinct(answers, buttonTitleMax):
		out.buttons(r.Text+tail, r.Prompt, answers)
	case n <= rowsMax && size <= textMax && distinct(answers, rowTitleMax):
		out.list(r.Text+tail, r.Prompt, answers)
	default:
		out.text(r.Text, tail+numbered(answers))
	}
	return out, nil
}

// text makes the message a text; [tail] is kept whole, and the rest gives way.
func (m *outgoing) text(text, tail string) {
	body := text + tail
	if room := textMax - runes(tail); runes(body) > textMax && room > 0 {
		body = fit(text, room) + tail
	}
	m.Type, m.Text = "text", &textPart{Body: fit(body, textMax)}
}

func (m *outgoing) interactive(kind, body string, a action) {
	m.Type, m.Interactive = "interactive", &interactive{Type: kind, Body: bodyPart{Text: body}, Action: a}
}

func (m *outgoing) linkButton(body string, b bot.Button) {
	m.interactive("cta_url", body, action{
		Name: "cta_url", Parameters: &linkPart{DisplayText: fit(b.Title, buttonTitleMax), URL: b.URL},
	})
}

func (m *outgoing) buttons(body string, prompt int, answers []bot.Button) {
	var a action
	for _, b := range answers {
		a.Buttons = append(a.Buttons, replyButton{
			Type: "reply", Reply: option{ID: bot.PressData(prompt, b.ID), Title: fit(b.Title, buttonTitleMax)},
		})
	}
	m.interactive("button", body, a)
}

func (m *outgoing) list(body string, prompt int, answers []bot.Button) {
	var rows []option
	for _, b := range answers {
		row := option{ID: bot.PressData(prompt, b.ID), Title: fit(b.Title, rowTitleMax)}
		if row.Title != b.Title {
			row.Description = fit(b.Title, rowDetailMax)
		}
		rows = append(rows, row)
	}
	m.interactive("list", body, action{Button: listButton, Sections: []section{{Rows: rows}}})
}

func numbered(answers []bot.Button) string {
	var b strings.Builder
	b.WriteByte('\n')
	for i, a := range answers {
		fmt.Fprintf(&b, "\n%d. %s", i+1, a.Title)
	}
	return b.String()
}

// distinct says whether the titles still differ when they are cut: WhatsApp refuses two that read the same.
func distinct(answers []bot.Button, n int) bool {
	seen := map[string]bool{}
	for _, b := range answers {
		title := fit(b.Title, n)
		if seen[title] {
			return false
		}
		seen[title] = true
	}
	return true
}

// linkable says whether the address will do for a button: a public page, so not localhost.
func linkable(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && strings.Contains(u.Hostname(), ".")
}

func runes(s string) int { return utf8.RuneCountInString(s) }

// fit cuts [text] to at most [n] runes, at a space where there is one near, and says so with "…". A letter is not parted
// from the marks that belong to it, nor an emoji from what joins it to the next.
func fit(text string, n int) string {
	if len(text) <= n || runes(text) <= n { // bytes are never fewer than runes
		return text
	}
	if n <= 0 {
		return ""
	}
	all := []rune(text)
	end := n - 1 // one for the …
	for end > 0 && joined(all[end-1], all[end]) {
		end--
	}
	if end == 0 { // one endless cluster: cut it after all
		end = n - 1
	}
	for i := end; i > end*2/3; i-- {
		if unicode.IsSpace(all[i]) {
			end = i
			break
		}
	}
	return strings.TrimRightFunc(string(all[:end]), unicode.IsSpace) + "…"
}

const (
	zeroWidthJoiner = '\u200d'
	skinToneFirst   = '\U0001f3fb'
	skinToneLast    = '\U0001f3ff'
)

// joined says whether two runes make one sign together: an accent on its letter, a skin tone, a family. The letters of
// a flag are not told apart, so one may be cut in two.
func joined(a, b rune) bool {
	return unicode.Is(unicode.M, b) || b == zeroWidthJoiner || a == zeroWidthJoiner || b >= skinToneFirst && b <= skinToneLast
}
