// Package address says which e-mail addresses a letter can go to, and how they are said to a mail server. Whoever keeps an
// address and whoever writes to it ask here, so that none is kept that can never be written to. No other package uses
// x/net.
package address

import (
	"errors"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// ErrInvalid is returned for all that is not one bare address. It does not hold what was asked for.
var ErrInvalid = errors.New("not one bare address")

// How long an address and the part before its @ may be, in bytes (RFC 5321 4.5.3.1, and 254 by RFC 3696's erratum 1690).
const (
	maxAddress = 254
	maxLocal   = 64
)

// domains maps a domain name as one looks it up (UTS 46, not transitional: ß stays itself) and refuses what is no host
// name: other characters than letters, digits and dashes, labels that are empty or too long.
var domains = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false), idna.VerifyDNSLength(true), idna.CheckHyphens(false))

// Wire returns the address as RCPT TO and a header say it: as it was written, but for a domain with letters beyond ASCII,
// which is said in punycode (RFC 5891) so that a server without SMTPUTF8 can take it. Where the part before the @ has such
// letters nothing helps but SMTPUTF8 (RFC 6531).
//
// That part is a dot-atom (RFC 5322 3.2.3), with plus signs, dashes and capitals as they are, or the same in quotes, where
// spaces and any dots are allowed too. Whatever else quotes could hold (commas, brackets, a second @, a backslash) is
// refused: it is allowed by the standard, owned by nobody, and read as a list by somebody. So are control characters, and of
// what is beyond ASCII all but letters, marks and digits, the invisible ones that turn the direction of writing among them.
// A domain is a name, not a number in brackets.
func Wire(s string) (string, error) {
	at := strings.LastIndexByte(s, '@')
	if at < 0 || len(s) > maxAddress || at > maxLocal || !utf8.ValidString(s) || !isLocal(s[:at]) {
		return "", ErrInvalid
	}
	domain := s[at+1:]
	if strings.ContainsFunc(domain, func(r rune) bool { return r != '.' && r != '\u3002' && r != '-' && !isSeen(r) }) {
		return "", ErrInvalid // idna would drop what is invisible
	}
	ascii, err := domains.ToASCII(domain)
	if err != nil || !isName(ascii) {
		return "", ErrInvalid
	}
	if !IsASCII(domain) {
		domain = ascii
	}
	if at+1+len(domain) > maxAddress {
		return "", ErrInvalid
	}
	return s[:at+1] + domain, nil
}

// Valid says whether a letter can be addressed to [s] over the internet: Wire knows how, and the domain has a dot.
func Valid(s string) bool {
	wire, err := Wire(s)
	if err != nil {
		return false
	}
	_, domain, _ := strings.Cut(wire, "@") // Wire lets no second one through
	return strings.Contains(domain, ".")
}

// Sender reads a name and an address as From has them (RFC 5322 3.4), or the address alone, and returns them with the address
// as Wire has it. The name holds nothing that HasUnseen finds.
func Sender(s string) (*mail.Address, error) {
	from, err := mail.ParseAddress(s)
	if err != nil || HasUnseen(from.Name) {
		return nil, ErrInvalid
	}
	if from.Address, err = Wire(from.Address); err != nil {
		return nil, err
	}
	return from, nil
}

// HasUnseen says whether [s] holds a line break or another control character, or one that changes how its neighbours are
// written (unicode Cf, the marks of direction among them).
func HasUnseen(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) })
}

// isLocal says whether [s] can stand before the @.
func isLocal(s string) bool {
	if quoted, ok := strings.CutPrefix(s, `"`); ok {
		quoted, ok = strings.CutSuffix(quoted, `"`)
		return ok && quoted != "" && !strings.ContainsFunc(quoted, func(r rune) bool { return r != ' ' && r != '.' && !isAtom(r) })
	}
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" || strings.ContainsFunc(atom, func(r rune) bool { return !isAtom(r) }) {
			return false
		}
	}
	return true
}

// isAtom is atext of RFC 5322 3.2.3, widened by RFC 6532 3.2, though only by what is seen.
func isAtom(r rune) bool {
	return isSeen(r) || strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

func isSeen(r rune) bool { return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsNumber(r) }

// isName says whether a domain that idna took is a host's name: no label begins or ends with a dash, and the last is not a
// number, as that of an IP address is.
func isName(ascii string) bool {
	labels := strings.Split(ascii, ".")
	for _, l := range labels {
		if strings.HasPrefix(l, "-") || strings.HasSuffix(l, "-") {
			return false
		}
	}
	return strings.Trim(labels[len(labels)-1], "0123456789") != ""
}

// IsASCII says whether [s] can be said without SMTPUTF8.
func IsASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}
