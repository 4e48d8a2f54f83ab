package handoff

import (
	"context"
	"fmt"
	"time"
)

// MayRead says whether somebody may read what was said in a case: agents those that they have, or had last, those that wait for
// anybody, and open ones in which a note names them (P777); supervisors all.
func MayRead(who Actor, c Case) bool {
	return who.Supervisor || c.Agent == who.Login || c.Open() && (!c.Held() || c.MentionOf(who.Login) > 0)
}

// Read writes down that somebody reads a case: once an hour, however often the page is drawn. It comes before the lines are shown.
func (d *Desk) Read(ctx context.Context, who Actor, ref string) error {
	hour, err := d.hourNow(ctx)
	if err != nil {
		return err
	}
	key := reading{who.Login, ref, hour}
	d.mu.Lock()
	if d.hour != hour {
		d.hour, d.readings = hour, map[reading]bool{}
	}
	known := d.readings[key]
	d.mu.Unlock()
	if known {
		return nil
	}
	if err := d.Audit(ctx, AuditRead+"/"+who.Login+"/"+ref+"/"+hour, who.Login, AuditRead, ref); err != nil {
		return fmt.Errorf("write down %s: %w", AuditRead, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hour == hour {
		d.readings[key] = true
	}
	return nil
}

// hourNow names the hour that it is.
func (d *Desk) hourNow(ctx context.Context) (string, error) {
	now, err := d.Now(ctx)
	if err != nil {
		return "", fmt.Errorf("read the store's clock: %w", err)
	}
	return now.UTC().Truncate(time.Hour).Format("2006-01-02T15"), nil
}

// reading is that somebody reads a case in an hour.
type reading struct{ login, ref, hour string }
