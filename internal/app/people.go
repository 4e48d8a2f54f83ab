package app

import (
	"context"
	_ "embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"llave/bot/terminal"
	"llave/internal/affiliate"
	"llave/internal/handoff"
	"llave/internal/web/demo"
)

// The people of `llave demo` and `llave chat`. Their numbers have a right check digit and a third digit that no
// person's has, so they belong to nobody.
//
//go:embed people.csv
var peopleFile string

func peopleRows() []map[string]string {
	rows, err := csv.NewReader(strings.NewReader(peopleFile)).ReadAll()
	if err != nil {
		panic(err) // embedded; a test reads it
	}
	var out []map[string]string
	for _, row := range rows[1:] {
		m := map[string]string{}
		for i, name := range rows[0] {
			m[name] = row[i]
		}
		out = append(out, m)
	}
	return out
}

func people() []demo.Person {
	var out []demo.Person
	for _, m := range peopleRows() {
		out = append(out, demo.Person{Number: m["_id"], Who: m["who"], What: m["what"]})
	}
	return out
}

// anyHour is when the desk of `llave demo` is open: whoever tries it keeps no office hours.
var anyHour = handoff.Hours{{First: time.Monday, Last: time.Sunday, Closes: 24 * time.Hour}}

// seed stores the fictional people, and who helps them.
func (a *App) seed(ctx context.Context) error {
	var records []affiliate.Record
	for _, m := range peopleRows() {
		r := affiliate.Record{
			ID: m["_id"], IDType: affiliate.IDType(m["id_type"]), Category: affiliate.Category(m["category"]),
			FullName: m["full_name"], Email: m["email"], Status: affiliate.Status(m["status"]),
		}
		if at, err := time.Parse(time.DateOnly, m["data_updated_at"]); err == nil {
			r.DataUpdatedAt = at
		}
		records = append(records, r)
	}
	if err := a.Store.Affiliates.Import(ctx, records); err != nil {
		return fmt.Errorf("store the people to try: %w", err)
	}
	if a.options.Demo && slices.Equal(a.options.Config.OfficeHours, anyHour) {
		if err := a.workOnHolidays(ctx); err != nil {
			return fmt.Errorf("open the desk on days of rest: %w", err)
		}
	}
	return a.addDemoAgent(ctx)
}

// workOnHolidays sets the national days of rest of the month to come as days on which the desk works: a demo lasts no longer.
func (a *App) workOnHolidays(ctx context.Context) error {
	now, err := a.Store.Now(ctx)
	if err != nil {
		return err
	}
	s, err := a.Store.Schedule.Load(ctx)
	if err != nil {
		return err
	}
	now = now.In(a.options.Config.Timezone)
	today, last := handoff.DateOf(now), handoff.DateOf(now.AddDate(0, 1, 0))
	for _, h := range append(handoff.Holidays(today.Year()), handoff.Holidays(today.Year()+1)...) {
		if h.Date < today || h.Date > last {
			continue
		}
		if err := s.SetDay(handoff.Exception{Date: h.Date, Name: h.Name, Open: true}, anyHour, today); err != nil {
			return err
		}
	}
	return a.Store.Schedule.Save(ctx, &s)
}

func (a *App) demoLetters() []demo.Letter {
	var out []demo.Letter
	for _, l := range a.Mailbox.Letters() {
		out = append(out, demo.Letter{ID: strconv.Itoa(l.Number), From: l.From, To: l.To, Subject: l.Subject, Date: l.Received, Text: l.Text, HTML: l.HTML})
	}
	return out
}

func (a *App) chatLetters() []terminal.Letter {
	var out []terminal.Letter
	for _, l := range a.Mailbox.Letters() {
		out = append(out, terminal.Letter{ID: strconv.Itoa(l.Number), To: l.To, Subject: l.Subject, Text: l.Text})
	}
	return out
}
