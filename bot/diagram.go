package bot

import (
	"fmt"
	"strings"
)

// Diagram draws the table in Mermaid: one arrow for each pair of states, with the events that lead there, and a note for
// each state's traits. The rows that hold everywhere are listed in a note, since drawing them from every state would hide
// the rest.
func (e *Engine) Diagram() string {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n")
	fmt.Fprintf(&b, "    [*] --> %s\n", e.options.Start)
	for _, p := range e.placesInOrder() {
		drawPlace(&b, p)
	}
	b.WriteString("    note left of " + string(e.options.Start) + "\n        In every state:\n")
	for _, r := range e.any.Rows {
		fmt.Fprintf(&b, "        %s → %s\n", r.Event, r.leads())
	}
	b.WriteString("    end note\n")
	return b.String()
}

// drawPlace draws the arrows that begin at a place, and a note of its traits.
func drawPlace(b *strings.Builder, p Place) {
	var to []State
	events := map[State][]Event{}
	for _, r := range p.Rows {
		dst := r.To
		switch dst {
		case Stay:
			dst = p.State
		case Back:
			dst = "Previous"
		}
		if _, ok := events[dst]; !ok {
			to = append(to, dst)
		}
		events[dst] = append(events[dst], r.Event)
	}
	for _, dst := range to {
		fmt.Fprintf(b, "    %s --> %s: %s\n", p.State, dst, listed(events[dst]))
	}
	if len(p.Traits) > 0 {
		fmt.Fprintf(b, "    note right of %s: %s\n", p.State, listed(p.Traits))
	}
}

// leads says in words where a row leads.
func (r Row) leads() string {
	switch {
	case r.decide != nil:
		return "one of " + listed(r.among)
	case r.To == Stay:
		return "stays"
	case r.To == Back:
		return "previous state"
	}
	return string(r.To)
}

// listed are names with commas between them.
func listed[S ~string](names []S) string {
	plain := make([]string, len(names))
	for i, name := range names {
		plain[i] = string(name)
	}
	return strings.Join(plain, ", ")
}
