package app

import (
	"context"
	"fmt"
	"time"

	"llave/bot"
	"llave/bot/telegram"
	"llave/internal/alert"
	"llave/internal/runner"
	"llave/internal/store"
)

// newAlerts is what tells agents of things where no page of theirs is open. The console, which has the words, is made later.
func (a *App) newAlerts(site string) *alert.Service {
	return alert.New(alert.Options{
		Bells: a.Store.Bells, Vault: a.Vault, Now: a.Store.Now, Zone: a.options.Config.Timezone, Site: site, Client: a.options.PushClient, Log: a.options.Log,
		OnDuty:   a.onDuty,
		Words:    func(what string, times int) (string, error) { return a.alertsRoom.Words(what, times) },
		Telegram: a.writeToAgent,
	})
}

// writeToAgent writes to an agent's own chat on Telegram. Where that channel is off it may be on again tomorrow: the chat stays linked.
func (a *App) writeToAgent(ctx context.Context, chat, text string) error {
	if a.telegram == nil {
		return &bot.SendError{Failure: bot.Temporary, Reason: "the channel is off"}
	}
	return a.telegram.Send(ctx, chat, bot.Reply{Text: text})
}

// onDuty are the logins of those who may be told of things: see handoff.Desk.OnDuty. An account that was disabled is nobody's.
func (a *App) onDuty(ctx context.Context) ([]string, error) {
	all, err := a.Desk.OnDuty(ctx)
	if err != nil {
		return nil, err
	}
	var logins []string
	for _, p := range all {
		_, known, err := a.Desk.Known(ctx, p.Login)
		if err != nil {
			return nil, fmt.Errorf("see whether an account is there: %w", err)
		}
		if known {
			logins = append(logins, p.Login)
		}
	}
	return logins, nil
}

// hushed says whether an agent's pages are to be silent: on a break, or in their quiet hours.
func (a *App) hushed(ctx context.Context, login string) (bool, error) {
	paused, err := a.Desk.Paused(ctx, login)
	if err != nil || paused {
		return paused, err
	}
	return a.Alerts.Quiet(ctx, login)
}

// raiseAlert tells the devices of whom something concerns.
func (a *App) raiseAlert(ctx context.Context, p bot.Promise, what bot.RaiseAlert) (runner.Effects, error) {
	return runner.Effects{}, a.Alerts.Raise(ctx, p.ID, what, p.Made)
}

// How many wrong codes of a chat in a minute are answered; more are heard as anything else is, within its limits.
const wrongCodes = 5

// linkChat takes what somebody wrote on Telegram that is a code which links an agent's own chat, and answers it: no conversation begins
// with it. It says false of what is for the conversation. The link stands before the update is acknowledged; the answer is a courtesy.
func (a *App) linkChat(ctx context.Context, u bot.Update) (bool, error) {
	code := alert.Code(u.Text)
	if u.Channel != telegram.Name || u.Kind != bot.Text || u.Group || code == "" || a.telegram == nil {
		return false, nil
	}
	login, err := a.Alerts.TakeCode(ctx, code, u.Chat)
	if err != nil {
		return true, fmt.Errorf("link an agent's chat: %w", err)
	}
	if login == "" {
		n, _, err := a.Store.Counters.Add(ctx, "alert-code/"+a.Vault.Hash("alert-chat", u.Chat), 1, time.Minute)
		if err != nil || n > wrongCodes {
			return err != nil, err
		}
	} else {
		now, err := a.Store.Now(ctx)
		if err != nil {
			return true, fmt.Errorf("read the store's clock: %w", err)
		}
		id := "agent_chat_told/" + login + "/" + u.ID
		if err := a.Store.Audit.Append(ctx, store.AuditEntry{ID: id, At: now, Who: login, What: "agent_chat_told", Detail: login}); err != nil {
			return true, fmt.Errorf("write down that an agent's chat is told: %w", err)
		}
	}
	text, err := a.alertsRoom.Linked(login != "")
	if err != nil {
		return true, err
	}
	if err := a.telegram.Send(ctx, u.Chat, bot.Reply{Text: text}); err != nil {
		a.options.Log.Warn("an agent was not told of a code", "err", err)
	}
	return true, nil
}

// chatURL is where agents write to the bot, "" while Telegram has not said it.
func (a *App) chatURL() string { return a.telegram.ChatURL() }
