package bot

import (
	"fmt"
	"strings"
)

// Diagram draws the table in Mermaid: one arrow for each pair of states, with the events that lead there. The rows
// that hold everywhere are listed in a note, since drawing them from every state would hide the rest.
func (e *Engine) Diagram() string {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n")
	fmt.Fprintf(&b, "    [*] --> %s\n", e.options.Start)
	for _, p := range e.placesInOrder() {
		var to []State
		events := map[State][]string{}
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
			events[dst] = append(events[dst], string(r.Event))
		}
		for _, dst := range to {
			fmt.Fprintf(&b, "    %s --> %s: %s\n", p.State, dst, strings.Join(events[dst], ", "))
		}
	}
	b.WriteString("    note left of " + string(e.options.Start) + "\n        In every state:\n")
	for _, r := range e.any.Rows {
		dst := string(r.To)
		switch r.To {
		case Stay:
			dst = "stays"
		case Back:
			dst = "previous state"
		}
		fmt.Fprintf(&b, "        %s → %s\n", r.Event, dst)
	}
	b.WriteString("    end note\n")
	return b.String()
}
