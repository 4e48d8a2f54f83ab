package key

import (
	"math"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/trustelem/zxcvbn/match"
	"github.com/trustelem/zxcvbn/matching"
	"github.com/trustelem/zxcvbn/scoring"

	"llave/bot"
)

// enough is how many guesses a key must take: more than zxcvbn's score 2 stands for.
const enough = 1e8 + 5

// costUnknown is a character that belongs to nothing that is known: zxcvbn's estimate.
const costUnknown = scoring.BruteforceCardinality

// piece is a part of a key that a guesser knows, from byte i up to byte j, and how many guesses it takes.
type piece struct {
	i, j int
	cost float64
	kind Problem
}

// judge returns how many guesses a key takes, and what most of it is made of.
//
// zxcvbn finds the pieces it knows (English, stolen keys, rows of keys, dates, repeats) and we find ours. Of all ways to cut
// the key into pieces and single characters the cheapest counts, and costs the product of its pieces. Unlike zxcvbn's own sum
// nothing is added for not knowing how many pieces there are: with that, any three pieces are strong, "Quito2024!" too.
// Blanks and points between words cost nothing.
func judge(key string, about About) (guesses float64, kind Problem) {
	folded := cut(bot.Fold(key))
	pieces := zxcvbnPieces(folded, about)
	pieces = append(pieces, wordPieces(folded)...)
	pieces = append(pieces, alonePieces(folded)...)
	for _, plain := range unswapped(folded) {
		for _, p := range wordPieces(plain) {
			if p.kind == EasyExample || p.j-p.i >= swappedFrom && folded[p.i:p.j] != plain[p.i:p.j] {
				p.cost *= 2
				pieces = append(pieces, p)
			}
		}
	}
	pieces = append(pieces, shapes(folded)...)
	pieces = append(pieces, repeats(folded)...)
	return cheapest(folded, pieces)
}

// cheapest cuts the key.
func cheapest(key string, pieces []piece) (guesses float64, kind Problem) {
	ending := make([][]piece, len(key)+1) // by where they end
	for _, p := range pieces {
		ending[p.j] = append(ending[p.j], p)
		for j := p.j; j < len(key) && isGap(key[j]); j++ {
			ending[j+1] = append(ending[j+1], piece{p.i, j + 1, p.cost, p.kind})
		}
	}
	best, last := make([]float64, len(key)+1), make([]piece, len(key)+1)
	for j := 1; j <= len(key); j++ {
		best[j] = math.Inf(1)
		if j < len(key) && !utf8.RuneStart(key[j]) {
			continue
		}
		_, size := utf8.DecodeLastRuneInString(key[:j])
		for _, p := range append(ending[j], piece{j - size, j, costUnknown, TooEasy}) {
			if g := best[p.i] + math.Log(p.cost); g < best[j] {
				best[j], last[j] = g, p
			}
		}
	}
	size := map[Problem]int{}
	for j := len(key); j > 0; j = last[j].i {
		size[last[j].kind] += last[j].j - last[j].i
	}
	kind = TooEasy
	for _, k := range easy {
		if size[k] > size[kind] {
			kind = k
		}
	}
	return math.Exp(best[len(key)]), kind
}

// isGap says whether a character only parts words: guessers try these as a matter of course.
func isGap(c byte) bool { return strings.IndexByte(" -_.,;:/+*&=!?", c) >= 0 }

// zxcvbnPieces are those that zxcvbn knows, and the owner's words.
func zxcvbnPieces(key string, about About) (out []piece) {
	known := append(strings.Fields(bot.Fold(about.Name)), bot.Fold(about.Email), about.Number)
	for _, m := range matching.Omnimatch(key, known) {
		p := piece{m.I, m.J + 1, scoring.EstimateGuesses(m, key), zxcvbnKind(m)}
		for p.j < len(key) && !utf8.RuneStart(key[p.j]) {
			p.j++ // it counts up to the first byte of a character
		}
		switch {
		case m.Pattern != "dictionary":
		case p.j-p.i <= shortWord:
			continue // in its lists every letter is a word
		case m.DictionaryName != "user_inputs":
			p.cost = max(p.cost, costWord)
		}
		out = append(out, p)
	}
	return out
}

func zxcvbnKind(m *match.Match) Problem {
	switch m.Pattern {
	case "date", "regex":
		return EasyDate
	case "spatial", "sequence":
		return EasyKeys
	case "repeat":
		return EasyRepeat
	}
	switch m.DictionaryName {
	case "male_names", "female_names", "surnames", "user_inputs":
		return EasyName
	}
	return EasyWord
}

// wordPieces are words of our lists, known sentences and our own examples, wherever they stand in the key.
func wordPieces(key string) (out []piece) {
	for _, run := range letterRuns.FindAllStringIndex(key, -1) {
		out = append(out, runPieces(key, run[0], run[1])...)
	}
	return append(append(out, sayingPieces(key)...), examplePieces(key)...)
}

var letterRuns = regexp.MustCompile(`[a-z]+`)

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' }

// shortWord is up to how long words turn up in letters that mean nothing.
const shortWord = 3

// runPieces are the words within the letters from i to j. A short one counts only where the letters are nothing but words: before
// it and after it.
func runPieces(key string, i, j int) (out []piece) {
	l := words()
	var found []piece
	from := map[int]bool{i: true} // what is before is all words
	for a := i; a < j; a++ {
		for b := a + 1; b <= min(j, a+longestWord); b++ {
			e, ok := l.find(key[a:b])
			if !ok || b-a <= shortWord && e.cost >= costWord {
				continue
			}
			found = append(found, piece{a, b, e.cost, e.kind})
			if from[a] {
				from[b] = true
			}
		}
	}
	to := map[int]bool{j: true} // what is after is all words
	for n := len(found) - 1; n >= 0; n-- {
		p := found[n]
		if to[p.j] {
			to[p.i] = true
		}
		if p.j-p.i > shortWord || from[p.i] && to[p.j] {
			out = append(out, p)
		}
	}
	return out
}

// A word that stands alone is guessed by lists larger than ours: of names, places, slang. So up to aloneLetters letters that
// may be a word, by their vowels, cost no more than costAlone, unless they are three words and more written together
// ("luzpezsolmar").
const (
	aloneLetters = 12
	costAlone    = 5e5
)

func alonePieces(key string) (out []piece) {
	for _, run := range letterRuns.FindAllStringIndex(key, -1) {
		if s := key[run[0]:run[1]]; sayable(s) {
			p := piece{run[0], run[1], costAlone, EasyWord}
			if n, cost := words().cut(s); n >= 3 {
				p.cost = max(costAlone, cost)
			}
			out = append(out, p)
		}
	}
	return out
}

// sayable says whether letters may be one word: vowels are a quarter of them to two thirds, and no four of a sort in a row.
func sayable(s string) bool {
	if len(s) < 5 || len(s) > aloneLetters {
		return false
	}
	vowels, run, was := 0, 0, false
	for i := range len(s) {
		vowel := strings.IndexByte("aeiouy", s[i]) >= 0
		if vowel {
			vowels++
		}
		if run++; vowel != was {
			run = 1
		}
		if was = vowel; run > 3 {
			return false
		}
	}
	return 4*vowels >= len(s) && 3*vowels <= 2*len(s)
}

// A known sentence, or ten letters and more of one, costs as much as there are places in them to begin and end at.
const (
	sayingLetters = 10
	costSaying    = 1e5
)

func sayingPieces(key string) (out []piece) {
	text := make([]byte, 0, len(key)) // its letters
	at := make([]int, 0, len(key))    // where they stand
	for i := range len(key) {
		if isLetter(key[i]) {
			text, at = append(text, key[i]), append(at, i)
		}
	}
	for i := 0; i+sayingLetters <= len(text); i++ {
		j := i + sayingLetters
		if !strings.Contains(known(), string(text[i:j])) {
			continue
		}
		for j < len(text) && strings.Contains(known(), string(text[i:j+1])) {
			j++
		}
		out = append(out, piece{at[i], at[j-1] + 1, costSaying, EasySaying})
	}
	return out
}

// costExample is a word of an example in a key that holds another word of the same one.
const costExample = 2

func examplePieces(key string) (out []piece) {
	for _, example := range shown() {
		var found []piece
		held := 0
		for _, w := range example {
			at := standing(key, w)
			for _, p := range at {
				found = append(found, piece{p[0], p[1], costExample, EasyExample})
			}
			if len(at) > 0 {
				held++
			}
		}
		if held > 1 {
			out = append(out, found...)
		}
	}
	return out
}

// standing returns from where to where a word stands for itself: the letters around it are words too, and it is no part of a longer
// one ("río" of "armario"). It may have an s behind it.
func standing(key, word string) (out [][2]int) {
	l := words()
	for _, run := range letterRuns.FindAllStringIndex(key, -1) {
		s := key[run[0]:run[1]]
		if !strings.Contains(s, word) {
			continue
		}
		all, _ := l.cut(s)
		for i := range s {
			for _, w := range []string{word, word + "s"} {
				if !strings.HasPrefix(s[i:], w) {
					continue
				}
				j := i + len(w)
				before, _ := l.cut(s[:i])
				after, _ := l.cut(s[j:])
				if (i == 0 || before > 0) && (j == len(s) || after > 0) && (all == 0 || before+1+after <= all) {
					out = append(out, [2]int{run[0] + i, run[0] + j})
				}
			}
		}
	}
	return out
}

// swappedFrom is how long a word with swapped letters is at least: shorter ones turn up anywhere.
const swappedFrom = 4

// unswapped is a key with signs turned into the letters they stand for ("cl4v3"): "1" may be an i or an l.
func unswapped(key string) (out []string) {
	for _, to := range []*strings.Replacer{swapsI, swapsL} {
		if s := to.Replace(key); s != key && len(s) == len(key) && (len(out) == 0 || out[0] != s) {
			out = append(out, s)
		}
	}
	return out
}

var (
	swapsI = strings.NewReplacer("4", "a", "@", "a", "3", "e", "1", "i", "!", "i", "0", "o", "5", "s", "$", "s", "7", "t", "8", "b", "9", "g", "6", "g", "2", "z")
	swapsL = strings.NewReplacer("4", "a", "@", "a", "3", "e", "1", "l", "!", "l", "0", "o", "5", "s", "$", "s", "7", "t", "8", "b", "9", "g", "6", "g", "2", "z")
)
