package bottest

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// What may stand in no line of a log, no metric, trace or error (P405): the shapes of it, whoever's it is.
var (
	leakNumber = regexp.MustCompile(`(?:^|[^0-9A-Za-z.])([0-9]{10})(?:[^0-9A-Za-z.]|$)`)
	leakMail   = regexp.MustCompile(`[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+`)
	leakToken  = regexp.MustCompile(`[0-9]{8,10}:AA[A-Za-z0-9_-]{30,}|/(?:desbloqueo|no-fui-yo|generar)/[A-Za-z0-9_-]{22,}`)
)

// ours are addresses that are nobody's: the institution's own, that settings name.
var ours = []string{"no-responder@localhost", "atencionalusuario@iess.gob.ec"}

// Leaks are the canaries that stand in a text, in any of the forms in which they could come there, and whatever in it has the shape of a
// national number, a mail address, a bot's token or a link's. Of each the first is told, with what stands around it.
func Leaks(text string, canaries ...string) (found []string) {
	tell := func(what, as string) {
		at := strings.Index(text, as)
		found = append(found, what+": …"+text[max(0, at-80):min(len(text), at+len(as)+40)]+"…")
	}
	for _, c := range canaries {
		if i := slices.IndexFunc(formsOf(c), func(form string) bool { return strings.Contains(text, form) }); i >= 0 {
			tell("a canary", formsOf(c)[i])
		}
	}
	for _, m := range leakNumber.FindAllStringSubmatch(leakTook.ReplaceAllString(text, ""), -1) {
		if checked(m[1][:9]) == m[1] && m[1][:2] >= "01" && m[1][:2] <= "24" {
			tell("a national number", m[1])
			break
		}
	}
	for _, m := range leakMail.FindAllString(text, -1) {
		if !slices.Contains(ours, m) {
			tell("a mail address", m)
			break
		}
	}
	if m := leakToken.FindString(text); m != "" {
		tell("a token", m)
	}
	return found
}

// leakTook is how long something took, in nanoseconds: more than a second has as many digits as a number.
var leakTook = regexp.MustCompile(`"took":\d+`)

var formsKnown sync.Map

// formsOf are a canary as it is, in capitals and small letters, escaped, spaced, backwards, in hexadecimal and in base64.
func formsOf(c string) []string {
	if known, ok := formsKnown.Load(c); ok {
		return known.([]string)
	}
	forms := []string{c, strings.ToLower(c), strings.ToUpper(c), url.QueryEscape(c), hex.EncodeToString([]byte(c)), strings.Join(strings.Split(c, ""), " ")}
	backwards := []rune(c)
	slices.Reverse(backwards)
	forms = append(forms, string(backwards))
	for shift := range 3 { // within something longer: what stands whole in every alignment
		code := base64.StdEncoding.EncodeToString([]byte("xx"[:shift] + c))
		if len(code) > 12 {
			forms = append(forms, code[4:len(code)-4], strings.NewReplacer("+", "-", "/", "_").Replace(code[4:len(code)-4]))
		}
	}
	if digits := regexp.MustCompile(`^[0-9]{10}$`); digits.MatchString(c) {
		forms = append(forms, c[:3]+" "+c[3:6]+" "+c[6:9]+" "+c[9:], c[:9]+"-"+c[9:])
	}
	formsKnown.Store(c, forms)
	return forms
}
