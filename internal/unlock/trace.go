package unlock

import (
	"context"
	"slices"
	"strings"

	"llave/internal/trace"
)

// askedIn is the reference of the turn in which a conversation asked for an attempt's letter last; "" where that is not known any more.
func (d *Document) askedIn(a *Attempt, conv string) string {
	for _, ask := range slices.Backward(d.Asks) {
		if ask.Attempt == a.ID && strings.HasPrefix(ask.Turn, conv+"/") {
			return ask.Trace
		}
	}
	return ""
}

// join begins what somebody does with an attempt's letter, in the trace of the turn that asked for it.
func (s *Service) join(ctx context.Context, d *Document, a *Attempt, conv, name string) (context.Context, trace.Span, string) {
	return s.Trace.Turn(ctx, d.askedIn(a, conv), name, trace.Serving)
}
