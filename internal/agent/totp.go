package agent

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"llave/bot"
	"llave/internal/secret"
)

// EnrolmentLife is how long a second factor that was begun waits for its first code.
const EnrolmentLife = 15 * time.Minute

// stepLength is how long one code lasts. A code of the step before or after counts too: clocks differ.
const stepLength = 30

// Enrolment is a second factor on its way: what an app needs to know to make codes. It is shown until a code proved it,
// and never again.
type Enrolment struct{ key *otp.Key }

// String keeps the secret out of logs.
func (Enrolment) String() string { return "[redacted]" }

// GoString keeps the secret out of %#v.
func (Enrolment) GoString() string { return "[redacted]" }

// Secret is what is typed into an app by hand, in groups of four.
func (e Enrolment) Secret() string {
	var b strings.Builder
	for i, r := range e.key.Secret() {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// URL opens an app on the same device ("otpauth:").
func (e Enrolment) URL() string { return e.key.URL() }

// EnrolmentSide is how wide and high an enrolment code is.
const EnrolmentSide = 280

// PNG is the same as an enrolment code (QR), to be read by another device. It brings the white margin that a camera needs, since the page
// around it may be dark.
func (e Enrolment) PNG() ([]byte, error) {
	const margin = 20
	code, err := e.key.Image(EnrolmentSide-2*margin, EnrolmentSide-2*margin)
	if err != nil {
		return nil, fmt.Errorf("draw the code: %w", err)
	}
	canvas := image.NewGray(image.Rect(0, 0, EnrolmentSide, EnrolmentSide))
	draw.Draw(canvas, canvas.Bounds(), image.White, image.Point{}, draw.Src)
	draw.Draw(canvas, code.Bounds().Add(image.Pt(margin, margin)), code, image.Point{}, draw.Src)
	var b bytes.Buffer
	if err := png.Encode(&b, canvas); err != nil {
		return nil, fmt.Errorf("draw the code: %w", err)
	}
	return b.Bytes(), nil
}

// BeginTOTP makes the secret of a second factor, for somebody who is signed in and proves their password (ErrWrong, *Later); it is off
// until ConfirmTOTP. ErrEnrolment means that one is on: it must be taken off first. The secret is that session's alone: who has another
// one of the account, a stolen one perhaps, neither sees it nor turns it on.
func (s *Service) BeginTOTP(ctx context.Context, token, password string, from From) (Enrolment, error) {
	a, sn, err := s.Session(ctx, token)
	if err != nil {
		return Enrolment{}, err
	}
	if a.SecondFactor() {
		return Enrolment{}, ErrEnrolment
	}
	if err := s.prove(ctx, a, password, from); err != nil {
		return Enrolment{}, err
	}
	k, err := totp.Generate(totp.GenerateOpts{Issuer: "Llave", AccountName: a.Login})
	if err != nil {
		return Enrolment{}, fmt.Errorf("make a second factor: %w", err)
	}
	err = s.change(ctx, a.Login, a.Login, func(a *Agent, now time.Time) (string, string, error) {
		if err := a.still(sn.Epoch); err != nil {
			return "", "", err
		}
		if a.SecondFactor() {
			return "", "", ErrEnrolment
		}
		a.NewTOTP, a.NewTOTPAt, a.NewTOTPBy = s.Vault.Seal(secret.TOTP.Of(a.Login), k.URL()), now, sn.ID
		return "agent_totp_begun", a.Login, nil
	})
	if err != nil {
		return Enrolment{}, err
	}
	return Enrolment{k}, nil
}

// Enrolment returns the second factor that was begun with this session and waits for its first code, or ErrEnrolment.
func (s *Service) Enrolment(ctx context.Context, token string) (Enrolment, error) {
	a, sn, now, err := s.look(ctx, token)
	if err != nil {
		return Enrolment{}, err
	}
	if !a.enrolling(sn, now) {
		return Enrolment{}, ErrEnrolment
	}
	k, err := s.openTOTP(a.Login, a.NewTOTP)
	if err != nil {
		return Enrolment{}, err
	}
	return Enrolment{k}, nil
}

func (a Agent) enrolling(with Session, now time.Time) bool {
	return a.NewTOTP != "" && a.NewTOTPBy == with.ID && now.Sub(a.NewTOTPAt) < EnrolmentLife
}

// ConfirmTOTP turns the second factor on that was begun with this session, if the code is right (ErrCode). Signing in asks for one from
// then on. The other sessions of the account end, and what is returned goes on in place of the one with this token. The recovery codes
// are shown once and kept as keyed hashes.
func (s *Service) ConfirmTOTP(ctx context.Context, token, code string, from From) (SignedIn, RecoveryCodes, error) {
	who, with, err := s.Session(ctx, token)
	if err != nil {
		return SignedIn{}, nil, err
	}
	codes := newRecoveryCodes()
	err = s.change(ctx, who.Login, who.Login, func(a *Agent, now time.Time) (string, string, error) {
		if err := a.still(with.Epoch); err != nil {
			return "", "", err
		}
		if !a.enrolling(with, now) {
			return "", "", ErrEnrolment
		}
		a.TOTPStep = 0 // of another secret
		if err := s.takeCode(a, a.NewTOTP, code, now); err != nil {
			return "", "", err
		}
		a.TOTP, a.NewTOTP, a.NewTOTPAt, a.NewTOTPBy = a.NewTOTP, "", time.Time{}, ""
		a.Recovery = s.recoveryHashes(a.Login, codes)
		a.Epoch++
		return "agent_totp_on", a.Login, nil
	})
	if err != nil {
		return SignedIn{}, nil, err
	}
	in, err := s.reopen(ctx, token, who.Login, with.Proved, from) // a code is no password
	return in, codes, err
}

// EndTOTP takes the second factor off for somebody who is signed in, proves their password and has a code; a wrong one counts as a
// try (ErrWrong, ErrCode). Codes have a count of their own, which no right password begins anew. The other sessions of the account end, and what is returned goes on in place of the one with this token.
func (s *Service) EndTOTP(ctx context.Context, token, password, code string, from From) (SignedIn, error) {
	a, sn, err := s.Session(ctx, token)
	if err != nil {
		return SignedIn{}, err
	}
	if err := s.prove(ctx, a, password, from); err != nil {
		return SignedIn{}, err
	}
	tried, err := s.begin(ctx, a.Login, place{placeInsideCodes, placeInsideCodes}, from)
	if err != nil {
		return SignedIn{}, err
	}
	err = s.change(ctx, a.Login, a.Login, func(a *Agent, now time.Time) (string, string, error) {
		if err := a.still(sn.Epoch); err != nil {
			return "", "", err
		}
		if _, err := s.takeAnyCode(a, code, now); err != nil {
			return "", "", err
		}
		a.endTOTP()
		return "agent_totp_off", a.Login, nil
	})
	if errors.Is(err, ErrCode) {
		return SignedIn{}, s.failed(ctx, a.Login, "agent_code_wrong", tried, ErrCode)
	}
	if err != nil {
		return SignedIn{}, err
	}
	if err := s.beginAnew(ctx, tried); err != nil {
		return SignedIn{}, err
	}
	return s.reopen(ctx, token, a.Login, time.Time{}, from)
}

// RemoveTOTP takes the second factor off, for whoever lost the device, and ends what the account is signed in with.
func (s *Service) RemoveTOTP(ctx context.Context, by, login string) error {
	return s.change(ctx, by, login, func(a *Agent, _ time.Time) (string, string, error) {
		if a.TOTP == "" && a.NewTOTP == "" {
			return "", "", errUnchanged
		}
		a.endTOTP()
		return "agent_totp_off", a.Login, nil
	})
}

func (a *Agent) endTOTP() {
	a.TOTP, a.NewTOTP, a.TOTPStep, a.NewTOTPAt, a.NewTOTPBy, a.Recovery = "", "", 0, time.Time{}, "", nil
	a.Epoch++
}

// takeCode notes in the agent which step a code is of, or returns ErrCode: it is of none near now, or of one that was taken.
func (s *Service) takeCode(a *Agent, sealed, code string, now time.Time) error {
	if sealed == "" {
		return ErrCode
	}
	k, err := s.openTOTP(a.Login, sealed)
	if err != nil {
		return err
	}
	code = strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, bot.Fold(code))
	present := now.Unix() / stepLength
	for step := present - 1; step <= present+1; step++ {
		want, err := hotp.GenerateCode(k.Secret(), uint64(step)) //nolint:gosec // half minutes since 1970
		if err != nil {
			return fmt.Errorf("compute code: %w", err)
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 && step > a.TOTPStep {
			a.TOTPStep = step
			return nil
		}
	}
	return ErrCode
}

func (s *Service) openTOTP(login, sealed string) (*otp.Key, error) {
	text, err := s.Vault.Open(secret.TOTP.Of(login), sealed)
	if err != nil {
		return nil, fmt.Errorf("open the second factor: %w", err)
	}
	k, err := otp.NewKeyFromURL(text)
	if err != nil {
		return nil, errors.New("open the second factor: not what was sealed") // the cause would print it
	}
	return k, nil
}
