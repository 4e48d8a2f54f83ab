package app

import (
	"context"
	_ "embed"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"time"

	"llave/bot/terminal"
	"llave/internal/affiliate"
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
	return a.addDemoAgent(ctx)
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
