package flows

import (
	"fmt"
	"regexp"
	"strings"

	"llave/bot"
)

// What is told of a complaint after it was left in the middle, by who was still writing, is added to it.

// How a complaint was left.
const (
	leftFor   = "left"   // by the person
	brokenOff = "broken" // something happened meanwhile
)

// leavesComplaint notes that a complaint is left, until something else is asked than what is asked next.
func leavesComplaint(t *bot.Turn, how string) {
	t.Remember(slotGoingOn, fmt.Sprintf("%d %s", t.Conv.Prompt+1, how))
}

// goingOnWith finds that words go on with what was told before.
var goingOnWith = regexp.MustCompile(`^(?:y|e|pero|ademas|tambien|tampoco|porque|despues|luego|and|also|but|because|then)\b`)

// addsToComplaint takes words in which nothing else was found for more of the complaint that was just left: those that go on with
// something, or come in one breath with such, and, where the person was broken off in the middle of it, all that come soon.
func (f *flow) addsToComplaint(t *bot.Turn) bool {
	var until int
	var how string
	n, err := fmt.Sscanf(t.Slot(slotGoingOn), "%d %s", &until, &how)
	if err != nil || n != 2 || t.Conv.Prompt > until || t.Choice() != "" || f.givesNumber(t) || f.givesPart(t) || !f.isComplaint(t) {
		return false
	}
	said := strings.TrimLeft(bot.Fold(t.Text()), " ¿?¡!.,")
	if !t.AfterPart() && !goingOnWith.MatchString(said) && (how != brokenOff || t.Idle() > burst) {
		return false
	}
	t.Forget(slotAnew) // it was left unchanged
	t.Part()
	return f.gather(t)
}
