package unlock

import "time"

// Step is something that happened to a link. What happened to a decoy is none.
type Step string

// The steps. A link is made once and ends once, unless nobody ever looked at it again.
const (
	StepMade     Step = "made"     // first asked for
	StepAccepted Step = "accepted" // the mail server took its first letter; since it was made
	StepPressed  Step = "pressed"  // the button was pressed, which ends the link; since it was accepted
	StepKey      Step = "key"      // a key was made with it; since it was pressed
	StepExpired  Step = "expired"  // ended: its time was over
	StepReplaced Step = "replaced" // ended: the record has changed, and another link does something else
	StepRefused  Step = "refused"  // ended: the mailbox refused its letter for good
	StepDisowned Step = "disowned" // ended: "No fui yo", before it was used
)

// Happened is a step of a link, after it was written.
type Happened struct {
	Kind Kind
	Step Step
	Took time.Duration // since the step before; zero: not known
}

// open says whether the link has neither been used nor ended, as far as anybody has looked.
func (a *Attempt) open() bool {
	return a != nil && a.Link != "" && a.Redeemed.IsZero() && a.Voided.IsZero() && a.Refused.IsZero()
}

// took is how long a step took; zero where the step before is not known.
func took(from, to time.Time) time.Duration {
	if from.IsZero() {
		return 0
	}
	return max(0, to.Sub(from))
}

// steps are gathered while a document is changed, and told once it is written.
type steps []Happened

func (all *steps) add(a *Attempt, step Step, since time.Duration) {
	if a.Kind != KindDecoy {
		*all = append(*all, Happened{a.Kind, step, since})
	}
}

func (s *Service) tellSteps(all steps) {
	for _, h := range all {
		s.Watch(h)
	}
}
