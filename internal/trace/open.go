package trace

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	otelapi "go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// Options are what an exporting Tracer is made of.
type Options struct {
	Env      map[string]string // OpenTelemetry's own variables (OTEL_…), as far as they are set
	Version  string            // of the program
	Instance string            // this process's name
	Failed   func(err error)   // told when the collector cannot be reached, as often as that happens
}

// The variables that are looked at here. The library reads these and its others (headers, timeouts, certificates, batches).
const (
	endpoint      = "OTEL_EXPORTER_OTLP_ENDPOINT"
	endpointHere  = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	protocol      = "OTEL_EXPORTER_OTLP_PROTOCOL"
	protocolHere  = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
	headers       = "OTEL_EXPORTER_OTLP_HEADERS"
	headersHere   = "OTEL_EXPORTER_OTLP_TRACES_HEADERS"
	exporter      = "OTEL_TRACES_EXPORTER"
	disabled      = "OTEL_SDK_DISABLED"
	sampler       = "OTEL_TRACES_SAMPLER"
	samplerArg    = "OTEL_TRACES_SAMPLER_ARG"
	theOnlyOne    = "http/protobuf"
	ratio         = "traceidratio"
	ratioOfParent = "parentbased_traceidratio"
)

var samplers = []string{"always_on", "always_off", ratio, "parentbased_always_on", "parentbased_always_off", ratioOfParent}

// On says whether the variables ask for traces.
func On(env map[string]string) bool {
	if strings.EqualFold(env[disabled], "true") || env[exporter] == "none" {
		return false
	}
	return env[exporter] != "" || env[endpoint] != "" || env[endpointHere] != ""
}

// Check says what is wrong with the variables, all at once and without their values, which may hold secrets. Where they ask
// for no traces nothing is.
func Check(env map[string]string) error {
	if !On(env) {
		return nil
	}
	var wrong []error
	bad := func(name, want string) { wrong = append(wrong, fmt.Errorf("%s: expected %s", name, want)) }
	for _, name := range []string{endpoint, endpointHere} {
		if v := env[name]; v != "" {
			if u, err := url.Parse(v); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
				bad(name, "an address such as http://collector:4318")
			}
		}
	}
	for _, name := range []string{protocol, protocolHere} {
		if v := env[name]; v != "" && v != theOnlyOne {
			bad(name, theOnlyOne+", which collectors take on port 4318; others are not spoken here")
		}
	}
	for _, name := range []string{headers, headersHere} {
		if !pairs(env[name]) {
			bad(name, "name=value, several with commas between them")
		}
	}
	if v := env[exporter]; v != "" && v != "otlp" {
		bad(exporter, "otlp or none")
	}
	if v := env[sampler]; v != "" && !slices.Contains(samplers, v) {
		bad(sampler, "one of "+strings.Join(samplers, ", "))
	}
	if v := env[samplerArg]; v != "" && (env[sampler] == ratio || env[sampler] == ratioOfParent) {
		if f, err := strconv.ParseFloat(v, 64); err != nil || f < 0 || f > 1 {
			bad(samplerArg, "a share between 0 and 1")
		}
	}
	return errors.Join(wrong...)
}

// pairs says whether every part is a name and a value.
func pairs(v string) bool {
	if v == "" {
		return true
	}
	for part := range strings.SplitSeq(v, ",") {
		name, value, ok := strings.Cut(part, "=")
		if _, err := url.PathUnescape(value); !ok || strings.TrimSpace(name) == "" || err != nil {
			return false
		}
	}
	return true
}

// Open makes the Tracer that the variables ask for, or none. It asks nobody: a collector that is away is told of by Failed,
// and what it missed is lost.
func Open(ctx context.Context, o Options) (*Tracer, error) {
	if !On(o.Env) {
		return nil, nil
	}
	if err := Check(o.Env); err != nil {
		return nil, err
	}
	for name, v := range o.Env { // the library reads only the process's own, and these may come from .env
		if os.Getenv(name) != v {
			if err := os.Setenv(name, v); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	otelapi.SetErrorHandler(otelapi.ErrorHandlerFunc(o.Failed))
	to, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("set up traces (%s): %w", endpoint, err)
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "llave"), attribute.String("service.version", o.Version), attribute.String("service.instance.id", o.Instance)),
		resource.WithTelemetrySDK(),
		resource.WithFromEnv(), // what the operator says of us goes before what we say
	)
	if err != nil {
		return nil, fmt.Errorf("set up traces (OTEL_RESOURCE_ATTRIBUTES): %w", errNoValue)
	}
	p := sdk.NewTracerProvider(sdk.WithBatcher(to), sdk.WithResource(about))
	return &Tracer{p, p.Tracer("llave")}, nil
}

var errNoValue = errors.New("expected name=value, several with commas between them")
