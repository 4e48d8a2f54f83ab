package bottest

import (
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Collector takes traces as OpenTelemetry's collector does: OTLP over HTTP, in protobuf. All methods may be called from many
// goroutines.
type Collector struct {
	server *http.Server
	url    string
	done   chan struct{}

	mu      sync.Mutex
	spans   []TracedSpan
	about   map[string]string
	headers []http.Header
	raw     []byte // all that was sent
	broken  []error
}

// TracedSpan is one span that came.
type TracedSpan struct {
	Trace, ID, Parent string // hexadecimal; no parent: empty
	Name              string
	Kind              string
	Facts             map[string]string
	Failed            string // how, in a word
	Took              time.Duration
}

// StartCollector starts one. Close it.
func StartCollector() (*Collector, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start collector: %w", err)
	}
	c := &Collector{url: "http://" + l.Addr().String(), done: make(chan struct{}), about: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", c.take)
	c.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		defer close(c.done)
		_ = c.server.Serve(l) // until Close
	}()
	return c, nil
}

// URL is what OTEL_EXPORTER_OTLP_ENDPOINT names.
func (c *Collector) URL() string { return c.url }

// Close ends the server.
func (c *Collector) Close() {
	_ = c.server.Close()
	<-c.done
}

func (c *Collector) take(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	var in collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(raw, &in)
	}
	if err == nil && r.Header.Get("Content-Type") != "application/x-protobuf" {
		err = fmt.Errorf("content type %q", r.Header.Get("Content-Type"))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.broken = append(c.broken, err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if leaks := Leaks(string(raw)); len(leaks) > 0 {
		c.broken = append(c.broken, fmt.Errorf("a trace holds %q", leaks))
	}
	c.headers = append(c.headers, r.Header.Clone())
	c.raw = append(c.raw, raw...)
	for _, of := range in.ResourceSpans {
		for _, a := range of.Resource.GetAttributes() {
			c.about[a.Key] = a.Value.GetStringValue()
		}
		for _, scope := range of.ScopeSpans {
			for _, s := range scope.Spans {
				c.spans = append(c.spans, traced(s))
			}
		}
	}
	out, _ := proto.Marshal(&collector.ExportTraceServiceResponse{})
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(out) // who has gone needs no answer
}

func traced(s *trace.Span) TracedSpan {
	facts := map[string]string{}
	for _, a := range s.Attributes {
		if a.Value.GetStringValue() != "" {
			facts[a.Key] = a.Value.GetStringValue()
		} else {
			facts[a.Key] = fmt.Sprint(a.Value.GetIntValue())
		}
	}
	out := TracedSpan{
		Trace: hex.EncodeToString(s.TraceId), ID: hex.EncodeToString(s.SpanId), Parent: hex.EncodeToString(s.ParentSpanId),
		Name: s.Name, Kind: s.Kind.String(), Facts: facts, Took: time.Duration(s.EndTimeUnixNano - s.StartTimeUnixNano),
	}
	if s.Status.GetCode() == trace.Status_STATUS_CODE_ERROR {
		out.Failed = s.Status.GetMessage()
	}
	return out
}

// Spans are those that came, in the order they ended.
func (c *Collector) Spans() []TracedSpan {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]TracedSpan(nil), c.spans...)
}

// Came is all that came besides: what the sender says of itself, the last request's headers, every byte that was sent, and what
// could not be read.
func (c *Collector) Came() (about map[string]string, headers http.Header, raw []byte, broken []error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	about = map[string]string{}
	for k, v := range c.about {
		about[k] = v
	}
	if n := len(c.headers); n > 0 {
		headers = c.headers[n-1]
	}
	return about, headers, append([]byte(nil), c.raw...), append([]error(nil), c.broken...)
}
