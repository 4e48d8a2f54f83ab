package affiliate

import (
	"regexp"
	"strings"
)

// A foreigner calls their code many things: "mi número es EXT-0001", "my id number is EXT-0001", "soy EXT-0001". Those words announce
// national numbers and much else besides, so that what stands behind them is a code only where it is written like one.

var (
	// numberLabel takes away what announces a number of any kind.
	numberLabel = regexp.MustCompile(`(?i)^.{0,60}?\b(?:` + numberNames + `)\b[.º°]?(?:\s+(?:` + numberNames + `|de|del|para|iess|extranjer[oa]s?|foreign|foreigners?|identidad|mi|my|the|afiliad[oa])\b[.º°]?)*` +
		`\s*[,:;.=#]*\s*(?:(?:es|is)\b\s*(?:el|la|este|esta|the|this)?\s*:?)?\s*`)
	// sayingIs takes away what says who somebody is, and mannersBefore what is said before that.
	sayingIs      = regexp.MustCompile(`(?i)^(?:(?:yo\s+)?soy|(?:s[íi],?\s+)?es|aqu[íi]\s+(?:est[áa]|va)|i(?:\s+am|.?m)|it(?:\s+is|.?s)|here\s+(?:is|it\s+is))\b\s*(?:(?:el|la|the)\b)?\s*[,:;.]*\s*`)
	mannersBefore = regexp.MustCompile(`(?i)^(?:(?:hola|buen[oa]s?|d[íi]as?|tardes|noches|s[íi]|claro|ok|ya|disculpe|por\s+favor|hello|hi|good|morning|afternoon|evening|yes|sure|please)\b[\s,.;:!]*)+`)
	// saidBehind is what may stand behind a code that nothing announces: "EXT-0001 es mi código", "EXT-0001 por favor".
	saidBehind = regexp.MustCompile(`(?i)^[\s,.;:!]*(?:(?:es|is)\s+(?:mi|my|el|the)\s+(?:\pL+\s*){1,5}|(?:(?:por\s+favor|muchas|gracias|please|thanks|thank\s+you)\b[\s,.;:!]*)*)$`)

	// codeShape is what a code looks like among words: few letters, perhaps a dash, four digits at least.
	codeShape = regexp.MustCompile(`^(?:\pL{1,4}-?\d{4,}|\pL+-\d{4,}|\d{4,}-\pL{1,4})$`)
	// dashed is that with a dash, as hardly anything else is written.
	dashed = regexp.MustCompile(`^(?:\pL+-\d{4,}|\d{4,}-\pL{1,4})$`)
)

// ShapedAsCode says whether a code is written as few other things are.
func ShapedAsCode(code string) bool { return codeShape.MatchString(code) }

const numberNames = `n[úu]mero|nro|num|number|identificaci[óo]n|identification|id|documento|document|c[ée]dula|registro`

// calledCode is the code in a text that calls it something else, or nothing at all, or "".
func calledCode(s string, pattern *regexp.Regexp) string {
	code := func(rest string, shape *regexp.Regexp) (code, behind string) {
		token, behind, _ := strings.Cut(strings.TrimLeft(rest, aroundCode), " ")
		token = strings.Trim(token, aroundCode)
		if !isCode(token, pattern) || pattern == nil && !shape.MatchString(token) || digitsIn(token) < 4 {
			return "", ""
		}
		return Canonical(token), behind
	}
	if rest := numberLabel.ReplaceAllString(s, ""); rest != s {
		if found, _ := code(rest, codeShape); found != "" {
			return found
		}
	}
	s = mannersBefore.ReplaceAllString(s, "")
	if rest := sayingIs.ReplaceAllString(s, ""); rest != s {
		if found, _ := code(rest, dashed); found != "" {
			return found
		}
	}
	if found, behind := code(s, dashed); found != "" && saidBehind.MatchString(behind) {
		return found
	}
	return ""
}
