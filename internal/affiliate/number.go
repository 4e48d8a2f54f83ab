package affiliate

import (
	"fmt"
	"log/slog"
	"regexp"
	"strings"

	"llave/bot"
	"llave/internal/secret"
)

// Verdict is what to do about what was typed where a number was asked for.
type Verdict string

// Verdicts on a number that was found. Reading.Number holds it.
const (
	Accept          Verdict = "accept"                  // read it back
	AskCheckDigit   Verdict = "ask_again_check_digit"   // a slip; the same number a second time is looked up anyway
	AskProvince     Verdict = "ask_again_province"      // the first two digits are no province
	ConfirmUnusual  Verdict = "ask_confirm_unusual"     // third digit 7-9 or province 50
	ConfirmRepeated Verdict = "ask_confirm_repeated"    // ten equal digits
	IsItPhone       Verdict = "ask_is_it_phone"         // a cédula by its check digit, but it looks like a mobile number
	PhoneOrTypo     Verdict = "ask_again_phone_or_typo" // looks like a mobile number, and is no cédula
	AskLeadingZero  Verdict = "ask_leading_zero"        // nine digits; Number has the zero in front
	AskFirstTen     Verdict = "ask_use_first_10"        // a RUC; Number is its first ten digits
)

// Verdicts when no number can be used.
const (
	AskLength    Verdict = "ask_again_length" // Digits says how many there were
	TwoNumbers   Verdict = "two_numbers"      // Candidates holds them
	PhoneGiven   Verdict = "phone"            // written as a telephone number
	CodeGiven    Verdict = "foreign_code"     // Code holds it
	SecretGiven  Verdict = "secret"           // a key was typed: warn, keep nothing
	WantsForeign Verdict = "wants_foreign"    // "soy extranjero"
	Forgotten    Verdict = "forgotten"        // "no me acuerdo"
	NoNumber     Verdict = "none"
)

// Reading is what ParseNumber made of a text. It holds personal data and prints as its verdict alone.
type Reading struct {
	Verdict    Verdict
	Number     string   // ten digits: the number, or the one suggested (AskLeadingZero, AskFirstTen)
	Code       string   // the text fits a foreigner's code; set with CodeGiven, and beside a Number the same text may be
	Digits     int      // how many digits were typed
	Candidates []string // TwoNumbers: what was found, in order
}

// String keeps numbers out of logs.
func (r Reading) String() string { return fmt.Sprintf("%s (%d digits)", r.Verdict, r.Digits) }

// GoString keeps numbers out of %#v.
func (r Reading) GoString() string { return r.String() }

// LogValue keeps numbers out of logs.
func (r Reading) LogValue() slog.Value { return slog.StringValue(r.String()) }

// ParseOptions is what reading a number depends on beside the text.
type ParseOptions struct {
	// Phone is the chat's own telephone number where the channel knows it, with or without country code.
	Phone string
	// ForeignCode is what a foreigner's code looks like; nil is the built-in rule: 4 to 20 letters, digits or dashes,
	// at least one letter and one digit. Digits alone never are one, whatever the pattern. It is matched with capitals too, so
	// it must not tell them from small letters.
	ForeignCode *regexp.Regexp
}

// parseLimit is how much of a text is read for a number; nobody writes more around ten digits.
const parseLimit = 2000

// ParseNumber finds the national number or the foreigner's code in what a person typed, tolerating whatever people
// and their keyboards put around and between the digits. Everything it accepts is read back, so it prefers a guess
// that can be confirmed to a refusal.
func ParseNumber(text string, o ParseOptions) Reading {
	if len(text) > parseLimit {
		text = strings.ToValidUTF8(text[:parseLimit], "")
	}
	pieces := lex(text)
	runs := runsOf(pieces)
	if len(secretSpans(text, runs)) > 0 {
		return Reading{Verdict: SecretGiven}
	}
	code := foreignCode(text, o.ForeignCode)
	bare := onlyDigits(pieces)
	r := readRuns(runs, bare, o.Phone)
	if code == "" && r.Number == "" {
		code = announcedCode(text, o.ForeignCode)
	}
	switch {
	// "17l43O71O3" and "CI1714307103" fit a code too, and are rather a number.
	case code != "" && (r.Number == "" || !bare):
		return Reading{Verdict: CodeGiven, Code: code, Digits: r.Digits}
	case r.Verdict != NoNumber:
		r.Code = code
		return r
	}
	words := bot.Fold(text)
	switch {
	case wantsForeign.MatchString(words):
		r.Verdict = WantsForeign
	case forgotten.MatchString(words) && !aboutKey.MatchString(words):
		r.Verdict = Forgotten
	}
	return r
}

// readRuns decides between the runs of digits of a text.
func readRuns(runs []run, onlyDigits bool, phone string) Reading {
	var whole []run
	var best, tel run
	for _, r := range runs {
		switch {
		case r.phone():
			if len(r.digits) > len(tel.digits) {
				tel = r
			}
		case r.complete():
			if !hasRun(whole, r) {
				whole = append(whole, r)
			}
		case len(r.digits) > len(best.digits):
			best = r
		}
	}
	switch {
	case len(whole) > 1:
		two := Reading{Verdict: TwoNumbers, Digits: len(whole[0].digits)}
		for _, r := range whole {
			two.Candidates = append(two.Candidates, r.digits[:10])
		}
		return two
	case len(whole) == 1:
		return judge(whole[0].digits, phone)
	case len(best.digits) >= fewDigits || onlyDigits && len(best.digits) > 0:
		return judge(best.digits, phone)
	case len(tel.digits) >= fewDigits:
		return Reading{Verdict: PhoneGiven, Digits: len(tel.digits)}
	}
	return Reading{Verdict: NoNumber}
}

// fewDigits is how many digits among words are taken for an attempt at the number; fewer are an age, a floor, a year.
const fewDigits = 5

// judge gives the verdict on a string of digits of any length.
func judge(digits, phone string) Reading {
	r := Reading{Digits: len(digits)}
	switch {
	case len(digits) == 10:
		r.Number, r.Verdict = digits, Check(digits)
		if r.Number == localPhone(phone) {
			r.Verdict = asPhone(r.Verdict)
		}
	case len(digits) == 9 && genuine("0"+digits):
		r.Number, r.Verdict = "0"+digits, AskLeadingZero
	case isRUC(digits):
		r.Number, r.Verdict = digits[:10], AskFirstTen
	case len(digits) == 12 && strings.HasPrefix(digits, "5939"),
		len(digits) == 14 && strings.HasPrefix(digits, "005939"):
		r.Verdict = PhoneGiven
	default:
		r.Verdict = AskLength
	}
	return r
}

// Check gives the verdict on a number alone: length first, then province, then check digit, then the rest. Use it on
// a number that was suggested or chosen.
func Check(number string) Verdict {
	switch {
	case len(number) != 10 || !allDigits(number):
		return AskLength
	case !provinceOK(number):
		return AskProvince
	case !CheckDigit(number):
		if mobile(number) {
			return PhoneOrTypo
		}
		return AskCheckDigit
	case strings.Count(number, number[:1]) == 10:
		return ConfirmRepeated
	case mobile(number):
		return IsItPhone
	case number[2] >= '7' || number[:2] == "50":
		return ConfirmUnusual
	}
	return Accept
}

// asPhone is the verdict on a number that is the chat's own telephone number.
func asPhone(v Verdict) Verdict {
	switch v {
	case AskCheckDigit, PhoneOrTypo:
		return PhoneOrTypo
	case AskProvince: // no cédula whatever else it is
		return AskProvince
	}
	return IsItPhone
}

// CheckDigit says whether the tenth digit is right for the other nine (Luhn, from the left).
func CheckDigit(number string) bool {
	if len(number) != 10 || !allDigits(number) {
		return false
	}
	sum := 0
	for i := range 10 {
		d := int(number[i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// provinceOK takes the 24 provinces, 30 for those registered abroad, and 50, which is confirmed where everything
// else is right.
func provinceOK(number string) bool {
	p := number[:2]
	return p >= "01" && p <= "24" || p == "30" || p == "50"
}

// Begins says whether digits are the beginning of a number that goes on: three to seven, of a province there is. Of more, or fewer, it
// is rather said how many they are.
func Begins(digits string) bool {
	const fewest, most = 3, 7
	return len(digits) >= fewest && len(digits) <= most && provinceOK(digits)
}

// mobile says whether the number has the shape of an Ecuadorian mobile number that is hardly a cédula's.
func mobile(number string) bool { return number[:2] == "09" && number[2] >= '6' }

// genuine says whether a number that nobody typed in full may be suggested.
func genuine(number string) bool {
	return provinceOK(number) && CheckDigit(number) && number[2] <= '6'
}

// WithZero is a cédula of nine digits with the zero in front that a spreadsheet drops, and whether that is one: its province and
// its check digit are right then.
func WithZero(nine string) (number string, ok bool) {
	number = "0" + nine
	return number, len(number) == 10 && allDigits(number) && genuine(number)
}

func isRUC(digits string) bool { return len(digits) == 13 && strings.HasSuffix(digits, "001") }

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// localPhone turns a telephone number into the ten digits people type.
func localPhone(phone string) string {
	var b strings.Builder
	for _, r := range phone {
		if r >= '0' && r <= '9' {
			b.WriteRune(r)
		}
	}
	p := strings.TrimPrefix(b.String(), "00")
	if rest, ok := strings.CutPrefix(p, "593"); ok && len(rest) == 9 {
		return "0" + rest
	}
	if len(p) == 9 && p[0] == '9' {
		return "0" + p
	}
	return p
}

// Group writes a number the way it is read aloud: "171 003 406 5". A foreigner's code is returned as it is.
func Group(number string) string {
	if len(number) != 10 || !allDigits(number) {
		return number
	}
	return number[:3] + " " + number[3:6] + " " + number[6:9] + " " + number[9:]
}

const bullet = '•'

// Mask hides the middle of a number or code: "171•••••65".
func Mask(number string) string {
	r := []rune(number)
	head, tail := 3, 2
	if len(r) < 9 || !allDigits(number) {
		head, tail = 1, 1
	}
	if len(r) <= head+tail {
		return strings.Repeat(string(bullet), len(r))
	}
	return string(r[:head]) + strings.Repeat(string(bullet), min(len(r)-head-tail, 10)) + string(r[len(r)-tail:])
}

// hashLabel is of the vault: changing it orphans what was made with it.
const hashLabel = "affiliate/number"

// Hash is the keyed hash that stands for a number or code outside the affiliates collection.
func Hash(v *secret.Vault, number string) string { return v.Hash(hashLabel, number) }
