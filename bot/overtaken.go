package bot

import (
	"regexp"
	"slices"
	"strings"
	"time"
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

// sentenceEnd is where a sentence before a question ends, in a text that may have values to be filled in yet.
var sentenceEnd = regexp.MustCompile(`[.!:](?:\{\w+\})* |\n`)

func questionOf(text string) int {
	from := strings.LastIndex(text, "\n\n") + 1
	mark := strings.Index(text[from:], "?")
	if mark < 0 {
		return 0
	}
	if ends := sentenceEnd.FindAllStringIndex(text[from:from+mark], -1); len(ends) > 0 {
		from += ends[len(ends)-1][1]
	}
	return len(text) - from
}

// Together is what bubbles come to in one, from the first on. A question that a later one has overtaken is not asked any more, and
// nothing that is ours is said twice. Their texts are open.
func Together(bubbles []Reply) Reply {
	whole := bubbles[len(bubbles)-1]
	for _, r := range bubbles {
		whole.Protect = whole.Protect || r.Protect
	}
	texts := slices.DeleteFunc(remains(bubbles), func(text string) bool { return text == "" })
	whole.Text = strings.Join(texts, "\n\n")
	return whole
}

// Overtaken is the first of some bubbles that wait, where each is sent by itself. Its words are sent as the transcript has them; where
// a later one asks, the buttons that answer it are not.
func Overtaken(first Reply, later []Reply) Reply {
	if first.By == "" && slices.ContainsFunc(later, Reply.asks) {
		first.Hint = ""
		first.Buttons = slices.DeleteFunc(slices.Clone(first.Buttons), func(b Button) bool { return b.URL == "" })
	}
	return first
}

// asks says whether a bubble of ours asks something.
func (r Reply) asks() bool { return r.By == "" && (r.Ask > 0 || len(r.Buttons) > 0) }

// remains is what each of some bubbles still says where the later ones are said too, "" for nothing.
func remains(bubbles []Reply) []string {
	texts := make([]string, len(bubbles))
	asked := false
	for i, r := range slices.Backward(bubbles) {
		text := r.Text
		if r.By == "" {
			if asked {
				text = strings.TrimSpace(text[:max(len(text)-r.Ask, 0)])
			}
			if slices.ContainsFunc(texts[i+1:], func(later string) bool { return strings.Contains(later, text) }) {
				text = ""
			}
		}
		texts[i] = text
		asked = asked || r.asks()
	}
	return texts
}

// backlog is how many bubbles wait when a chat has stopped being answered as fast as it asks.
const backlog = 3

// OneBubble is how many bubbles that wait together go out as one at most.
const OneBubble = 4

// overtake takes back the bubbles of a backlog that say what the one that comes behind them says: who asks again and again while
// nothing can be sent is not told as often once it can. The first may be on its way already, and where somebody keeps the lane so may
// all that would go out in one bubble with it.
func (c *Conversation) overtake(by Reply, now time.Time) {
	waiting := 0
	for _, p := range c.Promises {
		if p.Lane() == LaneChat {
			waiting++
		}
	}
	if waiting < backlog {
		return
	}
	underWay := 1
	if c.Keepers[LaneChat].Until.After(now) {
		underWay = OneBubble
	}
	c.Promises = slices.DeleteFunc(c.Promises, func(p Promise) bool {
		if p.Lane() == LaneChat {
			if underWay--; underWay >= 0 {
				return false
			}
		}
		say, ok := p.What.(Say)
		return ok && say.Reply.Text == by.Text && say.Reply.By == by.By && !say.Reply.Sealed && slices.Equal(say.Reply.Buttons, by.Buttons)
	})
}
