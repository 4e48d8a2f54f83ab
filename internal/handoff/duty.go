package handoff

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// DutyFor is how long somebody who closed their last page is taken to be on duty: as long as a session lasts.
const DutyFor = 12 * time.Hour

// OnDuty are the agents who may be told of things where no page is open (P762): the desk is open, they have been at it today, and neither
// signed out nor are on a break.
func (d *Desk) OnDuty(ctx context.Context) ([]Presence, error) {
	now, err := d.Now(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the store's clock: %w", err)
	}
	calendar, err := d.Calendar(ctx)
	if err != nil || !calendar.Open(now) {
		return nil, err
	}
	all, err := d.Store.Present(ctx)
	if err != nil {
		return nil, fmt.Errorf("find who is on duty: %w", err)
	}
	return slices.DeleteFunc(all, func(p Presence) bool { return p.Away || now.Sub(p.At) >= DutyFor }), nil
}

// Paused says whether an agent is on a break: they are there and take no new conversation.
func (d *Desk) Paused(ctx context.Context, login string) (bool, error) {
	all, err := d.Store.Present(ctx)
	if err != nil {
		return false, fmt.Errorf("see whether an agent is on a break: %w", err)
	}
	return slices.ContainsFunc(all, func(p Presence) bool { return p.Login == login && p.Away }), nil
}
