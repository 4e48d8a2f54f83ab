package unlock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/key"
	"llave/internal/secret"
	"llave/internal/trace"
)

// What a link or a key pass can come to. None of them says whether an account exists.
var (
	ErrUnknown = errors.New("link is not known")              // never given out, or purged
	ErrExpired = errors.New("link no longer works")           // its time is over, or it was voided
	ErrUsed    = errors.New("link was used already")          // by another browser
	ErrKeyPass = errors.New("key pass is not valid any more") // ten minutes are over, or it was voided
	ErrKeyMade = errors.New("key was made already")           // with this key pass
	ErrOver    = errors.New("attempt is over")                // a letter that is worth nothing any more
)

// Documents keeps one unlock document per number.
type Documents interface {
	// Load returns the document, or an empty one with that id and version 0.
	Load(ctx context.Context, id string) (*Document, error)
	// Save writes where the version is the one that was loaded, else bot.ErrConflict.
	Save(ctx context.Context, d *Document) error
	// Delete removes the document where its version is that, else bot.ErrConflict; one that is not there is no error.
	Delete(ctx context.Context, id string, version int64) error
	// FindBy returns the document whose indexed field has that value, or nil.
	FindBy(ctx context.Context, field, value string) (*Document, error)
	// FindByPrefix is FindBy by how the value begins; of several the first.
	FindByPrefix(ctx context.Context, field, prefix string) (*Document, error)
}

// Affiliates is the institution's collection.
type Affiliates interface {
	Find(ctx context.Context, number string) (affiliate.Record, bool, error)
	// SetStatus writes the record as it was read, also where it has that status: bot.ErrConflict when somebody has since.
	SetStatus(ctx context.Context, rec affiliate.Record, s affiliate.Status) error
}

// Limits of one number, across all chats (P305).
type Limits struct {
	Burst   int           // mails in Window
	Window  time.Duration // 15 minutes
	Day     int           // mails in 24 hours
	PerDay  time.Duration // 24 hours
	LinkTTL time.Duration // life of a link from acceptance
}

// Options are what the service needs. All are required but Kick and Watch.
type Options struct {
	Documents  Documents
	Affiliates Affiliates
	Vault      *secret.Vault
	Now        func(ctx context.Context) (time.Time, error) // the store's clock
	Limits     Limits
	Hold       time.Duration    // how long no letter goes to a record after "No fui yo"
	Uniform    bool             // LLAVE_DISCLOSURE=uniform: each letter begins the link's life anew, within MaxLife
	Announce   bool             // the institution's programs are told what happens
	Keys       key.Rules        // which keys may be made
	Watch      func(h Happened) // told what happened to a link, for counting; it does not wait
	Kick       func(id string)  // tells the runner that the document with that id owes something now
	Trace      *trace.Tracer    // nil: presses are not exported
	// Conv is what a conversation is called now that an earlier version called otherwise; nil: they are called as ever.
	Conv func(conv string) string
}

// Service asks for links, mints, redeems and ends them. It is safe for use by many goroutines and processes.
type Service struct{ Options }

// New makes a service.
func New(o Options) *Service {
	if o.Kick == nil {
		o.Kick = func(string) {}
	}
	if o.Watch == nil {
		o.Watch = func(Happened) {}
	}
	return &Service{o}
}

// load returns the document with that [id], and the store's time.
func (s *Service) load(ctx context.Context, id string) (*Document, time.Time, error) {
	d, err := s.Documents.Load(ctx, id)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("load unlock document: %w", err)
	}
	now, err := s.Now(ctx)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read the store's clock: %w", err)
	}
	return d, now, nil
}

// change loads the document with that [id], lets [f] change it, and saves; after a conflict it does so again. When [f]
// returns errUnchanged nothing is written.
func (s *Service) change(ctx context.Context, id string, f func(d *Document, now time.Time) error) (*Document, error) {
	for {
		d, now, err := s.load(ctx, id)
		if err != nil {
			return nil, err
		}
		if err := f(d, now); errors.Is(err, errUnchanged) {
			return d, nil
		} else if err != nil {
			return d, err
		}
		d.Wake()
		err = s.Documents.Save(ctx, d)
		if errors.Is(err, bot.ErrConflict) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("save unlock document: %w", err)
		}
		return d, nil
	}
}

var errUnchanged = errors.New("nothing to write")

// owe adds a promise of an attempt. Its id makes it happen once: [of] tells it from others of its kind.
func (s *Service) owe(d *Document, a *Attempt, now time.Time, of string, what bot.Duty) {
	id := strings.Join([]string{a.ID, string(what.Kind()), of}, "/")
	p := bot.Promise{ID: id, What: what, Record: d.ID, Attempt: a.ID, Trace: cmp.Or(d.trace, d.askedIn(a, a.asker())), Made: now}
	switch what.Kind() {
	case bot.PromiseNotice, bot.PromiseRevoked, bot.PromiseWarning: // a mailbox that is full for days holds up no other letter for ever
		p.Until = now.Add(noticeFor)
	case bot.PromiseAnnounce:
		p.Until = now.Add(bot.AnnouncedFor)
	}
	d.Promises = append(d.Promises, p)
}

// noticeFor is for how long a letter that tells of something done is tried.
const noticeFor = 72 * time.Hour

// announce owes the institution's programs an event, where they are told.
func (s *Service) announce(d *Document, a *Attempt, now time.Time, event, ref string) {
	if s.Announce {
		s.owe(d, a, now, event, bot.Announce{Event: event, Ref: ref})
	}
}

// tell owes a signal to the conversation whose link was used, or before that to every one that asked. The others hear nothing
// of what came of it: their own clock says that the link has ended (P204).
func (s *Service) tell(d *Document, a *Attempt, now time.Time, signal, body string) {
	convs := a.Convs
	if a.By != "" {
		convs = []string{a.By}
	}
	for _, conv := range convs {
		s.owe(d, a, now, signal+"/"+conv, bot.SendSignal{Conv: conv, Signal: signal, Text: body})
	}
}

// Activate sets the attempt's record active if it is locked and that is still owed: what the institution decided since stays,
// and what its owner took back. Doing it again changes nothing.
func (s *Service) Activate(ctx context.Context, record, attempt string) error {
	return s.set(ctx, record, attempt, affiliate.Active, func(d *Document, a *Attempt) bool {
		return d.owesKind(attempt, bot.PromiseActivate) && a.Revoked.IsZero() && !d.usedSince(a)
	})
}

// Lock sets the record of an attempt that was taken back locked again, if that is still owed, unless a later attempt did something
// since. Doing it again changes nothing.
func (s *Service) Lock(ctx context.Context, record, attempt string) error {
	return s.set(ctx, record, attempt, affiliate.Locked, func(d *Document, a *Attempt) bool {
		return d.owesKind(attempt, bot.PromiseLock) && !d.overtaken(a)
	})
}

// set sets the attempt's record active or locked if [may] says so, whatever becomes of the request that asked for it. Whoever takes
// an attempt back writes the document first and then the record, also one that is locked already; here the record is read
// before the document, and written only as it was read. So nobody makes it active who has not seen that it was taken back.
func (s *Service) set(ctx context.Context, record, attempt string, to affiliate.Status, may func(d *Document, a *Attempt) bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	for {
		d, err := s.Documents.Load(ctx, record)
		if err != nil {
			return fmt.Errorf("load unlock document: %w", err)
		}
		a := d.attempt(attempt)
		if a == nil || a.Sealed == "" || !may(d, a) {
			return nil
		}
		rec, err := s.find(ctx, d, a)
		if err != nil {
			return err
		}
		if d, err = s.Documents.Load(ctx, record); err != nil {
			return fmt.Errorf("load unlock document: %w", err)
		}
		if a = d.attempt(attempt); a == nil || !may(d, a) {
			return nil
		}
		if rec.Status != affiliate.Locked && (rec.Status != affiliate.Active || to == affiliate.Active) {
			return nil
		}
		if err := s.Affiliates.SetStatus(ctx, rec, to); !errors.Is(err, bot.ErrConflict) {
			return err
		}
	}
}

// Held says whether no letter goes to the record with that hash for now, because its owner said that it was not them.
func (s *Service) Held(ctx context.Context, record string) (bool, error) {
	d, now, err := s.load(ctx, record)
	if err != nil {
		return false, err
	}
	return d.held(now), nil
}

// Person is the institution's record of an attempt; empty when it is not there, or its number is not kept any more.
func (s *Service) Person(ctx context.Context, record, attempt string) (affiliate.Record, error) {
	rec, _, err := s.person(ctx, record, attempt)
	return rec, err
}

// Owner is who a notice goes to, and what it says of the request: that whose link was used, else the first.
type Owner struct {
	Email   string // "" when there is none
	Channel string
	Lang    string // of the chat that asked
}

// Owner returns the owner of an attempt's record.
func (s *Service) Owner(ctx context.Context, record, attempt string) (Owner, error) {
	rec, a, err := s.person(ctx, record, attempt)
	if err != nil || !affiliate.ValidEmail(rec.Email) {
		return Owner{}, err
	}
	o := Owner{Email: rec.Email, Channel: a.Channel, Lang: a.speaks(a.asker())}
	if a.By != "" {
		o.Channel, _ = bot.SplitConversationID(a.By)
	}
	return o, nil
}

// person is the institution's record of an attempt, empty when it is not there, and the attempt.
func (s *Service) person(ctx context.Context, record, attempt string) (rec affiliate.Record, a *Attempt, err error) {
	d, err := s.Documents.Load(ctx, record)
	if err != nil {
		return rec, nil, fmt.Errorf("load unlock document: %w", err)
	}
	if a = d.attempt(attempt); a == nil || a.Sealed == "" {
		return rec, a, nil // purged, after its promises were kept
	}
	rec, err = s.find(ctx, d, a)
	return rec, a, err
}

// find is the institution's record of an attempt's number, empty when it is not there.
func (s *Service) find(ctx context.Context, d *Document, a *Attempt) (affiliate.Record, error) {
	number, err := s.Vault.Open(secret.Attempt.Of(d.ID), a.Sealed)
	if err != nil {
		return affiliate.Record{}, fmt.Errorf("open number: %w", err)
	}
	return s.record(ctx, number)
}

// record is the institution's record of a number, empty when it is not there.
func (s *Service) record(ctx context.Context, number string) (affiliate.Record, error) {
	rec, _, err := s.Affiliates.Find(ctx, number)
	if err != nil {
		return affiliate.Record{}, fmt.Errorf("find record: %w", err)
	}
	return rec, nil
}
