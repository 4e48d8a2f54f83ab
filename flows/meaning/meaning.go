// Package meaning says what a sentence means, by example. People's sentences with their meanings are in flows/said; from
// them a linear model is learned (multinomial logistic regression) over the words of a sentence, pairs of them, letters
// within them, and the state in which it was said. "go generate" learns it anew, always to the same bytes, into
// model.bin, which is built into the program and read where it lies: nothing is decoded, so a model that nobody has
// asked costs no memory.
//
// The order of a sentence's way: it is folded to words and to how they sound (features.go); each feature's hash is looked
// up and its weights are added to the scores of the meanings; what cannot be meant in the state (flows/said/states.txt)
// is left out; the scores become confidences, with a temperature that was fitted on writers who were held out.
//
// Libraries that were looked at. golearn: the last commit that can be had is of December 2022. lineargo: a wrapper of
// liblinear, in C, over dense matrices. goml, hector and steady: no version could be fetched through the module proxy. bengal
// and go-bayesian: naive Bayes, whose confidences are not to be believed; go-bayesian rests since 2018. None learns many
// classes over sparse features in pure Go and is alive, so learning is here; train.go is short and its gradient is checked
// by numbers.
package meaning

import (
	"cmp"
	_ "embed"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"math/bits"
	"slices"
	"strings"
	"sync"
)

//go:generate go run llave/flows/meaning/learn -from ../said -to .

//go:embed model.bin
var builtIn []byte

//go:embed language.bin
var builtInLanguages []byte

// languages tells "es" from "en".
var languages = sync.OnceValue(func() *Model { return must(New(builtInLanguages)) })

// Language is in which of the languages of the examples something is said ("es", "en"), and how sure that is.
func Language(said string) (language string, confidence float64) {
	g := languages().Read(said, anyState)
	return g[0].Meaning, g[0].Confidence
}

func must(m *Model, err error) *Model {
	if err != nil {
		panic(err) // a test reads it
	}
	return m
}

// Default is the model that is built in.
var Default = sync.OnceValue(func() *Model { return must(New(builtIn)) })

// Guess is one thing that may have been meant.
type Guess struct {
	Meaning    string
	Confidence float64 // of what is meant with 0.8, four in five are right
}

// Model reads sentences. It may be used by many at once.
type Model struct {
	names   []string
	states  []string
	digest  []byte
	bounds  []byte // of each state, a bit for each meaning that can be meant there
	biases  []byte // float32 of each meaning
	buckets []byte // uint32: the first feature whose hash begins with these bits
	hashes  []byte // uint32 of each feature, ascending
	starts  []byte // uint32: where the row of each feature begins, and where the last ends
	rows    []byte // of each feature, see row
	scale   float32
	heat    float32 // the temperature
	scratch sync.Pool
}

// The parts of a model file: all numbers are little endian.
const (
	magic       = "LLAVEM03"
	digestSize  = 32
	boundsSize  = 16 // bytes: up to 128 meanings
	bucketBits  = 12
	rarityUnits = 16
)

// A row is what a feature says: a byte for its rarity (in sixteenths), one for its scale (in parts of the model's), a bit
// for each meaning it has a weight for, and those weights, four bits each, -7 to 7 written as 1 to 15. Four bits for many
// weights are better than eight for few, in as much room.
const (
	rowRarity = 0
	rowScale  = 1
	rowBits   = 2
)

// What New says of a file that it cannot read.
var (
	ErrModel   = errors.New("this is no model, or a damaged one")
	ErrVersion = errors.New("this model is of another version: it has to be learned again")
)

// checkSize is the length of the checksum that a file ends with: CRC-32 of all before it.
const checkSize = crc32.Size

// Open reads a model that came from outside, once nothing in it has changed since it was learned.
func Open(model []byte) (*Model, error) {
	m, err := New(model)
	if err != nil {
		return nil, err
	}
	if end := len(model) - checkSize; crc32.ChecksumIEEE(model[:end]) != binary.LittleEndian.Uint32(model[end:]) {
		return nil, ErrModel
	}
	return m, nil
}

// kin is what every version's magic begins with.
const kin = "LLAVEM"

// New reads [model] where it lies; it must not be changed afterwards. Its checksum is not looked at: see Open.
func New(model []byte) (*Model, error) {
	c := cutter{model, true}
	switch begins := string(c.take(len(magic))); {
	case strings.HasPrefix(begins, kin) && begins != magic:
		return nil, ErrVersion
	case begins != magic:
		return nil, ErrModel
	}
	m := &Model{digest: c.take(digestSize)}
	meanings, states, features, size := c.number(), c.number(), c.number(), c.number()
	m.scale, m.heat = c.float(), c.float()
	if meanings == 0 || meanings > 8*boundsSize || states > 64 || m.heat <= 0 {
		return nil, ErrModel
	}
	m.names, m.states = c.strings(meanings), c.strings(states)
	m.bounds = c.take(boundsSize * states)
	m.biases = c.take(4 * meanings)
	m.buckets = c.take(4 * (1<<bucketBits + 1))
	m.hashes = c.take(4 * features)
	m.starts = c.take(4 * (features + 1))
	m.rows = c.take(size)
	if !c.whole || len(c.rest) != checkSize || !m.sound(features) {
		return nil, ErrModel
	}
	m.scratch.New = func() any { return &scratch{scores: make([]float32, meanings)} }
	return m, nil
}

// Meanings are what a model knows, in alphabetical order.
func (m *Model) Meanings() []string { return slices.Clone(m.names) }

// Heat is the temperature that the scores are divided by.
func (m *Model) Heat() float32 { return m.heat }

// Learned says whether the model was learned from just these examples, by this program's way of learning.
func (m *Model) Learned(e *Examples) bool { return string(m.digest) == string(e.digest[:]) }

// sound says whether nothing in the tables points out of them. An institution may bring its own file.
func (m *Model) sound(features int) bool {
	least := rowBits + bitsSize(len(m.names))
	return ascending(m.buckets, features, 0) && ascending(m.starts, len(m.rows), least)
}

func bitsSize(meanings int) int { return (meanings + 7) / 8 }

// ascending says whether a table of uint32 goes from 0 to [end] in steps of [least] or more.
func ascending(table []byte, end, least int) bool {
	before := uint32At(table, 0)
	if before != 0 {
		return false
	}
	for i := 1; i < len(table)/4; i++ {
		n := uint32At(table, i)
		if n < before+least {
			return false
		}
		before = n
	}
	return before == end
}

// unheardOf is what is left of a confidence when no word of the sentence, nor how one begins, was ever learned.
const unheardOf = 0.3

// Read is what [said] may mean in [state], the likeliest first: every meaning that is possible there. A state that the
// model does not know is "any".
func (m *Model) Read(said, state string) []Guess {
	place := slices.Index(m.states, state)
	if place < 0 {
		place, state = slices.Index(m.states, anyState), anyState
	}
	s := m.scratch.Get().(*scratch)
	defer m.scratch.Put(s)
	s.read(said, state)
	m.score(s)
	guesses := make([]Guess, 0, len(m.names))
	for k, name := range m.names {
		if place < 0 || m.bounds[boundsSize*place+k/8]>>(k%8)&1 == 1 {
			guesses = append(guesses, Guess{name, float64(s.scores[k] / m.heat)})
		}
	}
	slices.SortStableFunc(guesses, func(a, b Guess) int { return cmp.Compare(b.Confidence, a.Confidence) })
	confide(guesses)
	if !s.known { // nothing but letters speak for it: "blabla"
		for i := range guesses {
			guesses[i].Confidence *= unheardOf
		}
	}
	return guesses
}

// confide makes confidences out of scores.
func confide(guesses []Guess) {
	if len(guesses) == 0 {
		return
	}
	top, sum := guesses[0].Confidence, 0.0
	for i := range guesses {
		guesses[i].Confidence = math.Exp(guesses[i].Confidence - top)
		sum += guesses[i].Confidence
	}
	for i := range guesses {
		guesses[i].Confidence /= sum
	}
}

func (m *Model) score(s *scratch) {
	for k := range s.scores {
		s.scores[k] = math.Float32frombits(binary.LittleEndian.Uint32(m.biases[4*k:]))
	}
	s.value(m.rarity)
	s.known = false
	for i, f := range s.features {
		if row, ok := m.find(f.hash); ok {
			s.known = s.known || f.group == single
			m.addRow(s.scores, row, s.values[i]*m.scale)
		}
	}
}

// addRow adds the weights of a row, times [value], to the scores.
func (m *Model) addRow(scores []float32, row []byte, value float32) {
	value *= float32(row[rowScale])
	bitmap := row[rowBits:][:bitsSize(len(scores))]
	weights := row[rowBits+len(bitmap):]
	n := 0
	for i, b := range bitmap {
		for ; b != 0; b &= b - 1 {
			k := 8*i + bits.TrailingZeros8(b)
			if k >= len(scores) || n/2 >= len(weights) {
				return
			}
			four := weights[n/2] >> (4 * (n % 2)) & 15
			scores[k] += float32(value * float32(int(four)-8))
			n++
		}
	}
}

// rarity of the feature with this hash. One never seen is as rare as can be.
func (m *Model) rarity(hash uint32) float32 {
	if row, ok := m.find(hash); ok {
		return float32(row[rowRarity]) / rarityUnits
	}
	return rarest
}

// find is the row of the feature with this hash.
func (m *Model) find(hash uint32) (row []byte, ok bool) {
	bucket := int(hash >> (32 - bucketBits))
	for at := uint32At(m.buckets, bucket); at < uint32At(m.buckets, bucket+1); at++ {
		h := binary.LittleEndian.Uint32(m.hashes[4*at:])
		if h == hash {
			return m.rows[uint32At(m.starts, at):uint32At(m.starts, at+1)], true
		}
		if h > hash {
			break
		}
	}
	return nil, false
}

func uint32At(table []byte, i int) int { return int(binary.LittleEndian.Uint32(table[4*i:])) }

// cutter takes a model file apart; whole turns false when it ends too early.
type cutter struct {
	rest  []byte
	whole bool
}

func (c *cutter) take(n int) []byte {
	if n < 0 || n > len(c.rest) {
		c.whole, c.rest = false, nil
		return nil
	}
	part := c.rest[:n:n]
	c.rest = c.rest[n:]
	return part
}

func (c *cutter) number() int {
	b := c.take(4)
	if b == nil {
		return 0
	}
	return int(binary.LittleEndian.Uint32(b))
}

func (c *cutter) float() float32 { return math.Float32frombits(uint32(c.number())) } //nolint:gosec // read from 32 bits

func (c *cutter) strings(n int) []string {
	list := make([]string, n)
	for i := range list {
		if size := c.take(1); size != nil {
			list[i] = string(c.take(int(size[0])))
		}
	}
	return list
}
