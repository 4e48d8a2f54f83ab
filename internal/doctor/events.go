package doctor

import (
	"context"
	"net/http"
	"net/url"
)

// events are checks of the institution's own addresses: who is told of events, and its page of keys.
func (d *doctor) events(s *section) {
	c := d.Config
	if c.EventsURL != nil {
		s.check("receiver", func(ctx context.Context) result { return d.there(ctx, c.EventsURL, "LLAVE_EVENTS_URL") })
	}
	if c.GenerateURL != nil {
		s.check("page of keys", func(ctx context.Context) result { return d.there(ctx, c.GenerateURL, "LLAVE_GENERATE_URL") })
	}
}

// there says whether something answers at an address. It is asked for its head alone: no event is made up.
func (d *doctor) there(ctx context.Context, u *url.URL, setting string) result {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, u.String(), nil)
	if err != nil {
		return bad("mend "+setting, "it is no address")
	}
	client := d.browser()
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		r := unreached(err)
		r.do = "check " + setting + ", that its server runs, its certificate, and the firewall between"
		return r
	}
	_ = res.Body.Close()
	switch {
	case res.StatusCode >= http.StatusInternalServerError && res.StatusCode != http.StatusNotImplemented:
		return warn("see the log of that server", "it answers with an error of its own (%d)", res.StatusCode)
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return warn("set "+setting+" to the address that it leads to: an event is not sent on to another", "it leads elsewhere (%d)", res.StatusCode)
	case setting == "LLAVE_EVENTS_URL" && (res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden):
		return warn("where the receiver checks signatures that is right: a question without one is refused. Where events die too (llave events list), compare its secret with LLAVE_EVENTS_SECRET, and what stands in front of it",
			"it refuses a question that has no signature (%d): whether it takes an event is not known", res.StatusCode)
	case res.StatusCode == http.StatusNotFound:
		return warn("check the path in "+setting, "it knows no such page (404)")
	}
	if setting == "LLAVE_EVENTS_URL" {
		return good("it answers (%d); whether it takes an event shows with the first: llave events list", res.StatusCode)
	}
	return good("it answers")
}
