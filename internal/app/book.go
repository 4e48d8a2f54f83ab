package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"llave/bot"
	"llave/bot/whatsapp"
)

// What comes from a channel goes by the chat's name in the address book from here on, and what goes to one gets its address here
// (P720). WhatsApp, whose people have several names, asks the book itself: store.PeopleTable.

// Handle answers what came by a channel, as its update names the chat.
func (a *App) Handle(ctx context.Context, u bot.Update) (err error) {
	if linked, err := a.linkChat(ctx, u); linked || err != nil {
		return err
	}
	if u.Channel == whatsapp.Name {
		u.ID = a.Store.Book.Message(u.ID)
	} else if u.Chat, err = a.Store.Book.Enter(ctx, u.Channel, u.Chat); err != nil {
		return err
	}
	if err := a.carryChat(ctx, u.Conv()); err != nil {
		return err
	}
	err = a.Runner.Handle(ctx, u)
	return errors.Join(err, a.Store.Heard(ctx, u.Conv()))
}

// address is what a channel calls the chat of that name; "" when nobody is there any more.
func (a *App) address(ctx context.Context, channel, name string) (string, error) {
	if channel == whatsapp.Name {
		return name, nil
	}
	return a.Store.Book.Chat(ctx, channel, name)
}

// personTyping tells the desk that somebody writes in a chat, by what the channel calls it.
func (a *App) personTyping(conv string) { a.talk.PersonTyping(a.Store.Book.Conv(conv)) }

// How long after the start a process of an earlier version may be expected beside this one, how long a conversation that it is at is
// left to it, and how often is looked.
const (
	olderFor   = time.Hour
	olderKeeps = 6 * time.Second
	olderLook  = 100 * time.Millisecond
	olderEvery = time.Second
)

// Carry takes over what an earlier version wrote.
func (a *App) Carry(ctx context.Context) error {
	if _, err := a.Store.Carry(ctx, slices.Sorted(maps.Keys(erasing)), a.isAlone()); err != nil {
		return err
	}
	until := a.older.Load()
	last := a.isAlone() || until != nil && time.Now().After(*until)
	if _, err := a.Store.CarryUnlocks(ctx, last); err != nil {
		return fmt.Errorf("carry over who asked for links: %w", err)
	}
	return nil
}

// takeOver has the store be as this version and the log of erasures want it, and the audit's chain begun, before anything is served.
func (a *App) takeOver(ctx context.Context) error {
	a.Store.Audit.OnBegin(a.auditBegan)
	if err := a.Store.Audit.Begin(ctx); err != nil {
		return err
	}
	if err := a.Carry(ctx); err != nil {
		return err
	}
	a.expectOlder()
	if err := a.scrub(ctx); err != nil { // a full disk: it is done again each hour
		a.options.Log.Warn("what was removed is not off the disk yet", "error", err)
	}
	return a.openErasures(ctx)
}

// expectOlder has conversations be looked for that a process of an earlier version writes beside this one. An embedded store has no
// other process.
func (a *App) expectOlder() {
	if until := time.Now().Add(olderFor); !a.isAlone() {
		a.older.Store(&until)
	}
}

// carryAlong takes over what a process of an earlier version writes, or was at, until none is expected any more.
func (a *App) carryAlong(ctx context.Context) {
	tick := time.NewTicker(olderEvery)
	defer tick.Stop()
	for until := a.older.Load(); until != nil && time.Now().Before(*until); {
		if _, err := a.Store.Carry(ctx, slices.Sorted(maps.Keys(erasing)), false); err != nil && ctx.Err() == nil {
			a.options.Log.Warn("carry over what an earlier version wrote", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// isAlone says that no other process has the store. One that is given, by a test or to a command, is taken for what the settings say.
func (a *App) isAlone() bool { return a.options.Config.Embedded() }

// carryChat takes over a conversation that somebody writes in. A process of an earlier version that is at it has some seconds to end.
func (a *App) carryChat(ctx context.Context, conv string) error {
	until := a.older.Load()
	if until == nil || time.Now().After(*until) {
		return nil
	}
	for end := time.Now().Add(olderKeeps); ; {
		left, err := a.Store.CarryChat(ctx, conv, time.Now().After(end))
		if err != nil || !left {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(olderLook):
		}
	}
}
