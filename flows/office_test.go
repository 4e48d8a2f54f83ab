package flows_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
	"llave/internal/affiliate"
	"llave/internal/handoff"
)

// calendarDesk is a help desk of which only the days are asked.
type calendarDesk struct {
	frontDesk
	calendar handoff.Calendar
}

func (d *calendarDesk) Calendar(context.Context) (handoff.Calendar, error) { return d.calendar, nil }

// What is open today is said by the office's own hours and the national days of rest, by the clock of where it is. That the
// desk is closed by hand says nothing of it; on a day that supervisors set for the desk one is told to call first.
func TestOffices_today(t *testing.T) {
	zone, err := time.LoadLocation("America/Guayaquil")
	if err != nil {
		t.Fatal(err)
	}
	local := handoff.Schedule{Days: []handoff.Exception{{Date: "2026-12-04", Name: "Fundación de la ciudad"}}}
	for _, tc := range []struct {
		name, now, hours, province string
		schedule                   handoff.Schedule
		want                       string
	}{
		{"no hours of its own", "2026-03-02 10:00", "", "Loja", handoff.Schedule{}, "Hoy atiende de 08:00 a 17:00."},
		{"before it opens", "2026-03-02 06:00", "", "Loja", handoff.Schedule{}, "Hoy atiende de 08:00 a 17:00."},
		{"two spans", "2026-03-02 13:00", "08:00-12:30; 13:30-17:00", "Loja", handoff.Schedule{}, "Hoy atiende de 08:00 a 12:30 y de 13:30 a 17:00."},
		{"after it closed", "2026-03-02 16:00", "08:00-16:00", "Loja", handoff.Schedule{}, "Hoy ya cerró. Abre mañana desde las 08:00."},
		{"on a Friday evening", "2026-03-06 20:00", "", "Loja", handoff.Schedule{}, "Hoy ya cerró. Abre el lunes 9 de marzo, desde las 08:00."},
		{"on a Sunday", "2026-03-08 10:00", "", "Loja", handoff.Schedule{}, "Hoy no atiende. Abre mañana desde las 08:00."},
		{"on a Saturday that it works", "2026-03-07 10:00", "lunes a sábado 09:00-12:00", "Loja", handoff.Schedule{}, "Hoy atiende de 09:00 a 12:00."},
		{"on a national day of rest", "2026-12-25 10:00", "", "Loja", handoff.Schedule{}, "Hoy no atiende, es feriado: Navidad. Abre el lunes 28 de diciembre, desde las 08:00."},
		{"hours for people alone, on one", "2026-12-25 10:00", "con cita previa", "Loja", handoff.Schedule{}, "Hoy no atiende, es feriado: Navidad. Abre"},
		{"on a day that supervisors set", "2026-12-04 10:00", "", "Loja", local, "Hoy es Fundación de la ciudad. Antes de ir, llame al 02 394 5666."},
		{"while nobody answers in the chat", "2026-03-02 10:00", "", "Loja", handoff.Schedule{ClosedNow: &handoff.Closed{}}, "Hoy atiende de 08:00 a 17:00."},
		{"on the islands, an hour behind", "2026-03-02 17:30", "", "Galápagos", handoff.Schedule{}, "Hoy atiende de 08:00 a 17:00."},
	} {
		now, err := time.ParseInLocation("2006-01-02 15:04", tc.now, zone)
		if err != nil {
			t.Fatal(err)
		}
		o := options(t)
		o.Offices = affiliate.Offices{{Name: "Centro de prueba", Province: tc.province, City: "Ciudad", Address: "Calle de Prueba 1", Hours: tc.hours, Code: "uno"}}
		o.Desk = &calendarDesk{calendar: handoff.Calendar{Schedule: tc.schedule, Zone: zone}}
		k := newTalk(t)
		if k.e, err = flows.New(o); err != nil {
			t.Fatal(err)
		}
		k.now = now
		for _, said := range []string{"hola", "sí", "atención presencial", "Ciudad"} {
			k.says(said)
		}
		if !strings.Contains(k.reply.Text, tc.want) || tc.hours == "con cita previa" && !strings.Contains(k.reply.Text, tc.hours) {
			t.Errorf("%s: got %q, want it to say %q", tc.name, k.reply.Text, tc.want)
		}
	}
}

// Of hours that only people can read nothing is made up.
func TestOffices_hoursForPeople(t *testing.T) {
	o := options(t)
	o.Offices = affiliate.Offices{{Name: "Centro de prueba", Province: "Loja", City: "Loja", Address: "Calle de Prueba 1", Hours: "con cita previa", Code: "uno"}}
	k := newTalk(t)
	var err error
	if k.e, err = flows.New(o); err != nil {
		t.Fatal(err)
	}
	for _, said := range []string{"hola", "sí", "atención presencial", "Loja"} {
		k.says(said)
	}
	if !strings.Contains(k.reply.Text, "con cita previa") || strings.Contains(k.reply.Text, "Hoy") {
		t.Errorf("got %q, want the hours as they stand, and nothing of today", k.reply.Text)
	}
}

// A place can only be shared where the channel has that: elsewhere the city alone is asked for.
func TestOffices_asksWhatTheChannelHas(t *testing.T) {
	o := options(t)
	o.Offices = affiliate.Offices{{Name: "Centro de prueba", Province: "Loja", City: "Loja", Address: "Calle de Prueba 1", Code: "uno", Spot: bot.SpotAt(-3.99, -79.2)}}
	for shares, want := range map[bool]string{true: "comparta su ubicación", false: "Escríbala y le digo"} {
		o.SharesSpot = func(string) bool { return shares }
		k := newTalk(t)
		var err error
		if k.e, err = flows.New(o); err != nil {
			t.Fatal(err)
		}
		for _, said := range []string{"hola", "sí", "atención presencial"} {
			k.says(said)
		}
		if !strings.Contains(k.reply.Text, want) {
			t.Errorf("shares %t: got %q, want it to say %q", shares, k.reply.Text, want)
		}
	}
}

// The way back to a slip gives nothing away: whatever sent somebody to an office, the words, the buttons and what comes of
// pressing them are the same; in `uniform` as ever for every record.
func TestCorrectNumber_givesNothingAway(t *testing.T) {
	const road = "> hola\n> [Continuar]\n> [Desbloquear clave]\n> NUMBER\n> [Sí, es correcto]\n"
	const back = "> [Corregir número]\n> 1710034073\n> [Sí, es correcto]\n> [Corregir número]\n"
	var first string
	for _, p := range people[2:] { // the others can do it by mail
		send := map[bool]string{true: "> [Enviar enlace]\n"}[p.what == "refused"]
		got := talked(t, "", p.row, p.number, road+send+back)
		i := strings.Index(got, "< Este trámite hay que hacerlo en persona.")
		if i < 0 || strings.Count(got, "[Corregir número]") < 4 {
			t.Fatalf("%s: no way back:\n%s", p.what, got)
		}
		if got = got[i:]; first == "" {
			first = got
		}
		if line, g, w := firstDifference(got, first); line > 0 {
			t.Errorf("%s and %s differ at line %d:\n got: %s\nwant: %s", p.what, people[2].what, line, g, w)
		}
	}
	first = ""
	for _, p := range people {
		got := talked(t, "set LLAVE_DISCLOSURE=uniform", p.row, p.number, road+"> [Enviar enlace]\n+ 10m\n> [Reenviar enlace]\n+ 10m\n"+strings.Replace(back, "> [Corregir número]\n> 1710034073\n> [Sí, es correcto]\n", "> [Corregir número]\n> 1710034073\n> [Sí, es correcto]\n> [No tengo ese correo]\n", 1))
		if first == "" {
			first = got
		}
		if line, g, w := firstDifference(got, first); line > 0 {
			t.Errorf("uniform: %s and %s differ at line %d:\n got: %s\nwant: %s", p.what, people[0].what, line, g, w)
		}
	}
}

// Where somebody was is kept nowhere, nor what would tell it: how far the offices are is said once, and no transcript has even their
// names. Asked again, they are named.
func TestNearest_notKept(t *testing.T) {
	for _, way := range []string{"", "paso a paso"} {
		o := options(t)
		o.Offices = affiliate.Offices{
			{Name: "Centro de prueba Norte", Province: "Pichincha", City: "Quito", Address: "Calle de Prueba 1", Code: "norte", Spot: bot.SpotAt(-0.15, -78.48)},
			{Name: "Centro de prueba Alto", Province: "Pichincha", City: "Quito", Address: "Calle de Prueba 2", Code: "alto", Spot: bot.SpotAt(-0.2, -78.5)},
		}
		o.SharesSpot = func(string) bool { return true }
		k := newTalk(t)
		var err error
		if k.e, err = flows.New(o); err != nil {
			t.Fatal(err)
		}
		for _, said := range []string{"hola", "sí", way, "atención presencial"} {
			if said != "" {
				k.says(said)
			}
		}
		if k.c.State != flows.AtOffice { // step by step it is on another page of the menu
			k.says("oficina")
		}
		if k.step(bot.Update{Kind: bot.Location, Spot: bot.SpotAt(-0.1501, -78.4801)}); !strings.Contains(k.reply.Text, "Norte, a menos de 1 km") {
			t.Fatalf("%q: got %q, want the nearest office and how far it is", way, k.reply.Text)
		}
		holds := func(c bot.Conversation, what string) bool {
			c.Promises = nil // what is said now
			return strings.Contains(fmt.Sprintf("%+v", c), what)
		}
		if holds(k.c, " km") {
			t.Errorf("%q: the conversation keeps how far it is: %+v", way, k.c)
		}
		for range 2 {
			for _, line := range k.c.Tail {
				if strings.Contains(line.Text, "Norte") || strings.Contains(line.Text, "Calle de Prueba") {
					t.Errorf("%q: the transcript keeps %q", way, line.Text)
				}
			}
			if k.says("repetir"); !strings.Contains(k.reply.Text, "Norte") || strings.Contains(k.reply.Text, "a menos de") {
				t.Errorf("%q: asked again, got %q", way, k.reply.Text)
			}
		}
	}
}
