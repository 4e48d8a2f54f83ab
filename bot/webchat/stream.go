package webchat

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Streams say something at least this often, so that whatever stands between keeps them open, and give a browser that
// takes nothing this long before they end.
const (
	beat      = 20 * time.Second
	writeTime = 30 * time.Second
)

// stream sends the changes of the chat since the one the browser saw last ("Last-Event-ID", or "desde" the first
// time): "add" with a bubble, "delete" with a message's name, "reset" with the whole log when too much was missed. "typing"
// says that somebody writes to the person, and has no number: it is not told again to a browser that comes back.
func (c *Channel) stream(w http.ResponseWriter, r *http.Request) {
	id := c.who(w, r)
	after := r.Header.Get("Last-Event-ID")
	if after == "" {
		after = r.FormValue("desde")
	}
	since, _ := strconv.ParseInt(after, 10, 64)

	woken := make(chan struct{}, 1)
	c.mu.Lock()
	ch := c.chat(id)
	ch.waiter[woken] = true
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(ch.waiter, woken)
		c.mu.Unlock()
	}()

	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Accel-Buffering", "no") // a proxy is not to hold it back
	out := http.NewResponseController(w)
	_ = out.SetReadDeadline(time.Time{}) // the server's limits are for requests that end
	say := func(text string) bool {
		_ = out.SetWriteDeadline(time.Now().Add(writeTime))
		if _, err := w.Write([]byte(text)); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	if !say("retry: 1000\n\n") {
		return
	}
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	var told time.Time // until when the browser believes that somebody writes
	for {
		text, upTo, err := c.news(ch, since)
		if err == nil {
			var more string
			more, told, err = c.typing(ch, told)
			text += more
		}
		if err != nil {
			c.options.Log.Error("web chat stream", "err", err)
			return
		}
		if text != "" && !say(text) {
			return
		}
		since = upTo
		select {
		case <-woken:
		case <-ticker.C:
			if !say(": \n\n") {
				return
			}
		case <-r.Context().Done():
			return
		case <-c.closed:
			return
		}
	}
}

// news is what changed after [since], as events, and the number of the last change.
func (c *Channel) news(ch *chat, since int64) (text string, upTo int64, err error) {
	c.mu.Lock()
	seq, lines := ch.seq, ch.lines()
	var events []event
	missed := since > seq || since < ch.lost // we began anew, or the browser was away for long
	for _, e := range ch.events {
		if e.seq > since {
			events = append(events, e)
		}
	}
	c.mu.Unlock()

	var b strings.Builder
	if missed {
		var html strings.Builder
		if err := templates.ExecuteTemplate(&html, "lines", lines); err != nil {
			return "", 0, fmt.Errorf("draw log: %w", err)
		}
		write(&b, seq, "reset", html.String())
		return b.String(), seq, nil
	}
	for _, e := range events {
		data := e.line.ID
		if e.kind == "add" {
			var html strings.Builder
			if err := templates.ExecuteTemplate(&html, "line", e.line); err != nil {
				return "", 0, fmt.Errorf("draw line: %w", err)
			}
			data = html.String()
		}
		write(&b, e.seq, e.kind, data)
	}
	return b.String(), seq, nil
}

// typing is an event when somebody writes to the person and the browser does not know it yet. Until when that counts is the
// browser's to measure.
func (c *Channel) typing(ch *chat, told time.Time) (text string, until time.Time, err error) {
	c.mu.Lock()
	until, by := ch.typing, ch.by()
	c.mu.Unlock()
	if until.Equal(told) || time.Until(until) <= 0 {
		return "", until, nil
	}
	var html, b strings.Builder
	if err := templates.ExecuteTemplate(&html, "typing", by); err != nil {
		return "", until, fmt.Errorf("draw who writes: %w", err)
	}
	put(&b, "typing", html.String())
	return b.String(), until, nil
}

// write puts a change in the form of the protocol.
func write(b *strings.Builder, seq int64, kind, data string) {
	fmt.Fprintf(b, "id: %d\n", seq)
	put(b, kind, data)
}

// put puts one event in the form of the protocol.
func put(b *strings.Builder, kind, data string) {
	b.WriteString("event: " + kind + "\n")
	data = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(data)
	for l := range strings.SplitSeq(data, "\n") {
		b.WriteString("data: " + l + "\n")
	}
	b.WriteString("\n")
}
