package handoff

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"llave/bot"
)

// named is how a note names a colleague: by login, by first name, or by the whole name without blanks.
var named = regexp.MustCompile(`(?:^|[^\pL\pN._@-])@([\pL\pN][\pL\pN._-]*)`)

// namedIn are the logins of the agents that a note names, of those who have been at the desk. Of two with one first name both are meant.
func (d *Desk) namedIn(ctx context.Context, note string) ([]string, error) {
	found := named.FindAllStringSubmatch(note, -1)
	if len(found) == 0 {
		return nil, nil
	}
	all, err := d.Store.Present(ctx)
	if err != nil {
		return nil, fmt.Errorf("find who is named: %w", err)
	}
	var logins []string
	for _, m := range found {
		name := bot.Fold(strings.TrimRight(m[1], ".-_"))
		for _, p := range all {
			whole := strings.Fields(bot.Fold(p.Name))
			is := name == bot.Fold(p.Login) || len(whole) > 0 && (name == whole[0] || name == strings.Join(whole, ""))
			if is && !slices.Contains(logins, p.Login) {
				logins = append(logins, p.Login)
			}
		}
	}
	return logins, nil
}
