package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// readyWithin is how long the store may take to answer whether it is there.
const readyWithin = 2 * time.Second

// The words of /readyz. Ready and degraded are 200: what people write is answered and kept. The others are 503.
const (
	ready    = "ready"
	degraded = "degraded"
	stopping = "stopping"
	unready  = "unready"
)

// Readiness is what /readyz answers, also as JSON.
type Readiness struct {
	Status  string   `json:"status"`
	Reasons []Reason `json:"reasons,omitempty"`
}

// Reason is one thing that is not well.
type Reason struct {
	Part    string     `json:"part"` // "store", "mail", or the channel's name
	Reason  string     `json:"reason"`
	Since   *time.Time `json:"since,omitempty"`
	Waiting int        `json:"waiting,omitempty"` // letters that wait
	Some    bool       `json:"some,omitempty"`    // it is some letters' trouble: others are taken
	Do      string     `json:"do,omitempty"`      // what the operator can do
}

// OK says whether work may be sent here.
func (r Readiness) OK() bool { return r.Status == ready || r.Status == degraded }

// String has a line for each reason.
func (r Readiness) String() string {
	if r.Status == stopping || len(r.Reasons) == 0 {
		return r.Status
	}
	var lines []string
	for _, why := range r.Reasons {
		lines = append(lines, r.Status+": "+why.String())
	}
	return strings.Join(lines, "\n")
}

// String is the reason in a sentence.
func (r Reason) String() string {
	switch {
	case r.Since == nil:
		return r.Reason
	case r.Part == "store":
		return fmt.Sprintf("%s (since %s)", r.Reason, r.Since.Format(time.RFC3339))
	case r.Part == "mail":
		return r.ofMail()
	}
	return fmt.Sprintf("%s since %s: %s", r.Part, r.Since.Format(time.RFC3339), r.Reason)
}

// ill is a part that is not well since [since]; nil where that is zero.
func ill(part string, since time.Time, reason string, waiting int) []Reason {
	if since.IsZero() {
		return nil
	}
	since = since.UTC()
	return []Reason{{Part: part, Reason: reason, Since: &since, Waiting: waiting}}
}

// readiness is how this process is now. Of the outside only the store is asked: how the mail server and the platforms are is known
// from what was last done with them.
func (a *App) readiness(ctx context.Context) Readiness {
	if a.stopping.Load() {
		return Readiness{Status: stopping}
	}
	if t := a.askStore(ctx); !t.Since.IsZero() {
		return Readiness{unready, ill("store", t.Since, t.Reason, 0)}
	}
	r := Readiness{ready, mailReasons(a.mailer.Trouble())}
	for name, t := range a.channelTroubles() {
		r.Reasons = append(r.Reasons, ill(name, t.Since, t.Reason, 0)...)
	}
	if len(r.Reasons) > 0 {
		r.Status = degraded
	}
	return r
}

// readyz answers whether work may be sent here, and what is not well; as JSON to who accepts that.
func (a *App) readyz(w http.ResponseWriter, r *http.Request) {
	now := a.readiness(r.Context())
	asJSON := strings.Contains(r.Header.Get("Accept"), "application/json")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if asJSON {
		w.Header().Set("Content-Type", "application/json")
	}
	w.Header().Set("Cache-Control", "no-store")
	if !now.OK() {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	if asJSON {
		_ = json.NewEncoder(w).Encode(now) // whoever asked may have gone
		return
	}
	fmt.Fprintln(w, now)
}
