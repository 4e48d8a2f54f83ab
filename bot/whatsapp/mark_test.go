package whatsapp

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/bot"
)

// reader is the part of the Graph API that marks messages as read: it keeps what it was asked.
type reader struct {
	srv    *httptest.Server
	refuse bool
	mu     sync.Mutex
	bodies []string
}

func newReader(t *testing.T) *reader {
	r := &reader{}
	r.srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodGet { // what our number is
			_, _ = io.WriteString(w, `{"display_phone_number":"+1 555-078-3881"}`)
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil || req.Method != http.MethodPost || req.URL.Path != "/"+DefaultAPIVersion+"/"+testNumberID+"/messages" || req.Header.Get("Authorization") != "Bearer "+testToken {
			t.Errorf("asked %s %s with %q (%v)", req.Method, req.URL.Path, req.Header.Get("Authorization"), err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.bodies = append(r.bodies, string(body))
		if r.refuse {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, `{"success":true}`)
	}))
	t.Cleanup(r.srv.Close)
	return r
}

func (r *reader) asked() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.bodies...)
}

// run runs the channel until the test ends.
func (b *inbox) run(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// until waits for something that does not tell when it happens.
func (b *inbox) until(what string, cond func() bool) {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("waited in vain for %s; log:\n%s", what, b.logs)
		}
	}
}

// TestMark_shapes: a message that just came is marked as read with the typing indicator, one that comes again late
// without it; both in the documented shape.
func TestMark_shapes(t *testing.T) {
	for name, age := range map[string]time.Duration{"out_mark_read_typing.json": 2 * time.Second, "out_mark_read.json": time.Minute} {
		t.Run(name, func(t *testing.T) {
			graph := newReader(t)
			b := newInbox(t, func(o *Options) {
				o.APIURL = graph.srv.URL
				o.Now = func() time.Time { return fixtureDate.Add(age) }
			})
			b.run(t)
			if got := b.post(string(fixture(t, "in_text.json"))); got != 200 {
				t.Fatalf("got %d, want 200", got)
			}
			b.until("the mark", func() bool { return len(graph.asked()) == 1 })
			var want bytes.Buffer
			if err := json.Compact(&want, fixture(t, name)); err != nil {
				t.Fatal(err)
			}
			if got := graph.asked()[0]; got != want.String() {
				t.Errorf("got  %s\nwant %s", got, &want)
			}
		})
	}
}

// TestMark_which: the last message of each person, nothing else.
func TestMark_which(t *testing.T) {
	graph := newReader(t)
	b := newInbox(t, func(o *Options) { o.APIURL = graph.srv.URL })
	b.run(t)
	const a, z = "593990000001", "593990000002"
	body := hook(messages(
		said(a, "wamid.1", "uno"), said(z, "wamid.2", "eins"), said(a, "wamid.3", "dos"),
		`{"from":"`+a+`","id":"wamid.4","type":"reaction","reaction":{"emoji":"x"}}`,
		`{"from":"`+z+`","id":"wamid.5","type":"revoke"}`,
		`{"from":"`+z+`","id":"wamid.6","type":"system","system":{"wa_id":"593990000003"}}`,
		said("593990000004", "", "ohne"),
	), statuses(`{"id":"wamid.7","status":"sent"}`))
	if got := b.post(body); got != 200 {
		t.Fatalf("got %d, want 200", got)
	}
	b.until("two marks", func() bool { return len(graph.asked()) >= 2 })
	got := strings.Join(graph.asked(), " ")
	if strings.Count(got, "wamid.") != 2 || !strings.Contains(got, `"wamid.3"`) || !strings.Contains(got, `"wamid.2"`) {
		t.Errorf("marked %s, want the third and the second", got)
	}
}

// TestMark_bestEffort: a Graph API that refuses or a full queue holds nothing up.
func TestMark_bestEffort(t *testing.T) {
	graph := newReader(t)
	graph.refuse = true
	b := newInbox(t, func(o *Options) { o.APIURL = graph.srv.URL })
	one := incoming{Update: bot.Update{Kind: bot.Text, MessageID: "wamid.1", At: time.Now()}}
	for range marksQueued {
		b.c.markLater([]incoming{one})
	}
	if got := b.post(hook(messages(said("593990000001", "wamid.2", "hola")))); got != 200 || b.texts()["593990000001"] != "hola" {
		t.Errorf("with a full queue: got %d and %v", got, b.texts())
	}
	if got := b.counted(CountUnmarked); got != 1 {
		t.Errorf("%d left unmarked, want 1", got)
	}
	b.run(t)
	b.until("all to be given up", func() bool { return b.counted(CountUnmarked) == marksQueued+1 })
}

// TestMark_typingInTime: the indicator does not follow an answer that has long gone out.
func TestMark_typingInTime(t *testing.T) {
	graph := newReader(t)
	now := fixtureDate
	b := newInbox(t, func(o *Options) {
		o.APIURL = graph.srv.URL
		o.Now = func() time.Time { return now }
	})
	if got := b.post(string(fixture(t, "in_text.json"))); got != 200 {
		t.Fatalf("got %d, want 200", got)
	}
	now = now.Add(2 * typingWithin) // nobody was free before
	b.run(t)
	b.until("the mark", func() bool { return len(graph.asked()) == 1 })
	if got := graph.asked()[0]; strings.Contains(got, "typing") || !strings.Contains(got, `"status":"read"`) {
		t.Errorf("got %s, want it marked as read only", got)
	}
}
