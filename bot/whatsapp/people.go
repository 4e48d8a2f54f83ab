package whatsapp

import (
	"context"
	"regexp"
	"strings"
)

// Names are what one message calls a person. Either may be empty: a person who goes by a username keeps the number
// back, and older messages know no user id.
type Names struct {
	Phone  string // digits, with the country code and without +
	UserID string // business-scoped: of this person with this business, "EC.1349…"; a new number makes a new one
}

// Empty says that somebody is not named at all.
func (n Names) Empty() bool { return n == Names{} }

// People keeps who is who, whatever they are called today. It is the store's; an error means that nothing is known to
// have been kept.
type People interface {
	// Find returns the chat of whoever goes by the names, and makes one when nobody does. The chat is the first name they
	// were known by and never changes. Both names are kept, and lead to this chat from now on; a name that is missing in
	// n is not forgotten by that. A number that comes with another user id than before is another person's now, who has
	// another chat; when Find returns, nothing of the old one goes to that number any more (P116).
	Find(ctx context.Context, n Names) (chat string, err error)
	// Move gives the names [to] to the chat that has a name of [from]: it is the same person. A number that is in [from]
	// alone is released: it may be somebody else's tomorrow. Doing it again changes nothing.
	Move(ctx context.Context, from, to Names) error
	// Address returns the names by which a chat can be written to now: Phone, if there is one, else UserID. Phone is
	// empty while the person keeps the number back.
	Address(ctx context.Context, chat string) (Names, error)
}

var (
	phonePattern  = regexp.MustCompile(`^[0-9]{4,20}$`)
	userIDPattern = regexp.MustCompile(`^[A-Za-z]{2}\.[A-Za-z0-9.]{1,140}$`)
)

// namesOf takes what looks like a name, each wherever it stands. Anything else is no name: it would be the key of a
// conversation.
func namesOf(phone, userID text) Names {
	var n Names
	for _, s := range []string{string(phone), string(userID)} {
		switch s = strings.TrimPrefix(s, "+"); {
		case n.Phone == "" && phonePattern.MatchString(s):
			n.Phone = s
		case n.UserID == "" && userIDPattern.MatchString(s):
			n.UserID = s
		}
	}
	return n
}
