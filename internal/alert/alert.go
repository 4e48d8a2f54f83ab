// Package alert tells agents of what concerns them where no page of the desk is open: on the devices whose browser they had subscribed
// (Web Push), and in their own Telegram once they have linked it.
//
// What happened comes as a promise of the turn in which it did (bot.RaiseAlert). It is noted in the bell of each agent on duty, one
// document an agent, and rung at once; what happens within Burst of that waits, and is told in one. What was noted is taken off once it
// was told, so a process that dies between the two rings again, and nobody misses it.
//
// A push service learns that an agent's browser is told something, and when. What it carries only the browser can read (RFC 8291), and
// even that names no person: what happened, and the number of the case. Whoever sends is known by a key of the store's own (RFC 8292),
// which lies there sealed.
package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"llave/bot"
	"llave/internal/secret"
)

// How alerts are told.
const (
	Burst      = 20 * time.Second // what happens within it is told in one
	owedMost   = 50
	rungMost   = 32
	deviceMost = 8
	sendWithin = 10 * time.Second
)

// KeptFor is how long a bell is kept that its agent has not been near: subscriptions of browsers nobody uses any more go with it.
const KeptFor = 90 * 24 * time.Hour

// Bell is where an agent is told of things. There is one for each who wants that.
type Bell struct {
	Login    string    `bson:"_id"`
	Version  int64     `bson:"v"`
	Devices  []Device  `bson:"devices,omitempty"`
	Chat     string    `bson:"chat,omitempty"`      // the agent's own chat on Telegram, sealed
	Code     string    `bson:"code,omitempty"`      // keyed hash of the code that links one
	CodeEnds time.Time `bson:"code_ends,omitempty"` // until when it does
	Linked   string    `bson:"linked,omitempty"`    // keyed hash of the code that did: the same message again is no wrong code
	From     string    `bson:"from,omitempty"`      // quiet hours, "22:00"
	To       string    `bson:"to,omitempty"`
	Owed     []Owed    `bson:"owed,omitempty"` // what the agent is still to be told of
	Rung     []string  `bson:"rung,omitempty"` // ids of the promises that were noted last
	Rang     time.Time `bson:"rang,omitempty"` // when it was rung last
	Seen     time.Time `bson:"seen"`           // when the agent was last near
}

// Device is a browser that was subscribed.
type Device struct {
	ID     string    `bson:"id"`     // keyed hash of its address
	Sealed string    `bson:"sealed"` // the subscription, sealed
	Name   string    `bson:"name"`   // "Firefox, Linux"
	Made   time.Time `bson:"made"`
}

// Owed is one thing that an agent is to be told of.
type Owed struct {
	What string    `bson:"what"` // one of bot.Alert…
	Ref  string    `bson:"ref"`
	At   time.Time `bson:"at"`
}

// Bells keeps them. Save stores one where nobody has since it was loaded, and else returns bot.ErrConflict.
type Bells interface {
	Find(ctx context.Context, login string) (Bell, bool, error)
	Load(ctx context.Context, login string) (Bell, error)
	Save(ctx context.Context, b *Bell) error
	Delete(ctx context.Context, login string, version int64) error
	All(ctx context.Context) ([]Bell, error)
	PushKey(ctx context.Context, fresh func() (PushKey, error)) (PushKey, error)
}

// Options are what the service needs. All are required but those that say otherwise.
type Options struct {
	Bells Bells
	Vault *secret.Vault
	Now   func(ctx context.Context) (time.Time, error)
	Zone  *time.Location // of quiet hours
	// OnDuty are the logins of those who may be told of anything now.
	OnDuty func(ctx context.Context) ([]string, error)
	// Words say what happened, once or several times; of several things together [what] is empty.
	Words func(what string, times int) (string, error)
	// Site is the desk's public address, which also tells push services whom to turn to.
	Site string
	// Client asks push services; nil: one that reaches public addresses alone. For tests.
	Client Doer
	// Telegram writes to an agent's own chat. An error of bot.Gone means that nobody is there any more.
	Telegram func(ctx context.Context, chat, text string) error
	Log      *slog.Logger
}

// Service is safe for use by many goroutines, and by any number of processes over the same store.
type Service struct {
	Options
	client Doer

	mu  sync.Mutex
	key *PushKey
}

// New makes the service.
func New(o Options) *Service {
	s := &Service{Options: o, client: o.Client}
	if s.client == nil {
		s.client = publicOnly()
	}
	return s
}

// Raise notes what happened for whom it concerns of those on duty, and rings. Raising it again notes nothing.
func (s *Service) Raise(ctx context.Context, id string, what bot.RaiseAlert, made time.Time) error {
	logins, err := s.OnDuty(ctx)
	if err != nil {
		return fmt.Errorf("see who is on duty: %w", err)
	}
	var noted []string
	for _, login := range logins {
		if what.To != "" && what.To != login {
			continue
		}
		added := false
		err := s.change(ctx, login, func(b *Bell) bool {
			if !b.rings() || slices.Contains(b.Rung, id) {
				return false
			}
			b.Owed, b.Rung, added = last(append(b.Owed, Owed{what.Topic, what.Ref, made}), owedMost), last(append(b.Rung, id), rungMost), true
			return true
		})
		if err != nil {
			return err
		}
		if added {
			noted = append(noted, login)
		}
	}
	s.ringAll(ctx, noted, logins)
	return nil
}

// ringAll rings several bells, some at once: a push service may be slow. Who is on duty is asked once for all of them.
func (s *Service) ringAll(ctx context.Context, logins, onDuty []string) {
	var all sync.WaitGroup
	room := make(chan struct{}, 8)
	for _, login := range logins {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			s.ring(ctx, login, slices.Contains(onDuty, login))
		})
	}
	all.Wait()
}

// rings says whether there is any way to tell the agent.
func (b *Bell) rings() bool { return len(b.Devices) > 0 || b.Chat != "" }

func last[T any](all []T, most int) []T { return all[max(0, len(all)-most):] }

// change changes a bell that there is.
func (s *Service) change(ctx context.Context, login string, change func(b *Bell) bool) error {
	for {
		b, found, err := s.Bells.Find(ctx, login)
		if err != nil {
			return fmt.Errorf("find an agent's bell: %w", err)
		}
		if !found || !change(&b) {
			return nil
		}
		if err := s.Bells.Save(ctx, &b); !errors.Is(err, bot.ErrConflict) {
			return err
		}
	}
}

// set changes a bell, or makes it, because its agent wants that.
func (s *Service) set(ctx context.Context, login string, change func(b *Bell, now time.Time) error) error {
	for {
		now, err := s.Now(ctx)
		if err != nil {
			return fmt.Errorf("read the store's clock: %w", err)
		}
		b, err := s.Bells.Load(ctx, login)
		if err != nil {
			return fmt.Errorf("load an agent's bell: %w", err)
		}
		if err := change(&b, now); err != nil {
			return err
		}
		b.Seen = now
		if err := s.Bells.Save(ctx, &b); !errors.Is(err, bot.ErrConflict) {
			return err
		}
	}
}

// Bell is an agent's bell; a zero one when there is none.
func (s *Service) Bell(ctx context.Context, login string) (Bell, error) {
	b, _, err := s.Bells.Find(ctx, login)
	return b, err
}

// ErrHours means that quiet hours are no two times of the day.
var ErrHours = errors.New("quiet hours must be two different times of the day")

// SetQuiet sets an agent's quiet hours, in which they hear nothing; twice "" takes them off.
func (s *Service) SetQuiet(ctx context.Context, login, from, to string) error {
	if from != "" || to != "" {
		for _, clock := range []string{from, to} {
			if _, err := time.Parse("15:04", clock); err != nil || from == to {
				return ErrHours
			}
		}
	}
	return s.set(ctx, login, func(b *Bell, _ time.Time) error {
		b.From, b.To = from, to
		return nil
	})
}

// Quiet says whether an agent, who is near, is in their quiet hours. A bell is kept because they are near.
func (s *Service) Quiet(ctx context.Context, login string) (bool, error) {
	now, err := s.Now(ctx)
	if err != nil {
		return false, fmt.Errorf("read the store's clock: %w", err)
	}
	quiet := false
	err = s.change(ctx, login, func(b *Bell) bool {
		quiet = b.quiet(now.In(s.Zone))
		late := now.Sub(b.Seen) >= 24*time.Hour
		b.Seen = now
		return late
	})
	return quiet, err
}

func (b *Bell) quiet(now time.Time) bool {
	clock := now.Format("15:04")
	switch {
	case b.From == "":
		return false
	case b.From < b.To:
		return clock >= b.From && clock < b.To
	}
	return clock >= b.From || clock < b.To // over midnight
}

// Flush rings the bells that owe something: what waited for the end of a burst, and what could not be told before. Run it every few
// seconds, in one process; twice at once rings once.
func (s *Service) Flush(ctx context.Context) error {
	all, err := s.Bells.All(ctx)
	if err != nil {
		return fmt.Errorf("read the agents' bells: %w", err)
	}
	var owed []string
	for _, b := range all {
		if len(b.Owed) > 0 {
			owed = append(owed, b.Login)
		}
	}
	if len(owed) == 0 {
		return nil
	}
	onDuty, err := s.OnDuty(ctx)
	if err != nil {
		return fmt.Errorf("see who is on duty: %w", err)
	}
	s.ringAll(ctx, owed, onDuty)
	return nil
}

// ring tells an agent what they are owed, unless it was rung a moment ago. What fails is owed for as long as it is worth something.
func (s *Service) ring(ctx context.Context, login string, onDuty bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendWithin)
	defer cancel()
	if err := s.tryRing(ctx, login, onDuty); err != nil {
		s.Log.Warn("an agent could not be told", "err", err)
	}
}

func (s *Service) tryRing(ctx context.Context, login string, onDuty bool) error {
	b, owed, err := s.take(ctx, login, onDuty)
	if err != nil || len(owed) == 0 {
		return err
	}
	text, ref, err := s.wording(owed)
	if err != nil {
		return err
	}
	done, gone, err := s.tell(ctx, b, text, ref)
	return errors.Join(err, s.change(ctx, login, func(b *Bell) bool {
		if done {
			b.Owed = slices.DeleteFunc(b.Owed, func(o Owed) bool { return slices.Contains(owed, o) })
		}
		b.Devices = slices.DeleteFunc(b.Devices, func(d Device) bool { return slices.Contains(gone, d.ID) })
		if slices.Contains(gone, b.Chat) {
			b.Chat = ""
		}
		return done || len(gone) > 0
	}))
}

// take says what an agent is to be told of now: nothing within Burst of the last time. Who is not on duty any more, or in their quiet
// hours, is told of nothing, then or later.
func (s *Service) take(ctx context.Context, login string, onDuty bool) (b Bell, owed []Owed, err error) {
	now, err := s.Now(ctx)
	if err != nil {
		return b, nil, fmt.Errorf("read the store's clock: %w", err)
	}
	err = s.change(ctx, login, func(x *Bell) bool {
		before := len(x.Owed)
		x.Owed = slices.DeleteFunc(x.Owed, func(o Owed) bool { return now.Sub(o.At) >= bot.AlertedFor })
		if !onDuty || x.quiet(now.In(s.Zone)) {
			x.Owed = nil
		}
		if b, owed = *x, nil; len(x.Owed) > 0 && now.Sub(x.Rang) >= Burst {
			owed, x.Rang = slices.Clone(x.Owed), now
			return true
		}
		return len(x.Owed) != before
	})
	return b, owed, err
}

// wording says what happened in one sentence, and the case, where it is one.
func (s *Service) wording(owed []Owed) (text, ref string, err error) {
	what, ref := owed[0].What, owed[0].Ref
	for _, o := range owed {
		if o.What != what {
			what = ""
		}
		if o.Ref != ref {
			ref = ""
		}
	}
	text, err = s.Words(what, len(owed))
	if err != nil {
		return "", "", fmt.Errorf("say what happened: %w", err)
	}
	return text, ref, nil
}

// tell sends to every device and the chat. [done] says that one has it, or that none is left; [gone] names those that are no more.
func (s *Service) tell(ctx context.Context, b Bell, text, ref string) (done bool, gone []string, err error) {
	link := s.Site + "/agentes"
	if ref != "" {
		link += "/casos/" + ref
	}
	var problems []error
	came := func(id string, err error) {
		switch {
		case err == nil:
			done = true
		case errors.Is(err, ErrGone):
			gone = append(gone, id)
		default:
			problems = append(problems, err)
		}
	}
	for _, d := range b.Devices {
		came(d.ID, s.push(ctx, b.Login, d, Message{Text: text, Ref: ref}))
	}
	if b.Chat != "" {
		came(b.Chat, s.write(ctx, b, text+"\n"+link))
	}
	return done || len(problems) == 0, gone, errors.Join(problems...)
}
