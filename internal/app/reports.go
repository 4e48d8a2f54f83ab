package app

import (
	"context"
	"errors"
	"fmt"

	"llave/flows"
	"llave/internal/affiliate"
	"llave/internal/bounce"
	"llave/internal/config"
	"llave/internal/mail"
	"llave/internal/unlock"
)

// returnPath is the return address with that local part; "" where reports of delivery are not taken, so that the sender's own is used.
func (a *App) returnPath(local string) string {
	if a.reports == nil || local == "" {
		return ""
	}
	return local + "@" + a.options.Config.BounceDomain
}

// probePath is a return address of the shape that letters have, of a letter of long ago that nobody sent.
func (a *App) probePath() string { return a.returnPath(a.Unlock.SealReturn(unlock.Return{})) }

// openReports opens where delivery reports are taken, if that was asked for. Letters of `demo` and `chat` go nowhere.
func (a *App) openReports() (err error) {
	c := a.options.Config
	if c.BounceDomain == "" || a.options.Demo || a.options.Terminal != nil {
		return nil
	}
	a.reports, err = bounce.Listen(bounce.Options{
		Network: c.BounceAddr.Network, Addr: c.BounceAddr.Addr, LMTP: c.BounceAddr.LMTP, Domain: c.BounceDomain,
		Known: func(local string) bool {
			_, ok := a.Unlock.OpenReturn(local)
			if !ok {
				a.Metrics.Report(unlock.MailDomains[0], "forged")
			}
			return ok
		},
		Take: a.takeReport,
	})
	if err != nil {
		return fmt.Errorf("LLAVE_BOUNCE_ADDR: cannot listen on %s: %w; choose a free address, or stop what holds it", c.BounceAddr.Addr, err)
	}
	a.onStop("delivery reports", a.reports.Stop)
	return nil
}

// takeReports begins to answer there.
func (a *App) takeReports() {
	if a.reports == nil {
		return
	}
	a.reports.Start()
	a.options.Log.Info("delivery reports are taken", "addr", a.reports.Addr(), "lmtp", a.options.Config.BounceAddr.LMTP)
	a.onStop("delivery reports", func(ctx context.Context) error { // before what they are written to
		ctx, cancel := context.WithTimeout(ctx, drainFor)
		defer cancel()
		return a.reports.Stop(ctx)
	})
}

// ReportsAddr is where delivery reports are taken, empty while they are off. It is for tests, which have the system choose the port.
func (a *App) ReportsAddr() string {
	if a.reports == nil {
		return ""
	}
	return a.reports.Addr()
}

// takeReport does what follows from a report, and counts it. Its words and addresses are judged and go nowhere.
func (a *App) takeReport(ctx context.Context, local string, r bounce.Report) error {
	to, ok := a.Unlock.OpenReturn(local)
	if !ok {
		return nil
	}
	outcome, fate := string(r.Kind), fateOf(r)
	if fate != "" {
		err := a.Unlock.Returned(ctx, to, fate, r.To)
		switch outcome = string(fate); {
		case errors.Is(err, unlock.ErrLate):
			outcome = "late"
		case errors.Is(err, unlock.ErrForwarded):
			outcome = "forwarded"
		case errors.Is(err, unlock.ErrUnknown):
			outcome = "unknown"
		case errors.Is(err, unlock.ErrRepeated):
			outcome = "repeated"
		case err != nil:
			a.options.Log.Error("delivery report", "error", err)
			return err
		}
	}
	a.Metrics.Report(to.Domain(), outcome)
	log := a.options.Log.Info
	if outcome == string(unlock.Unsent) {
		log = a.options.Log.Warn // policy, reputation or servers that are away: the operator can do something
	}
	log("delivery report", "domain", to.Domain(), "outcome", outcome)
	return nil
}

// fateOf is what a report says became of the letter; "" where it says nothing of that.
func fateOf(r bounce.Report) unlock.Fate {
	switch r.Kind {
	case bounce.Delayed:
		return unlock.Delayed
	case bounce.Failed:
		switch r.Verdict() {
		case mail.MailboxBad:
			return unlock.BadMailbox
		case mail.MailboxFull:
			return unlock.FullMailbox
		}
		return unlock.Unsent
	}
	return ""
}

// records are the institution's, as the conversation decides by them. In `uniform` it says the same to everybody and decides nothing, so
// that nothing is looked up there.
func (a *App) records() flows.Records {
	if a.options.Config.Disclosure == config.Uniform || a.options.Config.BounceDomain == "" {
		return a.Store.Affiliates
	}
	return reached{a}
}

// reached are records whose address counts as none while letters to it come back.
type reached struct{ a *App }

func (r reached) Find(ctx context.Context, number string) (affiliate.Record, bool, error) {
	rec, found, err := r.a.Store.Affiliates.Find(ctx, number)
	if err != nil {
		return rec, found, err
	}
	// Asked for a number that nobody has, too: the answer takes as long for all.
	ok, err := r.a.Unlock.Reaches(ctx, affiliate.Hash(r.a.Vault, number), rec.Email)
	if err != nil {
		return rec, found, err
	}
	if !ok {
		rec.Email = ""
	}
	return rec, found, nil
}
