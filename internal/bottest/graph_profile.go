package bottest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Profile returns what WhatsApp shows of the bot, as somebody has set it: "about", "description", "prompts" and "commands" (JSON).
// What is not set is not there.
func (g *Graph) Profile() map[string]string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.profile)
}

// SetProfile sets a part of it, as an operator does in WhatsApp Manager; "" takes it away.
func (g *Graph) SetProfile(part, text string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.setProfile(part, text)
}

// setProfile is SetProfile; the lock is held.
func (g *Graph) setProfile(part, text string) {
	if text == "" || text == "[]" {
		delete(g.profile, part)
	} else {
		g.profile[part] = text
	}
	g.changed()
}

// automation is the field of the number. The lock is held.
func (g *Graph) automation() map[string]any {
	list := func(part string) json.RawMessage {
		if g.profile[part] == "" {
			return json.RawMessage("[]")
		}
		return json.RawMessage(g.profile[part])
	}
	return map[string]any{"enable_welcome_message": false, "prompts": list("prompts"), "commands": list("commands"), "id": g.opt.PhoneNumberID}
}

// introduction shows and sets what is shown of the bot; it takes what is given and leaves the rest as it is.
func (g *Graph) introduction(edge, method string) graphMethod {
	return func(body []byte) (any, func(), *graphRefusal) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if method == http.MethodGet {
			return map[string]any{"data": []any{map[string]any{
				"messaging_product": "whatsapp", "about": g.profile["about"], "description": g.profile["description"],
			}}}, nil, nil
		}
		if edge == "whatsapp_business_profile" {
			return g.setBusinessProfile(body)
		}
		return g.setAutomation(body)
	}
}

// setBusinessProfile sets texts. The lock is held.
func (g *Graph) setBusinessProfile(body []byte) (any, func(), *graphRefusal) {
	var p struct {
		Product     string `json:"messaging_product"`
		About       *string
		Description *string
	}
	if json.Unmarshal(body, &p) != nil || p.Product != "whatsapp" {
		return nil, nil, badType("messaging_product", "whatsapp")
	}
	for _, part := range []struct {
		name string
		text *string
		most int
	}{{"about", p.About, 139}, {"description", p.Description, 512}} {
		if part.text == nil {
			continue
		}
		if n := len([]rune(*part.text)); n > part.most || n == 0 && part.name == "about" {
			return nil, nil, badType(part.name, "a text of that length")
		}
		g.setProfile(part.name, *part.text)
	}
	return map[string]any{"success": true}, nil, nil
}

// setAutomation sets lists. The lock is held.
func (g *Graph) setAutomation(body []byte) (any, func(), *graphRefusal) {
	var a struct {
		Prompts  []string
		Commands []struct {
			Name        string `json:"command_name"`
			Description string `json:"command_description"`
		}
	}
	var given map[string]json.RawMessage
	if json.Unmarshal(body, &a) != nil || json.Unmarshal(body, &given) != nil {
		return nil, nil, badType("body", "a JSON object")
	}
	if len(a.Prompts) > 4 || slices.ContainsFunc(a.Prompts, func(p string) bool { return len([]rune(p)) > 80 || p == "" || strings.ContainsFunc(p, isEmoji) }) {
		return nil, nil, badType("prompts", "at most four of 80 characters, without emoji")
	}
	for _, c := range a.Commands {
		if n, d := len([]rune(c.Name)), len([]rune(c.Description)); len(a.Commands) > 30 || n < 1 || n > 32 || d < 1 || d > 256 || strings.ContainsFunc(c.Name+c.Description, isEmoji) {
			return nil, nil, badType("commands", "at most thirty, of 32 and 256 characters")
		}
	}
	for _, part := range []string{"prompts", "commands"} {
		if list, ok := given[part]; ok {
			g.setProfile(part, string(list))
		}
	}
	return map[string]any{"success": true}, nil, nil
}

func isEmoji(r rune) bool { return r >= 0x1F000 || r >= 0x2600 && r <= 0x27BF }
