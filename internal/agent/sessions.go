package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"llave/bot"
)

// Prove has somebody who is signed in type their password once more, for what wants that (Session.Fresh). A wrong one counts as a
// try: ErrWrong, or *Later.
func (s *Service) Prove(ctx context.Context, token, password string, from From) error {
	a, _, err := s.Session(ctx, token)
	if err != nil {
		return err
	}
	if err := s.prove(ctx, a, password, from); err != nil {
		return err
	}
	for {
		_, sn, now, err := s.look(ctx, token)
		if err != nil {
			return err
		}
		sn.Proved, sn.Seen = now, now
		if err := s.Sessions.Save(ctx, &sn); !errors.Is(err, bot.ErrConflict) {
			if err != nil {
				return fmt.Errorf("save session: %w", err)
			}
			return nil
		}
	}
}

// SessionsOf are the sessions with which an account is signed in now, that which acted last first.
func (s *Service) SessionsOf(ctx context.Context, login string) ([]Session, error) {
	a, err := s.Find(ctx, login)
	if err != nil {
		return nil, err
	}
	now, err := s.now(ctx)
	if err != nil {
		return nil, err
	}
	all, err := s.Sessions.Of(ctx, a.Login)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	all = slices.DeleteFunc(all, func(sn Session) bool {
		return sn.Half || sn.Epoch != a.Epoch || !sn.Ends.After(now) || now.Sub(sn.Seen) >= s.Idle
	})
	slices.SortFunc(all, func(x, y Session) int { return y.Seen.Compare(x.Seen) })
	return all, nil
}

// EndSession ends one of the sessions of whoever has this token. One that is over, or is another account's, is left alone.
func (s *Service) EndSession(ctx context.Context, token, id string) error {
	return s.endSessions(ctx, token, func(sn Session) bool { return sn.ID == id })
}

// EndOthers ends all sessions of whoever has this token but that one.
func (s *Service) EndOthers(ctx context.Context, token string) error {
	own := s.sessionID(token)
	return s.endSessions(ctx, token, func(sn Session) bool { return sn.ID != own })
}

func (s *Service) endSessions(ctx context.Context, token string, which func(Session) bool) error {
	a, _, now, err := s.look(ctx, token)
	if err != nil {
		return err
	}
	all, err := s.Sessions.Of(ctx, a.Login)
	if err != nil {
		return fmt.Errorf("list sessions: %w", err)
	}
	for _, sn := range all {
		if sn.Half || !which(sn) {
			continue
		}
		e := AuditEntry{ID: "agent/end/" + sn.ID, At: now, Who: a.Login, What: "agent_session_ended"}
		if err := s.tell(ctx, e); err != nil {
			return err
		}
		if err := s.Sessions.Delete(ctx, sn.ID, -1); err != nil {
			return fmt.Errorf("end session: %w", err)
		}
	}
	return nil
}

// IsSession says whether a session is the one of this token.
func (s *Service) IsSession(sn Session, token string) bool { return sn.ID == s.sessionID(token) }

// EndSessions ends all that an account is signed in with, in the name of [by].
func (s *Service) EndSessions(ctx context.Context, by, login string) error {
	return s.change(ctx, by, login, func(a *Agent, _ time.Time) (string, string, error) {
		a.Epoch++
		return "agent_sessions_ended", a.Login, nil
	})
}
