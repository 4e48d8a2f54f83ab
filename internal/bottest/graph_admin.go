package bottest

import (
	"net/http"
	"slices"
	"strings"
)

// graphApp is the id of the app whose secret and webhook the bot has.
const graphApp = "1234567890123456"

// graphAdmin is what the operator sees in WhatsApp Manager, and may have done there.
type graphAdmin struct {
	quality, status string
	ends            int64 // of the tokens, in Unix seconds; 0: never
	scopes          []string
	callback        string
	fields          []string
	templates       map[string]string // status by "name:language", where it is not APPROVED
}

func newGraphAdmin() graphAdmin {
	return graphAdmin{
		quality: "GREEN", status: "CONNECTED", scopes: []string{"whatsapp_business_management", "whatsapp_business_messaging"},
		fields: []string{"messages"}, templates: map[string]string{},
	}
}

// Admin changes what the operator sees: Quality and Status of the number, Ends of the tokens, Scopes, Callback and Fields of the app's
// webhook, TemplateStatus of "name:language".
type Admin struct {
	Quality, Status, Callback string
	Ends                      int64
	Scopes, Fields            []string
	TemplateStatus            map[string]string
}

// Administer changes what is not empty in [a].
func (g *Graph) Administer(a Admin) {
	g.mu.Lock()
	defer g.mu.Unlock()
	set := func(to *string, v string) {
		if v != "" {
			*to = v
		}
	}
	set(&g.admin.quality, a.Quality)
	set(&g.admin.status, a.Status)
	set(&g.admin.callback, a.Callback)
	if a.Ends != 0 {
		g.admin.ends = a.Ends
	}
	if a.Scopes != nil {
		g.admin.scopes = a.Scopes
	}
	if a.Fields != nil {
		g.admin.fields = a.Fields
	}
	for name, status := range a.TemplateStatus {
		g.admin.templates[name] = status
	}
}

// adminRoute finds what a path below the account, the app or debug_token means; own says that the id is ours.
func (g *Graph) adminRoute(id, edge string, r *http.Request) (name string, do graphMethod, own bool) {
	switch {
	case id == "debug_token" && edge == "":
		return "debug_token", g.debugToken(r.URL.Query().Get("input_token")), true
	case edge == "phone_numbers":
		return edge, g.phoneNumbers, id == g.opt.AccountID
	case edge == "message_templates":
		return edge, g.messageTemplates(r.URL.Query().Get("name")), id == g.opt.AccountID
	case edge == "subscriptions":
		return edge, g.subscriptions, id == graphApp
	}
	return "", nil, false
}

// appToken is the token of the app itself.
func (g *Graph) appToken() string { return graphApp + "|" + g.opt.AppSecret }

func (g *Graph) debugToken(token string) graphMethod {
	return func([]byte) (any, func(), *graphRefusal) {
		g.mu.Lock()
		defer g.mu.Unlock()
		granular := []any{}
		for _, s := range g.admin.scopes {
			granular = append(granular, map[string]any{"scope": s, "target_ids": []string{"999999999999999", g.opt.AccountID}})
		}
		return map[string]any{"data": map[string]any{
			"app_id": graphApp, "type": "SYSTEM_USER", "application": "Bot", "expires_at": g.admin.ends, "data_access_expires_at": 0,
			"is_valid": slices.Contains(g.tokens, token), "scopes": g.admin.scopes, "granular_scopes": granular, "user_id": "1",
		}}, nil, nil
	}
}

func (g *Graph) phoneNumbers([]byte) (any, func(), *graphRefusal) {
	return map[string]any{"data": []any{map[string]any{"id": g.opt.PhoneNumberID}}}, nil, nil
}

func (g *Graph) messageTemplates(search string) graphMethod {
	return func([]byte) (any, func(), *graphRefusal) {
		g.mu.Lock()
		defer g.mu.Unlock()
		list := []any{}
		for _, t := range g.opt.Templates {
			if !strings.Contains(t.Name, search) {
				continue
			}
			status := g.admin.templates[t.Name+":"+t.Language]
			if status == "" {
				status = "APPROVED"
			}
			list = append(list, map[string]any{
				"name": t.Name, "language": t.Language, "status": status, "id": "1",
				"components": []any{map[string]any{"type": "BODY", "text": t.Body}},
			})
		}
		return map[string]any{"data": list}, nil, nil
	}
}

func (g *Graph) subscriptions([]byte) (any, func(), *graphRefusal) {
	g.mu.Lock()
	defer g.mu.Unlock()
	url := g.admin.callback
	if url == "" {
		url = g.hook
	}
	data := []any{}
	if url != "" {
		fields := []any{}
		for _, f := range g.admin.fields {
			fields = append(fields, map[string]any{"name": f, "version": g.opt.Version})
		}
		data = append(data, map[string]any{"object": "whatsapp_business_account", "callback_url": url, "active": true, "fields": fields})
	}
	return map[string]any{"data": data}, nil, nil
}
