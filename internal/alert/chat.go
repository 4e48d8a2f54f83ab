package alert

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"llave/bot"
	"llave/internal/secret"
)

// CodeLives is how long a code links a chat.
const CodeLives = 10 * time.Minute

// codeLength is that of a code: fifty bits, of which nobody guesses one in ten minutes.
const codeLength = 10

// digits are those of a code: it holds one at least, so that words of as many letters are none ("vincular contrasena").
const digits = "234567"

// coded is a message that links a chat, and nothing else: the bot's menu has no such word.
var coded = regexp.MustCompile(`(?i)^\s*/?vincular[\s:]+([a-z2-7]{5})[\s-]*([a-z2-7]{5})\s*$`)

// NewCode gives an agent a code, once, with which their own Telegram is linked: by whoever writes it to the bot first. A code that was
// given before links nothing any more.
func (s *Service) NewCode(ctx context.Context, login string) (string, error) {
	code := rand.Text()[:codeLength]
	for !strings.ContainsAny(code, digits) {
		code = rand.Text()[:codeLength]
	}
	err := s.set(ctx, login, func(b *Bell, now time.Time) error {
		b.Code, b.CodeEnds = s.codeHash(code), now.Add(CodeLives)
		return nil
	})
	return code[:codeLength/2] + "-" + code[codeLength/2:], err
}

func (s *Service) codeHash(code string) string {
	return s.Vault.Hash("alert-code", strings.ToUpper(code))
}

// Code is the code in what somebody wrote to the bot, or "": they wrote something else.
func Code(text string) string {
	m := coded.FindStringSubmatch(bot.Clean(text))
	if m == nil || !strings.ContainsAny(m[1]+m[2], digits) {
		return ""
	}
	return m[1] + m[2]
}

// TakeCode links the chat in which a code was written with the account that it was given to, whose login it returns; "" when the code is
// nobody's, was used or is over. The same message again does nothing and is answered as before.
func (s *Service) TakeCode(ctx context.Context, code, chat string) (login string, err error) {
	hash := s.codeHash(code)
	same := func(kept string) bool {
		return kept != "" && subtle.ConstantTimeCompare([]byte(kept), []byte(hash)) == 1
	}
	now, err := s.Now(ctx)
	if err != nil {
		return "", fmt.Errorf("read the store's clock: %w", err)
	}
	all, err := s.Bells.All(ctx)
	if err != nil {
		return "", fmt.Errorf("read the agents' bells: %w", err)
	}
	for _, b := range all {
		if same(b.Linked) && s.isChat(b, chat) {
			return b.Login, nil
		}
		if !same(b.Code) {
			continue
		}
		err := s.change(ctx, b.Login, func(b *Bell) bool {
			if login = ""; !same(b.Code) || !now.Before(b.CodeEnds) {
				return false
			}
			login = b.Login
			b.Chat, b.Linked, b.Code, b.CodeEnds = s.Vault.Seal(secret.AlertChat.Of(b.Login), chat), hash, "", time.Time{}
			return true
		})
		return login, err
	}
	return "", nil
}

func (s *Service) isChat(b Bell, chat string) bool {
	kept, err := s.Vault.Open(secret.AlertChat.Of(b.Login), b.Chat)
	return err == nil && kept == chat
}

// Unlink has an agent written to no more, and takes back a code that was not used.
func (s *Service) Unlink(ctx context.Context, login string) error {
	return s.change(ctx, login, func(b *Bell) bool {
		had := b.Chat != "" || b.Code != ""
		b.Chat, b.Linked, b.Code, b.CodeEnds = "", "", "", time.Time{}
		return had
	})
}

// write writes to an agent's own chat.
func (s *Service) write(ctx context.Context, b Bell, text string) error {
	chat, err := s.Vault.Open(secret.AlertChat.Of(b.Login), b.Chat)
	if err != nil {
		return ErrGone
	}
	err = s.Telegram(ctx, chat, text)
	if err != nil && bot.KindOf(err) == bot.Gone {
		return errors.Join(ErrGone, err)
	}
	return err
}
