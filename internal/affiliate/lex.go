package affiliate

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"llave/bot"
)

// A text is cut into pieces (digits, words, joiners), number words become digits, and what belongs together becomes a
// run. Pieces keep their place in the text, so that masking hides exactly what reading saw.

type pieceKind int

const (
	wordPiece  pieceKind = iota
	digitPiece           // typed digits, or letters that look like them, or number words
	joinPiece            // a spoken separator: "guion", "y"
)

type piece struct {
	kind       pieceKind
	text       string // digits, or the folded word
	start, end int    // bytes in the text
	plus       bool   // a plus sign stood directly before
	alike      string // a lone letter that may be a digit
}

// char is one character of a text after cleaning.
type char struct {
	r          rune
	start, end int
}

// lex cuts a text into pieces.
func lex(text string) []piece {
	var pieces []piece
	var token []char
	plus := false
	flush := func() {
		if len(token) == 0 {
			return
		}
		pieces = append(pieces, cut(token, plus)...)
		token, plus = token[:0], false
	}
	for i, w := 0, 0; i < len(text); i += w {
		var r rune
		r, w = utf8.DecodeRuneInString(text[i:])
		for _, c := range plain(r) {
			switch {
			case unicode.IsDigit(c), unicode.IsLetter(c), c == '|':
				token = append(token, char{c, i, i + w})
			case unicode.Is(unicode.M, c):
			case c == bullet: // what was masked already keeps its neighbours apart
				flush()
				pieces = append(pieces, piece{text: string(c), start: i, end: i + w})
			default:
				flush()
				plus = c == '+' || plus && c == ' '
			}
		}
	}
	flush()
	pieces = spoken(pieces)
	loneLetters(pieces)
	return pieces
}

// plain is a character as a reader sees it, without what cannot be seen.
func plain(r rune) string {
	if r < utf8.RuneSelf {
		if r < ' ' || r == 0x7f {
			return " "
		}
		return asciiStrings[r]
	}
	switch {
	case r == utf8.RuneError, r == 0x85, r == 0x2028, r == 0x2029:
		return " "
	case r == 'º', r == 'ª', r == '°': // "N.º"
		return " "
	case r == '🔟':
		return "10"
	case r >= '❶' && r <= '❿':
		return counted[r-'❶'+1]
	case r >= '➀' && r <= '➉':
		return counted[r-'➀'+1]
	case r >= '➊' && r <= '➓':
		return counted[r-'➊'+1]
	case r >= '⓵' && r <= '⓾':
		return counted[r-'⓵'+1]
	case r == '⓿':
		return "0"
	case r >= '🄀' && r <= '🄊': // "🄁" is a digit with a comma
		return []string{"0", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}[r-'🄀'] + " " //nolint:gosec // eleven of them, as the case says
	}
	return bot.Clean(string(r))
}

var asciiStrings = func() (s [utf8.RuneSelf]string) {
	for i := range s {
		s[i] = string(rune(i))
	}
	return s
}()

var counted = []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}

// digitValue is the value of a decimal digit of any script. Unicode keeps each script's ten digits together and in
// order, and the ranges of unicode.Nd hold whole tens (a test holds it to that).
func digitValue(r rune) byte {
	if r < utf8.RuneSelf {
		return byte(r) //nolint:gosec // ASCII
	}
	for _, t := range unicode.Nd.R16 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return '0' + byte((r-rune(t.Lo))%10) //nolint:gosec // 0 to 9
		}
	}
	for _, t := range unicode.Nd.R32 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) { //nolint:gosec // Unicode ends at 0x10FFFF
			return '0' + byte((r-rune(t.Lo))%10) //nolint:gosec // 0 to 9
		}
	}
	return '0'
}

// lookAlike is the digit a letter is typed for: O and l by people, the others by keyboards of other scripts and by
// text recognition (OCR). Letters that people also use in codes (S, B, Z) are not among them.
func lookAlike(r rune) (byte, bool) {
	switch r {
	case 'O', 'o', 'О', 'о', 'Ο', 'ο':
		return '0', true
	case 'l', 'I', 'i', '|', 'ı', 'І', 'і', 'Ι', 'ι', 'Ӏ', 'ӏ', 'ǀ':
		return '1', true
	case 'З', 'з', 'Ʒ', 'ʒ', 'Ӡ', 'ӡ':
		return '3', true
	case 'Ч', 'ч':
		return '4', true
	case 'Ѕ', 'ѕ':
		return '5', true
	case 'б':
		return '6', true
	}
	return 0, false
}

// cut turns one unbroken token into pieces: all of it digits where its letters only look like letters, else digits
// and words in turn.
func cut(token []char, plus bool) []piece {
	digits, alikes, letters := 0, 0, 0
	for _, c := range token {
		_, alike := lookAlike(c.r)
		switch {
		case unicode.IsDigit(c.r):
			digits++
		case alike:
			alikes++
		default:
			letters++
		}
	}
	whole := digits > 0 && letters == 0
	var out []piece
	var text []byte
	for i, c := range token {
		isDigit := unicode.IsDigit(c.r) || whole
		if i == 0 || isDigit != (out[len(out)-1].kind == digitPiece) {
			if i > 0 {
				out[len(out)-1].text = string(text)
				text = text[:0]
			}
			out = append(out, piece{start: c.start, plus: plus && i == 0})
			if isDigit {
				out[len(out)-1].kind = digitPiece
			}
		}
		p := &out[len(out)-1]
		p.end = c.end
		switch d, alike := lookAlike(c.r); {
		case unicode.IsDigit(c.r):
			text = append(text, digitValue(c.r))
		case isDigit && alike:
			text = append(text, d)
		default:
			text = utf8.AppendRune(text, c.r)
		}
	}
	out[len(out)-1].text = string(text)
	for i := range out {
		if out[i].kind == digitPiece {
			continue
		}
		if len(token) == 1 && alikes == 1 {
			d, _ := lookAlike(token[0].r)
			out[i].alike = string(d)
		}
		out[i].text = bot.Fold(out[i].text)
		if joiners[out[i].text] {
			out[i].kind = joinPiece
		}
	}
	return out
}

var joiners = map[string]bool{"y": true, "guion": true, "punto": true, "coma": true, "espacio": true, "raya": true,
	"menos": true, "luego": true, "despues": true, "barra": true}

// loneLetters reads a letter that stands alone among short groups as the digit it looks like: "1 7 1 4 3 O 7 1 O 3".
// Between whole numbers "o" stays the word for "or".
func loneLetters(pieces []piece) {
	short := func(i, most int) bool {
		return i >= 0 && i < len(pieces) && pieces[i].kind == digitPiece && len(pieces[i].text) <= most
	}
	for i := range pieces {
		p := &pieces[i]
		if p.alike == "" || p.kind == digitPiece {
			continue
		}
		first, last := i == 0, i == len(pieces)-1
		if short(i-1, 4) && short(i+1, 4) || first && short(i+1, 1) || last && short(i-1, 1) {
			p.kind, p.text = digitPiece, p.alike
		}
	}
}

var units = map[string]string{"cero": "0", "sero": "0", "uno": "1", "dos": "2", "tres": "3", "cuatro": "4",
	"cuatros": "4", "cinco": "5", "sinco": "5", "seis": "6", "siete": "7", "ocho": "8", "nueve": "9", "nuebe": "9",
	"zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9"}

var teens = map[string]string{"diez": "10", "dies": "10", "once": "11", "doce": "12", "dose": "12", "trece": "13",
	"trese": "13", "catorce": "14", "catorse": "14", "quince": "15", "quinse": "15", "dieciseis": "16",
	"diecisiete": "17", "dieciocho": "18", "diecinueve": "19", "veintiuno": "21", "veintiun": "21", "veintidos": "22",
	"veintitres": "23", "veinticuatro": "24", "veinticinco": "25", "veintiseis": "26", "veintisiete": "27",
	"veintiocho": "28", "veintinueve": "29"}

var tens = map[string]string{"veinte": "2", "treinta": "3", "cuarenta": "4", "cincuenta": "5", "sesenta": "6",
	"setenta": "7", "ochenta": "8", "noventa": "9"}

var hundreds = map[string]string{"cien": "1", "ciento": "1", "doscientos": "2", "trescientos": "3",
	"cuatrocientos": "4", "quinientos": "5", "seiscientos": "6", "setecientos": "7", "ochocientos": "8",
	"novecientos": "9"}

var times = map[string]int{"doble": 2, "triple": 3}

// spoken turns number words into digits, as voice typing writes them: by digit, by pairs, by hundreds.
func spoken(in []piece) []piece {
	out := in[:0:0]
	for i := 0; i < len(in); {
		digits, used := numberWords(in[i:])
		if used == 0 {
			out = append(out, in[i])
			i++
			continue
		}
		out = append(out, piece{kind: digitPiece, text: digits, start: in[i].start, end: in[i+used-1].end, plus: in[i].plus})
		i += used
	}
	return out
}

// numberWords reads one number from the front and says how many pieces it took.
func numberWords(in []piece) (digits string, used int) {
	word := wordAt(in, 0)
	switch {
	case times[word] > 0:
		return repeated(in)
	case hundreds[word] != "":
		return fromHundred(in)
	}
	if d, n := below100(in); n > 0 {
		return d, n
	}
	if u := units[word]; u != "" {
		return u, 1
	}
	return "", 0
}

// wordAt is the word of a piece, "" where there is none.
func wordAt(in []piece, i int) string {
	if i >= len(in) || in[i].kind == digitPiece {
		return ""
	}
	return in[i].text
}

// repeated reads "doble siete" and "triple 7".
func repeated(in []piece) (digits string, used int) {
	n := times[wordAt(in, 0)]
	if u := units[wordAt(in, 1)]; u != "" {
		return strings.Repeat(u, n), 2
	}
	if len(in) > 1 && in[1].kind == digitPiece && len(in[1].text) == 1 {
		return strings.Repeat(in[1].text, n), 2
	}
	return "", 0
}

// fromHundred reads "doscientos treinta y uno".
func fromHundred(in []piece) (digits string, used int) {
	h := hundreds[wordAt(in, 0)]
	if wordAt(in, 0) == "cien" {
		return "100", 1
	}
	if d, n := below100(in[1:]); n > 0 {
		return h + d, 1 + n
	}
	if u := units[wordAt(in, 1)]; u != "" && u != "0" {
		return h + "0" + u, 2
	}
	return h + "00", 1
}

// below100 reads ten to ninety-nine.
func below100(in []piece) (digits string, used int) {
	word, and := wordAt(in, 0), ""
	if u := units[wordAt(in, 2)]; wordAt(in, 1) == "y" && u != "0" {
		and = u
	}
	if d, ok := teens[word]; ok {
		if d == "10" && and != "" { // "diez y siete"
			return "1" + and, 3
		}
		return d, 1
	}
	if d, ok := tens[word]; ok {
		if and != "" {
			return d + and, 3
		}
		return d + "0", 1
	}
	for t, d := range tens { // "treintaiuno"
		if rest, ok := strings.CutPrefix(word, t); ok {
			if u := units[strings.TrimLeft(rest, "iy")]; u != "" && u != "0" && len(rest) > 3 {
				return d + u, 1
			}
		}
	}
	return "", 0
}

// run is digits that belong together.
type run struct {
	digits     string
	start, end int
	plus       bool
	label      string // the nearest word before it that says what it is: "cedula", "telefono", ""
}

// complete says whether the run is a number by its length alone.
func (r run) complete() bool { return len(r.digits) == 10 || isRUC(r.digits) }

// phone says whether it was written or announced as a telephone number.
func (r run) phone() bool {
	return r.plus && len(r.digits) != 10 || r.label == "telefono"
}

var labels = map[string]string{"cedula": "cedula", "cedulas": "cedula", "ci": "cedula", "identidad": "cedula", "identificacion": "cedula",
	"ruc": "cedula", "ced": "cedula", "dni": "cedula",
	"celular": "telefono", "cel": "telefono", "telefono": "telefono", "telf": "telefono", "tlf": "telefono", "tel": "telefono",
	"fono": "telefono", "movil": "telefono", "whatsapp": "telefono", "wasap": "telefono", "wsp": "telefono", "telefonico": "telefono"}

// runsOf gathers [pieces] into runs: groups with only separators between them belong together, but a group that is a
// whole number by itself stands alone.
func runsOf(pieces []piece) []run {
	var runs []run
	var groups []piece
	label := ""
	flush := func() {
		for _, g := range split(groups) {
			r := join(g)
			r.label = label
			runs = append(runs, r)
		}
		if len(groups) > 0 {
			label = ""
		}
		groups = nil
	}
	for _, p := range pieces {
		switch {
		case p.kind == digitPiece:
			groups = append(groups, p)
		case p.kind == wordPiece:
			flush()
			if l := labels[p.text]; l != "" {
				label = l
			}
		}
	}
	flush()
	return runs
}

// split cuts neighbouring groups where one of them is a whole number, or where they are several numbers of ten.
func split(groups []piece) [][]piece {
	if len(groups) == 0 {
		return nil
	}
	total := 0
	for _, g := range groups {
		total += len(g.text)
	}
	if groups[0].plus && total <= 15 { // one telephone number
		return [][]piece{groups}
	}
	var out [][]piece
	var rest []piece
	flush := func() {
		if len(rest) > 0 {
			out = append(out, tensOf(rest)...)
			rest = nil
		}
	}
	for i := 0; i < len(groups); i++ {
		g := groups[i]
		switch {
		case len(g.text) == 10 && i+1 < len(groups) && groups[i+1].text == "001":
			flush()
			out = append(out, groups[i:i+2])
			i++
		case len(g.text) == 10, isRUC(g.text), g.plus:
			flush()
			if g.plus && len(g.text) != 10 {
				rest = append(rest, g)
				continue
			}
			out = append(out, groups[i:i+1])
		default:
			rest = append(rest, g)
		}
	}
	flush()
	return out
}

// tensOf cuts groups into numbers of ten where that leaves nothing over: "171 430 710 3, 092 668 785 6".
func tensOf(groups []piece) [][]piece {
	var out [][]piece
	from, n := 0, 0
	for i, g := range groups {
		if n += len(g.text); n == 10 {
			out = append(out, groups[from:i+1])
			from, n = i+1, 0
		} else if n > 10 {
			break
		}
	}
	if n == 0 {
		return out
	}
	return [][]piece{groups}
}

func join(groups []piece) run {
	r := run{start: groups[0].start, end: groups[len(groups)-1].end, plus: groups[0].plus}
	var digits strings.Builder
	for _, g := range groups {
		digits.WriteString(g.text)
	}
	r.digits = digits.String()
	return r
}

func hasRun(runs []run, r run) bool {
	for _, other := range runs {
		if other.digits[:10] == r.digits[:10] {
			return true
		}
	}
	return false
}

// onlyDigits says whether a text is digits and separators and nothing else, besides the words that announce a number
// or are said after it.
func onlyDigits(pieces []piece) bool {
	found := false
	for _, p := range pieces {
		switch {
		case p.kind == digitPiece:
			found = true
		case p.kind == wordPiece && labels[p.text] != "cedula" && !filler[p.text]:
			return false
		}
	}
	return found
}

// filler is what stands around a number without meaning anything else.
var filler = map[string]bool{"mi": true, "es": true, "el": true, "la": true, "numero": true, "nro": true, "num": true,
	"no": true, "n": true, "de": true, "c": true, "i": true, "cc": true, "id": true, "gracias": true, "ok": true, "son": true, "seria": true}

var (
	wantsForeign = regexp.MustCompile(`\b(soy|somos) (de otro pais|un |una )?(extranjer|venezolan|colombian|peruan|cuban|hait|chilen|argentin|bolivian|mexican|chin[oa]\b|espanol|italian|aleman|frances|estadounidense|american)|\bextranjer[oa]s?\b|\bpasaporte\b|\b(no tengo|sin) (numero de )?cedula( ecuatoriana)?$|codigo de(l)? extranjer|\bforeigners?\b|\b(my|a|have) passport\b|\bi (don.?t|do not) have an? cedula\b`)
	forgotten    = regexp.MustCompile(`\bno (me|lo|la|los)? ?(acuerdo|recuerdo)\b|\bno (me )?(lo|la)? ?se\b( cual| mi| el|$)|\bno (lo|la) tengo\b|\bno tengo (el|la|mi) (numero|cedula)|\b(se me |me )?olvid[eo]\b|\bno recuerd|\bno (traigo|cargo) (el|la|mi)|\bperdi (el|la|mi) (cedula|numero)|\bi (don.?t|do not|can.?t|cannot) (remember|know|recall|find) (it|my|the)\b|\bi (don.?t|do not) have (it|my (cedula|number|id|card))\b|\bi (forgot|lost) (it|my (cedula|number|id|card))\b`)
	aboutKey     = regexp.MustCompile(`\b(clave|contrasena|password|correo|key|e-?mail)\b`)
)

// codeToken is the built-in idea of a foreigner's code; a letter and a digit are asked for besides.
var codeToken = regexp.MustCompile(`^[A-Za-z0-9-]{4,20}$`)

// codeLabel takes away what announces a code: "mi código de extranjero es", "soy extranjero, código:", "my code is".
var codeLabel = regexp.MustCompile(`(?i)^(?:.{0,60}?\b(?:c[óo]digo|cod|code)\b\.?(?:\s+(?:de|del|para|iess|extranjer[oa]s?|identificaci[óo]n|mi|n[úu]mero|number))*|soy\s+extranjer[oa]|i(?:\s+am|.?m)\s+a\s+foreigner)\s*[,:;.=#]*\s*(?:(?:es|is)\b\s*(?:el|la|the)?\s*:?)?\s*`)

var dashes = strings.NewReplacer("‐", "-", "‑", "-", "‒", "-", "–", "-", "—", "-", "―", "-", "−", "-", "﹣", "-", "－", "-")

// Canonical is a number or a code as it is kept and compared: without outer blanks, letters as capitals (P115).
// What is the same in small letters is the same.
func Canonical(id string) string { return strings.ToUpper(strings.ToLower(strings.TrimSpace(id))) }

// foreignCode returns the code a text consists of, as it is kept, or "". A sentence is never one: it is the whole text, or
// what is left after a label.
func foreignCode(text string, pattern *regexp.Regexp) string {
	s := strings.TrimSpace(dashes.Replace(bot.Clean(text)))
	if pattern == nil && !strings.ContainsAny(s, "0123456789") {
		return ""
	}
	for _, candidate := range []string{s, codeLabel.ReplaceAllString(s, "")} {
		candidate = strings.Trim(candidate, aroundCode)
		if isCode(candidate, pattern) {
			return Canonical(candidate)
		}
	}
	return ""
}

// aroundCode is what may stand beside a code without a blank.
const aroundCode = " \t\n.,;:!?¡¿\"'«»“”‘’()#"

// announcedCode is a code that stands in a sentence behind what announces it, or "". It has four digits at least: "mi código es rojo2"
// may be anything.
func announcedCode(text string, pattern *regexp.Regexp) string {
	const fewest = 4
	if digitsIn(text) < fewest {
		return ""
	}
	s := strings.TrimSpace(dashes.Replace(bot.Clean(text)))
	rest := strings.Fields(codeLabel.ReplaceAllString(s, ""))
	if len(rest) == 0 || len(rest) == len(strings.Fields(s)) {
		return calledCode(s, pattern)
	}
	token := strings.Trim(rest[0], aroundCode)
	if digitsIn(token) < fewest || !isCode(token, pattern) {
		return calledCode(s, pattern)
	}
	return Canonical(token)
}

func digitsIn(text string) (n int) {
	for _, r := range text {
		if unicode.IsDigit(r) {
			n++
		}
	}
	return n
}

// IsForeignCode says whether [s] is written like a foreigner's code; [pattern] nil is the built-in rule.
func IsForeignCode(s string, pattern *regexp.Regexp) bool { return isCode(s, pattern) }

func isCode(s string, pattern *regexp.Regexp) bool {
	if s == "" || allDigits(strings.ReplaceAll(s, "-", "")) {
		return false
	}
	if pattern != nil {
		return pattern.MatchString(s)
	}
	return codeToken.MatchString(s) && strings.ContainsAny(s, "0123456789") &&
		strings.ContainsFunc(s, unicode.IsLetter)
}
