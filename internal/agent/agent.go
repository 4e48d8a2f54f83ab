// Package agent is the accounts of the desk and their sessions: who may sign in, with what role, and for how long.
//
// An agent is one document. Whatever takes somebody's rights away (disabling, a new password, another role) moves the
// document's epoch on in the same write, and a session counts only while it is of the agent's present epoch. So a request
// reads two documents, session and agent, and a disabled account is out at the next request of any process. No list of
// sessions has to be walked through.
//
// Tries at signing in are counted before they are judged, in a document of the login and the place they come from: the device,
// where the account was signed in from it before, else the network. At most five from one place can be under way, however many
// arrive at once in however many processes; after that each wrong one makes the place wait twice as long as the one before.
// Nobody else waits, so nobody can keep somebody else out. Who guesses from many networks is told of (Options.Alert), and waits
// after the first wrong one from each. A login without an account is counted and answered in the same words, after the same
// work, as one that has an account.
//
// A right password takes its own try back. Only a completed sign-in resets the count, and only of tries that began before
// it. So whoever knows the password cannot use it to try more codes, and the owner's own sign-ins give nobody more guesses.
//
// A second factor (TOTP, RFC 6238) is on once a code of it was right. The time step of the last accepted code is kept in
// the agent's document by the conditional write that accepts it, so each code works once. Ten recovery codes stand in for a lost
// telephone, each once. What an account owes before it may do anything (a password of its own, a second factor where it is
// required) is said by Owes.
//
// What would do harm in a browser that was left open wants the password once more: a session knows when it was proved last.
//
// Whatever is done to an account goes to the audit. The change and its audit line are one write: the document carries its
// latest lines, and the next change first appends those that a process left out when it died.
package agent

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"llave/internal/key"
)

// Role is what an agent may do.
type Role string

// The roles. A supervisor may do everything that the others may. A clerk sits at a counter of the institution, talks to nobody here, and may
// look up why, by the number of a case. Any is no role: it asks for somebody who is signed in, whoever it is.
const (
	Member     Role = "agent"
	Clerk      Role = "clerk"
	Supervisor Role = "supervisor"
	Any        Role = ""
)

// Valid says whether there is such a role.
func (r Role) Valid() bool { return r == Member || r == Clerk || r == Supervisor }

// Includes says whether whoever has the role may do what asks for another.
func (r Role) Includes(asked Role) bool { return r == asked || r == Supervisor || asked == Any }

// Agent is one person of the help desk. It holds the hash of a password and prints as its login.
type Agent struct {
	Login   string `bson:"_id"` // small letters
	Version int64  `bson:"v"`
	Name    string `bson:"name"` // what people are told
	Role    Role   `bson:"role"`

	Hash       string    `bson:"hash"` // of the password; argon2id
	PasswordAt time.Time `bson:"password_at"`

	MustChange bool `bson:"must_change,omitempty"` // somebody else chose the password

	TOTP      string    `bson:"totp,omitempty"`      // sealed; empty: no second factor
	TOTPStep  int64     `bson:"totp_step,omitempty"` // of the last code that was taken
	NewTOTP   string    `bson:"new_totp,omitempty"`  // sealed; shown, not yet proved by a code
	NewTOTPAt time.Time `bson:"new_totp_at,omitempty"`
	NewTOTPBy string    `bson:"new_totp_by,omitempty"` // the session that it was begun with
	Recovery  []string  `bson:"recovery,omitempty"`    // keyed hashes of the recovery codes that were not used

	Speaks string `bson:"speaks,omitempty"` // languages beside the desk's own, with blanks between

	Devices []Device `bson:"devices,omitempty"` // that it was signed in from, the latest first

	Disabled bool      `bson:"disabled,omitempty"`
	Epoch    int64     `bson:"epoch"` // sessions of an earlier one are over
	Made     time.Time `bson:"made"`
	LastIn   time.Time `bson:"last_in,omitempty"`

	Guessed time.Time `bson:"-"` // told by List: since when strangers guess at it; zero: they do not

	Audited []AuditEntry `bson:"deeds,omitempty"` // of the latest change; stored under its first name
}

// String keeps the hash and the secret out of logs.
func (a Agent) String() string { return a.Login }

// GoString keeps them out of %#v.
func (a Agent) GoString() string { return a.Login }

// SecondFactor says whether signing in asks for a code besides the password.
func (a Agent) SecondFactor() bool { return a.TOTP != "" }

// AuditEntry is one line of the audit: who did what. Detail holds no address, number or secret.
type AuditEntry struct {
	ID     string    `bson:"id"` // appending it again changes nothing
	At     time.Time `bson:"at"`
	Who    string    `bson:"who"`
	What   string    `bson:"what"`
	Detail string    `bson:"detail,omitempty"`
}

// What an account or a sign-in can be refused for.
var (
	ErrWrong          = errors.New("login or password is wrong")
	ErrCode           = errors.New("code is wrong or was used")
	ErrNotFound       = errors.New("there is no such agent")
	ErrTaken          = errors.New("login is taken")
	ErrLogin          = errors.New("login needs 3 to 32 of a-z, 0-9, dot, underscore and dash, and no national number")
	ErrName           = errors.New("name needs 2 to 40 characters, and no national number")
	ErrRole           = errors.New("role is agent, clerk or supervisor")
	ErrLastSupervisor = errors.New("no other supervisor could sign in")
	ErrEnrolment      = errors.New("no second factor can be set up now")
	ErrSame           = errors.New("new password is the present one")
)

// Why there is no session (any more).
var (
	ErrNoSession = errors.New("not signed in")
	ErrIdle      = errors.New("session ended: nothing was done for too long")
	ErrOver      = errors.New("session ended: it lasted as long as one may")
	ErrRevoked   = errors.New("session ended: the account changed")
)

// Later refuses a try whatever was typed: too many were wrong, or too many came from one place.
type Later struct {
	Wait time.Duration // from now
}

// Error leaves out how long: the page says it in its own words.
func (l *Later) Error() string { return "too many tries: later" }

// Weak is a password that may not be used, and why.
type Weak struct{ Problems []key.Problem }

// Error is for the command line; the page has words of its own for each problem.
func (w *Weak) Error() string { return "password cannot be used: " + fmt.Sprint(w.Problems) }

var loginShape = regexp.MustCompile(`^[a-z0-9._-]{3,32}$`)

// ParseLogin returns a login as it is kept, or ErrLogin. Capitals and spaces around it are the keyboard's.
func ParseLogin(s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	if !loginShape.MatchString(s) || holdsNumber(s) {
		return "", ErrLogin
	}
	return s, nil
}

// ParseName returns a name as it is kept and shown, or ErrName.
func ParseName(s string) (string, error) {
	s = strings.Join(strings.Fields(s), " ")
	if n := utf8.RuneCountInString(s); n < 2 || n > 40 || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) || holdsNumber(s) {
		return "", ErrName
	}
	return s, nil
}

// holdsNumber says that there are digits enough for a national number, which is kept nowhere but in its record (P404).
func holdsNumber(s string) bool {
	n := 0
	for _, r := range s {
		if unicode.IsDigit(r) {
			n++
		}
	}
	return n >= 9
}

// MinPassword is how many characters a password has at least. At most it has key.MaxLength.
const MinPassword = 12

// CheckPassword returns what is wrong with a password for that account, nothing when it may be used. The rules are those
// of the key, but longer; a login counts as a part of the name.
func CheckPassword(password, login, name string) []key.Problem {
	problems := key.Check(password, key.About{Name: name + " " + login})
	for i, p := range problems {
		if p.Easy() {
			problems[i] = key.TooEasy // those who choose one are told the same, whatever it is made of
		}
	}
	short := utf8.ValidString(password) && utf8.RuneCountInString(password) < MinPassword
	switch {
	case !short || len(problems) > 0 && (problems[0] == key.TooShort || problems[0] == key.Unreadable):
		return problems
	case len(problems) == 1 && problems[0] == key.TooEasy: // longer comes first; then it is judged anew
		return []key.Problem{key.TooShort}
	}
	return append([]key.Problem{key.TooShort}, problems...)
}
