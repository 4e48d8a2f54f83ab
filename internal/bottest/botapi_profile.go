package bottest

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
)

// Profile returns what Telegram shows of the bot, as somebody has set it: "description", "short_description", "commands" (JSON) and
// "menu_button" (its type); in a language of its own with it, as "commands/en". What is not set is not there.
func (b *BotAPI) Profile() map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.profile)
}

// SetProfile sets a part of it, as an operator does in BotFather; "" takes it away.
func (b *BotAPI) SetProfile(part, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.setProfile(part, text)
}

// setProfile is SetProfile; the lock is held.
func (b *BotAPI) setProfile(part, text string) {
	if text == "" {
		delete(b.profile, part)
	} else {
		b.profile[part] = text
	}
	b.changed()
}

// profilePart is the name of a part in the language of a call.
func profilePart(name string, p map[string]string) string {
	if p["language_code"] == "" {
		return name
	}
	return name + "/" + p["language_code"]
}

// profileText is a text as it is shown in the language of a call: where that has none of its own, the one of all others.
func (b *BotAPI) profileText(name string, p map[string]string) (any, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	text, own := b.profile[profilePart(name, p)]
	if !own {
		text = b.profile[name]
	}
	return map[string]string{name: text}, nil
}

func (b *BotAPI) setProfileText(name string, most int, p map[string]string) (any, error) {
	if len([]rune(p[name])) > most {
		return nil, refuseBot(400, "Bad Request: "+name+" is too long")
	}
	if l := p["language_code"]; l != "" && (len(l) != 2 || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz") != "") {
		return nil, refuseBot(400, "Bad Request: invalid language code specified")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.setProfile(profilePart(name, p), p[name])
	return true, nil
}

func (b *BotAPI) getMyDescription(_ *http.Request, p map[string]string) (any, error) {
	return b.profileText("description", p)
}

func (b *BotAPI) setMyDescription(_ *http.Request, p map[string]string) (any, error) {
	return b.setProfileText("description", 512, p)
}

func (b *BotAPI) getMyShortDescription(_ *http.Request, p map[string]string) (any, error) {
	return b.profileText("short_description", p)
}

func (b *BotAPI) setMyShortDescription(_ *http.Request, p map[string]string) (any, error) {
	return b.setProfileText("short_description", 120, p)
}

// getMyCommands tells those of exactly that language.
func (b *BotAPI) getMyCommands(_ *http.Request, p map[string]string) (any, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if list := b.profile[profilePart("commands", p)]; list != "" {
		return json.RawMessage(list), nil
	}
	return []any{}, nil
}

func (b *BotAPI) setMyCommands(_ *http.Request, p map[string]string) (any, error) {
	var list []struct{ Command, Description string }
	if json.Unmarshal([]byte(p["commands"]), &list) != nil || len(list) > 100 {
		return nil, refuseBot(400, "Bad Request: can't parse commands JSON object")
	}
	for _, c := range list {
		if strings.Trim(c.Command, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || c.Command == "" || len(c.Command) > 32 {
			return nil, refuseBot(400, "Bad Request: BOT_COMMAND_INVALID")
		}
		if n := len([]rune(c.Description)); n < 1 || n > 256 {
			return nil, refuseBot(400, "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID")
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	text := p["commands"]
	if len(list) == 0 {
		text = ""
	}
	b.setProfile(profilePart("commands", p), text)
	return true, nil
}

func (b *BotAPI) getChatMenuButton(*http.Request, map[string]string) (any, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch kind := b.profile["menu_button"]; kind {
	case "":
		return map[string]any{"type": "default"}, nil
	case "web_app":
		return map[string]any{"type": kind, "text": "Portal", "web_app": map[string]string{"url": "https://www.example.org/"}}, nil
	default:
		return map[string]any{"type": kind}, nil
	}
}

func (b *BotAPI) setChatMenuButton(_ *http.Request, p map[string]string) (any, error) {
	var button struct{ Type string }
	if json.Unmarshal([]byte(p["menu_button"]), &button) != nil || button.Type != "commands" && button.Type != "default" {
		return nil, refuseBot(400, "Bad Request: can't parse menu button")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.setProfile("menu_button", strings.TrimPrefix(button.Type, "default"))
	return true, nil
}
