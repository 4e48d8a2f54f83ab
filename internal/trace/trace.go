// Package trace follows a turn from the channel to the last message and letter that it causes, and hands what it saw to a
// collector (OpenTelemetry, OTLP over HTTP). It is the only user of the library.
//
// A message of a person begins a trace: the channel, the step, the commit, and later each letter and bubble that was promised
// in it are its spans. What the turn causes joins it, whoever does it and whenever: a promise and the request for a link carry
// the turn's reference in the store, as a W3C traceparent, so that another process, and the press of the mailed button minutes
// later, find their parent there. The press stands in the same trace, not in one of its own with a link to this: who looks
// for why a person never got on wants one page from "Enviar enlace" to the chat that says it was used, and the reference is
// at hand. Only what no turn caused (a timer) begins a trace for itself.
//
// Ids are random and derived from nothing: no chat, number or update can be guessed from one, and nothing of a span says whose
// it is. Strangers cannot name a trace either: what a request brings in its headers is not read.
//
// Every turn has a reference, whether it is exported or not: its id stands in the log and at the desk. Beyond that a nil
// Tracer costs nothing.
package trace

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	otel "go.opentelemetry.io/otel/trace"
)

// Tracer makes spans. A nil one is off: it makes references, and nothing else. It is safe for use by many goroutines.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   otel.Tracer
}

// Kind is on which side of the wire a span is.
type Kind = otel.SpanKind

// The kinds of span.
const (
	Inside  Kind = otel.SpanKindInternal
	Taking  Kind = otel.SpanKindConsumer // a message of a person
	Serving Kind = otel.SpanKindServer   // a page
	Sending Kind = otel.SpanKindClient
)

// Span is a stretch of work. The zero one is off, and so is all that is asked of it.
type Span struct{ span otel.Span }

// Set notes a fact of the work. It must name nobody: no chat, number, address or text.
func (s Span) Set(key, value string) {
	if s.span != nil && value != "" {
		s.span.SetAttributes(attribute.String(key, value))
	}
}

// SetInt is Set for a count.
func (s Span) SetInt(key string, value int) {
	if s.span != nil {
		s.span.SetAttributes(attribute.Int(key, value))
	}
}

// Fail notes that the work failed, and of which kind the failure was. Its words stay out: they may name somebody.
func (s Span) Fail(kind string) {
	if s.span != nil {
		s.span.SetStatus(codes.Error, kind)
	}
}

// End ends the work.
func (s Span) End() {
	if s.span != nil {
		s.span.End()
	}
}

// Start begins a span under the one that ctx carries.
func (t *Tracer) Start(ctx context.Context, name string) (context.Context, Span) {
	return t.Under(ctx, "", name, Inside)
}

// Under begins a span under the one that ctx carries, else under the reference, else a trace.
func (t *Tracer) Under(ctx context.Context, ref, name string, kind Kind) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	if !otel.SpanContextFromContext(ctx).IsValid() {
		ctx = otel.ContextWithRemoteSpanContext(ctx, parse(ref))
	}
	ctx, span := t.tracer.Start(ctx, name, otel.WithSpanKind(kind))
	return ctx, Span{span}
}

// Turn is Under for what others join: it returns its reference too.
func (t *Tracer) Turn(ctx context.Context, ref, name string, kind Kind) (context.Context, Span, string) {
	if t == nil {
		return ctx, Span{}, random(ref)
	}
	ctx, span := t.Under(ctx, ref, name, kind)
	c := span.span.SpanContext()
	id, within := c.SpanID(), c.TraceID()
	return ctx, span, write(within[:], id[:], c.IsSampled())
}

// A reference is a W3C traceparent: version, trace, span, flags.
const (
	refSize   = len("00-0123456789abcdef0123456789abcdef-0123456789abcdef-01")
	traceFrom = len("00-")
	traceTo   = traceFrom + 32
	spanFrom  = traceTo + 1
	spanTo    = spanFrom + 16
)

func write(trace, span []byte, sampled bool) string {
	var b [refSize]byte
	copy(b[:], "00-")
	hex.Encode(b[traceFrom:], trace)
	b[traceTo] = '-'
	hex.Encode(b[spanFrom:], span)
	copy(b[spanTo:], "-00")
	if sampled {
		b[refSize-1] = '1'
	}
	return string(b[:])
}

// random is the reference of a turn that is not exported, in the trace of another reference or in a new one.
func random(ref string) string {
	var trace [16]byte
	var span [8]byte
	if of := parse(ref); of.IsValid() {
		trace = of.TraceID()
	} else {
		fill(trace[:])
	}
	fill(span[:])
	return write(trace[:], span[:], false)
}

// fill is what ids are made of: unlike each other, and no secret.
func fill(b []byte) {
	for at := 0; at < len(b); at += 8 {
		binary.BigEndian.PutUint64(b[at:], rand.Uint64()|1) //nolint:gosec // ids that everybody may see; all zeroes would be none
	}
}

// parse reads a reference; what is none is nobody's.
func parse(ref string) (none otel.SpanContext) {
	if len(ref) != refSize || ref[:traceFrom] != "00-" || ref[traceTo:spanFrom] != "-" || ref[spanTo] != '-' {
		return none
	}
	of, err := otel.TraceIDFromHex(ref[traceFrom:traceTo])
	if err != nil {
		return none
	}
	span, err := otel.SpanIDFromHex(ref[spanFrom:spanTo])
	if err != nil {
		return none
	}
	flags := otel.TraceFlags(0)
	if ref[refSize-1] == '1' {
		flags = otel.FlagsSampled
	}
	return otel.NewSpanContext(otel.SpanContextConfig{TraceID: of, SpanID: span, TraceFlags: flags, Remote: true})
}

// ID is the turn of a reference, as the log, the desk and its span have it; "" for none.
func ID(ref string) string {
	if len(ref) != refSize {
		return ""
	}
	return ref[spanFrom:spanTo]
}

// Of is the trace of a reference: what a turn and all that it caused have in common; "" for none.
func Of(ref string) string {
	if len(ref) != refSize {
		return ""
	}
	return ref[traceFrom:traceTo]
}

// Close hands over what is left until ctx ends.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("hand over the last traces: %w", err)
	}
	return nil
}
