package bot

import "strings"

// What is said once is not remembered: how far somebody is from where they asked to go, say. It is filled into the bubble that
// answers the turn, and neither kept with the question nor in the transcript.

// passing notes what a passing {name} was filled in with.
func (e *Engine) passing(t *Turn, name, value string) {
	if _, is := e.options.Passing[name]; is {
		t.passed = append(t.passed, passed{name, value})
	}
}

// passed is a value that the transcript does not keep.
type passed struct{ name, value string }

// Once fills {name} in the text that answers this turn, and only there: asked again, the text has what Say has for the name.
func (t *Turn) Once(name, value string) {
	if t.once == nil {
		t.once = map[string]string{}
	}
	t.once[name] = value
}

// pass takes what is passing out of what is kept of a reply.
func (e *Engine) pass(t *Turn, text string) string {
	if len(t.passed) == 0 {
		return text
	}
	for _, p := range t.passed {
		if p.value != "" {
			text = strings.ReplaceAll(text, p.value, e.tongue(t.Conv).Texts[e.options.Passing[p.name]].Text)
		}
	}
	return strings.TrimSpace(text)
}
