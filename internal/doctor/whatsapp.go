package doctor

import (
	"context"
	"strings"

	"llave/bot/whatsapp"
)

// whatsapp are checks of our number as WhatsApp has it. All but the number itself can be asked only with a token that may manage the
// account: what such a token cannot tell is yellow.
func (d *doctor) whatsapp(s *section) {
	c := d.Config.WhatsApp
	if !c.On() {
		return
	}
	tokens := c.Tokens()
	w := &whatsappCheck{d, whatsapp.Inspect(whatsapp.InspectOptions{
		Tokens: tokens, PhoneNumberID: c.PhoneNumberID, AppSecret: c.AppSecret, APIURL: c.APIURL, APIVersion: c.APIVersion,
	}), len(tokens), 0, whatsapp.Token{}, ""}
	defer w.ask.Close()
	var n whatsapp.Number
	if !s.check("tokens", func(ctx context.Context) (r result) { n, r = w.number(ctx); return r }) {
		return
	}
	s.add("number", numberResult(n))
	s.add("quality", qualityResult(n.Quality))
	if !s.check("permissions", w.permissions) || w.token.App == "" {
		return
	}
	s.check("app secret", w.callback)
	if !s.check("account", w.findAccount) || w.account == "" {
		return
	}
	s.check("subscription", w.subscription)
	s.check("template", w.template)
}

// whatsappCheck is what one check has learned for the next.
type whatsappCheck struct {
	d       *doctor
	ask     *whatsapp.Inspection
	tokens  int
	at      int // of the first token that is accepted
	token   whatsapp.Token
	account string
}

// number tries every token on our number.
func (w *whatsappCheck) number(ctx context.Context) (found whatsapp.Number, r result) {
	refused, at := 0, -1
	var last error
	for i := range w.tokens {
		n, err := w.ask.Number(ctx, i)
		switch {
		case err == nil && at < 0:
			at, found = i, n
		case err == nil:
		case whatsapp.Refused(err):
			refused++
			last = err
		case whatsapp.Answered(err):
			return found, bad("wait and run it again: WhatsApp answers, so the way there is right (429: too many requests; 5xx: its own trouble); for a 404 check LLAVE_WHATSAPP_API_VERSION", "WhatsApp cannot be asked: %s", whatsapp.Explain(err))
		default:
			return found, bad("check the way out of this machine (firewall, proxy, DNS) to LLAVE_WHATSAPP_API_URL, and LLAVE_WHATSAPP_API_VERSION", "WhatsApp cannot be asked: %s", whatsapp.Explain(err))
		}
	}
	switch {
	case at < 0:
		return found, bad("make a token of a system user that may use this number (README, WhatsApp), and check LLAVE_WHATSAPP_PHONE_NUMBER_ID", "none of %d is accepted for the number: %s", w.tokens, whatsapp.Explain(last))
	case refused > 0:
		w.at = at
		return found, warn("take the refused out of LLAVE_WHATSAPP_TOKEN", "%d of %d are refused; the others serve", refused, w.tokens)
	}
	w.at = at
	return found, good("%d accepted", w.tokens)
}

func numberResult(n whatsapp.Number) result {
	switch n.Status {
	case "CONNECTED", "":
		return good("%s (%s)", n.Display, n.Name)
	case "FLAGGED", "PENDING", "UNVERIFIED", "RATE_LIMITED":
		return warn("see WhatsApp Manager, Phone numbers", "%s is %s", n.Display, n.Status)
	}
	return bad("see WhatsApp Manager, Phone numbers: register it, or ask for a review", "%s is %s, so that it can send nothing", n.Display, n.Status)
}

func qualityResult(quality string) result {
	const do = "see WhatsApp Manager, Insights: people block the number, or call it spam"
	switch quality {
	case "RED":
		return bad(do+"; it may be restricted soon", "low")
	case "YELLOW":
		return warn(do, "medium")
	case "GREEN":
		return good("high")
	}
	return good("not known yet")
}

// daysToken is from when on a token that ends is told of.
const daysToken = 14

func (w *whatsappCheck) permissions(ctx context.Context) result {
	t, err := w.ask.Token(ctx, w.at)
	if err != nil {
		return warn("give the token "+whatsapp.ScopeManagement+" to have the rest looked at", "what the token may do is not known: %s", whatsapp.Explain(err))
	}
	w.token = t
	days := int(t.Ends.Sub(w.d.Now()).Hours() / 24)
	const next = "make the next one and put it behind a comma in LLAVE_WHATSAPP_TOKEN; one of a system user need not end"
	switch {
	case !t.May(whatsapp.ScopeMessaging):
		return bad("make a token with "+whatsapp.ScopeMessaging, "the token may not write messages")
	case !t.May(whatsapp.ScopeManagement):
		return warn("give it "+whatsapp.ScopeManagement+" too: pages then lead back to the chat, and the rest can be looked at", "the token may write, and not be asked about the account")
	case t.Ends.IsZero():
		return good("it may write and be asked, and does not end")
	case days <= daysRed:
		return bad(next, "the token ends in %d days", days)
	case days <= daysToken:
		return warn(next, "the token ends in %d days", days)
	}
	return good("it may write and be asked, for %d days", days)
}

// callback asks in the app's own name where its webhooks go: that tries the app secret.
func (w *whatsappCheck) callback(ctx context.Context) result {
	c, err := w.ask.Callback(ctx, w.token.App)
	want := strings.TrimRight(w.d.Config.PublicURL.String(), "/") + whatsapp.WebhookPath
	const set = "in Meta's developer console, WhatsApp, Configuration: callback URL, verify token, and the field messages (README, WhatsApp)"
	switch {
	case err != nil && whatsapp.Refused(err):
		return bad("put App settings, Basic, App secret into LLAVE_WHATSAPP_APP_SECRET: with a wrong one every webhook is turned away", "the app secret is not accepted")
	case err != nil:
		return warn("run it again", "it could not be tried: %s", whatsapp.Explain(err))
	case c.URL == "":
		return bad("set it: "+set, "it is right; no webhook is set")
	case c.URL != want:
		return bad("set it: "+set, "it is right; webhooks go to another address than %s", want)
	case !c.Active || !c.Messages:
		return bad("set it: "+set, "it is right; webhooks bring no messages")
	}
	return good("it is right, and webhooks come to %s", want)
}

func (w *whatsappCheck) findAccount(ctx context.Context) result {
	account, err := w.ask.Account(ctx, w.at, w.token.Accounts)
	switch {
	case err != nil:
		return warn("let the token's system user manage the account", "it cannot be asked: %s", whatsapp.Explain(err))
	case account == "":
		return warn("let the token's system user manage the account that the number belongs to", "the token does not say which one the number belongs to")
	}
	w.account = account
	return good("the number's is known")
}

func (w *whatsappCheck) subscription(ctx context.Context) result {
	yes, err := w.ask.Subscribed(ctx, w.at, w.account, w.token.App)
	switch {
	case err != nil:
		return warn("run it again", "it is not known: %s", whatsapp.Explain(err))
	case !yes:
		return bad("subscribe it, once (README, WhatsApp: subscribed_apps)", "the app is not subscribed to the account: nothing that people write comes in")
	}
	return good("the app hears what people write")
}

func (w *whatsappCheck) template(ctx context.Context) result {
	name := w.d.Config.WhatsApp.Template
	if name == "" {
		return warn("have a template approved and set LLAVE_WHATSAPP_TEMPLATE, if people should hear", "none is set: after 24 hours of silence nothing is said to anybody")
	}
	t, err := w.ask.Template(ctx, w.at, w.account, name)
	if err != nil {
		return warn("run it again", "it is not known: %s", whatsapp.Explain(err))
	}
	return templateResult(name, t)
}

func templateResult(name string, t whatsapp.Template) result {
	switch {
	case t.Status == "":
		return bad("set LLAVE_WHATSAPP_TEMPLATE to name:language as WhatsApp Manager shows them", "there is no %s", name)
	case t.Parameters:
		return bad("have one approved that has nothing to fill in", "%s has places to fill in, and is refused when it is sent", name)
	case t.Status == "PENDING" || t.Status == "IN_APPEAL":
		return warn("wait, or see WhatsApp Manager, Message templates", "%s is not approved yet", name)
	case t.Status != "APPROVED":
		return bad("see WhatsApp Manager, Message templates", "%s is %s", name, t.Status)
	}
	return good("%s is approved", name)
}
