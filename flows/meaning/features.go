package meaning

import (
	"encoding/binary"
	"math"
	"unicode"
	"unicode/utf8"
)

// recipe is part of the digest of a model: raise it with every change of what a feature is or how it is learned, so that
// the test of the model's age speaks up.
const recipe = "17"

// group is a kind of feature. The values of one sentence's features of a kind are brought to one length together, so that
// neither a long sentence nor a kind with many features outweighs.
type group uint8

const (
	single  group = iota // words: as written, as they sound, and how they begin
	pair                 // neighbouring words, the sentence's ends too
	letters              // three to five letters within a word
	stated               // a word in a state
	place                // the state
	whole                // the whole of a short sentence, how long it is
	groups
)

// weights are the lengths that the groups are brought to. Half or twice as much for letters or a word in a state, and twice
// for the state, were no better on writers who were held out.
var weights = [groups]float32{single: 2, pair: 1.5, letters: 2, stated: 1, place: 1, whole: 0.5}

const (
	longest = 2048 // bytes of a sentence that are looked at
	most    = 160  // words of a sentence that are looked at
)

type feature struct {
	hash  uint32
	group group
}

// scratch is what reading a sentence needs; it is used again and again.
type scratch struct {
	text     []byte // folded words, one after the other
	heard    []byte // the same as they sound
	words    [][2]int
	sounds   [][2]int
	features []feature
	values   []float32
	scores   []float32
	known    bool // a word of the sentence was learned
}

// read takes [said] apart: folded words, and the features of it in [state].
func (s *scratch) read(said, state string) {
	s.text, s.heard = s.text[:0], s.heard[:0]
	s.words, s.sounds, s.features = s.words[:0], s.sounds[:0], s.features[:0]
	s.cut(said)
	for _, w := range s.words {
		from := len(s.heard)
		s.heard = appendSound(s.heard, s.text[w[0]:w[1]])
		s.sounds = append(s.sounds, [2]int{from, len(s.heard)})
	}
	s.ofWords(state)
	s.ofLetters()
	s.ofWhole(state)
}

// cut folds [said] to lower case without accents and cuts it into words; a question mark is a word. A letter said over
// and over is said once.
func (s *scratch) cut(said string) {
	from := 0
	end := func() {
		if len(s.text) > from {
			s.word(from)
		}
		from = len(s.text)
	}
	for _, r := range said[:min(len(said), longest)] {
		switch c := fold(r); {
		case len(s.words) == most:
			return
		case c == 0:
		case c == ' ':
			end()
		case c == '?':
			end()
			s.text = append(s.text, '?')
			end()
		default:
			if !drawnOut(s.text[from:], c) {
				s.text = append(s.text, c)
			}
		}
	}
	end()
}

// word keeps the word that begins at [from]. Of a number only how many digits it has is kept, of a code only that it is
// one: a model holds nobody's number.
func (s *scratch) word(from int) {
	w := s.text[from:]
	digits := 0
	for _, c := range w {
		if c >= '0' && c <= '9' {
			digits++
		}
	}
	switch {
	case digits > 2 && digits == len(w):
		s.text = append(s.text[:from], '0', 'd', byte('a'+min(digits, 15)))
	case digits > 2:
		s.text = append(s.text[:from], '0', 'm')
	}
	s.words = append(s.words, [2]int{from, len(s.text)})
}

// drawnOut says whether [c] only repeats the end of [w] ("holaaa"). "ll", "rr", "ee" and "oo" are letters of their own.
func drawnOut(w []byte, c byte) bool {
	n := len(w)
	if n == 0 || w[n-1] != c || c >= '0' && c <= '9' {
		return false
	}
	if c == 'l' || c == 'r' || c == 'e' || c == 'o' {
		return n >= 2 && w[n-2] == c
	}
	return true
}

// fold brings a letter to a to z, a digit, '?' or a space; 0 is nothing at all.
func fold(r rune) byte {
	switch {
	case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '?':
		return byte(r) //nolint:gosec // ASCII
	case r >= 'A' && r <= 'Z':
		return byte(r) + 'a' - 'A'
	case r < utf8.RuneSelf && r != '\'':
		return ' '
	}
	switch unicode.ToLower(r) {
	case 'á', 'à', 'ä', 'â', 'ã':
		return 'a'
	case 'é', 'è', 'ë', 'ê':
		return 'e'
	case 'í', 'ì', 'ï', 'î':
		return 'i'
	case 'ó', 'ò', 'ö', 'ô', 'õ':
		return 'o'
	case 'ú', 'ù', 'ü', 'û':
		return 'u'
	case 'ñ':
		return 'n'
	case 'ç':
		return 'c'
	case '¿':
		return '?'
	case '\'', '’', 0x301, 0x303, 0x308: // an apostrophe, and accents that stand alone
		return 0
	}
	return ' '
}

// appendSound appends [w] as it sounds in Ecuador: what is spelled wrong mostly sounds right ("kiero", "boi", "asi").
func appendSound(to, w []byte) []byte {
	from := len(to)
	for i := 0; i < len(w); i++ {
		c, skip := sound(w, i)
		i += skip
		if c == 0 || len(to) > from && to[len(to)-1] == c && c > '9' {
			continue
		}
		to = append(to, c)
	}
	if n := len(to); n > from+1 && to[n-1] == 'y' {
		to[n-1] = 'i'
	}
	return to
}

// sound is how the letter of [w] at [i] sounds, 0 if it is mute, and how many letters after it belong to it.
func sound(w []byte, i int) (c byte, skip int) {
	at := func(j int) byte {
		if j < 0 || j >= len(w) {
			return 0
		}
		return w[j]
	}
	light := func(c byte) bool { return c == 'e' || c == 'i' }
	c, next := w[i], at(i+1)
	silent := 0
	if next == 'u' && light(at(i+2)) { // the u of "que" and "gue"
		silent = 1
	}
	switch c {
	case 'h':
		if p := at(i - 1); p != 'c' && p != 's' && p != 't' {
			return 0, 0
		}
	case 'q':
		return 'k', silent
	case 'c':
		if light(next) {
			return 's', 0
		}
		if next != 'h' {
			return 'k', 0
		}
	case 'z':
		return 's', 0
	case 'v':
		return 'b', 0
	case 'g':
		if light(next) {
			return 'j', 0
		}
		return 'g', silent
	case 'l':
		if next == 'l' {
			return 'y', 1
		}
	case 'w':
		return 'u', 0
	}
	return c, 0
}

func (s *scratch) add(g group, h uint32) {
	s.features = append(s.features, feature{mix(h), g})
}

func (s *scratch) ofWords(state string) {
	in := hash(hash(seed, "s"), state)
	before := uint32('^')
	for i, w := range s.sounds {
		heard := s.heard[w[0]:w[1]]
		h := hash(seed, heard)
		s.add(single, hash(h, "w"))
		s.add(single, hash(hash(seed, "W"), s.text[s.words[i][0]:s.words[i][1]]))
		if len(heard) > 5 {
			s.add(single, hash(hash(seed, "p"), heard[:5]))
		}
		s.add(pair, join(before, h))
		s.add(stated, hash(in, heard))
		before = h
	}
	s.add(pair, join(before, '$'))
}

func (s *scratch) ofLetters() {
	var padded [longest + 2]byte
	for _, w := range s.sounds {
		n := copy(padded[1:], s.heard[w[0]:w[1]])
		padded[0], padded[n+1] = '_', '_' //nolint:gosec // padded is longer than any word by two
		for i := range n + 2 {
			h := hash(seed, "c")
			for j := i; j < min(i+5, n+2); j++ {
				h = (h ^ uint32(padded[j])) * prime
				if j >= i+2 {
					s.add(letters, h)
				}
			}
		}
	}
}

func (s *scratch) ofWhole(state string) {
	n := len(s.words)
	in := hash(hash(seed, "S"), state)
	s.add(place, in)
	size := uint32(5)
	for i, upTo := range [...]int{1, 2, 4, 8} {
		if n <= upTo {
			size = uint32(i + 1)
			break
		}
	}
	s.add(whole, join(size, 'L'))
	s.add(whole, join(size, in))
	if n <= 4 {
		h := hash(seed, "=")
		for _, w := range s.sounds {
			h = join(h, hash(seed, s.heard[w[0]:w[1]]))
		}
		s.add(whole, h)
		s.add(whole, join(h, in))
	}
}

// value gives every feature of the sentence its value: how rare it is ([rarity]), brought to the group's length.
func (s *scratch) value(rarity func(hash uint32) float32) {
	var squares [groups]float32
	s.values = s.values[:0]
	for _, f := range s.features {
		r := rarity(f.hash)
		s.values = append(s.values, r)
		squares[f.group] += float32(r * r)
	}
	var scale [groups]float32
	for g, q := range squares {
		if q > 0 {
			scale[g] = weights[g] / float32(math.Sqrt(float64(q)))
		}
	}
	for i, f := range s.features {
		s.values[i] *= scale[f.group]
	}
}

// FNV-1a, and a finish that spreads it over all bits.
const (
	seed  = 2166136261
	prime = 16777619
)

func hash[T string | []byte](h uint32, s T) uint32 {
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * prime
	}
	return h
}

func join(a, b uint32) uint32 {
	var t [4]byte
	binary.LittleEndian.PutUint32(t[:], b)
	return hash((a^' ')*prime, t[:])
}

func mix(h uint32) uint32 {
	h ^= h >> 16
	h *= 0x85ebca6b
	h ^= h >> 13
	h *= 0xc2b2ae35
	return h ^ h>>16
}
