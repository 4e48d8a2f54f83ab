package flows_test

import (
	"encoding/csv"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// reading is what INFLESZ looks at in a Spanish text.
type reading struct {
	Sentences, Words, Syllables int
	Longest                     int // words of the longest sentence
}

// score is INFLESZ: 80 and more is very easy, below 40 very hard.
func (r reading) score() float64 {
	if r.Words == 0 {
		return 100
	}
	return 206.835 - 62.3*float64(r.Syllables)/float64(r.Words) - float64(r.Words)/float64(r.Sentences)
}

// A sentence ends with its mark before a space or the end, and with its paragraph: "www.iess.gob.ec" has no end inside.
var sentenceEnd = regexp.MustCompile(`[.!?…]+["»)]*(?:\s+|$)|\n+`)

// read counts. Words are what is spoken as one: neither numbers nor addresses.
func read(text string) reading {
	var r reading
	for _, s := range sentenceEnd.Split(text, -1) {
		n := 0
		for _, token := range strings.Fields(s) {
			for _, w := range spokenWords(token) {
				n++
				r.Syllables += syllables(w)
			}
		}
		if n > 0 {
			r.Sentences++
		}
		r.Words += n
		r.Longest = max(r.Longest, n)
	}
	return r
}

func spokenWords(token string) []string {
	if strings.ContainsAny(token, "@") || strings.Contains(token, "://") || strings.Contains(token, "www.") || strings.ContainsFunc(token, unicode.IsDigit) {
		return nil
	}
	return strings.FieldsFunc(token, func(r rune) bool { return !unicode.IsLetter(r) })
}

// syllables counts a Spanish word's: each run of vowels has as many as it has strong vowels (a, e, o, and any with an
// accent), at least one. An "h" between vowels parts them, a "y" is a vowel where no other follows.
func syllables(word string) int {
	letters := []rune(strings.ToLower(word))
	total, strong, in := 0, 0, false
	end := func() {
		if in {
			total += max(strong, 1)
		}
		strong, in = 0, false
	}
	for i, r := range letters {
		switch {
		case strings.ContainsRune("aeoáéíóú", r):
			strong, in = strong+1, true
		case strings.ContainsRune("iuü", r), r == 'y' && (i+1 == len(letters) || !strings.ContainsRune("aeiouáéíóúü", letters[i+1])):
			in = true
		default:
			end()
		}
	}
	end()
	return max(total, 1)
}

func TestINFLESZ(t *testing.T) {
	f, err := os.Open("testdata/readability_vectors.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	for _, row := range rows[1:] {
		r := read(row[0])
		want, err := strconv.ParseFloat(row[4], 64)
		if err != nil {
			t.Fatal(err)
		}
		if strconv.Itoa(r.Sentences) != row[1] || strconv.Itoa(r.Words) != row[2] || math.Abs(r.score()-want) > 2 {
			t.Errorf("%q: got %+v, %.1f; want %s sentences, %s words, %s syllables, %s", row[0], r, r.score(), row[1], row[2], row[3], row[4])
		}
	}
}

func TestSyllables(t *testing.T) {
	for word, want := range map[string]int{
		"clave": 2, "cédula": 3, "día": 2, "correo": 3, "enlace": 3, "ahora": 3, "guía": 2, "que": 1, "quien": 1, "y": 1, "muy": 1, "ya": 1, "envíe": 3,
		"automático": 5, "página": 3, "oficio": 3, "pensión": 2, "averigüe": 4, "construido": 3, "leer": 2, "país": 2, "aire": 2,
	} {
		if got := syllables(word); got != want {
			t.Errorf("%s: got %d, want %d", word, got, want)
		}
	}
}
