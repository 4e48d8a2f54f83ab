package affiliate

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"llave/bot"
)

// secretMark stands where a key was.
const secretMark = "•••"

// MaskAll hides what must not be kept in free text: every run of nine digits or more, however it is written (nine,
// because the tenth follows from them), keys that were typed in, and the codes given. Dates and times of day stay.
func MaskAll(text string, codes ...string) string {
	for { // what is left around a masked run may read as a number now
		pieces := lex(text)
		cuts := secretSpans(text, runsOf(pieces))
		for _, r := range joined(pieces, text) {
			if len(r.digits) >= 9 {
				cuts = append(cuts, span{r.start, r.end, Mask(r.digits)})
			}
		}
		if len(cuts) == 0 {
			break
		}
		text = replaceSpans(text, cuts)
	}
	for _, code := range codes {
		if code != "" {
			as := strings.ReplaceAll(regexp.QuoteMeta(code), "-", `[-‐-―−﹣－]`)
			text = regexp.MustCompile(`(?i)`+as).ReplaceAllLiteralString(text, Mask(code))
		}
	}
	return text
}

type span struct {
	start, end int
	with       string
}

func replaceSpans(text string, spans []span) string {
	if len(spans) == 0 {
		return text
	}
	slices.SortFunc(spans, func(a, b span) int { return a.start - b.start })
	var b strings.Builder
	at := 0
	for _, s := range spans {
		if s.start < at { // overlaps the one before, which hides it already
			if s.end > at {
				at = s.end
			}
			continue
		}
		b.WriteString(text[at:s.start])
		b.WriteString(s.with)
		at = s.end
	}
	b.WriteString(text[at:])
	return b.String()
}

// joined gathers every digit that is not kept apart from the next by a word, a date or a time of day: wider than
// runsOf, because here a mistake must hide too much rather than too little.
func joined(pieces []piece, text string) []run {
	dates := datesIn(text)
	var runs []run
	var groups []piece
	flush := func() {
		if len(groups) > 0 {
			runs = append(runs, join(groups))
			groups = nil
		}
	}
	for _, p := range pieces {
		switch {
		case p.kind == digitPiece && inSpans(dates, p.start):
			flush()
		case p.kind == digitPiece:
			groups = append(groups, p)
		case p.kind == wordPiece && p.alike == "":
			flush()
		}
	}
	flush()
	return runs
}

var (
	dateShape = regexp.MustCompile(`\b(?:\d{1,2}/\d{1,2}/\d{4}|\d{1,2}-\d{1,2}-\d{4}|\d{4}-\d{1,2}-\d{1,2})\b`)
	timeShape = regexp.MustCompile(`\b\d{1,2}:\d{2}\b`)
)

// datesIn finds dates and times of day, so that a complaint keeps them.
func datesIn(text string) []span {
	if !strings.ContainsAny(text, "/-:") {
		return nil
	}
	var out []span
	for _, m := range dateShape.FindAllStringIndex(text, -1) {
		for _, layout := range []string{"2/1/2006", "2-1-2006", "2006-1-2"} {
			if t, err := time.Parse(layout, text[m[0]:m[1]]); err == nil && t.Year() >= 1900 && t.Year() < 2100 {
				out = append(out, span{start: m[0], end: m[1]})
				break
			}
		}
	}
	for _, m := range timeShape.FindAllStringIndex(text, -1) {
		if _, err := time.Parse("15:04", text[m[0]:m[1]]); err == nil {
			out = append(out, span{start: m[0], end: m[1]})
		}
	}
	return out
}

func inSpans(spans []span, at int) bool {
	return slices.ContainsFunc(spans, func(s span) bool { return at >= s.start && at < s.end })
}

// secretShape finds what follows the word "clave", or "key" in English: a link ("es", ":") or nothing, and one token.
var secretShape = regexp.MustCompile(`(?i)(?:^|[^\p{L}\p{N}])(?:claves?|contrase(?:ñ|ñ|n)as?|passwords?|keys?|pin)(?:\s+(?:nueva|actual|anterior|vieja|antigua))?` +
	`(\s*[:=]\s*(?:es\s+)?|\s+(?:es|era|ser[ií]a|fue|son|is|was)\s*:?\s+|\s+)(\S+)`)

// namesKey says whether a text may hold what secretShape begins with. Most do not, and it is quickly seen.
func namesKey(text string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc([]string{"clave", "contra", "word", "key", "pin"}, func(part string) bool { return strings.Contains(text, part) })
}

// secretSpans finds keys typed in: "mi clave es 123456". The number itself after the word "clave" is no key, and
// neither is a word that says how the key is ("bloqueada").
func secretSpans(text string, runs []run) []span {
	if !namesKey(text) {
		return nil
	}
	var out []span
	for _, m := range secretShape.FindAllStringSubmatchIndex(text, -1) {
		link := strings.TrimSpace(text[m[2]:m[3]])
		token := strings.TrimRight(text[m[4]:m[5]], ".,;!?\"'»”)")
		last := strings.TrimSpace(text[m[5]:]) == ""
		if rest := strings.TrimRight(text[m[4]:], " \t\r\n.,;!?\"'»”)"); link != "" && isPassphrase(rest) {
			out = append(out, span{m[4], m[4] + len(rest), secretMark})
			continue
		}
		if isSecret(link, token, last) && !isNumberAt(runs, m[4], m[5], link != "") {
			out = append(out, span{m[4], m[4] + len(token), secretMark})
		}
	}
	return out
}

func isSecret(link, token string, last bool) bool {
	n := len([]rune(token))
	digits, letters := 0, 0
	for _, r := range bot.Clean(token) {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case r > ' ' && !strings.ContainsRune(".-/", r):
			letters++
		}
	}
	switch {
	case link == "":
		return digits >= 4 && letters == 0 || digits > 0 && letters > 0 && n >= 6
	case digits > 0:
		return n >= 4
	}
	return link != ":" && last && n >= 5 && !notAKey.MatchString(bot.Fold(token))
}

// isPassphrase says whether what follows "mi clave es" is a key of loose words, the kind we recommend ourselves: three
// to eight words of letters up to the end, none of them one that makes words into a sentence or says how the key is.
func isPassphrase(rest string) bool {
	words := strings.Fields(bot.Fold(rest))
	if len(words) < 3 || len(words) > 8 {
		return false
	}
	for _, w := range words {
		if glue[w] || notAKey.MatchString(w) || strings.ContainsFunc(w, func(r rune) bool { return !unicode.IsLetter(r) && r != '-' }) {
			return false
		}
	}
	return true
}

var glue = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`a al ahora algo asi ayer bien cada como con cual cuando de del demasiado desde donde e el ella ellos en
		entre era es eso estaba fue ha han hasta hay he hoy le les lo los las mal mas me menos mi mis muy nada ni no nos o para pero poco
		por porque puede puedo que quien quiero se ser si sin sino sobre solo son su sus tal tan te tengo tiene tu un una uno va ya yo y
		cedula numero codigo ruc
		an and at because but by cannot for from i in is it my not now of on or still that the this to was we with work working works you your`) {
		m[w] = true
	}
	return m
}()

var notAKey = regexp.MustCompile(`^((?:debil|debiles|corta|cortas|larga|largas|insegura|sencilla|simple|comun|repetida|usada|muy|demasiado|poco|weak|short)$|bloquead|desbloquead|incorrect|correct|invalid|antigu|viej|nuev|olvid|caducad|vencid|suspendid|activ|inactiv|important|necesari|segur|dificil|complicad|mala|buena|igual|mism|distint|diferent|nunca|siempre|secret|personal|privad|perdid|rechazad|equivocad|erron|fals|gratis|gratuit|urgent|obligatori|desconocid|temporal|ningun|la|el|esta|esa|lock|block|unlock|wrong|expired|disabled|frozen|broken|rejected|working|forgot|stolen|needed|required|different|(?:new|old|same|safe|free|good|lost|gone|easy|hard|weak|there|here)$)`)

// HoldsKey says whether a key is written in a text.
func HoldsKey(text string) bool { return len(secretSpans(text, runsOf(lex(text)))) > 0 }

// isNumberAt says whether the token between [start] and [end] belongs to something that is the person's number rather
// than a key. After "es" only a genuine number counts.
func isNumberAt(runs []run, start, end int, linked bool) bool {
	for _, r := range runs {
		if r.start < end && r.end > start {
			if len(r.digits) == 10 && Check(r.digits) == Accept || isRUC(r.digits) {
				return true
			}
			return !linked && len(r.digits) >= 9
		}
	}
	return false
}
