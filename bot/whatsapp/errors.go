package whatsapp

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"llave/bot"
)

// errNoToken is in the chain of a failed Send when none of the access tokens is accepted: only the operator can mend
// that.
var errNoToken = errors.New("no access token is accepted: check LLAVE_WHATSAPP_TOKEN")

// apiError is a refusal by the Graph API, as its envelope tells it. Its words are free of secrets, phones and names.
type apiError struct {
	status  int // HTTP's
	code    int // error.code; noCode where the answer had none
	subcode int
	words   string
	after   time.Duration // Retry-After
}

const noCode = -1

func (e *apiError) Error() string {
	if e.code == noCode {
		return fmt.Sprintf("messages: HTTP status %d: %s", e.status, e.words)
	}
	return fmt.Sprintf("messages: %d %s", e.code, e.words)
}

// What a refusal asks of us besides what it means for the message.
type remedy int

const (
	nothing   remedy = iota
	nextToken        // another access token may do
	operator         // only the operator can mend it: it is logged as an error
	pauseChat        // nothing to this person for a while
	pauseAll         // nothing from this number for a while
)

// A meaning is what we make of an error.code.
type meaning struct {
	failure bot.Failure
	remedy  remedy
}

var (
	tokenRefused = meaning{bot.Temporary, nextToken}
	passing      = meaning{bot.Temporary, nothing}
	mendable     = meaning{bot.Temporary, operator}
	never        = meaning{bot.Permanent, nothing}
)

// meanings says what the error codes mean. Meta asks to decide by code, not by title, subcode or HTTP status. Sources: [M]
// Meta's "Error codes" of the WhatsApp Business Platform (15 May 2026), as integrators reprint it (YCloud, Kaleyra,
// 360dialog, Verloop); [I] only in integrators' own lists and threads. A code may come in the answer to a message or,
// later, in its status.
var meanings = map[int]meaning{
	// Access. 10 and 200 to 299 are one family, see meaningOf.
	0:      tokenRefused, // [M] the app user could not be authenticated: token expired, invalidated, access withdrawn
	3:      tokenRefused, // [M] capability or permission missing
	10:     tokenRefused, // [M] permission not granted, or taken away
	190:    tokenRefused, // [M] access token expired
	131005: tokenRefused, // [M] access denied: permission not granted, or taken away

	// Too much.
	4:      {bot.Throttled, pauseAll},  // [M] the app's calls
	80007:  {bot.Throttled, pauseAll},  // [M] the business account's calls
	130429: {bot.Throttled, pauseAll},  // [M] the throughput of the number
	131048: {bot.Throttled, pauseAll},  // [M] the number is slowed down: too many messages blocked or called spam
	131056: {bot.Throttled, pauseChat}, // [M] the pair of number and person: about one message in 6 s, bursts apart

	// The person.
	131026: {bot.Gone, nothing},   // [M] undeliverable: not on WhatsApp, terms not accepted, WhatsApp too old
	131047: {bot.Closed, nothing}, // [M] more than 24 hours since the person's last message
	130472: never,                 // [M] the person is part of an experiment and gets no marketing templates
	130497: never,                 // [M] the account may not write to people in that country
	131063: never,                 // [I] the same, by its other number
	131021: never,                 // [M] sender and recipient are the same number
	131030: never,                 // [I] not among the numbers that a test number may write to
	131049: never,                 // [M] withheld "to maintain healthy ecosystem engagement" (marketing templates)
	131050: never,                 // [M] the person wants no marketing from us

	// The message.
	100:    never, // [M] unknown or misspelt parameter; with subcode 33 see meaningOf
	131008: never, // [M] a parameter is missing
	131009: never, // [M] a parameter's value is not valid
	131051: never, // [M] unknown type of message
	131052: never, // [M] media could not be downloaded
	131053: never, // [M] media could not be uploaded
	135000: never, // [M] something in the request, not known what

	// The template. The message it knocks for does not depend on it.
	132000: never, // [M] number of parameters
	132001: never, // [M] no such template in that language, or not approved
	132005: never, // [M] too long when filled in
	132007: never, // [M] against the content policy
	132012: never, // [M] format of a parameter
	132015: never, // [M] paused for low quality
	132016: never, // [M] disabled for low quality
	132068: never, // [M] its flow is blocked
	132069: never, // [M] its flow is throttled

	// The service.
	1:       passing, // [M] unknown error, or possibly a fault of the server
	2:       passing, // [M] down or overloaded
	131000:  passing, // [M] something went wrong
	131016:  passing, // [M] overloaded
	131057:  passing, // [M] the business account is being maintained
	133004:  passing, // [M] server temporarily unavailable
	2494100: passing, // [I] the number is being maintained

	// The account and the number.
	33:     mendable, // [M] the business phone number was deleted
	368:    mendable, // [M] restricted or disabled for violating a policy
	131031: mendable, // [M] account locked
	131037: mendable, // [M] the number's display name is not approved
	131042: mendable, // [M] payment
	131045: mendable, // [M] the number's certificate: it must be registered again
	133010: mendable, // [M] the number is not registered
}

// objectMissing is the subcode of 100 that means the phone number id: it does not exist, or the token may not see it.
const objectMissing = 33

// meaningOf looks a code up. What is not known is tried again: a message lost for a new code would be worse.
func meaningOf(code int) meaning {
	switch m, ok := meanings[code]; {
	case ok:
		return m
	case code >= 200 && code <= 299: // [M] permission not granted, or taken away
		return tokenRefused
	case code >= 132000 && code <= 132999: // every known one speaks of the template
		return never
	}
	return passing
}

// failureOf says what an error.code, in an answer or in a status, means for the message.
func failureOf(code int) bot.Failure { return meaningOf(code).failure }

// meaning is meaningOf this error. Only an answer without a code is judged by its HTTP status: it then comes from
// something in between, or from a Graph API that is not well.
func (e *apiError) meaning() meaning {
	switch {
	case e.code == 100 && e.subcode == objectMissing:
		return tokenRefused
	case e.code != noCode:
		return meaningOf(e.code)
	case e.status == http.StatusTooManyRequests:
		return meaning{bot.Throttled, pauseAll}
	}
	return passing
}

// retryAfter reads the header of that name: seconds or a date. What is absurd counts as longestAfter.
func retryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	var after time.Duration
	if n, err := strconv.ParseUint(header, 10, 32); err == nil {
		after = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		after = at.Sub(now)
	}
	return min(max(after, 0), longestAfter)
}

const longestAfter = time.Hour
