package unlock

import (
	"context"
	"errors"
	"fmt"
	"time"

	"llave/bot"
	"llave/internal/secret"
)

// View is what the page of a link shows. The chat is the one whose letter the link is of; it is told beside ErrExpired and ErrUsed too.
type View struct {
	Kind  Kind
	Again bool // this browser pressed the button before
	Over  bool // beside ErrUsed: it did, and its key pass is over
	Chat
}

// Chat is what pages know of the chat that asked for a link.
type Chat struct {
	Channel string
	Lang    string // that it asked in; "" is the first
}

// chat is the chat of a conversation that asked.
func (a *Attempt) chat(conv string) Chat {
	channel, _ := bot.SplitConversationID(conv)
	return Chat{Channel: channel, Lang: a.speaks(conv)}
}

// Look says what the link would do, for the page that shows it. It changes nothing.
func (s *Service) Look(ctx context.Context, token, nonce string) (View, error) {
	t := cutToken(token)
	d, now, err := s.byLink(ctx, t)
	if err != nil {
		return View{}, err
	}
	a := d.Live
	again, err := s.usable(a, now, nonce)
	return View{Kind: a.Kind, Again: again, Over: s.pressed(a, nonce) && !now.Before(a.keyPassEnds()), Chat: a.chat(s.asker(a, t.tag))}, err
}

func (s *Service) byLink(ctx context.Context, t token) (*Document, time.Time, error) {
	now, err := s.Now(ctx)
	if err != nil {
		return nil, now, fmt.Errorf("read the store's clock: %w", err)
	}
	d, err := s.findBy(ctx, "live.link", t, s.hashLink)
	if err != nil {
		return nil, now, fmt.Errorf("find link: %w", err)
	}
	if d == nil || d.Live == nil || s.asker(d.Live, t.tag) == "" {
		return nil, now, ErrUnknown
	}
	return d, now, nil
}

// pressed says whether a browser pressed the button, and what that gave was not taken back.
func (s *Service) pressed(a *Attempt, nonce string) bool {
	return !a.Redeemed.IsZero() && a.Voided.IsZero() && nonce != "" && a.Nonce == s.hashNonce(nonce)
}

// usable says whether a browser may press the button, or has (again).
func (s *Service) usable(a *Attempt, now time.Time, nonce string) (again bool, err error) {
	switch {
	case s.pressed(a, nonce) && now.Before(a.keyPassEnds()):
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
	Kind    Kind
	Again   bool          // the same browser had pressed it before
	KeyPass string        // sealed; the right to make a key, for the cookie
	Life    time.Duration // what is left of the key pass
	Moment  bool          // beside ErrUsed: that was a moment ago, and nobody has taken it back
	Chat                  // as View has it
}

// moment is for how long a second press of a browser that is not known again is taken for the second tap of one that keeps no
// cookies. It is told what came of the first, and given nothing.
const moment = 30 * time.Second

// Redeem uses a link, once. The nonce is the browser's: whoever wins may come again with it and is told the same. It
// returns once the record is active; the chats hear of it by themselves.
func (s *Service) Redeem(ctx context.Context, token, nonce string) (Redeemed, error) {
	t := cutToken(token)
	found, _, err := s.byLink(ctx, t)
	if err != nil {
		return Redeemed{}, err
	}
	ctx, span, ref := s.join(ctx, found, found.Live, s.asker(found.Live, t.tag), "press")
	defer span.End()
	var out Redeemed
	var happened steps
	d, err := s.change(ctx, found.ID, func(d *Document, now time.Time) error {
		happened = nil
		a := d.Live
		if a == nil || !t.is(a.Link, s.hashLink) {
			return ErrUnknown
		}
		by := s.asker(a, t.tag)
		if by == "" {
			return ErrUnknown
		}
		out = Redeemed{Chat: a.chat(by)}
		again, err := s.usable(a, now, nonce)
		out.Kind = a.Kind
		if err != nil {
			out.Moment = errors.Is(err, ErrUsed) && a.Voided.IsZero() && now.Sub(a.Redeemed) < moment
			return err
		}
		out.Again = again
		if again {
			out.Life = a.keyPassEnds().Sub(now)
			return errUnchanged
		}
		out.Life = KeyPassLife
		happened.add(a, StepPressed, took(a.Accepted, now))
		d.trace = ref
		a.Redeemed, a.Nonce, a.By = now, s.hashNonce(nonce), by
		d.Bounced = nil // its mailbox is read
		d.PurgeAt = now.Add(KeyPassLife)
		if a.Kind == KindUnlock {
			s.owe(d, a, now, "/", bot.Activate{})
			s.owe(d, a, now, "unlocked/", bot.MailNotice{Topic: "unlocked"})
			s.announce(d, a, now, bot.ToldUnlocked, "")
		}
		s.tell(d, a, now, bot.SignalLinkUsed, string(a.Kind))
		return nil
	})
	if err != nil {
		span.Fail("refused")
		return Redeemed{Kind: out.Kind, Moment: out.Moment, Chat: out.Chat}, err
	}
	s.tellSteps(happened)
	if out.Kind == KindUnlock {
		if err := s.Activate(ctx, d.ID, d.Live.ID); err != nil {
			return Redeemed{}, fmt.Errorf("activate record: %w", err)
		}
	}
	s.Kick(d.ID)
	out.KeyPass = s.Vault.Seal(secret.KeyPass.Of(""), d.ID+"|"+d.Live.ID)
	return out, nil
}
