package mail

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"llave/bot"
)

// How a mail server's health is judged.
const (
	hungAfter  = 12 * time.Second // without having come to the recipient, a dialogue tells of trouble before it ends
	quietFor   = 10 * time.Second // without news of the server, it is asked
	quietIll   = 2 * time.Second  // the same while it is in trouble
	askedEvery = time.Second      // how often Watch looks
	probeLimit = 15 * time.Second // of one question
	forgetWait = 2 * time.Minute  // a letter that nobody tries any more does not wait
)

// Trouble is what a mail server that takes nobody's letters is like.
type Trouble struct {
	Since   time.Time
	Reason  string // for the operator; no address, no word of the server
	Waiting int    // letters that this process tried to hand over and could not, and tries again
}

// health is what a Sender has seen of its server. What counts is how far a dialogue comes before it names a recipient: what
// the server says of one mailbox, or how long it takes over it, says nothing of the others, and must not show in what people
// who wait for other letters are told (P303).
type health struct {
	now  func() time.Time
	hung time.Duration

	mu      sync.Mutex
	trouble Trouble              // Since is zero while all is well
	news    time.Time            // when something was last seen, by the process's own clock
	known   bool                 // it has been well
	open    map[*dialogue]bool   // those that have not come to a recipient
	waiting map[string]time.Time // Message-IDs of letters that could not be handed over: when last tried
}

// dialogue is one that has not come to a recipient yet.
type dialogue struct{ begun time.Time }

func newHealth(now func() time.Time) *health {
	return &health{now: now, hung: hungAfter, open: map[*dialogue]bool{}, waiting: map[string]time.Time{}}
}

// begin notes a dialogue.
func (h *health) begin() *dialogue {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := &dialogue{time.Now()}
	h.open[d] = true
	return d
}

// reached notes that a dialogue has come to where a recipient may be named, which ends trouble where it was quick.
func (h *health) reached(d *dialogue) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.open, d)
	h.news, h.known = time.Now(), true
	if ago := time.Since(d.begun); ago > h.hung { // nobody waits that long for a letter
		h.fell("slow to answer", ago)
		return
	}
	h.trouble = Trouble{}
}

// ended notes how a dialogue ended. One that was given up because this process stops tells nothing.
func (h *health) ended(d *dialogue, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.open[d] {
		return
	}
	delete(h.open, d)
	var se *bot.SendError
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, errClosed) || !errors.As(err, &se) || se.Failure == bot.Permanent {
		return // an address that the server cannot write to is that mailbox's trouble
	}
	h.news = time.Now()
	h.fell(se.Reason, 0)
}

// fell notes trouble that began [ago].
func (h *health) fell(reason string, ago time.Duration) {
	if h.trouble.Since.IsZero() {
		h.trouble.Since = h.now().Add(-ago)
	}
	h.trouble.Reason = reason
}

// letter notes whether a letter, by its Message-ID, waits to be tried again.
func (h *health) letter(id string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil && bot.KindOf(err) != bot.Permanent {
		h.waiting[id] = time.Now()
		return
	}
	delete(h.waiting, id)
}

// look is how things are now.
func (h *health) look() Trouble {
	h.mu.Lock()
	defer h.mu.Unlock()
	for d := range h.open {
		if ago := time.Since(d.begun); ago > h.hung {
			h.fell("no answer in time", ago)
		}
	}
	for id, tried := range h.waiting {
		if time.Since(tried) > forgetWait {
			delete(h.waiting, id)
		}
	}
	t := h.trouble
	t.Waiting = len(h.waiting)
	return t
}

// quiet says whether nothing was heard of the server lately and nobody is asking.
func (h *health) quiet() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	most := quietFor
	if !h.trouble.Since.IsZero() {
		most = quietIll
	}
	return time.Since(h.news) >= most && len(h.open) == 0
}

// level is how loud trouble is told: a server that was never well since the start may be one that is started along.
func (h *health) level() slog.Level {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known {
		return slog.LevelError
	}
	return slog.LevelWarn
}

// Trouble is how the server fares: Since is zero while it takes letters, as far as this process knows. A dialogue that has
// not come to a recipient after twelve seconds counts, before it ends; so does a long row of refused mailboxes. It does not wait.
func (s *Sender) Trouble() Trouble {
	t := s.health.look()
	if since, _ := s.RefusedRow(); t.Since.IsZero() && !since.IsZero() {
		t.Since, t.Reason = since, "every mailbox is refused"
	}
	return t
}

// InTrouble says whether the server takes nobody's letters, as far as this process knows. It does not wait.
func (s *Sender) InTrouble() bool { return !s.Trouble().Since.IsZero() }

// Watch asks the server how it is, at once and whenever ten seconds went by without news of it (two while it is in trouble),
// until [ctx] ends, and logs when trouble begins (as a warning before the server was ever well) and when it is over. A kept
// connection serves, so that this costs the server two commands.
//
// [returnPath] is what Probe has.
func (s *Sender) Watch(ctx context.Context, returnPath func() string) {
	tick := time.NewTicker(askedEvery)
	defer tick.Stop()
	var asking sync.WaitGroup
	defer asking.Wait()
	var before Trouble
	for first := true; ; first = false {
		if first || s.health.quiet() {
			asking.Go(func() {
				ctx, cancel := context.WithTimeout(ctx, probeLimit)
				defer cancel()
				_ = s.Probe(ctx, returnPath()) // health has seen it
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := s.health.look() // of a row of refusals there is a line already
		switch began, over := !now.Since.IsZero(), now.Since.IsZero(); {
		case began && before.Since.IsZero():
			s.opt.Log.Log(ctx, s.health.level(), "the mail server takes no letters", "server", s.opt.Server.String(), "reason", now.Reason,
				"since", now.Since, "waiting", now.Waiting, "do", "check LLAVE_SMTP_URL and the server; letters are tried again by themselves")
		case over && !before.Since.IsZero():
			s.opt.Log.Info("the mail server takes letters again", "server", s.opt.Server.String(), "down", s.opt.Now().Sub(before.Since).Round(time.Second))
		}
		before = now
	}
}
