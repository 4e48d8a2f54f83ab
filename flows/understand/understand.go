// Package understand decides what a plain sentence was about, without a network and without guessing. What people say
// is data: rules name concepts (a thing or a deed, with every word people use for it, regional ones too), and for each
// intent the signs that speak for it and against it. A sentence is cut into words, each is brought down to how it
// sounds (most misspelling keeps the sound), and looked up, give or take a slip by the word's length; a deed after a "no"
// counts as denied. The best sign an intent finds is its score.
//
// There are three outcomes. Sure: one intent stands clearly before all others. Unsure: there are two or three that the
// person may be asked to choose from. Nothing: it was about something else. An intent marked careful does something
// that cannot be taken back (a link is sent, data are erased): it is only ever sure when it is all that was said.
package understand

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"llave/bot"
)

// Rules are the data, as the file of one language has them.
type Rules struct {
	Manners  []string            `toml:"manners"`  // "por favor": they change nothing in what is said
	Filler   []string            `toml:"filler"`   // "el", "que": they say nothing by themselves
	Ordinary []string            `toml:"ordinary"` // words about something else, not to be taken for slips of others
	Denying  []string            `toml:"denying"`  // "no", "nunca": they deny the deeds that follow
	Turning  []string            `toml:"turning"`  // "pero": a denial does not reach across
	Things   map[string][]string `toml:"things"`   // concepts that a "no" does not touch
	Deeds    map[string][]string `toml:"deeds"`    // concepts that can be denied
	Intents  map[string]Intent   `toml:"intents"`
}

// Intent is what speaks for one thing a person may want.
//
// A sign is a list of concepts that are all there, in any order: "clave olvidar". "!" means that the deed is denied,
// "~" that it does not matter. One concept weighs 2, two 3, three 4; "=3" at the end gives the weight. A word that ends
// in "*" stands for every word that begins so.
type Intent struct {
	Signs   []string `toml:"signs"`
	Phrases []string `toml:"phrases"` // words as they are said; the whole message weighs most
	Against []string `toml:"against"` // signs that take away
	Careful bool     `toml:"careful"` // sure only when a phrase, give or take manners, is the whole message
}

// Outcome is how far a sentence was understood.
type Outcome int

// The three outcomes.
const (
	Nothing Outcome = iota
	Unsure          // ask which of Intents was meant
	Sure            // Intents[0] was meant
)

// String is the word for it in tests and tables.
func (o Outcome) String() string { return [...]string{"nothing", "unsure", "sure"}[o] }

// Meaning is what was understood: at most three intents, the likeliest first.
type Meaning struct {
	Outcome Outcome
	Intents []string
}

// Is says whether that intent, and no other, was meant for sure.
func (m Meaning) Is(intents ...string) bool {
	return m.Outcome == Sure && slices.Contains(intents, m.Intents[0])
}

// Weights. See Intent for those of signs.
const (
	wholePhrase  = 6.0
	innerPhrase  = 3.0
	loneWord     = 2.0 // a phrase of one word among others
	allOfIt      = 1.0 // on top: nothing but this was said
	expectedHere = 1.0 // on top: the question that stands expects it
	takesAway    = 2.0
	slipCosts    = 0.6 // a sign that needs a word to be a slip
	sureFrom     = 3.0
	askFrom      = 2.0
	clearBy      = 0.5
)

// Limits of what is read: nobody needs more words to say what they came for.
const (
	maxWords   = 60
	maxIntents = 3
	reach      = 2 // concepts after a "no" that it still denies
	maxPhrase  = 5 // words in one entry of the vocabulary
)

type concept struct {
	name string
	deed bool
}

type sign struct {
	parts  []part
	weight float64
}

// phrase is words as they are said, with fillers and without. One that only its fillers tell from a single word is heard
// with them.
type phrase struct{ all, said []string }

type part struct {
	concept string
	denied  bool
	either  bool
}

type intent struct {
	name           string
	signs, against []sign
	phrases        []phrase
	careful        bool
}

// Understanding is a language's rules, ready for use by many goroutines.
type Understanding struct {
	manners, filler  map[string]bool
	denying, turning map[string]bool
	entries          map[string][]concept // by sound
	stems            []stem
	ordinary         map[string]bool
	plain            map[string]bool  // words of phrases that mean nothing by themselves
	byLength         map[int][]string // single words, for slips
	intents          []intent
}

type stem struct {
	sound   string
	concept concept
}

// New checks rules and makes them ready. Everything wrong with them is reported at once.
func New(r Rules) (*Understanding, error) { //nolint:gocognit // reads one file of rules from top to bottom, and reports all that is wrong in it
	u := &Understanding{manners: sounds(r.Manners), filler: sounds(r.Filler), denying: sounds(r.Denying), turning: sounds(r.Turning),
		entries: map[string][]concept{}, ordinary: sounds(r.Ordinary), plain: map[string]bool{}, byLength: map[int][]string{}}
	known := map[string]bool{}
	for _, kind := range []struct {
		words map[string][]string
		deed  bool
	}{{r.Things, false}, {r.Deeds, true}} {
		for name, words := range kind.words {
			known[name] = true
			for _, w := range words {
				u.learn(w, concept{name, kind.deed})
			}
		}
	}
	slices.SortFunc(u.stems, func(a, b stem) int { return cmp.Compare(len(b.sound), len(a.sound)) })
	for _, i := range r.Intents {
		for _, p := range i.Phrases {
			for _, w := range soundsOf(p) {
				u.plain[w] = true
			}
		}
	}
	u.index()
	var problems []string
	read := func(name string, list []string) []sign {
		var out []sign
		for _, s := range list {
			parsed, err := parseSign(s)
			if err != nil {
				problems = append(problems, fmt.Sprintf("%s: sign %q: %v", name, s, err))
			}
			for _, p := range parsed.parts {
				if !known[p.concept] {
					problems = append(problems, fmt.Sprintf("%s: sign %q names %q, which is no concept", name, s, p.concept))
				}
			}
			out = append(out, parsed)
		}
		return out
	}
	for name, i := range r.Intents {
		in := intent{name: name, careful: i.Careful, signs: read(name, i.Signs), against: read(name, i.Against)}
		for _, p := range i.Phrases {
			if l := u.look(p); len(l.all) > 0 {
				in.phrases = append(in.phrases, phrase{l.all, l.said})
			} else {
				problems = append(problems, fmt.Sprintf("%s: phrase %q says nothing", name, p))
			}
		}
		u.intents = append(u.intents, in)
	}
	slices.SortFunc(u.intents, func(a, b intent) int { return cmp.Compare(a.name, b.name) })
	if len(problems) > 0 {
		slices.Sort(problems)
		return nil, fmt.Errorf("rules of understanding: %s", strings.Join(problems, "; "))
	}
	return u, nil
}

// Intents lists what can be understood.
func (u *Understanding) Intents() []string {
	var out []string
	for _, i := range u.intents {
		out = append(out, i.name)
	}
	return out
}

// index lists the single words by length, for nearest.
func (u *Understanding) index() {
	add := func(word string) {
		if !strings.Contains(word, " ") && !slices.Contains(u.byLength[len(word)], word) {
			u.byLength[len(word)] = append(u.byLength[len(word)], word)
		}
	}
	for word := range u.entries {
		add(word)
	}
	for _, set := range []map[string]bool{u.manners, u.filler, u.plain, u.ordinary} {
		for word := range set {
			add(word)
		}
	}
	for n := range u.byLength {
		slices.Sort(u.byLength[n])
	}
}

func (u *Understanding) learn(word string, c concept) {
	if w, ok := strings.CutSuffix(word, "*"); ok {
		u.stems = append(u.stems, stem{Sound(w), c})
		return
	}
	w := strings.Join(soundsOf(word), " ")
	u.entries[w] = append(u.entries[w], c)
}

func parseSign(s string) (sign, error) {
	body, weight, weighed := strings.Cut(s, "=")
	var out sign
	for _, w := range strings.Fields(body) {
		p := part{concept: strings.TrimLeft(w, "!~")}
		p.denied, p.either = strings.HasPrefix(w, "!"), strings.HasPrefix(w, "~")
		out.parts = append(out.parts, p)
	}
	if len(out.parts) == 0 {
		return out, fmt.Errorf("is empty")
	}
	out.weight = float64(len(out.parts)) + 1
	if weighed {
		n, err := strconv.ParseFloat(strings.TrimSpace(weight), 64)
		if err != nil {
			return out, fmt.Errorf("weight: %w", err)
		}
		out.weight = n
	}
	return out, nil
}

// heard is a word of a sentence after it was looked up.
type heard struct {
	concepts []concept
	denied   bool
	slipped  bool // it is another word, a slip away
}

// sentence is what was said, looked up.
type sentence struct {
	all     []string // sounds of every word but manners
	said    []string // and but fillers
	heard   []heard
	unknown int
}

// Read decides what a sentence was about. Expected are the intents that the question which stands makes likelier.
func (u *Understanding) Read(text string, expected ...string) Meaning {
	s := u.look(text)
	if len(s.all) == 0 {
		return Meaning{}
	}
	type scored struct {
		name  string
		score float64
		sure  bool
	}
	var list []scored
	for _, in := range u.intents {
		score, whole := in.score(s)
		if score <= 0 {
			continue
		}
		if slices.Contains(expected, in.name) && !in.careful {
			score += expectedHere
		}
		if score >= askFrom {
			list = append(list, scored{in.name, score, score >= sureFrom && (!in.careful || whole)})
		}
	}
	if len(list) == 0 {
		return Meaning{}
	}
	slices.SortStableFunc(list, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	m := Meaning{Outcome: Unsure}
	if list[0].sure && (len(list) == 1 || list[0].score-list[1].score >= clearBy) {
		m.Outcome = Sure
	}
	for _, i := range list[:min(len(list), maxIntents)] {
		if list[0].score-i.score <= 2 {
			m.Intents = append(m.Intents, i.name)
		}
	}
	return m
}

// score is the weight of the best sign or phrase; [whole] says that a phrase was all of the message.
func (in intent) score(s sentence) (best float64, whole bool) {
	for _, p := range in.phrases {
		switch short := len(p.said) < 2 && len(p.all) > len(p.said); {
		case slices.Equal(p.all, s.all):
			return wholePhrase, true
		case !in.careful && !short && slices.Equal(p.said, s.said):
			return wholePhrase, true
		case in.careful && index(s.all, p.all) >= 0 && len(p.all) > 1:
			best = max(best, loneWord)
		case in.careful:
		case short && len(p.all) > 1 && index(s.all, p.all) >= 0:
			best = max(best, innerPhrase)
		case short || index(s.said, p.said) < 0:
		case len(p.said) > 1:
			best = max(best, innerPhrase+float64(len(p.said)-2)/2)
		default:
			best = max(best, loneWord)
		}
	}
	for _, g := range in.signs {
		n, slipped, ok := g.in(s)
		if !ok {
			continue
		}
		w := g.weight
		if slipped {
			w -= slipCosts
		}
		if n == len(s.heard) && s.unknown == 0 {
			w += allOfIt
		}
		best = max(best, w)
	}
	if best == 0 {
		return 0, false
	}
	for _, g := range in.against {
		if _, _, ok := g.in(s); ok {
			best -= takesAway
		}
	}
	return best, false
}

// in says whether all the parts are there, how many of the words they account for, and whether one of those is a slip.
func (g sign) in(s sentence) (words int, slipped, ok bool) {
	var used uint64
	for _, p := range g.parts {
		found := false
		for i, h := range s.heard {
			if slices.ContainsFunc(h.concepts, func(c concept) bool {
				return c.name == p.concept && (p.either || p.denied == (h.denied && c.deed))
			}) {
				found = true
				used |= 1 << i
				slipped = slipped || h.slipped
			}
		}
		if !found {
			return 0, false, false
		}
	}
	for ; used > 0; used &= used - 1 {
		words++
	}
	return words, slipped, true
}

func index(said, phrase []string) int {
	for i := 0; i+len(phrase) <= len(said); i++ {
		if slices.Equal(said[i:i+len(phrase)], phrase) {
			return i
		}
	}
	return -1
}

// look cuts a sentence into words and looks each up.
func (u *Understanding) look(text string) sentence {
	var s sentence
	left := maxWords
	for _, clause := range strings.FieldsFunc(bot.Fold(text), func(r rune) bool { return strings.ContainsRune(".,;:!?¡¿()\n", r) }) {
		words := soundsOf(clause)
		denies := 0
		for i := 0; i < len(words) && left > 0; left-- {
			first := words[i]
			word, n, found, filler := u.find(words[i:])
			i += n
			if !u.manners[word] {
				s.all = append(s.all, word)
			}
			if !filler {
				s.said = append(s.said, word)
			}
			switch {
			case n == 1 && u.denying[word]:
				denies = reach
			case n == 1 && u.turning[word]:
				denies = 0
			}
			switch {
			case len(found) > 0:
				s.heard = append(s.heard, heard{found, denies > 0, n == 1 && word != first})
				denies = max(denies-1, 0)
			case filler, u.denying[word], u.turning[word], u.plain[word]:
			default:
				s.unknown++
			}
		}
	}
	if len(s.heard) > 64 {
		s.heard = s.heard[:64]
	}
	return s
}

// find looks up the longest entry that the words begin with, then a stem, then the nearest word. It returns what was
// said as the vocabulary spells it, and of how many words it is made.
func (u *Understanding) find(words []string) (said string, n int, found []concept, filler bool) {
	for n := min(maxPhrase, len(words)); n > 1; n-- {
		joined := strings.Join(words[:n], " ")
		if c := u.entries[joined]; c != nil {
			return joined, n, c, false
		}
		if u.filler[joined] || u.manners[joined] {
			return joined, n, nil, true
		}
	}
	w := words[0]
	c := slices.Clone(u.entries[w])
	for _, s := range u.stems {
		if strings.HasPrefix(w, s.sound) && !slices.Contains(c, s.concept) {
			c = append(c, s.concept)
		}
	}
	switch {
	case len(c) > 0:
		return w, 1, c, false
	case u.filler[w], u.manners[w]:
		return w, 1, nil, true
	case u.denying[w], u.turning[w], u.plain[w], u.ordinary[w], len(w) < 4:
		return w, 1, nil, false
	}
	if near := u.nearest(w); near != "" {
		return near, 1, u.entries[near], u.filler[near] || u.manners[near]
	}
	for _, s := range u.stems {
		if k := len(s.sound); k >= 6 && len(w) >= k-1 && bot.Near(w[:min(k, len(w))], s.sound, 1) {
			return w, 1, []concept{s.concept}, false
		}
	}
	return w, 1, nil, false
}

// nearest is the word of the vocabulary that is a slip away.
func (u *Understanding) nearest(w string) string {
	for allowed := 1; allowed <= 2; allowed++ {
		for n := len(w) - allowed; n <= len(w)+allowed; n++ {
			if bot.Slips(max(n, len(w))) < allowed {
				continue
			}
			for _, known := range u.byLength[n] {
				if bot.Near(w, known, allowed) {
					return known
				}
			}
		}
	}
	return ""
}

func sounds(list []string) map[string]bool {
	out := map[string]bool{}
	for _, w := range list {
		out[strings.Join(soundsOf(w), " ")] = true
	}
	return out
}

// apostrophes leave no gap: "don't" is one word.
var apostrophes = strings.NewReplacer("'", "", "’", "", "‘", "", "`", "")

// soundsOf is how each word of a text sounds.
func soundsOf(text string) []string {
	words := strings.FieldsFunc(apostrophes.Replace(bot.Fold(text)), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i, w := range words {
		words[i] = Sound(w)
	}
	return words
}

// Sound writes a word as it sounds in Ecuador, so that what people misspell comes out the same: no h, v as b, z and soft c
// as s, k for hard c and qu, y for ll, no letter twice.
func Sound(word string) string {
	w := bot.Fold(word)
	var b strings.Builder
	b.Grow(len(w))
	last := byte(0)
	put := func(c byte) {
		if c != last || c >= '0' && c <= '9' {
			b.WriteByte(c)
		}
		last = c
	}
	at := func(i int) byte {
		if i < len(w) {
			return w[i]
		}
		return 0
	}
	for i := 0; i < len(w); i++ {
		c, next := w[i], at(i+1)
		soft := next == 'e' || next == 'i'
		switch {
		case c == 'c' && next == 'h':
			put('c')
			i++
		case c == 'c' && soft, c == 'z':
			put('s')
		case c == 'c':
			put('k')
		case c == 'q':
			put('k')
			if next == 'u' {
				i++
			}
		case c == 'g' && soft:
			put('j')
		case c == 'l' && next == 'l':
			put('y')
			i++
		case c == 'v':
			put('b')
		case c == 'h':
		default:
			put(c)
		}
	}
	return b.String()
}
