package app

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"

	"llave/bot"
	"llave/bot/telegram"
	"llave/bot/whatsapp"
	"llave/internal/affiliate"
	"llave/internal/config"
)

// fresh is what a running process can be given anew, all of it together.
type fresh struct {
	config  config.Config // that it was made from
	offices affiliate.Offices
	engine  *bot.Engine
	sums    map[string][sha256.Size]byte // of the files that were read, by the setting that names them
}

// refreshed are the settings that Reload applies. Every other one needs a new start.
var refreshed = []string{
	"LLAVE_TELEGRAM_TOKEN", "LLAVE_WHATSAPP_TOKEN", "LLAVE_WHATSAPP_APP_SECRET", "LLAVE_WHATSAPP_VERIFY_TOKEN",
	"LLAVE_OFFICES_FILE", "LLAVE_MODEL_FILE", "LLAVE_LOG_LEVEL",
}

// refresh reads the files that those settings name, and builds what stands on them.
func (a *App) refresh(c config.Config) (*fresh, error) {
	f := &fresh{config: c, offices: affiliate.Offices{}, sums: map[string][sha256.Size]byte{}}
	var unread []error
	for name, path := range map[string]string{"LLAVE_OFFICES_FILE": c.OfficesFile, "LLAVE_MODEL_FILE": c.ModelFile} {
		if path == "" {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			unread = append(unread, fmt.Errorf("%s: %w", name, err))
			continue
		}
		f.sums[name] = sha256.Sum256(data)
	}
	if err := errors.Join(unread...); err != nil {
		return nil, err
	}
	var err error
	if c.OfficesFile != "" {
		if f.offices, err = affiliate.LoadOffices(c.OfficesFile); err != nil {
			return nil, fmt.Errorf("LLAVE_OFFICES_FILE: %w", err)
		}
	}
	// What needs a new start stays as it is in the conversation too.
	flow := a.options.Config
	flow.ModelFile = c.ModelFile
	f.engine, err = NewFlow(flow, FlowOptions{Records: a.records(), Vault: a.Vault, Offices: f.offices, PublicURL: a.publicURL, Desk: a.Desk, Mail: a.mailer})
	return f, err
}

// Reload has offices, model and tokens be those of [c]. It says which settings changed, by themselves or in the file they name, and
// which of all would need a new start. After an error everything is as it was.
func (a *App) Reload(c config.Config) (changed, restart []string, err error) {
	was := a.fresh.Load()
	next, err := a.refresh(c)
	if err != nil {
		return nil, nil, err
	}
	start := a.options.Config
	// A channel that was off has nothing that could be given another token, and another bot's chats are others.
	apply := slices.Clone(refreshed)
	leave := func(names ...string) {
		apply = slices.DeleteFunc(apply, func(name string) bool { return slices.Contains(names, name) })
	}
	switch {
	case start.WhatsApp.On() != c.WhatsApp.On():
		leave("LLAVE_WHATSAPP_TOKEN", "LLAVE_WHATSAPP_APP_SECRET", "LLAVE_WHATSAPP_VERIFY_TOKEN")
	case start.WhatsApp.PhoneNumberID != c.WhatsApp.PhoneNumberID: // the new secrets are the other number's
		leave("LLAVE_WHATSAPP_TOKEN", "LLAVE_WHATSAPP_APP_SECRET", "LLAVE_WHATSAPP_VERIFY_TOKEN")
	case a.whatsapp != nil && was.config.WhatsApp != c.WhatsApp:
		err = a.whatsapp.SetSecrets(whatsapp.Secrets{Tokens: c.WhatsApp.Tokens(), App: c.WhatsApp.AppSecret, Verify: c.WhatsApp.VerifyToken})
	}
	if err != nil {
		return nil, nil, err
	}
	switch {
	case start.TelegramToken != c.TelegramToken && !telegram.SameBot(start.TelegramToken, c.TelegramToken):
		leave("LLAVE_TELEGRAM_TOKEN")
	case a.telegram != nil && was.config.TelegramToken != c.TelegramToken:
		err = a.telegram.SetToken(c.TelegramToken)
	}
	if err != nil {
		return nil, nil, err
	}
	moved := was.config.Changed(c)
	for _, name := range apply {
		if slices.Contains(moved, name) || was.sums[name] != next.sums[name] {
			changed = append(changed, name)
		}
	}
	for _, name := range start.Changed(c) {
		if !slices.Contains(apply, name) {
			restart = append(restart, name)
		}
	}
	a.Runner.SetEngine(next.engine)
	a.fresh.Store(next)
	return changed, restart, nil
}

// hangup reads the settings again, and says in one line what came of it. What cannot be read leaves all as it was.
func (a *App) hangup() {
	o := a.options
	c, err := o.Again()
	var changed, restart []string
	if err == nil {
		changed, restart, err = a.Reload(c)
	}
	if err != nil {
		o.Log.Error("settings were not read again, and all is as it was", "error", err)
		return
	}
	o.Level.Set(min(o.Level.Level(), c.LogLevel, slog.LevelInfo)) // so that the line is seen, whatever it is from here on
	said := []any{"changed", logList(changed), "needs_a_new_start", logList(restart)}
	if a.telegram != nil && c.TelegramToken != "" && slices.Contains(restart, "LLAVE_TELEGRAM_TOKEN") {
		said = append(said, "why", "LLAVE_TELEGRAM_TOKEN: this is another bot's token")
	}
	o.Log.Info("settings were read again", said...)
	o.Level.Set(c.LogLevel)
	debug.FreeOSMemory() // the model before
}

// logList is a list of settings as it is logged: an empty one is [], not null.
func logList(settings []string) []string { return append([]string{}, settings...) }
