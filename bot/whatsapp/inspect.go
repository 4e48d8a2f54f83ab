package whatsapp

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"
)

// InspectOptions say whom to ask about what.
type InspectOptions struct {
	Tokens             []Secret
	PhoneNumberID      string
	AppSecret          Secret
	APIURL, APIVersion string
}

// Inspection asks the Graph API how a number stands there, for whoever looks after it. It changes nothing. Close it.
type Inspection struct {
	client *client
	base   string
	opt    InspectOptions
}

// Inspect prepares to ask.
func Inspect(o InspectOptions) *Inspection {
	o.APIURL, o.APIVersion = cmp.Or(o.APIURL, DefaultAPIURL), cmp.Or(o.APIVersion, DefaultAPIVersion)
	c := newClient(Options{
		Tokens: o.Tokens, PhoneNumberID: Secret(o.PhoneNumberID), AppSecret: o.AppSecret, APIURL: o.APIURL, APIVersion: o.APIVersion,
		Count: func(string) {}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	return &Inspection{c, strings.TrimRight(o.APIURL, "/") + "/" + url.PathEscape(o.APIVersion) + "/", o}
}

// Close gives the connections back.
func (i *Inspection) Close() { i.client.close() }

// Refused says whether the Graph API refused the access token, or that it may do this.
func Refused(err error) bool {
	var e *apiError
	return errors.As(err, &e) && e.meaning().remedy == nextToken
}

// Answered says whether it was WhatsApp that said so: the way there is right.
func Answered(err error) bool { return errors.As(err, new(*apiError)) }

// Explain is an error of an Inspection in words without secrets, numbers and names.
func Explain(err error) string {
	var e *apiError
	if errors.As(err, &e) {
		return strings.TrimPrefix(e.Error(), "messages: ")
	}
	return "the Graph API cannot be reached"
}

func (i *Inspection) get(ctx context.Context, token Secret, path string, query url.Values, out any) error {
	address := i.base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	return i.client.try(ctx, string(token), request{address: address}, out)
}

// Number is our number as WhatsApp has it. Fields that were not told are empty.
type Number struct {
	Display string `json:"display_phone_number"`
	Name    string `json:"verified_name"`
	Quality string `json:"quality_rating"` // GREEN, YELLOW, RED, UNKNOWN or NA
	Status  string `json:"status"`         // CONNECTED, and others
}

// Number asks for our number in the name of the token at [at].
func (i *Inspection) Number(ctx context.Context, at int) (n Number, err error) {
	err = i.get(ctx, i.opt.Tokens[at], url.PathEscape(i.opt.PhoneNumberID),
		url.Values{"fields": {"display_phone_number,verified_name,quality_rating,status"}}, &n)
	return n, err
}

// Token is what an access token is good for.
type Token struct {
	App      string
	Ends     time.Time // zero: never
	Scopes   []string
	Accounts []string // the business accounts that it may manage; nil: it does not say
}

// The permissions that a token needs: to write, and to be asked about its account.
const (
	ScopeMessaging  = "whatsapp_business_messaging"
	ScopeManagement = "whatsapp_business_management"
)

// Token asks what the token at [at] may do, in its own name.
func (i *Inspection) Token(ctx context.Context, at int) (t Token, err error) {
	var answer struct {
		Data struct {
			App      string   `json:"app_id"`
			Expires  int64    `json:"expires_at"`
			Access   int64    `json:"data_access_expires_at"`
			Scopes   []string `json:"scopes"`
			Granular []struct {
				Scope   string   `json:"scope"`
				Targets []string `json:"target_ids"`
			} `json:"granular_scopes"`
		} `json:"data"`
	}
	token := i.opt.Tokens[at]
	if err := i.get(ctx, token, "debug_token", url.Values{"input_token": {string(token)}}, &answer); err != nil {
		return t, err
	}
	d := answer.Data
	t = Token{App: d.App, Scopes: d.Scopes}
	for _, end := range []int64{d.Expires, d.Access} {
		if at := time.Unix(end, 0); end > 0 && (t.Ends.IsZero() || at.Before(t.Ends)) {
			t.Ends = at
		}
	}
	for _, g := range d.Granular {
		if g.Scope == ScopeManagement {
			t.Accounts = g.Targets
		}
	}
	return t, nil
}

// May says whether the token has a permission.
func (t Token) May(scope string) bool { return slices.Contains(t.Scopes, scope) }

// Account finds which of the token's business accounts our number belongs to; "" is none.
func (i *Inspection) Account(ctx context.Context, at int, accounts []string) (string, error) {
	var failed error
	for _, account := range accounts {
		var answer struct {
			Data []struct {
				ID string `json:"id"`
			} `json:"data"`
		}
		if err := i.get(ctx, i.opt.Tokens[at], url.PathEscape(account)+"/phone_numbers", url.Values{"fields": {"id"}, "limit": {"100"}}, &answer); err != nil {
			failed = err
			continue
		}
		for _, n := range answer.Data {
			if n.ID == i.opt.PhoneNumberID {
				return account, nil
			}
		}
	}
	return "", failed
}

// Subscribed says whether what comes in for an account is told to an app.
func (i *Inspection) Subscribed(ctx context.Context, at int, account, app string) (bool, error) {
	var answer struct {
		Data []struct {
			App struct {
				ID string `json:"id"`
			} `json:"whatsapp_business_api_data"`
		} `json:"data"`
	}
	if err := i.get(ctx, i.opt.Tokens[at], url.PathEscape(account)+"/subscribed_apps", nil, &answer); err != nil {
		return false, err
	}
	for _, one := range answer.Data {
		if one.App.ID == app {
			return true, nil
		}
	}
	return false, nil
}

// Callback is where an app's webhooks go.
type Callback struct {
	URL      string // empty: nowhere
	Active   bool
	Messages bool // the field of messages is among those that are told
}

// Callback asks where the app's webhooks go, in the app's own name: a wrong app secret is refused.
func (i *Inspection) Callback(ctx context.Context, app string) (c Callback, err error) {
	var answer struct {
		Data []struct {
			Object string `json:"object"`
			URL    string `json:"callback_url"`
			Active bool   `json:"active"`
			Fields []struct {
				Name string `json:"name"`
			} `json:"fields"`
		} `json:"data"`
	}
	token := Secret(app + "|" + string(i.opt.AppSecret))
	if err := i.get(ctx, token, url.PathEscape(app)+"/subscriptions", nil, &answer); err != nil {
		return c, err
	}
	for _, s := range answer.Data {
		if s.Object != "whatsapp_business_account" {
			continue
		}
		c.URL, c.Active = s.URL, s.Active
		for _, f := range s.Fields {
			c.Messages = c.Messages || f.Name == "messages"
		}
	}
	return c, nil
}

// Template is an approved text as WhatsApp has it.
type Template struct {
	Status     string // APPROVED, PENDING, REJECTED, PAUSED, DISABLED; empty: there is none of that name and language
	Parameters bool   // it has places to be filled in
}

// Template asks for "name:language".
func (i *Inspection) Template(ctx context.Context, at int, account, nameAndLanguage string) (t Template, err error) {
	name, language, _ := strings.Cut(nameAndLanguage, ":")
	var answer struct {
		Data []struct {
			Name       string `json:"name"`
			Language   string `json:"language"`
			Status     string `json:"status"`
			Components []struct {
				Text string `json:"text"`
			} `json:"components"`
		} `json:"data"`
	}
	query := url.Values{"name": {name}, "fields": {"name,language,status,components"}, "limit": {"100"}}
	if err := i.get(ctx, i.opt.Tokens[at], url.PathEscape(account)+"/message_templates", query, &answer); err != nil {
		return t, err
	}
	for _, one := range answer.Data {
		if one.Name != name || one.Language != language { // the name is searched for, not compared
			continue
		}
		t.Status = one.Status
		for _, part := range one.Components {
			t.Parameters = t.Parameters || strings.Contains(part.Text, "{{")
		}
	}
	return t, nil
}
