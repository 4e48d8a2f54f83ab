package whatsapp

import (
	"context"
	"errors"
	"net/http"

	"llave/bot/wire"
)

// Trouble is how WhatsApp fares, for the operator: it cannot be reached, is not well itself, accepts no access token, or refuses our
// account or number. It does not wait. What the operator has mended counts as over with the next message that is taken.
func (c *Channel) Trouble() wire.Trouble {
	t := c.client.reach.Trouble()
	if account := c.client.account.Trouble(); t.Since.IsZero() {
		return account
	}
	return t
}

// knockAt asks for something that changes nothing.
func (c *client) knockAt(ctx context.Context) {
	a := c.access.Load()
	_ = c.try(ctx, a.tokens[a.current.Load()], request{address: c.self + "?fields=id"}, nil) // health has seen it
}

// noteReach keeps health of the way: any answer of the Graph API about the matter itself, a refusal too, tells that all is well.
func (c *client) noteReach(err error) {
	var refused *apiError
	switch {
	case err != nil && !errors.As(err, &refused):
		c.reach.Ill("it cannot be reached")
	case refused != nil && refused.status >= http.StatusInternalServerError && refused.meaning() == passing:
		c.reach.Ill("it answers with an error of its own")
	default:
		c.reach.Well()
	}
}
