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
	putOffFor  = time.Minute      // letters that are put off for so long,
	putOffMany = 5                // so many of them, with none taken since, are more than greylisting
	loudAfter  = time.Minute      // trouble from the start is told as an error too
	calmFor    = 5 * time.Second  // without trouble, before it is said to be over
)

// Trouble is what a mail server that takes nobody's letters is like.
type Trouble struct {
	Since   time.Time
	Reason  string // for the operator; no address, no word of the server
	Do      string // what the operator can do
	Some    bool   // of the letters only: others are taken meanwhile
	Waiting int    // letters that this process tried to hand over and could not, and tries again
}

// health is what a Sender has seen of its server. What counts is how far a dialogue comes before it names a recipient: what
// the server says of one mailbox, or how long it takes over it, says nothing of the others, and must not show in what people
// who wait for other letters are told (P303).
type health struct {
	now  func() time.Time
	hung time.Duration

	mu      sync.Mutex
	trouble Trouble            // Since is zero while all is well
	news    time.Time          // when something was last seen, by the process's own clock
	well    time.Time          // when a dialogue last came to a recipient
	took    time.Time          // when a letter was last accepted
	open    map[*dialogue]bool // those that have not come to a recipient
	waiting map[string]waited  // letters that could not be handed over, by their Message-ID
}

// waited is a letter that waits.
type waited struct {
	first, last time.Time // when it was tried
	policy      *Refusal  // the last answer, where that was for what we are; else nil
	refused     time.Time // since when the answers are such
}

// dialogue is one that has not come to a recipient yet.
type dialogue struct{ begun time.Time }

func newHealth(now func() time.Time) *health {
	return &health{now: now, hung: hungAfter, open: map[*dialogue]bool{}, waiting: map[string]waited{}}
}

// begin notes a dialogue.
func (h *health) begin() *dialogue {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := &dialogue{time.Now()}
	h.open[d] = true
	return d
}

// reached notes that a dialogue has come to where a recipient may be named. That ends trouble.
func (h *health) reached(d *dialogue) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.open, d)
	h.well, h.trouble = time.Now(), Trouble{}
	h.news = h.well
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
	reason, do := se.Reason, Advice("", 0)
	if r := (*Refusal)(nil); errors.As(err, &r) {
		reason, do = reason+": "+r.Answer(), Advice(r.Stage, r.Code)
	}
	h.fell(reason, do, 0)
}

// fell notes trouble that began [ago].
func (h *health) fell(reason, do string, ago time.Duration) {
	if h.trouble.Since.IsZero() {
		h.trouble.Since = h.now().Add(-ago)
	}
	h.trouble.Reason, h.trouble.Do = reason, do
}

// letter notes whether a letter, by its Message-ID, waits to be tried again.
func (h *health) letter(id string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if err != nil && bot.KindOf(err) != bot.Permanent {
		w := h.waiting[id]
		if w.first.IsZero() {
			w.first = now
		}
		w.last = now
		if r := (*Refusal)(nil); !errors.As(err, &r) || !r.policy() {
			w.policy, w.refused = nil, time.Time{}
		} else if w.policy = r; w.refused.IsZero() {
			w.refused = now
		}
		h.waiting[id] = w
		return
	}
	if err == nil {
		h.took = now
	}
	delete(h.waiting, id)
}

// look is how things are now.
func (h *health) look() Trouble {
	h.mu.Lock()
	defer h.mu.Unlock()
	for d := range h.open {
		if ago := time.Since(d.begun); ago > h.hung && h.well.Before(d.begun) { // while others come through it is that one's trouble
			h.fell("no answer in time", Advice("", 0), ago)
		}
	}
	for id, w := range h.waiting {
		if time.Since(w.last) > forgetWait {
			delete(h.waiting, id)
		}
	}
	t := h.trouble
	t.Waiting = len(h.waiting)
	return t
}

// putOff says since when many letters are put off and none is taken. A server says so of each recipient what it thinks of us, or of
// its disk.
func (h *health) putOff() (since time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	long := 0
	for _, w := range h.waiting {
		if time.Since(w.first) < putOffFor || !h.took.Before(w.first) {
			continue
		}
		if long++; since.IsZero() || w.first.Before(since) {
			since = w.first
		}
	}
	if long < putOffMany {
		return time.Time{}
	}
	return h.now().Add(-time.Since(since))
}

// policy is the trouble of letters that wait because they were refused for what we are: one is enough, since no mailbox is to blame,
// and the next one's letter will hardly fare better. It ends with the last of them, or, once nobody tries that one any more, soon after.
func (h *health) policy() (t Trouble) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var first time.Time
	for _, w := range h.waiting {
		if w.policy != nil && (first.IsZero() || w.refused.Before(first)) {
			first = w.refused
			t.Reason, t.Do = "letters are refused for what we are, not for the mailbox: "+w.policy.Answer(), Advice(w.policy.Stage, w.policy.Code)
		}
	}
	if !first.IsZero() {
		t.Since, t.Some = h.now().Add(-time.Since(first)), !h.took.Before(first)
	}
	return t
}

// whole is how things are now, letters included that are refused for what we are, and many that are put off.
func (h *health) whole() Trouble {
	t := h.look()
	if p := h.policy(); t.Since.IsZero() && !p.Since.IsZero() {
		p.Waiting = t.Waiting
		t = p
	}
	if since := h.putOff(); t.Since.IsZero() && !since.IsZero() {
		t.Since, t.Reason, t.Do = since, "every letter is put off", Advice("", 450)
	}
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
	if !h.well.IsZero() {
		return slog.LevelError
	}
	return slog.LevelWarn
}

// Trouble is how the server fares, for the operator: Since is zero while it takes letters, as far as this process knows. A dialogue
// that has not come to a recipient after twelve seconds counts, before it ends; so does a letter that waits because it was refused for
// what we are, a long row of refused mailboxes, and many letters that are put off for a minute with none taken. It does not wait.
func (s *Sender) Trouble() Trouble {
	t := s.health.whole()
	if since := s.row.held(); t.Since.IsZero() && !since.IsZero() {
		t.Since, t.Reason, t.Do = since, "every mailbox is refused", Advice(StageRcpt, 0)
	}
	return t
}

// InTrouble says whether the server takes nobody's letters, as far as this process knows, for what people are told: nothing that one
// letter does begins or ends it, or a stranger could tell who has a mailbox (P303). It does not wait.
func (s *Sender) InTrouble() bool { return !s.health.look().Since.IsZero() || s.row.ill() }

// Watch asks the server how it is, at once and whenever ten seconds went by without news of it (two while it is in trouble),
// until [ctx] ends, and logs when trouble begins (as a warning before the server was ever well, and as an error after a minute of
// that) and when it is over. A kept connection serves, so that this costs the server two commands.
//
// [returnPath] is what Probe has.
func (s *Sender) Watch(ctx context.Context, returnPath func() string) {
	tick := time.NewTicker(askedEvery)
	defer tick.Stop()
	var asking sync.WaitGroup
	defer asking.Wait()
	var w watched
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
		s.tell(ctx, &w)
	}
}

// watched is what the log says of trouble.
type watched struct {
	since time.Time  // of the trouble that was told; zero: there is none
	level slog.Level // how loud
	calm  time.Time  // since when there is none any more
}

// tell logs what has changed. Of a row of refusals there is a line already.
func (s *Sender) tell(ctx context.Context, w *watched) {
	now := s.health.whole()
	level := s.health.level()
	if !now.Since.IsZero() && s.opt.Now().Sub(now.Since) >= loudAfter {
		level = slog.LevelError
	}
	switch {
	case !now.Since.IsZero() && (w.since.IsZero() || level > w.level):
		takes := "the mail server takes no letters"
		if now.Some {
			takes = "the mail server refuses some letters"
		}
		s.opt.Log.Log(ctx, level, takes, "server", s.opt.Server.String(), "reason", now.Reason,
			"since", now.Since, "waiting", now.Waiting, "do", now.Do+"; letters are tried again by themselves")
		*w = watched{since: now.Since, level: level}
	case !now.Since.IsZero():
		w.calm = time.Time{}
	case w.since.IsZero():
	case w.calm.IsZero():
		w.calm = time.Now()
	case time.Since(w.calm) >= calmFor:
		s.opt.Log.Info("the mail server takes letters again", "server", s.opt.Server.String(), "down", s.opt.Now().Sub(w.since).Round(time.Second).String(), "waiting", now.Waiting)
		*w = watched{}
	}
}
