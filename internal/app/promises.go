package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"llave/bot"
	"llave/internal/mail"
	"llave/internal/report"
	"llave/internal/runner"
	"llave/internal/store"
	"llave/internal/trace"
	"llave/internal/unlock"
)

// keepers are one row for each kind of promise, beside saying and deleting, which are the runner's own.
func (a *App) keepers(publicURL *url.URL) []runner.Keeper {
	base := strings.TrimSuffix(publicURL.String(), "/")
	return []runner.Keeper{
		runner.KeeperOf(func(ctx context.Context, p bot.Promise, what bot.MailLink) (runner.Effects, error) {
			return a.keepLink(ctx, p, what, base)
		}),
		runner.KeeperOf(a.keepNotice),
		runner.Late(runner.KeeperOf(a.keepEvent)),
		runner.KeeperOf(a.keepFile),
		runner.KeeperOf(a.keepCase),
		runner.KeeperOf(a.keepLines),
		runner.KeeperOf(a.keepAudit),
		runner.KeeperOf(a.eraseChat),
		runner.KeeperOf(a.keepUnheard),
		runner.KeeperOf(a.keepVisit),
		runner.KeeperOf(a.eraseUnheard),
		runner.KeeperOf(a.keepRevoked),
		runner.KeeperOf(a.keepWarning),
		runner.KeeperOf(a.raiseAlert),
		runner.KeeperOf(a.activate),
		runner.KeeperOf(a.lock),
		runner.KeeperOf(func(ctx context.Context, p bot.Promise, what bot.SendSignal) (runner.Effects, error) {
			if what.Conv = a.Store.Book.Conv(what.Conv); unlock.Erased(what.Conv) {
				return runner.Effects{}, nil
			}
			return a.Runner.Deliver(ctx, p, what)
		}),
	}
}

func (a *App) keepAudit(ctx context.Context, p bot.Promise, what bot.KeepAudit) (runner.Effects, error) {
	id, err := what.As, error(nil)
	if id == "" {
		id, err = a.Store.AuditID(ctx, p.ID)
	}
	if err != nil {
		return runner.Effects{}, err
	}
	return runner.Effects{}, a.Store.Audit.Append(ctx, store.AuditEntry{ID: id, At: p.Made, Who: what.Agent, What: what.Deed, Detail: what.Detail})
}

// eraseChat forgets a chat whose person asked for it.
func (a *App) eraseChat(ctx context.Context, p bot.Promise, what bot.EraseChat) (runner.Effects, error) {
	return runner.Effects{}, a.Store.EraseChat(ctx, a.erasures, what.Conv, p.Made, true)
}

func (a *App) activate(ctx context.Context, p bot.Promise, _ bot.Activate) (runner.Effects, error) {
	return runner.Effects{}, a.Unlock.Activate(ctx, p.Record, p.Attempt)
}

func (a *App) lock(ctx context.Context, p bot.Promise, _ bot.Lock) (runner.Effects, error) {
	return runner.Effects{}, a.Unlock.Lock(ctx, p.Record, p.Attempt)
}

// keepLink mails the live link of a record to the chat that asked, and starts its life. For a number that has none the mail
// server is asked whether it is there, so that failures and waiting are the same for everybody.
func (a *App) keepLink(ctx context.Context, p bot.Promise, what bot.MailLink, base string) (runner.Effects, error) {
	l, err := a.Unlock.Letter(ctx, p, what.Conv)
	if errors.Is(err, unlock.ErrOver) {
		return runner.Effects{}, nil
	}
	if err != nil {
		return runner.Effects{}, err
	}
	switch {
	case l.Sent:
	case l.Decoy:
		err = a.mailer.Probe(ctx, a.returnPath(l.Return))
		a.watchLetter("decoy", err)
	default:
		if err = a.mailLink(ctx, p, l, base); err == nil {
			err = a.countLetter(ctx, p)
		}
	}
	if err != nil && bot.KindOf(err) == bot.Permanent {
		return a.refused(ctx, p, what, err)
	}
	if err != nil {
		return runner.Effects{}, err
	}
	var ends time.Time
	over := false
	err = runner.Written(ctx, func(ctx context.Context) (err error) {
		if ends, err = a.Unlock.Accepted(ctx, p); errors.Is(err, unlock.ErrOver) {
			over = true
			return nil
		}
		return err
	})
	if err != nil || over {
		return runner.Effects{}, err
	}
	return runner.Effects{
		Timer:  expiry(p, what, ends),
		Signal: &bot.Update{ID: "signal/" + p.ID + "/sent", Signal: bot.SignalMailSent, Attempt: p.Attempt},
	}, nil
}

// expiry is the timer of a link's end, or nil where the conversation has its own clock.
func expiry(p bot.Promise, what bot.MailLink, ends time.Time) *bot.Timer {
	if what.Timed {
		return nil
	}
	return &bot.Timer{Signal: bot.SignalLinkExpired, Attempt: p.Attempt, At: ends}
}

// refused tells the conversation that the mailbox refused for good. What it makes of it depends on the disclosure.
func (a *App) refused(ctx context.Context, p bot.Promise, what bot.MailLink, cause error) (runner.Effects, error) {
	var ends time.Time
	err := runner.Written(ctx, func(ctx context.Context) (err error) {
		if ends, err = a.Unlock.Refused(ctx, p); errors.Is(err, unlock.ErrOver) {
			return nil
		}
		return err
	})
	if err != nil {
		return runner.Effects{}, err
	}
	a.options.Log.Warn("mailbox refused for good", "error", cause)
	return runner.Effects{
		Timer:  expiry(p, what, ends),
		Signal: &bot.Update{ID: "signal/" + p.ID + "/refused", Signal: bot.SignalMailRefused, Attempt: p.Attempt},
	}, nil
}

func (a *App) mailLink(ctx context.Context, p bot.Promise, l unlock.Letter, base string) error {
	kind, path := mail.Unlock, "/desbloqueo/"
	switch {
	case l.Kind == unlock.KindGenerate && l.Want == unlock.Unlock:
		kind, path = mail.Active, "/generar/"
	case l.Kind == unlock.KindGenerate:
		kind, path = mail.Generate, "/generar/"
	case l.Want == unlock.Generate:
		kind = mail.GenerateLocked
	}
	letter, err := a.letters.Compose(kind, mail.Data{
		Link: base + path + l.Token, NotMe: base + "/no-fui-yo/" + l.NotMe, TTL: l.Life, Lang: l.Lang, Channel: l.Channel, At: l.Asked,
	})
	if err != nil {
		return fmt.Errorf("write letter: %w", err) // ours to mend: it must not read as a mailbox that refuses
	}
	letter.ReturnPath = a.returnPath(l.Return)
	return a.send(ctx, p, l.To, kind, letter)
}

func (a *App) send(ctx context.Context, p bot.Promise, to string, kind mail.Kind, letter mail.Letter) error {
	letter.To, letter.MessageID, letter.Date = to, a.Vault.Derive("message-id", p.ID), p.Made
	letter.Still = func() error { return runner.StillOurs(ctx) }
	start := time.Now()
	err := a.mailer.Send(ctx, letter)
	a.watchLetter(string(kind), err)
	if err == nil {
		a.options.Log.Info("letter sent", "kind", p.Kind(), "turn", trace.ID(p.Trace), "trace_id", trace.Of(p.Trace), "tries", p.Tries, "took", time.Since(start))
	}
	return err
}

// keepNotice writes to the record's owner that the key was unlocked or made.
func (a *App) keepNotice(ctx context.Context, p bot.Promise, what bot.MailNotice) (runner.Effects, error) {
	return runner.Effects{}, a.mailOwner(ctx, p, mail.Kind(what.Topic))
}

// keepRevoked writes to the record's owner that it is locked again.
func (a *App) keepRevoked(ctx context.Context, p bot.Promise, what bot.MailRevoked) (runner.Effects, error) {
	kind := mail.Revoked
	if what.Dropped {
		kind = mail.RevokedKey
	}
	return runner.Effects{}, a.mailOwner(ctx, p, kind)
}

// mailOwner sends the owner a letter that tells of something done. A kind that it does not know is a later version's: the promise
// stays until that comes by.
func (a *App) mailOwner(ctx context.Context, p bot.Promise, kind mail.Kind) error {
	o, err := a.Unlock.Owner(ctx, p.Record, p.Attempt)
	if err != nil || o.Email == "" {
		return err
	}
	letter, err := a.letters.Compose(kind, mail.Data{Lang: o.Lang, Channel: o.Channel, At: p.Made, Held: a.options.Config.NotMeHold > 0})
	if err != nil {
		return fmt.Errorf("write letter: %w", err)
	}
	local, err := a.Unlock.NoticeReturn(ctx, p, o.Email)
	if err != nil {
		return err
	}
	letter.ReturnPath = a.returnPath(local)
	return a.send(ctx, p, o.Email, kind, letter)
}

// keepWarning writes to LLAVE_REPORT_TO that there is a case, when nobody is at the desk to see it there. The letter names the
// case and nobody.
func (a *App) keepWarning(ctx context.Context, p bot.Promise, what bot.MailWarning) (runner.Effects, error) {
	to := a.options.Config.ReportTo
	if to == "" {
		return runner.Effects{}, nil
	}
	there, err := a.Desk.Staffed(ctx)
	if err != nil || there {
		return runner.Effects{}, err
	}
	letter, err := a.letters.Compose(mail.Disowned, mail.Data{At: p.Made, Case: what.Ref})
	if err != nil {
		return runner.Effects{}, &bot.SendError{Failure: bot.Permanent, Reason: "letter cannot be written", Err: err}
	}
	return runner.Effects{}, a.send(ctx, p, to, mail.Disowned, letter)
}

// filed says in which table a file of a topic is kept, and with which status; [ok] is false for a topic that is nobody's.
func (a *App) filed(topic string) (table *store.FileTable, status string, ok bool) {
	switch topic {
	case "complaint":
		return a.Store.Complaints, store.Open, true
	case store.TopicNotMe:
		return a.Store.Cases, store.Open, true
	case "done_unlock", "done_generate":
		return a.Store.Cases, store.Closed, true
	}
	return nil, "", false
}

// keepFile keeps a complaint or a case under the number the person was told. A topic that it does not know is a later
// version's: the promise stays until that comes by.
func (a *App) keepFile(ctx context.Context, p bot.Promise, what bot.KeepFile) (runner.Effects, error) {
	table, status, ok := a.filed(what.Topic)
	if !ok {
		return runner.Effects{}, fmt.Errorf("keep file: topic %q has no table", what.Topic)
	}
	f := store.File{Ref: what.Ref, Topic: what.Topic, Body: what.Body, Conv: a.Store.Book.Conv(what.Conv), Made: p.Made, Status: status}
	if err := table.Insert(ctx, f); err != nil {
		return runner.Effects{}, fmt.Errorf("keep file: %w", err)
	}
	if what.Topic == "complaint" {
		if err := a.count(ctx, p.Made, report.Entry{ID: a.countedAs(report.Complaint, what.Ref), Kind: report.Complaint, At: p.Made}); err != nil {
			return runner.Effects{}, err
		}
	}
	if what.Topic == store.TopicNotMe {
		a.options.Log.Warn("the owner of a record says it was not them", "case", what.Ref)
		err := a.Store.Audit.Append(ctx, store.AuditEntry{ID: p.ID, At: p.Made, Who: "owner", What: "not_me", Detail: what.Ref})
		if err == nil && (what.Body == unlock.AfterUse || what.Body == unlock.OvertakenKey) {
			err = a.Store.Audit.Append(ctx, store.AuditEntry{ID: p.ID + "/revoked", At: p.Made, Who: "owner", What: "key_revoked", Detail: what.Ref})
		}
		if err != nil {
			return runner.Effects{}, fmt.Errorf("keep audit: %w", err)
		}
	}
	return runner.Effects{}, nil
}
