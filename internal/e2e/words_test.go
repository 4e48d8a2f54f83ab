package e2e

import (
	"math"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"llave/internal/mail"
)

// The words of a text that count: addresses and numbers are not read by the syllable.
var (
	addresses = regexp.MustCompile(`\S*(@|://|www\.)\S*`)
	spaces    = regexp.MustCompile(`[^\p{L}]+`)
	stops     = regexp.MustCompile(`[.:?!…]+(\s|$)`)
)

// inflesz is the INFLESZ score of a Spanish text (Szigriszt-Pazos) and its number of words: 65 and more is easy to read.
func inflesz(text string) (score float64, words int) {
	text = addresses.ReplaceAllString(text, "")
	syllables, sentences := 0, 0
	for _, sentence := range stops.Split(text, -1) {
		in := 0
		for word := range strings.FieldsSeq(spaces.ReplaceAllString(sentence, " ")) {
			in++
			syllables += syllablesOf(word)
		}
		if words += in; in > 0 {
			sentences++
		}
	}
	if words == 0 {
		return 100, 0
	}
	return 206.835 - 62.3*float64(syllables)/float64(words) - float64(words)/float64(sentences), words
}

// syllablesOf counts the vowels of a word that carry a syllable: two strong ones in a row are two, a weak one beside
// another is none of its own unless it bears an accent.
func syllablesOf(word string) int {
	n, last := 0, rune(0) // last is the vowel before, 0 after a consonant
	letters := []rune(strings.ToLower(word))
	for i, r := range letters {
		if r == 'y' && (i == len(letters)-1 || len(letters) == 1) {
			r = 'i'
		}
		switch {
		case !strings.ContainsRune("aeiouáéíóúü", r):
			last = 0
			continue
		case last == 0, strings.ContainsRune("aeoáéóíú", r) && strings.ContainsRune("aeoáéóíú", last):
			n++
		}
		last = r
	}
	return max(n, 1)
}

// The vectors that the project was given for this formula; two points either way.
func TestInflesz(t *testing.T) {
	for _, tt := range []struct {
		text  string
		words int
		score float64
	}{
		{"Esta opción se aplica a usuarios que realizaron previamente la actualización de sus datos personales de manera presencial en uno de nuestros Centros de Atención Universal a nivel nacional.", 29, 38.2},
		{"Revise el número, por favor. Escribió 9 números y la cédula tiene 10.", 11, 71.07},
		{"El enlace ya no sirve porque pasaron 3 minutos. No se preocupe. Puede pedir otro.", 14, 77.57},
		{"Si quiere hablar con una persona, escriba la palabra persona.", 10, 66.01},
		{"Ahora las oficinas están cerradas. Atienden de lunes a viernes, de ocho de la mañana a cinco de la tarde.", 20, 81.58},
		{"Si no lo encuentra, mire en la carpeta de correo no deseado.", 12, 80.62},
		{"Nunca le pediremos su clave. No la escriba aquí. Este trámite no cuesta nada.", 14, 82.02},
	} {
		if score, words := inflesz(tt.text); words != tt.words || math.Abs(score-tt.score) > 2 {
			t.Errorf("%q: got %.2f over %d words, want %.2f over %d", tt.text, score, words, tt.score, tt.words)
		}
	}
}

// readable wants a text of 15 words or more to score 65 or more where it is Spanish, which is what the formula is for, and no sentence of
// more than longest.
func readable(t *testing.T, lang, text string) {
	t.Helper()
	if score, words := inflesz(text); lang != "en" && words >= 15 && score < 65 {
		t.Errorf("scores %.1f, want 65: %q", score, text)
	}
	for _, sentence := range stops.Split(text, -1) {
		if _, n := inflesz(sentence); n > longest && sentence != fixed {
			t.Errorf("a sentence of %d words, want %d: %q", n, longest, sentence)
		}
	}
	if strings.Contains(strings.ToLower(text), "contraseña") {
		t.Errorf("not the word we use: %q", text)
	}
}

// longest is how many words a sentence may have, but for the one that is fixed.
const (
	longest = 12
	fixed   = "Su clave de acceso a los Servicios del Portal del IESS ha sido desbloqueada"
)

// A letter's plain text is read aloud by some: sentences, an address on a line of its own, nothing drawn with signs.
func TestLetters_readAloud(t *testing.T) {
	for i := range 2 * len(mail.Kinds) {
		kind, lang := mail.Kinds[i/2], []string{"", "en"}[i%2]
		l, err := letterOf(kind, lang)
		if err != nil {
			t.Fatal(err)
		}
		for part := range strings.SplitSeq(strings.TrimSpace(l.Text), "\n\n") {
			readable(t, lang, part)
			for line := range strings.SplitSeq(part, "\n") {
				if line != strings.TrimSpace(line) || strings.Contains(line, "  ") {
					t.Errorf("%s: laid out with spaces: %q", kind, line)
				}
				if address := addresses.FindString(line); address != "" && address != line {
					t.Errorf("%s: an address within a line: %q", kind, line)
				}
				if i := strings.IndexFunc(line, func(r rune) bool {
					return unicode.IsSymbol(r) || strings.ContainsRune(`*_#-–—=|<>[]{}«»/\`, r)
				}); i >= 0 && !addresses.MatchString(line) && line != "Generar / Recuperar Clave" {
					t.Errorf("%s: a sign that is not read well: %q", kind, line)
				}
			}
		}
	}
}
