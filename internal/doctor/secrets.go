package doctor

import (
	"encoding/base64"
	"net/url"
	"strings"

	"llave/internal/config"
)

// secrets are the values of settings that nobody may see.
type secrets struct{ replacer *strings.Replacer }

// shortest is how long a value must be to be looked for: a shorter one is a word like others.
const shortest = 8

func newSecrets(c config.Config) secrets {
	values := []string{
		c.TelegramToken.Reveal(), c.TelegramWebhookSecret.Reveal(), c.WhatsApp.PhoneNumberID, c.WhatsApp.AppSecret.Reveal(),
		c.WhatsApp.VerifyToken.Reveal(), c.EventsSecret.Reveal(), strings.TrimPrefix(c.EventsSecret.Reveal(), "whsec_"),
	}
	_, half, _ := strings.Cut(c.TelegramToken.Reveal(), ":")
	values = append(values, half)
	for _, t := range c.WhatsApp.Tokens() {
		values = append(values, t.Reveal())
	}
	for _, k := range c.SecretKey {
		values = append(values, base64.StdEncoding.EncodeToString(k), base64.RawStdEncoding.EncodeToString(k), base64.RawURLEncoding.EncodeToString(k))
	}
	values = append(values, passwords(c.SMTPURL.Reveal())...)
	values = append(values, passwords(c.MongoDBURI.Reveal())...)
	var pairs []string
	for _, v := range values {
		if len(v) >= shortest {
			pairs = append(pairs, v, "[redacted]")
		}
	}
	return secrets{strings.NewReplacer(pairs...)}
}

// passwords are what stands for one in an address, as it is written and as it is meant.
func passwords(address string) (list []string) {
	_, rest, _ := strings.Cut(address, "://")
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return nil
	}
	_, written, _ := strings.Cut(rest[:at], ":")
	list = append(list, written)
	if meant, err := url.PathUnescape(written); err == nil {
		list = append(list, meant)
	}
	return list
}

func (s secrets) clean(text string) string { return s.replacer.Replace(text) }
