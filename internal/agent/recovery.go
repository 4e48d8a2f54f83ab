package agent

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"llave/bot"
)

// RecoveryCodes stand in for a telephone that was lost, each once. They print as [redacted].
type RecoveryCodes []string

// String keeps them out of logs.
func (RecoveryCodes) String() string { return "[redacted]" }

// GoString keeps them out of %#v.
func (RecoveryCodes) GoString() string { return "[redacted]" }

// A recovery code has 50 bits, written as two groups of five of rand.Text's signs (base32).
const (
	recoveryCodes  = 10
	recoveryLength = 10
)

func newRecoveryCodes() RecoveryCodes {
	codes := make(RecoveryCodes, recoveryCodes)
	for i := range codes {
		text := strings.ToLower(rand.Text())
		codes[i] = text[:recoveryLength/2] + "-" + text[recoveryLength/2:recoveryLength]
	}
	return codes
}

// recoveryHash is the keyed hash of a code as somebody types it: capitals, blanks and dashes do not matter.
func (s *Service) recoveryHash(login, code string) string {
	code = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, bot.Fold(code))
	return s.Vault.Hash("agent-recovery", login+" "+code)
}

func (s *Service) recoveryHashes(login string, codes RecoveryCodes) []string {
	hashes := make([]string, len(codes))
	for i, code := range codes {
		hashes[i] = s.recoveryHash(login, code)
	}
	return hashes
}

// takeAnyCode takes a code of the app, or one for recovery, which is then used up. It says how: "" for the app's.
func (s *Service) takeAnyCode(a *Agent, code string, now time.Time) (how string, err error) {
	if i := slices.Index(a.Recovery, s.recoveryHash(a.Login, code)); i >= 0 {
		a.Recovery = slices.Delete(slices.Clone(a.Recovery), i, i+1)
		return fmt.Sprintf("recovery %d", len(a.Recovery)), nil
	}
	return "", s.takeCode(a, a.TOTP, code, now)
}

// RenewRecovery gives an account with a second factor new recovery codes in place of those it has, for somebody who proves their
// password (ErrWrong, *Later). ErrEnrolment means that it has no second factor.
func (s *Service) RenewRecovery(ctx context.Context, login, password string, from From) (RecoveryCodes, error) {
	a, err := s.Find(ctx, login)
	if err != nil {
		return nil, err
	}
	if err := s.prove(ctx, a, password, from); err != nil {
		return nil, err
	}
	codes, epoch := newRecoveryCodes(), a.Epoch
	err = s.change(ctx, a.Login, a.Login, func(a *Agent, _ time.Time) (string, string, error) {
		if err := a.still(epoch); err != nil {
			return "", "", err
		}
		if !a.SecondFactor() {
			return "", "", ErrEnrolment
		}
		a.Recovery = s.recoveryHashes(a.Login, codes)
		return "agent_recovery", a.Login, nil
	})
	if err != nil {
		return nil, err
	}
	return codes, nil
}
