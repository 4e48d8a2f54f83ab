package flows

import (
	"slices"
	"time"

	"llave/bot"
)

// The stages of a visit, in the order of the road. Each counts once a visit; one that is not on somebody's road (who has no
// locked key unlocks nothing) is not counted for them. In `uniform` the conversation does not know who is eligible nor whose
// letter is none, so that up to the letter it counts everybody; what truly went out is counted where letters go out.
const (
	StageStarted   = "started"   // wrote
	StageNumber    = "number"    // gave a number and said that it is right
	StageEligible  = "eligible"  // was told that a letter may be sent
	StageLetter    = "letter"    // the mail server took it
	StagePressed   = "pressed"   // its button was pressed
	StageUnlocked  = "unlocked"  // and the key unlocked by that
	StageGenerated = "generated" // a new key was made
	StageConfirmed = "confirmed" // and the person said that they got in
)

// Stages are all of them.
var Stages = []string{StageStarted, StageNumber, StageEligible, StageLetter, StagePressed, StageUnlocked, StageGenerated, StageConfirmed}

// aims say at which stages a visit is counted: who gave their number is attended to, whatever comes of it; who unlocked their key or made
// a new one has completed the procedure.
var aims = bot.Aims{Attended: StageNumber, Completed: []string{StageUnlocked, StageGenerated}, End: StageConfirmed}

// longestVisit is after how long somebody who never stays away begins a new visit.
const longestVisit = 30 * 24 * time.Hour

// Why people leave. What led them off the road last counts when the visit ends; who was led nowhere is Silent.
const (
	LeftDeclined  = "declined"     // did not agree to the notice
	LeftErased    = "erased"       // had their chat forgotten
	LeftCancelled = "cancelled"    // cancelled
	LeftInPerson  = "in_person"    // was told to go to an office
	LeftPerson    = "person"       // asked for a person
	LeftComplaint = "complaint"    // filed a complaint
	LeftLimit     = "limit"        // met a limit
	LeftExpired   = "link_expired" // let the link end twice
	LeftUnsent    = "unsent"       // the letter could not be sent
	LeftAnother   = "another"      // went on with another number
	LeftBlocked   = "blocked"      // blocked us
	LeftSilent    = "silent"       // wrote no more
)

// LeftReasons are all of them.
var LeftReasons = []string{LeftDeclined, LeftErased, LeftCancelled, LeftInPerson, LeftPerson, LeftComplaint, LeftLimit, LeftExpired, LeftUnsent, LeftAnother, LeftBlocked, LeftSilent}

// astray is what leads people off the road, until they come to its next stage.
var astray = map[bot.Event]string{
	Cancelled: LeftCancelled, NotEligible: LeftInPerson, MailRefused: LeftInPerson, NoMailbox: LeftInPerson, WantsOffice: LeftInPerson,
	Queued: LeftPerson, QueuedAlone: LeftPerson, Ticketed: LeftPerson, WantsComplaint: LeftComplaint,
	TooManyNumbers: LeftLimit, TooManyMails: LeftLimit, LinkEndedTwice: LeftExpired, MailUnsent: LeftUnsent,
}

// ends is what ends a visit at once, beside time.
var ends = map[bot.Event]string{Declined: LeftDeclined, Erased: LeftErased}

// tally notes how far the person has come with what was heard.
func tally(t *bot.Turn, ev bot.Event, y *bot.Tally) {
	if ev == Unclear {
		y.Sense = bot.SenseAsks
	}
	if t.Emptied() {
		endVisit(t, ev)
		return
	}
	if v := t.Conv.Visit; t.FromPerson() && v != nil && v.ID != "" && t.Now.Sub(v.Began) > longestVisit {
		t.EndVisit(LeftSilent, aims)
	}
	if t.FromPerson() && t.Conv.Visit == nil && !t.Update.Group && ev != bot.Ignored {
		t.Reach(StageStarted, aims)
	}
	if t.Conv.Visit == nil {
		return
	}
	if why := astray[ev]; why != "" {
		t.Strays(why)
	}
	for _, stage := range reached(t, ev) {
		if stage == StageNumber && t.Conv.Visit.Has(StagePressed) { // the next number, of somebody they help perhaps
			t.EndVisit(LeftAnother, aims)
			t.Reach(StageStarted, aims)
		}
		t.Reach(stage, aims)
	}
	if ev == NotEligible { // the number came before what became of it
		t.Strays(LeftInPerson)
	}
}

// endVisit ends the visit of a conversation that was emptied.
func endVisit(t *bot.Turn, ev bot.Event) {
	why := ends[ev]
	switch {
	case why != "":
		t.Strays(why) // it is what they did last
	case t.Conv.Gone:
		why = LeftBlocked
	default:
		why = LeftSilent
	}
	t.EndVisit(why, aims)
}

// reached are the stages that an update leads to.
func reached(t *bot.Turn, ev bot.Event) []string {
	if t.Update.Kind == bot.Signal {
		switch t.Update.Signal {
		case bot.SignalMailSent:
			return []string{StageLetter}
		case bot.SignalLinkUsed:
			if t.Update.Text == "generate" {
				return []string{StageLetter, StagePressed}
			}
			return []string{StageLetter, StagePressed, StageUnlocked} // who is quick presses before it is told that the letter is out
		case bot.SignalKeyMade:
			return []string{StageGenerated}
		}
	}
	switch {
	case slices.Contains([]bot.Event{Eligible, Unsaid}, ev):
		return []string{StageNumber, StageEligible}
	case ev == NotEligible:
		return []string{StageNumber}
	case ev == Entered:
		return []string{StageConfirmed}
	}
	return nil
}
