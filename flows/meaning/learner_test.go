package meaning

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func few() *Examples {
	e := &Examples{room: kept, Said: []Said{
		{"a", "menu", "se me bloqueó la clave", "unlock"},
		{"a", "menu", "la clave está bloqueada", "unlock"},
		{"a", "menu", "olvidé la clave", "generate"},
		{"b", "menu", "no me acuerdo, olvidé la clave", "generate"},
		{"b", "ready", "mande el enlace", "send"},
		{"c", "ready", "mándeme el enlace ya", "send"},
		{"c", "sent", "mande otra vez el enlace", "resend"},
	}, Writers: []string{"a", "b", "c"}, bounds: map[string][]string{"send": {"ready"}}}
	if err := e.index(); err != nil {
		panic(err)
	}
	return e
}

// learned learns to the end.
func learned(e *Examples) *learner {
	l, err := learn(e, func() error { return nil })
	if err != nil {
		panic(err)
	}
	return l
}

// TestGradient compares the slope by every weight with what the loss does when the weight is moved a little.
func TestGradient(t *testing.T) {
	l := newLearner(few())
	dice := rand.New(rand.NewPCG(1, 2))
	for i := range l.weights {
		l.weights[i] = dice.Float32() - 0.5
	}
	vectors, meant := l.vectors(few())
	checked := 0
	for n, v := range vectors[:3] {
		l.slope(v, meant[n])
		slopes := slices.Clone(l.slopes)
		sums := map[int32]float32{} // a feature may be there twice
		for i, at := range v.at {
			sums[at] += v.value[i]
		}
		for at, value := range sums {
			for k := range l.meanings {
				w := &l.row(at)[k]
				was := *w
				got := float64(l.gradient(slopes[k], value, was))
				const little = 1.0 / 64
				*w = was + little
				up := l.loss(v, meant[n]) + decay/2*float64(*w**w)
				*w = was - little
				down := l.loss(v, meant[n]) + decay/2*float64(*w**w)
				*w = was
				if want := (up - down) / (2 * little); math.Abs(got-want) > 2e-3*max(1, math.Abs(want)) {
					t.Fatalf("sentence %d, feature %d, meaning %d: slope %.5f, by numbers %.5f", n, at, k, got, want)
				}
				checked++
			}
		}
	}
	if checked < 100 {
		t.Fatalf("only %d weights checked", checked)
	}
}

// loss of a sentence, in full precision and by its own road.
func (l *learner) loss(v vector, meant int) float64 {
	scores := make([]float64, l.meanings)
	for i, at := range v.at {
		for k, w := range l.row(at) {
			scores[k] += float64(v.value[i]) * float64(w)
		}
	}
	sum := 0.0
	for _, s := range scores {
		sum += math.Exp(s)
	}
	return math.Log(sum) - scores[meant]
}

// TestSameBytes: learning has no chance in it.
func TestSameBytes(t *testing.T) {
	a, errA := Learn(few())
	b, errB := Learn(few())
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Fatal("two models of the same sentences differ", errA, errB)
	}
}

// TestWritten: the file says what was learned, but for the rounding to eight bits.
func TestWritten(t *testing.T) {
	e := few()
	e.bounds = nil
	l := learned(e)
	m, err := New(l.file(e, 1))
	if err != nil {
		t.Fatal(err)
	}
	vectors, meant := l.vectors(e)
	for n, said := range e.Said {
		l.slope(vectors[n], meant[n])
		l.slopes[meant[n]]++ // what is left are the probabilities
		for _, g := range m.Read(said.Text, said.State) {
			want := l.slopes[slices.Index(e.Meanings, g.Meaning)]
			if math.Abs(g.Confidence-float64(want)) > 0.02 {
				t.Errorf("%q, %s: read %.3f, learned %.3f", said.Text, g.Meaning, g.Confidence, want)
			}
		}
	}
}

func TestBounded(t *testing.T) {
	e := few()
	m, err := New(learned(e).file(e, 1))
	if err != nil {
		t.Fatal(err)
	}
	for state, wants := range map[string]bool{"ready": true, anyState: true, "unheard of": true, "menu": false} {
		guesses, sum, sends := m.Read("mande el enlace", state), 0.0, false
		for _, g := range guesses {
			sum += g.Confidence
			sends = sends || g.Meaning == "send"
		}
		if sends != wants || math.Abs(sum-1) > 1e-6 {
			t.Errorf("in %s: send among them %v, confidences add up to %f", state, sends, sum)
		}
	}
}

// TestTemperature: confidences that are too high are cooled down to how often they are right.
func TestTemperature(t *testing.T) {
	var heard []Heard
	for i := range 100 {
		h := Heard{Said{Meaning: "right"}, []Guess{{"right", 0.96}, {"wrong", 0.04}}}
		if i%5 == 0 {
			h.Meaning = "wrong"
		}
		heard = append(heard, h)
	}
	heat := float64(temperature(heard))
	if p := 1 / (1 + math.Pow(0.04/0.96, 1/heat)); math.Abs(p-0.8) > 0.01 {
		t.Errorf("said 0.96, right 0.80, made %.3f of it by temperature %.2f", p, heat)
	}
}

// TestBroken: a file cut short or with a byte changed is refused or read, never more.
func TestBroken(t *testing.T) {
	e := few()
	whole := learned(e).file(e, 1)
	for n := range whole {
		if n%97 == 0 || n < 200 {
			if _, err := New(whole[:n]); err == nil {
				t.Fatalf("read although cut at %d", n)
			}
		}
	}
	dice := rand.New(rand.NewPCG(3, 4))
	refused := 0
	for range 500 {
		other := bytes.Clone(whole)
		other[dice.IntN(len(other))] ^= byte(1 + dice.IntN(255))
		m, err := New(other)
		if err != nil {
			refused++
			continue
		}
		m.Read("mande el enlace", "ready")
	}
	if refused == 0 {
		t.Error("no changed file was refused")
	}
}

func FuzzRead(f *testing.F) {
	f.Add("se me bloqueó la clave", "menu")
	f.Add("¿¿??", "")
	f.Add("0912345678 ñandú \xff\xfe", "number")
	f.Fuzz(func(t *testing.T, said, state string) {
		sum := 0.0
		for _, g := range Default().Read(said, state) {
			sum += g.Confidence
		}
		if math.Abs(sum-1) > 1e-6 && math.Abs(sum-0.3) > 1e-6 { // less where no word was ever learned
			t.Errorf("confidences add up to %f", sum)
		}
	})
}
