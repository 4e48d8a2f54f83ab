package console

import (
	"net/http"

	"llave/internal/handoff"
)

type inboxData struct {
	Cases []handoff.Case
}

func (c *Console) inbox(w http.ResponseWriter, r *http.Request, v Visit) error {
	all, err := c.Desk.Inbox(r.Context())
	if err != nil {
		return unavailable(err)
	}
	return c.show(w, r, view{Visit: v, Name: "inbox", Here: hereWaiting, Data: inboxData{all}})
}
