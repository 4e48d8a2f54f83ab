package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"llave/bot"
	"llave/internal/alert"
	"llave/internal/jobs"
	"llave/internal/store"
)

const (
	jobTTL     = 6 * time.Second // how long a dead holder keeps a job from the others
	purgeBatch = 1000
	purgers    = 8

	oweDay   = 24 * time.Hour      // how much longer a conversation is kept that owes more than bubbles
	oweMonth = 30 * 24 * time.Hour // how old a promise is when such a one is kept no longer for it
)

type jobLease struct{ a *App }

func (l jobLease) Hold(ctx context.Context, name string, ttl time.Duration, do func(ctx context.Context) error) (bool, error) {
	return l.a.Store.Leases.Hold(ctx, name, l.a.name, ttl, do)
}

// newJobs is the cron table (P409): every 5 s the desk's queue; every 15 s expired links, erased chats and a net
// under the sweep; every minute whose the sentences are that were not understood a day ago, and what is to be
// sealed anew; hourly where the audit ends, months of which there is no report yet, what is kept no longer, and breaches of which somebody is
// still to be told.
func (a *App) newJobs() (*jobs.Table, error) {
	t := jobs.New(jobs.Options{Lease: jobLease{a}, Log: a.options.Log, Location: a.options.Config.Timezone, Watch: a.watchJob})
	err := errors.Join(
		t.Add("purge-links", "@every 15s", jobTTL, func(ctx context.Context) error { _, err := a.PurgeLinks(ctx); return err }),
		t.Add("sweep", "@every 15s", jobTTL, a.Runner.Sweep),
		t.Add("desk", tendEvery, jobTTL, a.Desk.Tend),
		t.Add("alerts", "@every 5s", jobTTL, a.Alerts.Flush),
		t.Add("erasures", "@every 15s", jobTTL, a.EndErasing),
		t.Add("unheard", "@every 1m", jobTTL, a.dropTellers),
		t.Add("reseal", "@every 1m", jobTTL, a.reseal),
		t.Add("audit-end", "@hourly", jobTTL, a.noteAudit),
		t.Add("report", "@hourly", jobTTL, a.ReportMonths),
		t.Add("retention", "@hourly", jobTTL, func(ctx context.Context) error {
			_, err := a.Forget(ctx)
			return errors.Join(err, a.remindOfBreaches(ctx))
		}),
	)
	return t, err
}

// PurgeLinks takes expired links off their records, and what else of the unlock documents is over, and says how many links.
func (a *App) PurgeLinks(ctx context.Context) (int64, error) {
	links, _, err := a.purgeUnlocks(ctx)
	return links, err
}

func (a *App) purgeUnlocks(ctx context.Context) (links, documents int64, err error) {
	for {
		now, err := a.Store.Now(ctx)
		if err != nil {
			return links, documents, fmt.Errorf("read the store's clock: %w", err)
		}
		ids, err := a.Store.Unlocks.Purgeable(ctx, now, purgeBatch)
		if err != nil {
			return links, documents, fmt.Errorf("find expired links: %w", err)
		}
		if len(ids) == 0 {
			return links, documents, nil
		}
		l, d, err := a.purgeThese(ctx, ids)
		links, documents = links+l, documents+d
		if err != nil {
			return links, documents, err
		}
	}
}

func (a *App) purgeThese(ctx context.Context, ids []string) (links, documents int64, err error) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var problems []error
	gate := make(chan struct{}, purgers)
	for _, id := range ids {
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			gone, err := a.Unlock.Purge(ctx, id)
			mu.Lock()
			defer mu.Unlock()
			if gone.Link {
				links++
			}
			if gone.Document {
				documents++
			}
			if err != nil {
				problems = append(problems, err)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(problems...); err != nil {
		return links, documents, fmt.Errorf("purge links: %w", err)
	}
	return links, documents, nil
}

// planUnlocks looks at the unlock documents that nobody would look at again, because a version before wrote them, or a process of one
// that is still there: once a day, as that reads them all.
func (a *App) planUnlocks(ctx context.Context) (documents int64, err error) {
	err = a.Store.Marks.Every(ctx, "unlocks_planned", planEvery, func() error {
		for from := ""; ; {
			ids, next, err := a.Store.Unlocks.Unplanned(ctx, from, purgeBatch)
			if err != nil {
				return err
			}
			_, gone, err := a.purgeThese(ctx, ids)
			if documents += gone; err != nil {
				return err
			}
			if from = next; from == "" {
				return nil
			}
		}
	})
	return documents, err
}

const planEvery = 24 * time.Hour

// Forgotten is what a run of the retention removed.
type Forgotten struct {
	Conversations int64 `json:"conversations"`
	Unlocks       int64 `json:"unlocks"`
	Complaints    int64 `json:"complaints"`
	Cases         int64 `json:"cases"`
	Audit         int64 `json:"audit"`
	Counters      int64 `json:"counters"`
	Deliveries    int64 `json:"deliveries"`
	Lines         int64 `json:"lines"`
	Drafts        int64 `json:"drafts"`
	Sessions      int64 `json:"sessions"`
	Tries         int64 `json:"tries"`
	Unheard       int64 `json:"unheard"`
	Events        int64 `json:"events"`
	Imports       int64 `json:"imports"`
	Presence      int64 `json:"presence"`
	Bells         int64 `json:"bells"`
}

// Forget removes what is kept no longer, in every collection that is declared with a retention (store.Collections).
func (a *App) Forget(ctx context.Context) (f Forgotten, err error) {
	r := a.options.Config.Retention
	now, err := a.Store.Now(ctx)
	if err != nil {
		return f, fmt.Errorf("read the store's clock: %w", err)
	}
	if f.Conversations, err = a.forgetConversations(ctx, now); err != nil {
		return f, err
	}
	_, gone, err := a.purgeUnlocks(ctx)
	if f.Unlocks = gone; err != nil {
		return f, err
	}
	planned, err := a.planUnlocks(ctx)
	if f.Unlocks += planned; err != nil {
		return f, fmt.Errorf("forget unlock documents: %w", err)
	}
	all := func(what string, n *int64, step func() (int64, error)) error {
		for {
			removed, err := step()
			if err != nil {
				return fmt.Errorf("forget %s: %w", what, err)
			}
			*n += removed
			if removed < purgeBatch {
				return nil
			}
		}
	}
	strays := a.forgetStrays(ctx)
	carried := a.Carry(ctx) // an earlier version may have run beside this one
	again := a.EraseAgain(ctx)
	return f, errors.Join( // what fails is no reason to keep anything else
		strays, carried, again, a.EndErasing(ctx), a.forgetErasures(ctx, now),
		all("complaints", &f.Complaints, func() (int64, error) { return a.Store.Complaints.Forget(ctx, now.Add(-r.Complaint), purgeBatch) }),
		all("cases", &f.Cases, func() (int64, error) { return a.Store.Cases.Forget(ctx, now.Add(-r.Complaint), purgeBatch) }),
		all("audit", &f.Audit, func() (int64, error) { return a.Store.Audit.Forget(ctx, now.Add(-r.Audit), purgeBatch) }),
		all("counters", &f.Counters, func() (int64, error) { return a.Store.Counters.Purge(ctx, purgeBatch) }),
		all("deliveries", &f.Deliveries, func() (int64, error) { return a.Store.Deliveries.Forget(ctx, now.Add(-r.Seen), purgeBatch) }),
		all("drafts", &f.Drafts, func() (int64, error) { return a.Store.Desk.ForgetDrafts(ctx, now, purgeBatch) }),
		all("lines", &f.Lines, func() (int64, error) { return a.Store.Desk.ForgetLines(ctx, now.Add(-r.Transcript), purgeBatch) }),
		all("sessions", &f.Sessions, func() (int64, error) { return a.Store.Sessions.Forget(ctx, now, purgeBatch) }),
		all("tries", &f.Tries, func() (int64, error) { return a.Store.Tries.Forget(ctx, now, purgeBatch) }),
		all("sentences", &f.Unheard, func() (int64, error) { return a.Store.Unheard.Forget(ctx, keptSince(now, r.Unheard), purgeBatch) }),
		all("dead events", &f.Events, func() (int64, error) { return a.Store.Events.Forget(ctx, now.Add(-deadFor), purgeBatch) }),
		all("imports", &f.Imports, func() (int64, error) { return a.Store.ForgetImports(ctx, now, purgeBatch) }),
		all("presence", &f.Presence, func() (int64, error) { return a.Store.ForgetPresence(ctx, now, purgeBatch) }),
		all("bells", &f.Bells, func() (int64, error) { return a.Store.Bells.Forget(ctx, now.Add(-alert.KeptFor), purgeBatch) }),
		a.dropTellers(ctx),
		a.figures().Close(ctx),
		a.Store.Leases.Forget(ctx, "process/", time.Hour),
		a.scrub(ctx),
	)
}

// forgetStrays drops the entries of the address book of which nothing else is kept. Those that there never was a conversation to are
// looked for once a day, as that reads the whole book.
func (a *App) forgetStrays(ctx context.Context) error {
	if err := a.Store.People.ForgetStrays(ctx); err != nil {
		return err
	}
	return a.Store.Marks.Every(ctx, "strays_marked", planEvery, func() error { return a.Store.People.MarkStrays(ctx) })
}

func (a *App) forgetErasures(ctx context.Context, now time.Time) error {
	if a.erasures == nil {
		return nil
	}
	if err := a.erasures.Forget(ctx, now.Add(-store.ErasuresKept)); err != nil {
		return fmt.Errorf("forget erasures: %w", err)
	}
	return nil
}

// ended is what became of a conversation whose time was over.
type ended int

const (
	stays     ended = iota // somebody writes it at this moment, or wrote
	postponed              // it owes something: it is kept for a day more
	forgotten
)

// forgetConversations removes the conversations that are kept no longer, and what their people went by.
func (a *App) forgetConversations(ctx context.Context, now time.Time) (n int64, err error) {
	for {
		ids, err := a.Store.Conversations.Forgettable(ctx, now, purgeBatch)
		if err != nil {
			return n, fmt.Errorf("find old conversations: %w", err)
		}
		came := map[ended]int{}
		for _, id := range ids {
			end, err := a.forgetConversation(ctx, id, now)
			if err != nil {
				return n, err
			}
			came[end]++
		}
		n += int64(came[forgotten])
		if came[forgotten]+came[postponed] == 0 {
			return n, nil
		}
	}
}

// forgetConversation removes a conversation unless it still owes what is no bubble: that is kept, or given up, first. Whoever is
// trying it meanwhile sees to it that the versions differ.
func (a *App) forgetConversation(ctx context.Context, id string, now time.Time) (ended, error) {
	c, err := a.Store.Conversations.Load(ctx, id)
	if err != nil {
		return stays, fmt.Errorf("load old conversation: %w", err)
	}
	if c.KeptTill.After(now) {
		return stays, nil // somebody wrote meanwhile
	}
	owed := slices.DeleteFunc(slices.Clone(c.Promises), func(p bot.Promise) bool { return p.Lane() == bot.LaneChat || p.Lane() == bot.LaneEdit })
	if slices.ContainsFunc(owed, func(p bot.Promise) bool { return now.Before(p.Made.Add(oweMonth)) }) {
		return a.postpone(ctx, c, now)
	}
	channel, chat := bot.SplitConversationID(id)
	removed, err := a.Store.People.Forget(ctx, channel, chat, func() (bool, error) {
		return a.Store.Conversations.Delete(ctx, id, c.Version) == nil, nil // else somebody wrote meanwhile, or the next run will
	})
	if err != nil {
		return stays, fmt.Errorf("forget a chat's entry in the address book: %w", err)
	}
	if !removed {
		return stays, nil
	}
	for _, p := range owed {
		a.Runner.GaveUp(p, false, errKeptNoLonger)
	}
	return forgotten, nil
}

var errKeptNoLonger = errors.New("tried for a month, and its conversation is kept no longer")

func (a *App) postpone(ctx context.Context, c bot.Conversation, now time.Time) (ended, error) {
	c.KeptTill = now.Add(oweDay)
	switch err := a.Store.Conversations.Save(ctx, &c); {
	case errors.Is(err, bot.ErrConflict):
		return stays, nil // it is being kept at this moment
	case err != nil:
		return stays, fmt.Errorf("keep a conversation that owes something: %w", err)
	}
	return postponed, nil
}
