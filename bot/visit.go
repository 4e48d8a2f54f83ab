package bot

import (
	"slices"
	"time"
)

// Visit is how far a person has come since they first wrote: each stage of the procedure that was reached, and why they are
// likely to have left where they come no further. Counts are made of what a turn adds to it, so that they agree with the store:
// a turn that is stepped again, or sent again, adds nothing.
type Visit struct {
	Reached []string `bson:"reached,omitempty"` // in the order they were reached; names are the flow's
	Why     string   `bson:"why,omitempty"`     // what led them off since the last; empty: nothing

	ID    string        `bson:"id,omitempty"`    // what it is counted under: a keyed hash that names nobody; empty: a version before began it
	Began time.Time     `bson:"began,omitempty"` // with its first stage
	Took  time.Duration `bson:"took,omitempty"`  // from there until the procedure was completed; zero: it is not
}

// Aims are the stages at which a visit is counted.
type Aims struct {
	Attended  string   // the procedure was attended to
	Completed []string // it is completed, by whichever of them comes first
	End       string   // nothing comes after it
}

// counted says whether reaching a stage changes what is counted of a visit.
func (a Aims) counted(v *Visit, stage string) bool {
	return stage == a.Attended || stage == a.End || slices.Contains(a.Completed, stage) && v.Took == 0
}

// Last is the stage that was reached last, or "".
func (v *Visit) Last() string {
	if v == nil || len(v.Reached) == 0 {
		return ""
	}
	return v.Reached[len(v.Reached)-1]
}

// Has says whether a stage was reached. It may be asked of nil.
func (v *Visit) Has(stage string) bool { return v != nil && slices.Contains(v.Reached, stage) }

// Leaving is a visit that ended short of its end.
type Leaving struct{ Stage, Why string }

// Sense is how far what a person wrote was understood.
type Sense string

// The senses. The empty one is of what is no sentence.
const (
	SenseActs   Sense = "acts"   // it was acted upon, or answered
	SenseAsks   Sense = "asks"   // the person is asked whether this or that was meant
	SenseMissed Sense = "missed" // nothing was found in it
)

// Tally is what a turn tells of its visit and of what was understood, for counting.
type Tally struct {
	Place      string   // name of the place where it was heard
	Sense      Sense    // of what was written
	Confidence float64  // of the likeliest meaning; zero: words were not read for one
	Reached    []string // stages of the visit, for the first time
	Left       *Leaving // the visit before ended short of its end
}

// Reach notes that the person has come to a stage. What is counted of the visit by that is promised in the same turn: a turn that is sent
// again, or whose process dies, counts once (P801).
func (t *Turn) Reach(stage string, aims Aims) {
	c := t.Conv
	if c.Visit.Has(stage) {
		return
	}
	var v Visit
	if c.Visit != nil {
		v = Visit{Reached: slices.Clone(c.Visit.Reached), ID: c.Visit.ID, Began: c.Visit.Began, Took: c.Visit.Took}
	}
	v.begin(t, "visit")
	counted := aims.counted(&v, stage)
	if slices.Contains(aims.Completed, stage) && v.Took == 0 {
		v.Took = max(t.Now.Sub(v.Began), time.Millisecond)
	}
	v.Reached = append(v.Reached, stage)
	c.Visit = &v
	t.tally.Reached = append(t.tally.Reached, stage)
	if counted {
		t.count(&v, aims, "")
	}
}

// begin gives a visit its name and its beginning, unless it has them.
func (v *Visit) begin(t *Turn, label string) {
	if v.ID == "" {
		v.ID, v.Began = t.engine.options.Hash(label, t.Key()), t.Now
	}
}

// count promises that a visit is counted as it is now, in place of what the turn promised of it before.
func (t *Turn) count(v *Visit, aims Aims, left string) {
	id := t.Key() + "/" + string(PromiseVisit) + "/" + v.ID
	t.promises = slices.DeleteFunc(t.promises, func(p Promise) bool { return p.ID == id })
	t.Promise(Promise{ID: id, What: KeepVisit{
		Visit: v.ID, Began: v.Began, Reached: v.Reached, Attended: v.Has(aims.Attended), Completed: v.Took > 0, Took: v.Took, Left: left,
	}})
}

// Strays notes what leads the person off the road.
func (t *Turn) Strays(why string) {
	if v := t.Conv.Visit; v != nil {
		strayed := *v
		strayed.Why = why
		t.Conv.Visit = &strayed
	}
}

// EndVisit ends the visit. Where it is short of its end, the person left, for the reason that was noted, else for [why].
func (t *Turn) EndVisit(why string, aims Aims) {
	v := t.Conv.Visit
	if v == nil {
		return
	}
	if !v.Has(aims.End) {
		if v.Why != "" {
			why = v.Why
		}
		t.tally.Left = &Leaving{Stage: v.Last(), Why: why}
		ended := *v
		ended.begin(t, "visit/ended")
		t.count(&ended, aims, why)
	}
	t.Conv.Visit = nil
}

// Emptied says whether the turn dropped what was kept of the conversation.
func (t *Turn) Emptied() bool { return t.emptied }

// Guessed notes the confidence of the likeliest meaning of what was written.
func (t *Turn) Guessed(confidence float64) { t.tally.Confidence = confidence }

// tell lets the flow note what the turn was, and says how far it was understood.
func (e *Engine) tell(t *Turn, from State, ev Event, missed bool) Tally {
	if e.options.Tally == nil {
		return Tally{}
	}
	t.tally.Place = e.places[from].Name
	if t.Update.Kind == Text && t.FromPerson() && ev != Ignored {
		t.tally.Sense = SenseActs
		if missed {
			t.tally.Sense = SenseMissed
		}
	}
	e.options.Tally(t, ev, &t.tally)
	return t.tally
}
