package bot

import (
	"slices"
	"strings"
)

// What waits to be said may be overtaken before it is: by the next question, or by the same words said again.

// asks is how much of a reply's end is its question: of an aside the question that it repeats, of a question's own text what
// comes from its first question mark on, with the sentence that this ends. What it tells before that is news all the same.
func (e *Engine) asks(t *Turn, text Entry, said string) int {
	if !text.Aside {
		return questionOf(said)
	}
	for _, name := range []string{"{question}", "{whole}", "{again}"} {
		if !strings.HasSuffix(text.Text, name) {
			continue
		}
		if asked := e.fill(t, name); strings.HasSuffix(said, asked) {
			return len(asked)
		}
	}
	return 0
}

func questionOf(text string) int {
	from := strings.LastIndex(text, "\n\n") + 1
	mark := strings.Index(text[from:], "?")
	if mark < 0 {
		return 0
	}
	before := text[:from+mark]
	for _, end := range []string{". ", "! ", ": ", "\n"} {
		if i := strings.LastIndex(before, end); i >= 0 {
			from = max(from, i+len(end))
		}
	}
	return len(text) - from
}

// Together is what bubbles come to in one, from the first on. A question that a later one has overtaken is not asked any more, and
// nothing that is ours is said twice. Their texts are open.
func Together(bubbles []Reply) Reply {
	var texts []string
	var whole Reply
	asked := false
	for i, r := range slices.Backward(bubbles) {
		if i == len(bubbles)-1 {
			whole = r
		}
		whole.Protect = whole.Protect || r.Protect
		text := r.Text
		if r.By == "" {
			if asked {
				text = strings.TrimSpace(text[:max(len(text)-r.Ask, 0)])
			}
			if text == "" || slices.ContainsFunc(texts, func(later string) bool { return strings.Contains(later, text) }) {
				continue
			}
		}
		texts = append(texts, text)
		asked = asked || r.Ask > 0 || len(r.Buttons) > 0
	}
	slices.Reverse(texts)
	whole.Text = strings.Join(texts, "\n\n")
	return whole
}

// backlog is how many bubbles wait when a chat has stopped being answered as fast as it asks.
const backlog = 3

// overtake takes back the bubbles of a backlog that say what the one that comes behind them says: who asks again and again while
// nothing can be sent is not told as often once it can. The first may be on its way already.
func (c *Conversation) overtake(by Reply) {
	waiting := 0
	for _, p := range c.Promises {
		if p.Lane() == LaneChat {
			waiting++
		}
	}
	if waiting < backlog {
		return
	}
	first := c.Head(LaneChat).ID
	c.Promises = slices.DeleteFunc(c.Promises, func(p Promise) bool {
		say, ok := p.What.(Say)
		return ok && p.ID != first && say.Reply.Text == by.Text && say.Reply.By == by.By && !say.Reply.Sealed && slices.Equal(say.Reply.Buttons, by.Buttons)
	})
}
