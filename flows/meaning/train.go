package meaning

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
)

// How it is learned. Rounds, rate, decay, and what is left out or dropped were tried against their neighbours on writers who
// were held out: to drop three tenths brought 1.3 points (two writers), seven tenths in 40 rounds instead of half in 16
// another 1.2 (six writers).
const (
	seen      = 3       // a feature of fewer sentences is left out
	rounds    = 40      // times that all sentences are gone through
	firstRate = 0.2     // how far the first round steps; the last steps a tenth of it
	decay     = 1e-5    // L2
	dropped   = 0.7     // of the features of a sentence, by chance: it must be understood without its plainest word
	cautious  = 1e-2    // what every weight's sum of squares begins with (AdaGrad)
	still     = 2e-3    // a slope smaller than this moves nothing
	kept      = 815_000 // weights, the heaviest, that a model file has room for
	rarest    = 8       // the rarity of what was never seen
	chance    = 7       // seeds the order and what is dropped
)

// keptOfLanguage is the room of the model that tells languages apart.
const keptOfLanguage = 10_500

// vector is a sentence's features by their numbers.
type vector struct {
	at    []int32
	value []float32
}

// learner holds what is being learned: a weight for each feature and meaning, in rows by feature, the last row being the
// biases.
type learner struct {
	meanings int
	hashes   []uint32
	rarities []byte
	number   map[uint32]int32
	weights  []float32
	squares  []float32
	slopes   []float32
}

// learn goes through the sentences of [e], always in the same way. Every round is told to [each], which may stop it.
func learn(e *Examples, each func() error) (*learner, error) {
	l := newLearner(e)
	vectors, meant := l.vectors(e)
	order := make([]int, len(vectors))
	for i := range order {
		order[i] = i
	}
	dice := rand.New(rand.NewPCG(chance, chance)) //nolint:gosec // an order that must be the same each time; no secret
	for round := range rounds {
		dice.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		rate := firstRate * (1 - 0.9*float32(round)/rounds)
		for _, i := range order {
			l.step(l.drop(vectors[i], dice), meant[i], rate)
		}
		if err := each(); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// newLearner counts the features and numbers those that are learned, by their hash.
func newLearner(e *Examples) *learner {
	l := &learner{meanings: len(e.Meanings), number: map[uint32]int32{}}
	count := map[uint32]int{}
	last := map[uint32]int{}
	var s scratch
	for i, said := range e.Said {
		s.read(said.Text, said.State)
		for _, f := range s.features {
			if last[f.hash] != i+1 {
				last[f.hash] = i + 1
				count[f.hash]++
			}
		}
	}
	for h, n := range count {
		if n >= seen {
			l.hashes = append(l.hashes, h)
		}
	}
	slices.Sort(l.hashes)
	for i, h := range l.hashes {
		l.number[h] = int32(i)
		rarity := math.Log(float64(len(e.Said)+1) / float64(count[h]))
		l.rarities = append(l.rarities, byte(math.Round(min(rarity, rarest)*rarityUnits)))
	}
	size := (len(l.hashes) + 1) * l.meanings
	l.weights, l.squares = make([]float32, size), make([]float32, size)
	for i := range l.squares {
		l.squares[i] = cautious
	}
	l.slopes = make([]float32, l.meanings)
	return l
}

func (l *learner) rarity(hash uint32) float32 {
	if n, ok := l.number[hash]; ok {
		return float32(l.rarities[n]) / rarityUnits
	}
	return rarest
}

func (l *learner) vectors(e *Examples) (all []vector, meant []int) {
	var s scratch
	for _, said := range e.Said {
		s.read(said.Text, said.State)
		s.value(l.rarity)
		var v vector
		for i, f := range s.features {
			if n, ok := l.number[f.hash]; ok {
				v.at, v.value = append(v.at, n), append(v.value, s.values[i])
			}
		}
		v.at, v.value = append(v.at, int32(len(l.hashes))), append(v.value, 1) //nolint:gosec // as many as a model has features
		k, _ := slices.BinarySearch(e.Meanings, said.Meaning)
		all, meant = append(all, v), append(meant, k)
	}
	return all, meant
}

// drop leaves out most of a sentence's features by chance and makes the others speak louder for it.
func (l *learner) drop(v vector, dice *rand.Rand) vector {
	var some vector
	for i, at := range v.at {
		if dice.Float32() >= dropped {
			some.at, some.value = append(some.at, at), append(some.value, v.value[i]/(1-dropped))
		}
	}
	return some
}

func (l *learner) row(at int32) []float32 {
	return l.weights[int(at)*l.meanings:][:l.meanings]
}

// slope fills l.slopes with the slope of the loss by each meaning's score: its probability, less one for what was meant.
// The loss is -log of the probability of what was meant; its slope by a weight is that of the score times the feature's
// value.
func (l *learner) slope(v vector, meant int) {
	clear(l.slopes)
	for i, at := range v.at {
		value, slopes := v.value[i], l.slopes
		for k, w := range l.row(at)[:len(slopes)] {
			slopes[k] += float32(value * w)
		}
	}
	soften(l.slopes)
	l.slopes[meant]--
}

// step moves the weights of [v] down the slope (AdaGrad).
func (l *learner) step(v vector, meant int, rate float32) {
	l.slope(v, meant)
	for i, at := range v.at {
		row := l.row(at)
		squares := l.squares[int(at)*l.meanings:][:l.meanings]
		for k, d := range l.slopes {
			if d < still && d > -still {
				continue
			}
			g := l.gradient(d, v.value[i], row[k])
			squares[k] += float32(g * g)
			row[k] -= float32(rate*g) / float32(math.Sqrt(float64(squares[k])))
		}
	}
}

// gradient of the loss, with the decay, by a weight.
func (l *learner) gradient(slope, value, weight float32) float32 {
	return float32(slope*value) + float32(decay*weight)
}

// soften makes probabilities out of scores.
func soften(scores []float32) {
	top := slices.Max(scores)
	var sum float32
	for k, s := range scores {
		scores[k] = float32(math.Exp(float64(s - top)))
		sum += scores[k]
	}
	for k := range scores {
		scores[k] /= sum
	}
}

// Learn makes a model file from [e]. Its temperature is fitted on writers that the model did not learn from: they are
// parted in three, and each part is heard by a model of the two others.
func Learn(e *Examples) ([]byte, error) {
	model, _, err := LearnAndHear(e, func(float64) error { return nil })
	return model, err
}

// thirds are how many parts the writers are parted in.
const thirds = 3

// LearnAndHear is Learn, and returns what the held-out sentences were taken for as well. [report] is told which part of the
// work is done, and may stop it with an error. With fewer than three writers nobody is held out, and the temperature is that
// of the model that is built in.
func LearnAndHear(e *Examples, report func(part float64) error) (model []byte, heard []Heard, err error) {
	var done atomic.Int64
	var told sync.Mutex
	each := func() error {
		told.Lock()
		defer told.Unlock()
		return report(float64(done.Add(1)) / ((thirds + 1) * rounds))
	}
	var heat float32
	if len(e.Writers) >= thirds {
		if heard, err = e.hearParts(each); err != nil {
			return nil, nil, err
		}
		heat = temperature(heard)
	} else {
		done.Store(thirds * rounds)
		heat = Default().Heat()
	}
	l, err := learn(e, each)
	if err != nil {
		return nil, nil, err
	}
	return l.file(e, heat), heard, nil
}

// hearParts has every writer heard by a model that has not learned from them.
func (e *Examples) hearParts(each func() error) ([]Heard, error) {
	var heard [thirds][]Heard
	var errs [thirds]error
	var all sync.WaitGroup
	for part := range heard {
		all.Go(func() { heard[part], errs[part] = e.hearPart(part, each) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return slices.Concat(heard[:]...), nil
}

// LearnAt makes a model file from [e] with a temperature that is known.
func LearnAt(e *Examples, heat float32) []byte {
	l, _ := learn(e, func() error { return nil }) // only that could fail
	return l.file(e, heat)
}

// hearPart has every third writer heard by a model of the others.
func (e *Examples) hearPart(part int, each func() error) ([]Heard, error) {
	var out []string
	for i, w := range e.Writers {
		if i%thirds == part {
			out = append(out, w)
		}
	}
	rest := e.Without(out...)
	if len(out) == 0 || len(rest.Said) == 0 {
		return nil, fmt.Errorf("meaning: %d writers are too few: at least %d", len(e.Writers), thirds)
	}
	l, err := learn(rest, each)
	if err != nil {
		return nil, err
	}
	m, err := New(l.file(rest, 1))
	if err != nil {
		return nil, err
	}
	var heard []Heard
	for _, w := range out {
		heard = append(heard, m.Hear(e.Of(w))...)
	}
	return heard, nil
}

// Heard is a sentence and what it was taken for.
type Heard struct {
	Said
	Guesses []Guess
}

// Hear reads all of [said].
func (m *Model) Hear(said []Said) []Heard {
	heard := make([]Heard, len(said))
	for i, s := range said {
		heard[i] = Heard{s, m.Read(s.Text, s.State)}
	}
	return heard
}

// Place is how many guesses stand before the right one.
func (h Heard) Place() int {
	if i := slices.IndexFunc(h.Guesses, func(g Guess) bool { return g.Meaning == h.Meaning }); i >= 0 {
		return i
	}
	return len(h.Guesses)
}

// temperature is what the scores must be divided by for the confidences to be true of [heard]: for the least loss, to a
// hundredth. [heard] has confidences at temperature 1, whose logarithms are the scores but for a constant.
func temperature(heard []Heard) float32 {
	best, least := 1, math.Inf(1)
	for t := 50; t <= 250; t++ {
		sum := 0.0
		for _, h := range heard {
			sum += lossAt(h, float64(t)/100)
		}
		if sum < least {
			best, least = t, sum
		}
	}
	return float32(best) / 100
}

func lossAt(h Heard, t float64) float64 {
	at := h.Place()
	if at == len(h.Guesses) {
		return 0
	}
	sum := 0.0
	for _, g := range h.Guesses {
		sum += math.Pow(g.Confidence, 1/t)
	}
	return math.Log(sum) - math.Log(max(h.Guesses[at].Confidence, 1e-12))/t
}

// file writes what was learned as New reads it.
func (l *learner) file(e *Examples, heat float32) []byte {
	least, top := l.threshold(e.room)
	scale := max(top, math.SmallestNonzeroFloat32) / (7 * 255)
	var starts, rows []byte
	l.forget(least)
	for at, rarity := range l.rarities {
		starts = put(starts, len(rows))
		rows = appendRow(rows, l.row(int32(at)), rarity, scale, least)
	}
	starts = put(starts, len(rows))

	f := append([]byte(magic), e.digest[:]...)
	for _, n := range []int{len(e.Meanings), len(e.States), len(l.hashes), len(rows)} {
		f = put(f, n)
	}
	f = putFloat(putFloat(f, scale), heat)
	for _, name := range slices.Concat(e.Meanings, e.States) {
		f = append(append(f, byte(len(name))), name...) //nolint:gosec // names are short
	}
	f = append(f, e.boundsTable()...)
	for _, b := range l.row(int32(len(l.hashes))) { //nolint:gosec // as many as a model has features
		f = putFloat(f, b)
	}
	f = append(f, l.bucketTable()...)
	for _, h := range l.hashes {
		f = binary.LittleEndian.AppendUint32(f, h)
	}
	f = slices.Concat(f, starts, rows)
	return binary.LittleEndian.AppendUint32(f, crc32.ChecksumIEEE(f))
}

// forget drops the features of which no weight is as heavy as [least].
func (l *learner) forget(least float32) {
	n := 0
	for at := range l.rarities {
		row := l.row(int32(at))
		if !slices.ContainsFunc(row, func(w float32) bool { return abs(w) >= least }) {
			continue
		}
		l.hashes[n], l.rarities[n] = l.hashes[at], l.rarities[at]
		copy(l.row(int32(n)), row)
		n++
	}
	copy(l.row(int32(n)), l.row(int32(len(l.hashes)))) //nolint:gosec // as many as a model has features
	l.hashes, l.rarities = l.hashes[:n], l.rarities[:n]
}

// appendRow appends the row of a feature with these [weights], without those below [least].
func appendRow(to []byte, weights []float32, rarity byte, scale, least float32) []byte {
	var top float32
	for _, w := range weights {
		top = max(top, abs(w))
	}
	own := byte(min(255, math.Ceil(float64(top/scale/7))))
	bitmap := make([]byte, bitsSize(len(weights)))
	var fours []byte
	n := 0
	for k, w := range weights {
		four := int(math.Round(float64(w / scale / float32(max(own, 1)))))
		if four == 0 || abs(w) < least {
			continue
		}
		bitmap[k/8] |= 1 << (k % 8)
		if n%2 == 0 {
			fours = append(fours, 0)
		}
		fours[n/2] |= byte(four+8) << (4 * (n % 2)) //nolint:gosec // -8 to 7
		n++
	}
	to = append(to, rarity, own) // rowRarity, rowScale
	return append(append(to, bitmap...), fours...)
}

// threshold is the weight that the heaviest begin with, and the heaviest of all. To keep those that move the scores of all
// sentences the most was tried: it keeps too little of what is rare, at a loss of half a point.
func (l *learner) threshold(room int) (least, top float32) {
	sizes := make([]float32, len(l.hashes)*l.meanings)
	for i := range sizes {
		sizes[i] = abs(l.weights[i])
	}
	slices.Sort(sizes)
	if len(sizes) == 0 {
		return 0, 0
	}
	return sizes[max(0, len(sizes)-room)], sizes[len(sizes)-1]
}

func (e *Examples) boundsTable() []byte {
	table := make([]byte, boundsSize*len(e.States))
	for i, state := range e.States {
		for k, meaning := range e.Meanings {
			if e.Possible(meaning, state) {
				table[boundsSize*i+k/8] |= 1 << (k % 8)
			}
		}
	}
	return table
}

func (l *learner) bucketTable() (table []byte) {
	at := 0
	for b := range 1<<bucketBits + 1 {
		for at < len(l.hashes) && int(l.hashes[at]>>(32-bucketBits)) < b {
			at++
		}
		table = put(table, at)
	}
	return table
}

func put(to []byte, n int) []byte { return binary.LittleEndian.AppendUint32(to, uint32(n)) } //nolint:gosec // counts of a model

func putFloat(to []byte, x float32) []byte { return put(to, int(math.Float32bits(x))) }

func abs(x float32) float32 { return max(x, -x) }
