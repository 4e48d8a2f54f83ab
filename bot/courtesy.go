package bot

import "context"

// folded names what an update says, but for accents, capitals and marks; "" where there are no words in it.
func (e *Engine) folded(u Update) string {
	const half = 16
	said := plain(u.Text)
	if said == "" {
		return ""
	}
	return Cut(e.options.Hash("folded", u.Media+"\n"+said), half)
}

// Again says that the update is a courtesy that belongs to what was just answered: nothing is said to it.
func (t *Turn) Again() bool { return t.again }

// stepAgain steps what nothing is said to.
func (e *Engine) stepAgain(ctx context.Context, c Conversation, u Update, env Env) (stepped, error) {
	return e.stepAs(ctx, c, u, env, &piece{came: u, since: env.Now, again: true})
}
