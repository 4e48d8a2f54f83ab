package key

import (
	"bytes"
	"cmp"
	"compress/gzip"
	_ "embed"
	"io"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"llave/bot"
)

//go:generate go run words_gen.go

// The lists, and where they are from: lists/NOTICE.md.
var (
	//go:embed lists/words.txt.gz
	packedWords []byte
	//go:embed lists/ecuador.txt
	ecuador string
	//go:embed lists/sayings.txt
	sayings string
	//go:embed lists/examples.txt
	examples string
	//go:embed lists/rows.txt
	layouts string
)

// What a word of a list costs a guesser, in guesses. A common word is taken for one of five hundred even where it is more
// common, so that three that do not belong together are enough; a little word ("de", "la") costs next to nothing, so that a
// sentence is not strong by those. What people in Ecuador make keys of is tried first: of the people, places and dates of
// ecuador.txt four are still weak (the names of four grandchildren), of its everyday words four are enough, while two of them
// with a year and a sign behind (60 and 10 guesses) are not.
const (
	costLittle   = 5
	costOwn      = 100
	costEveryday = 250
	costWord     = 500
	littleWords  = 100 // so many of the most frequent words are little
	longestWord  = 24  // in letters; none of the lists is longer
)

// entry is a word of a list.
type entry struct {
	word string // folded
	cost float64
	kind Problem
}

// lexicon is the words in order.
type lexicon []entry

// words are all lists, read when the first key is judged: they take about 2 MB, and most processes judge none for hours.
var words = sync.OnceValue(func() lexicon {
	zipped, err := gzip.NewReader(bytes.NewReader(packedWords))
	if err != nil {
		panic(err) // it is built in, and a test reads it
	}
	var frequent strings.Builder
	if _, err := io.Copy(&frequent, zipped); err != nil { //nolint:gosec // embedded in the program
		panic(err)
	}
	l := make(lexicon, 0, 50000)
	own := ownEntries()
	kind, rank := "", 0
	for line := range strings.Lines(frequent.String()) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := section(line); ok {
			kind, rank = name, 0
			continue
		}
		rank++
		e := frequentEntry(line, kind, rank)
		if e.cost == costLittle && slices.ContainsFunc(own, func(o entry) bool { return o.word == e.word }) {
			continue // "gracias", "hola": often said, but words like others
		}
		l = append(l, e)
	}
	l = append(append(l, own...), entry{"y", costLittle, EasyWord}) // single letters are not among the frequent
	slices.SortFunc(l, func(a, b entry) int { return cmp.Or(cmp.Compare(a.word, b.word), cmp.Compare(a.cost, b.cost)) })
	return slices.Clip(slices.CompactFunc(l, func(a, b entry) bool { return a.word == b.word }))
})

// ownEntries are the words of ecuador.txt.
func ownEntries() (out []entry) {
	kind := ""
	for _, line := range lines(ecuador) {
		if name, ok := section(line); ok {
			kind = name
			continue
		}
		e := entry{cost: costOwn, kind: kinds[kind]}
		if kind == "word" {
			e.cost = costEveryday
		}
		for w := range strings.FieldsSeq(line) {
			e.word = letters(w)
			out = append(out, e)
		}
	}
	return out
}

// kinds says what is wrong with a key that is made of a list's words.
var kinds = map[string]Problem{"word": EasyWord, "first": EasyName, "last": EasyName, "name": EasyName, "place": EasyPlace, "time": EasyDate}

func frequentEntry(word, kind string, rank int) entry {
	e := entry{word, max(float64(rank), costWord), kinds[kind]}
	switch {
	case kind == "word" && rank <= littleWords:
		e.cost = costLittle
	case kind == "first":
		e.cost = max(float64(rank), costOwn)
	}
	return e
}

// section reads a heading: "[name]".
func section(line string) (name string, ok bool) {
	name, ok = strings.CutPrefix(line, "[")
	return strings.TrimSuffix(name, "]"), ok
}

// find returns what the lists say of a folded word.
func (l lexicon) find(word string) (entry, bool) {
	i, ok := slices.BinarySearchFunc(l, word, func(e entry, word string) int { return cmp.Compare(e.word, word) })
	if !ok {
		return entry{}, false
	}
	return l[i], true
}

// commonShort is up to which rank words of three letters are seen in letters that are nothing but words: rarer ones turn up
// in any word that is not on a list.
const commonShort = 5000

// cut returns the fewest words that letters can be cut into, none left over, and the fewest guesses of any way to cut them. It
// returns no words where that cannot be done.
func (l lexicon) cut(s string) (n int, cost float64) {
	fewest, costs := make([]int, len(s)+1), make([]float64, len(s)+1)
	costs[0] = 1
	for j := 1; j <= len(s); j++ {
		for i := max(0, j-longestWord); i < j; i++ {
			e, ok := l.find(s[i:j])
			if !ok || costs[i] == 0 || e.cost >= costWord && (j-i < shortWord || j-i == shortWord && e.cost > commonShort) {
				continue
			}
			if costs[j] == 0 || fewest[i]+1 < fewest[j] {
				fewest[j] = fewest[i] + 1
			}
			if c := costs[i] * e.cost; costs[j] == 0 || c < costs[j] {
				costs[j] = c
			}
		}
	}
	return fewest[len(s)], costs[len(s)]
}

// letters is a text without anything but its letters, folded.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, bot.Fold(s))
}

// lines are those of a list that hold something.
func lines(list string) (out []string) {
	for line := range strings.Lines(list) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
}

// known are the sayings, letters only, a line each.
var known = sync.OnceValue(func() string {
	var b strings.Builder
	for _, line := range lines(sayings) {
		b.WriteString(letters(line) + "\n")
	}
	return b.String()
})

// shown are the words of each example that we show.
var shown = sync.OnceValue(func() (out [][]string) {
	for _, line := range lines(examples) {
		out = append(out, strings.FieldsFunc(bot.Fold(line), func(r rune) bool { return r < 'a' || r > 'z' || r >= utf8.RuneSelf }))
	}
	return out
})
