package app

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"llave/bot/telegram"
	"llave/bot/whatsapp"
	"llave/bot/wire"
	"llave/internal/agent"
	"llave/internal/mail"
)

// What happens to security stands in the log under one message, "security", with one of these names as its event (P750). Of an agent's
// account the names are those of the audit, agent_….
const (
	eventWebhookRefused = "webhook_refused"  // no signature or secret of a platform's, or a wrong one
	eventAccessDenied   = "access_denied"    // a page that is not for who asks, or a form from another site
	eventInputRefused   = "input_refused"    // what is no request of ours, or too large
	eventLimitReached   = "limit_reached"    // more than a limit lets by
	eventWrongLink      = "wrong_link"       // a token that was never given out, or a link that was pressed in another browser
	eventNotMe          = "link_disowned"    // "No fui yo"
	eventUnexpected     = "unexpected_error" // an answer 500, a panic, words that the flow has no answer for, what nobody can keep
	eventControlFailed  = "control_failed"   // what protects us did not work: TLS to the mail server, a token that is refused
	eventAuditBegan     = "audit_began"      // the audit's chain: once in a store's life
)

// security writes events to the log. Strangers can cause most of them as often as they like, so each kind has a line a minute, with how
// many were left out; metrics count them all.
type security struct {
	mu     sync.Mutex
	seldom map[string]*wire.Seldom
	told   map[string]bool // entries of the audit: who appends one again, as after a death, changes nothing there
}

// toldMost bounds them.
const toldMost = 1000

// first says whether an entry is told for the first time.
func (s *security) first(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.told[id] {
		return false
	}
	if s.told == nil || len(s.told) >= toldMost {
		s.told = map[string]bool{}
	}
	s.told[id] = true
	return true
}

// sees tells of an event. What it is of is one of a few words of ours (a route, a limit, a channel), under which lines are counted.
func (a *App) sees(event, of, what string) {
	a.security.mu.Lock()
	if a.security.seldom == nil {
		a.security.seldom = map[string]*wire.Seldom{}
	}
	key := event + " " + what
	s := a.security.seldom[key]
	if s == nil {
		s = &wire.Seldom{}
		a.security.seldom[key] = s
	}
	a.security.mu.Unlock()
	s.Warn(a.options.Log, "security", "event", event, of, what)
}

// shownHash is how much of a hash stands in a line: enough that two agents are not taken for one.
const shownHash = 12

// seesAgents has the log tell what the audit is told of accounts: every sign-in, right and wrong. The login is a keyed hash there, the
// same in all lines; the audit has the login.
func (a *App) seesAgents(audit func(ctx context.Context, e agent.AuditEntry) error) func(ctx context.Context, e agent.AuditEntry) error {
	return func(ctx context.Context, e agent.AuditEntry) error {
		if err := audit(ctx, e); err != nil || !a.security.first(e.ID) {
			return err
		}
		write := a.options.Log.Info
		for _, bad := range []string{"failed", "wrong", "locked", "guessed"} {
			if strings.Contains(e.What, bad) {
				write = a.options.Log.Warn
			}
		}
		write("security", "event", e.What, "agent", a.Vault.Hash("log", e.Who)[:shownHash])
		return nil
	}
}

// seesAnswer tells what a status says of a request.
func (a *App) seesAnswer(route string, status int) {
	if webhooks[route] != "" && status == http.StatusUnauthorized {
		return // the channel tells of it
	}
	if event := answered[status]; event != "" {
		a.sees(event, "route", route)
	}
}

// answered are the statuses that are events.
var answered = map[int]string{
	http.StatusBadRequest: eventInputRefused, http.StatusRequestEntityTooLarge: eventInputRefused,
	http.StatusUnauthorized: eventAccessDenied, http.StatusForbidden: eventAccessDenied,
	http.StatusTooManyRequests: eventLimitReached, http.StatusInternalServerError: eventUnexpected,
}

// seesPage tells what the pages of links and keys counted.
func (a *App) seesPage(outcome string) {
	switch outcome {
	case "unknown", "used_by_other":
		a.sees(eventWrongLink, "outcome", outcome)
	case "not_me":
		a.sees(eventNotMe, "outcome", outcome)
	}
}

// seesLetter tells of a letter that did not go because the way to the mail server is not safe.
func (a *App) seesLetter(err error) {
	if mail.Unsafe(err) {
		a.sees(eventControlFailed, "control", "mail_tls")
	}
}

// seesChannel tells what a channel counted.
func (a *App) seesChannel(channel, what string) {
	switch what {
	case telegram.CountRefused: // of WhatsApp too
		a.sees(eventWebhookRefused, "channel", channel)
	case whatsapp.CountTokenChanged:
		a.sees(eventControlFailed, "control", channel+"_token")
	}
}
