package trace

import (
	"context"
	"errors"
	"regexp"
	"testing"
)

// errAway is what a span that fails is told, so that the off case does what the on case does.
var errAway = errors.New("away")

// Off, a span costs no allocation, and a turn one: the reference that its log lines and promises carry.
func TestTracer_off(t *testing.T) {
	var off *Tracer
	ctx := context.Background()
	ref := random("")
	if n := testing.AllocsPerRun(1000, func() {
		in, span := off.Under(ctx, ref, "send", Sending)
		span.Set("llave.kind", "say")
		span.SetInt("llave.tries", 3)
		_, inner := off.Start(in, "commit")
		inner.Fail(errAway.Error())
		inner.End()
		span.End()
	}); n != 0 {
		t.Errorf("spans that are off take %v allocations, want none", n)
	}
	if n := testing.AllocsPerRun(1000, func() {
		_, span, got := off.Turn(ctx, ref, "turn", Inside)
		ref = got
		span.End()
	}); n != 1 {
		t.Errorf("a turn's reference takes %v allocations, want one", n)
	}
	if err := off.Close(ctx); err != nil {
		t.Error(err)
	}
}

// A turn that is caused by another stands in its trace and has an id of its own; one that nothing caused begins a trace. What is no
// reference, or one of a later version, begins one too.
func TestTracer_references(t *testing.T) {
	var off *Tracer
	shape := regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-00$`)
	_, _, first := off.Turn(t.Context(), "", "turn", Inside)
	_, _, caused := off.Turn(t.Context(), first, "turn", Inside)
	_, _, other := off.Turn(t.Context(), "", "turn", Inside)
	for _, ref := range []string{first, caused, other} {
		if !shape.MatchString(ref) || !parse(ref).IsValid() || len(ID(ref)) != 16 || len(Of(ref)) != 32 {
			t.Errorf("%q is no reference", ref)
		}
	}
	if Of(first) != Of(caused) || ID(first) == ID(caused) || Of(first) == Of(other) {
		t.Errorf("got %q, %q that it caused, and %q", first, caused, other)
	}
	for _, broken := range []string{"", "00", first[:len(first)-1], first + "-x", "00-zz" + first[5:], "01" + first[2:], first[:traceTo] + "_" + first[spanFrom:]} {
		_, _, ref := off.Turn(t.Context(), broken, "turn", Inside)
		if !shape.MatchString(ref) || Of(ref) == Of(first) {
			t.Errorf("under %q: %q", broken, ref)
		}
	}
	if ID("x") != "" || Of("x") != "" {
		t.Error("what is no reference has an id")
	}
}

func FuzzRef(f *testing.F) {
	f.Add(random(""))
	f.Add("00-00000000000000000000000000000000-0000000000000000-01")
	f.Fuzz(func(t *testing.T, ref string) {
		if got := random(ref); !parse(got).IsValid() {
			t.Errorf("under %q: %q", ref, got)
		}
		_, _ = ID(ref), Of(ref)
	})
}
