package bot

import (
	"slices"
	"time"
)

// DropUncounted drops what no limit counts any more at a moment: which numbers were looked up, when something was filed or written.
func (c *Conversation) DropUncounted(now time.Time) {
	over := func(at time.Time) bool { return !at.After(now.Add(-limitsCount)) }
	c.Numbers = slices.DeleteFunc(slices.Clone(c.Numbers), func(n Seen) bool { return over(n.At) })
	c.Filed = slices.DeleteFunc(slices.Clone(c.Filed), over)
	c.Recent = slices.DeleteFunc(slices.Clone(c.Recent), over)
	if over(c.Warned) {
		c.Warned = time.Time{}
	}
}

// Erased is what is left of a conversation whose chat was erased from outside it: what protects from repeats and misuse, as of one
// that its person had emptied (Turn.Empty), and what was promised and is kept without the chat.
func (c Conversation) Erased() Conversation {
	left := Conversation{
		ID: c.ID, Version: c.Version, Prompt: c.Prompt, Seen: c.Seen, LetGo: c.LetGo, Numbers: c.Numbers, Recent: c.Recent, Warned: c.Warned,
		Filed: c.Filed, Turns: c.Turns, Born: c.Born, LastAt: c.LastAt, KeptTill: c.KeptTill,
	}
	for _, p := range c.Promises {
		switch what := p.What.(type) {
		case KeepFile:
			what.Conv = ""
			p.What = what
		case KeepAudit, Announce, KeepVisit:
		default:
			continue
		}
		left.Promises = append(left.Promises, p)
	}
	left.Wake()
	return left
}
