package unlock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/key"
	"llave/internal/secret"
)

// What a link or a ticket can come to. None of them says whether an account exists.
var (
	ErrUnknown = errors.New("link is not known")            // never given out, or purged
	ErrExpired = errors.New("link no longer works")         // its time is over, or it was voided
	ErrUsed    = errors.New("link was used already")        // by another browser
	ErrTicket  = errors.New("ticket is not valid any more") // ten minutes are over, or it was voided
	ErrKeyMade = errors.New("key was made already")         // with this ticket
	ErrOver    = errors.New("attempt is over")              // a letter that is worth nothing any more
)

// Records keeps one document per number.
type Records interface {
	// Load returns the record, or an empty one with that id and version 0.
	Load(ctx context.Context, id string) (*Record, error)
	// Save writes where the version is the one that was loaded, else bot.ErrConflict.
	Save(ctx context.Context, r *Record) error
	// FindBy returns the record whose indexed field has that value, or nil.
	FindBy(ctx context.Context, field, value string) (*Record, error)
}

// Affiliates is the institution's collection.
type Affiliates interface {
	Find(ctx context.Context, number string) (affiliate.Record, bool, error)
	SetStatus(ctx context.Context, number string, s affiliate.Status) error
}

// Limits of one record, across all chats (SPEC 7).
type Limits struct {
	Burst    int           // mails in Window
	Window   time.Duration // 15 minutes
	Day      int           // mails in 24 hours
	PerDay   time.Duration // 24 hours
	LinkTTL  time.Duration // life of a link from acceptance
	Announce bool          // outgoing events are switched on
}

// Options are what the service needs. All are required but Kick.
type Options struct {
	Records    Records
	Affiliates Affiliates
	Vault      *secret.Vault
	Now        func(ctx context.Context) (time.Time, error) // the store's clock
	Limits     Limits
	Kick       func(record string) // tells the runner that the record owes something now
}

// Service asks for links, mints, redeems and ends them. It is safe for use by many goroutines and processes.
type Service struct{ Options }

// New makes a service.
func New(o Options) *Service {
	if o.Kick == nil {
		o.Kick = func(string) {}
	}
	return &Service{o}
}

// change loads a record, lets f change it, and saves; when somebody else was first it does so again. f returns
// errUnchanged to leave without writing.
func (s *Service) change(ctx context.Context, id string, f func(r *Record, now time.Time) error) (*Record, error) {
	for {
		r, err := s.Records.Load(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("load unlock record: %w", err)
		}
		now, err := s.Now(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the store's clock: %w", err)
		}
		if err := f(r, now); errors.Is(err, errUnchanged) {
			return r, nil
		} else if err != nil {
			return r, err
		}
		r.Wake()
		err = s.Records.Save(ctx, r)
		if errors.Is(err, bot.ErrConflict) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("save unlock record: %w", err)
		}
		return r, nil
	}
}

var errUnchanged = errors.New("nothing to write")

// Reserve gives the turn one mail of the record's live link, or says when to come back. Reserving twice for one turn
// is reserving once. What the record is decides what the attempt will be, and nothing the caller can see.
func (s *Service) Reserve(ctx context.Context, ask bot.Ask) (bot.Reservation, error) {
	number, err := affiliate.Open(s.Vault, ask.Sealed)
	if err != nil {
		return bot.Reservation{}, fmt.Errorf("open number: %w", err)
	}
	rec, found, err := s.Affiliates.Find(ctx, number)
	if err != nil {
		return bot.Reservation{}, fmt.Errorf("find record: %w", err)
	}
	kind := KindDecoy
	if found {
		switch rec.Outcome() {
		case affiliate.CanUnlock:
			kind = KindUnlock
		case affiliate.CanGenerate:
			kind = KindGenerate
		}
	}
	var res bot.Reservation
	_, err = s.change(ctx, ask.Record, func(r *Record, now time.Time) error {
		res = bot.Reservation{}
		for _, a := range r.Asks {
			if a.Turn == ask.Turn {
				res.Granted, res.Attempt = true, a.Attempt
				if r.Live != nil && r.Live.ID == a.Attempt {
					res.Ends = r.Live.Ends(s.Limits.LinkTTL)
				} else {
					res.Ends = a.At
				}
				return errUnchanged
			}
		}
		r.Asks = slices.DeleteFunc(r.Asks, func(a Asked) bool { return now.Sub(a.At) >= s.Limits.PerDay })
		if at := s.retryAt(r.Asks, now); !at.IsZero() {
			res.RetryAt = at
			return errUnchanged
		}
		if !r.Live.Lives(now, s.Limits.LinkTTL) || r.Live.Kind != kind {
			s.mint(r, ask, kind, now)
		}
		if !slices.Contains(r.Live.Convs, ask.Conv) {
			r.Live.Convs = append(r.Live.Convs, ask.Conv)
		}
		r.Asks = append(r.Asks, Asked{Turn: ask.Turn, Attempt: r.Live.ID, At: now})
		r.PurgeAt = r.Live.Ends(s.Limits.LinkTTL)
		res.Granted, res.Attempt, res.Ends = true, r.Live.ID, r.Live.Ends(s.Limits.LinkTTL)
		return nil
	})
	return res, err
}

// retryAt says when one more mail may be asked for; zero: now.
func (s *Service) retryAt(asks []Asked, now time.Time) time.Time {
	var at time.Time
	within := func(n int, window time.Duration) {
		if n <= 0 {
			return
		}
		recent := slices.DeleteFunc(slices.Clone(asks), func(a Asked) bool { return now.Sub(a.At) >= window })
		if len(recent) >= n {
			if free := recent[len(recent)-n].At.Add(window); free.After(at) {
				at = free
			}
		}
	}
	within(s.Limits.Burst, s.Limits.Window)
	within(s.Limits.Day, s.Limits.PerDay)
	return at
}

// mint puts a new attempt in place of the newest. A used one stays beside it for as long as its ticket lives or its
// promises are owed: whoever asks for the next link must not take away somebody's ticket, nor the owner's letter. "No
// fui yo" stays the same from letter to letter for a day, so that it works whichever of them is read.
func (s *Service) mint(r *Record, ask bot.Ask, kind Kind, now time.Time) {
	a := &Attempt{
		ID: s.Vault.Hash("attempt", ask.Turn)[:22], Kind: kind, Want: Want(ask.Want), Sealed: ask.Sealed,
		Channel: ask.Channel, Asked: now,
	}
	if old := r.Live; old != nil {
		if !old.Redeemed.IsZero() && old.Sealed != "" {
			r.Used = append(r.Used, *old)
		}
		if old.NotMe != "" && now.Before(old.Asked.Add(notMeLife)) {
			a.Since = old.notMe()
		}
	}
	if kind != KindDecoy {
		a.Link = s.hashLink(s.linkToken(a.ID))
		a.NotMe = s.hashNotMe(s.notMeToken(a.notMe()))
	}
	r.Live = a
}

// notMe is the attempt whose "No fui yo" the letters carry.
func (a *Attempt) notMe() string { return cmp.Or(a.Since, a.ID) }

func (s *Service) linkToken(attempt string) string  { return s.Vault.Derive("link", attempt) }
func (s *Service) notMeToken(attempt string) string { return s.Vault.Derive("not-me", attempt) }
func (s *Service) hashLink(token string) string     { return s.Vault.Hash("link", token) }
func (s *Service) hashNotMe(token string) string    { return s.Vault.Hash("not-me", token) }
func (s *Service) hashNonce(nonce string) string    { return s.Vault.Hash("nonce", nonce) }

// Letter is what a link's mail is made of.
type Letter struct {
	Decoy   bool // nothing is mailed; the mail server is only asked whether it is there
	Kind    Kind
	Want    Want
	To      string
	Token   string
	NotMe   string
	Channel string
	Asked   time.Time     // of this attempt
	Life    time.Duration // what the link still lives from its arrival
}

// Letter returns what to mail for an attempt, or ErrOver when the link is worth nothing any more.
func (s *Service) Letter(ctx context.Context, record, attempt string) (Letter, error) {
	r, err := s.Records.Load(ctx, record)
	if err != nil {
		return Letter{}, fmt.Errorf("load unlock record: %w", err)
	}
	now, err := s.Now(ctx)
	if err != nil {
		return Letter{}, fmt.Errorf("read the store's clock: %w", err)
	}
	a := r.Live
	if a == nil || a.ID != attempt || !a.Lives(now, s.Limits.LinkTTL) {
		return Letter{}, ErrOver
	}
	l := Letter{Kind: a.Kind, Want: a.Want, Channel: a.Channel, Asked: a.Asked, Life: min(s.Limits.LinkTTL, a.Ends(s.Limits.LinkTTL).Sub(now))}
	number, err := affiliate.Open(s.Vault, a.Sealed)
	if err != nil {
		return Letter{}, fmt.Errorf("open number: %w", err)
	}
	rec, found, err := s.Affiliates.Find(ctx, number)
	if err != nil {
		return Letter{}, fmt.Errorf("find record: %w", err)
	}
	if a.Kind == KindDecoy || !found || !affiliate.ValidEmail(rec.Email) {
		l.Decoy = true
		return l, nil
	}
	l.To, l.Token, l.NotMe = rec.Email, s.linkToken(a.ID), s.notMeToken(a.notMe())
	return l, nil
}

// Accepted notes that the mail server took the letter, which starts the link's life the first time, and returns when
// the link ends.
func (s *Service) Accepted(ctx context.Context, record, attempt string) (ends time.Time, err error) {
	_, err = s.change(ctx, record, func(r *Record, now time.Time) error {
		if r.Live == nil || r.Live.ID != attempt {
			return ErrOver
		}
		ends = r.Live.Ends(s.Limits.LinkTTL)
		if !r.Live.Accepted.IsZero() {
			return errUnchanged
		}
		r.Live.Accepted = now
		ends = r.Live.Ends(s.Limits.LinkTTL)
		if r.Live.Redeemed.IsZero() {
			r.PurgeAt = ends
		}
		return nil
	})
	return ends, err
}

// Refused notes that the mailbox refused for good and returns the moment at which a link accepted now would end.
func (s *Service) Refused(ctx context.Context, record, attempt string) (ends time.Time, err error) {
	_, err = s.change(ctx, record, func(r *Record, now time.Time) error {
		if r.Live == nil || r.Live.ID != attempt {
			return ErrOver
		}
		as := *r.Live
		as.Accepted = now
		ends = as.Ends(s.Limits.LinkTTL)
		if !r.Live.Refused.IsZero() || !r.Live.Accepted.IsZero() {
			return errUnchanged
		}
		r.Live.Refused = now
		return nil
	})
	return ends, err
}

// View is what the page of a link shows.
type View struct {
	Kind  Kind
	Again bool // this browser pressed the button before
}

// Look says what the link would do, for the page that shows it. It changes nothing.
func (s *Service) Look(ctx context.Context, token, nonce string) (View, error) {
	r, now, err := s.byLink(ctx, token)
	if err != nil {
		return View{}, err
	}
	again, err := s.usable(r.Live, now, nonce)
	return View{Kind: r.Live.Kind, Again: again}, err
}

func (s *Service) byLink(ctx context.Context, token string) (*Record, time.Time, error) {
	now, err := s.Now(ctx)
	if err != nil {
		return nil, now, fmt.Errorf("read the store's clock: %w", err)
	}
	r, err := s.Records.FindBy(ctx, "live.link", s.hashLink(token))
	if err != nil {
		return nil, now, fmt.Errorf("find link: %w", err)
	}
	if r == nil || r.Live == nil {
		return nil, now, ErrUnknown
	}
	return r, now, nil
}

// usable says whether a browser may press the button, or has (again).
func (s *Service) usable(a *Attempt, now time.Time, nonce string) (again bool, err error) {
	switch {
	case !a.Redeemed.IsZero() && a.Voided.IsZero() && nonce != "" && a.Nonce == s.hashNonce(nonce) && now.Before(a.ticketEnds()):
		return true, nil
	case !a.Redeemed.IsZero():
		return false, ErrUsed
	case !a.Lives(now, s.Limits.LinkTTL):
		return false, ErrExpired
	}
	return false, nil
}

// Redeemed is what pressing the button came to.
type Redeemed struct {
	Kind   Kind
	Again  bool          // the same browser had pressed it before
	Ticket string        // sealed; the right to make a key, for the cookie
	Life   time.Duration // what is left of the ticket
}

// Redeem uses a link, once. The nonce is the browser's: whoever wins may come again with it and is told the same. It
// returns once the record is active; the chats hear of it by themselves.
func (s *Service) Redeem(ctx context.Context, token, nonce string) (Redeemed, error) {
	found, _, err := s.byLink(ctx, token)
	if err != nil {
		return Redeemed{}, err
	}
	var out Redeemed
	r, err := s.change(ctx, found.ID, func(r *Record, now time.Time) error {
		a := r.Live
		if a == nil || a.Link != s.hashLink(token) {
			return ErrUnknown
		}
		again, err := s.usable(a, now, nonce)
		if err != nil {
			return err
		}
		out = Redeemed{Kind: a.Kind, Again: again}
		if again {
			out.Life = a.ticketEnds().Sub(now)
			return errUnchanged
		}
		out.Life = TicketLife
		a.Redeemed, a.Nonce = now, s.hashNonce(nonce)
		r.PurgeAt = now.Add(TicketLife)
		if a.Kind == KindUnlock {
			s.owe(r, a, now, bot.Promise{Lane: bot.LaneEvent, Kind: bot.PromiseActivate})
			s.owe(r, a, now, bot.Promise{Lane: bot.LaneMail, Kind: bot.PromiseNotice, Topic: "unlocked"})
			s.announce(r, a, now, "key.unlocked")
		}
		s.tell(r, a, now, bot.SignalLinkUsed, string(a.Kind))
		return nil
	})
	if err != nil {
		return Redeemed{}, err
	}
	if out.Kind == KindUnlock {
		if err := s.Activate(ctx, r.ID, r.Live.ID); err != nil {
			return Redeemed{}, fmt.Errorf("activate record: %w", err)
		}
	}
	s.Kick(r.ID)
	out.Ticket = s.Vault.Seal("ticket", r.ID+"|"+r.Live.ID)
	return out, nil
}

// owe adds a promise of an attempt. Its id makes it happen once.
func (s *Service) owe(r *Record, a *Attempt, now time.Time, p bot.Promise) {
	p.Record, p.Attempt, p.Made = r.ID, a.ID, now
	if p.ID == "" {
		p.ID = strings.Join([]string{a.ID, p.Kind, p.Topic, p.Conv}, "/")
	}
	r.Promises = append(r.Promises, p)
}

// tell owes every conversation that asked a signal.
func (s *Service) tell(r *Record, a *Attempt, now time.Time, signal, body string) {
	for _, conv := range a.Convs {
		s.owe(r, a, now, bot.Promise{Lane: bot.LaneEvent, Kind: bot.PromiseSignal, Topic: signal, Conv: conv, Body: body})
	}
}

func (s *Service) announce(r *Record, a *Attempt, now time.Time, event string) {
	if s.Limits.Announce {
		s.owe(r, a, now, bot.Promise{Lane: bot.LaneEvent, Kind: bot.PromiseEvent, Topic: event})
	}
}

// Activate sets the attempt's record active if it is locked: what the institution decided after the letter stays.
// Doing it again changes nothing.
func (s *Service) Activate(ctx context.Context, record, attempt string) error {
	rec, found, err := s.person(ctx, record, attempt)
	if err != nil || !found || rec.Status != affiliate.Locked {
		return err
	}
	return s.Affiliates.SetStatus(ctx, rec.ID, affiliate.Active)
}

// Owner returns the address of the record's owner and the channel of the request, for the notices; "" when there is
// none.
func (s *Service) Owner(ctx context.Context, record, attempt string) (email, channel string, err error) {
	r, err := s.Records.Load(ctx, record)
	if err != nil {
		return "", "", fmt.Errorf("load unlock record: %w", err)
	}
	a := r.attempt(attempt)
	if a == nil || a.Sealed == "" {
		return "", "", nil
	}
	rec, _, err := s.owner(ctx, a)
	if err != nil || !affiliate.ValidEmail(rec.Email) {
		return "", "", err
	}
	return rec.Email, a.Channel, nil
}

// person is the institution's record of an attempt, and whether there is one still.
func (s *Service) person(ctx context.Context, record, attempt string) (affiliate.Record, bool, error) {
	r, err := s.Records.Load(ctx, record)
	if err != nil {
		return affiliate.Record{}, false, fmt.Errorf("load unlock record: %w", err)
	}
	a := r.attempt(attempt)
	if a == nil || a.Sealed == "" {
		return affiliate.Record{}, false, nil // purged, after its promises were kept
	}
	return s.owner(ctx, a)
}

func (s *Service) owner(ctx context.Context, a *Attempt) (affiliate.Record, bool, error) {
	number, err := affiliate.Open(s.Vault, a.Sealed)
	if err != nil {
		return affiliate.Record{}, false, fmt.Errorf("open number: %w", err)
	}
	rec, found, err := s.Affiliates.Find(ctx, number)
	if err != nil {
		return affiliate.Record{}, false, fmt.Errorf("find record: %w", err)
	}
	return rec, found, nil
}

// LookNotMe says whether the "No fui yo" link is known. It changes nothing.
func (s *Service) LookNotMe(ctx context.Context, token string) error {
	r, err := s.Records.FindBy(ctx, "live.not_me", s.hashNotMe(token))
	if err != nil {
		return fmt.Errorf("find link: %w", err)
	}
	if r == nil || r.Live == nil {
		return ErrUnknown
	}
	return nil
}

// NotMe voids the newest link and every ticket that still lives, opens a case and returns its number. It works from
// any letter of the day. Pressing again finds the same case.
func (s *Service) NotMe(ctx context.Context, token string) (ref string, err error) {
	h := s.hashNotMe(token)
	found, err := s.Records.FindBy(ctx, "live.not_me", h)
	if err != nil {
		return "", fmt.Errorf("find link: %w", err)
	}
	if found == nil {
		return "", ErrUnknown
	}
	r, err := s.change(ctx, found.ID, func(r *Record, now time.Time) error {
		if r.Live == nil || r.Live.NotMe != h {
			return ErrUnknown
		}
		ref = bot.Ref("N", s.Vault.Hash("ref", r.Live.ID))
		if !r.Live.Voided.IsZero() {
			return errUnchanged
		}
		body := "voided before use"
		if !r.Live.Redeemed.IsZero() || len(r.Used) > 0 {
			body = "voided after use"
		}
		r.Live.Voided = now
		for i := range r.Used {
			r.Used[i].Voided = now
		}
		s.owe(r, r.Live, now, bot.Promise{Lane: bot.LaneEvent, Kind: bot.PromiseFile, Topic: "not_me", Ref: ref, Body: body})
		s.tell(r, r.Live, now, bot.SignalLinkVoided, "")
		return nil
	})
	if err != nil {
		return "", err
	}
	s.Kick(r.ID)
	return ref, nil
}

// Holder is who holds a ticket, for the key page.
type Holder struct {
	About key.About     // what the key must not contain
	Made  bool          // the key was made with this ticket
	Life  time.Duration // what is left of the ticket
}

// Ticket opens the cookie's ticket, or ErrTicket.
func (s *Service) Ticket(ctx context.Context, ticket string) (Holder, error) {
	_, a, now, err := s.holder(ctx, ticket)
	if err != nil {
		return Holder{}, err
	}
	rec, _, err := s.owner(ctx, a)
	if err != nil {
		return Holder{}, err
	}
	return Holder{
		About: key.About{Number: rec.ID, Name: rec.FullName, Email: rec.Email},
		Made:  !a.KeyMade.IsZero(),
		Life:  a.ticketEnds().Sub(now),
	}, nil
}

func (s *Service) holder(ctx context.Context, ticket string) (*Record, *Attempt, time.Time, error) {
	now, err := s.Now(ctx)
	if err != nil {
		return nil, nil, now, fmt.Errorf("read the store's clock: %w", err)
	}
	text, err := s.Vault.Open("ticket", ticket)
	if err != nil {
		return nil, nil, now, ErrTicket
	}
	id, attempt, _ := strings.Cut(text, "|")
	r, err := s.Records.Load(ctx, id)
	if err != nil {
		return nil, nil, now, fmt.Errorf("load unlock record: %w", err)
	}
	a, err := holds(r, attempt, now)
	return r, a, now, err
}

// holds returns the attempt whose ticket it is, if that is still worth something.
func holds(r *Record, attempt string, now time.Time) (*Attempt, error) {
	a := r.attempt(attempt)
	if a == nil || a.Sealed == "" || a.Redeemed.IsZero() || !a.Voided.IsZero() || !now.Before(a.ticketEnds()) {
		return nil, ErrTicket
	}
	return a, nil
}

// MakeKey stores the new key under the ticket, once; the same key again (a lost answer) is the same success, another
// is ErrKeyMade. The rules were checked by the page; they are checked again here, and problems come back.
func (s *Service) MakeKey(ctx context.Context, ticket, chosen string) ([]key.Problem, error) {
	r, a, _, err := s.holder(ctx, ticket)
	if err != nil {
		return nil, err
	}
	if !a.KeyMade.IsZero() {
		return nil, same(ctx, r, chosen)
	}
	rec, _, err := s.owner(ctx, a)
	if err != nil {
		return nil, err
	}
	if problems := key.Check(chosen, key.About{Number: rec.ID, Name: rec.FullName, Email: rec.Email}); len(problems) > 0 {
		return problems, nil
	}
	hash, err := key.Hash(ctx, chosen)
	if err != nil {
		return nil, fmt.Errorf("hash key: %w", err)
	}
	attempt := a.ID
	r, err = s.change(ctx, r.ID, func(r *Record, now time.Time) error {
		a, err := holds(r, attempt, now)
		if err != nil {
			return err
		}
		if !a.KeyMade.IsZero() {
			return ErrKeyMade // while this one was being hashed
		}
		r.Key, r.KeyAt, a.KeyMade = hash, now, now
		s.tell(r, a, now, bot.SignalKeyMade, "")
		s.owe(r, a, now, bot.Promise{Lane: bot.LaneMail, Kind: bot.PromiseNotice, Topic: "generated"})
		s.announce(r, a, now, "key.generated")
		return nil
	})
	if errors.Is(err, ErrKeyMade) {
		return nil, same(ctx, r, chosen)
	}
	if err != nil {
		return nil, err
	}
	s.Kick(r.ID)
	return nil, nil
}

// same says whether the key that was made is the one that was chosen: nil, or ErrKeyMade.
func same(ctx context.Context, r *Record, chosen string) error {
	is, err := key.Verify(ctx, r.Key, chosen)
	if err != nil {
		return fmt.Errorf("compare with the key that was made: %w", err)
	}
	if !is {
		return ErrKeyMade
	}
	return nil
}

// notMeLife is how long "No fui yo" works: letters are read late, and who finds one the next morning must be heard.
const notMeLife = 24 * time.Hour

// Purge takes what has ended off a record: the link and the sealed number when its time (or its ticket's) is over,
// the rest of the attempt a day after it was asked for. A live link or ticket stays, and what an unkept promise needs.
// It says whether a link was taken off.
func (s *Service) Purge(ctx context.Context, record string) (purged bool, err error) {
	_, err = s.change(ctx, record, func(r *Record, now time.Time) error {
		purged = false
		if r.PurgeAt.IsZero() || now.Before(r.PurgeAt) {
			return errUnchanged
		}
		r.PurgeAt = time.Time{}
		stays := func(a *Attempt) bool { // and until when
			until := a.ends(s.Limits.LinkTTL)
			last := a.Asked.Add(notMeLife)
			if !now.Before(until) && r.owes(a.ID) && now.Before(last) {
				until = now.Add(time.Minute) // its promises still need the number
			}
			if now.Before(until) {
				r.purgeBy(until)
				return true
			}
			return false
		}
		r.Used = slices.DeleteFunc(r.Used, func(a Attempt) bool { return !stays(&a) })
		if r.Live == nil || stays(r.Live) {
			return nil
		}
		purged = r.Live.Link != ""
		r.Live.Link, r.Live.Sealed, r.Live.Nonce = "", "", ""
		if last := r.Live.Asked.Add(notMeLife); now.Before(last) && r.Live.NotMe != "" {
			r.purgeBy(last)
		} else {
			r.Live = nil
		}
		return nil
	})
	return purged, err
}

// purgeBy has the record looked at by then.
func (r *Record) purgeBy(t time.Time) {
	if r.PurgeAt.IsZero() || t.Before(r.PurgeAt) {
		r.PurgeAt = t
	}
}
