package supervisor_test

import (
	"encoding/csv"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
	"llave/internal/agent"
	"llave/internal/bottest"
	"llave/internal/handoff"
	"llave/internal/web/console/consoletest"
)

// file reads a CSV answer: its mark, and its lines.
func file(t *testing.T, p bottest.Page) [][]string {
	t.Helper()
	p.Want(t, http.StatusOK)
	if got := p.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/csv; charset=utf-8") {
		t.Errorf("content type %q", got)
	}
	body, marked := strings.CutPrefix(p.Body, "\uFEFF")
	if !marked {
		t.Error("the file has no mark in front")
	}
	if strings.Count(body, "\n") != strings.Count(body, "\r\n") {
		t.Error("not every line ends as RFC 4180 has it")
	}
	reader := csv.NewReader(strings.NewReader(body))
	reader.Comma = ';' // as a spreadsheet in Spanish expects it
	rows, err := reader.ReadAll()
	if err != nil {
		t.Fatalf("%v:\n%s", err, body)
	}
	return rows
}

func TestExport_cases(t *testing.T) {
	d := consoletest.NewDesk(t)
	now := d.Clock.Now()
	first := closedCase("C-AAAA-AA1", now.Add(-time.Hour))
	first.Meaning, first.From = "not_arrived", "LinkSent"
	d.Keep(first)
	night := closedCase("C-AAAA-AA2", now.Add(-3*time.Hour)) // at seven, an hour before opening
	night.AgentName, night.Taken, night.Answered = "=HYPERLINK(\"http://mal.example\")", now.Add(-2*time.Hour), now.Add(-2*time.Hour).Add(30*time.Second)
	d.Keep(night)
	d.Keep(closedCase("C-AAAA-AA3", now.AddDate(0, 0, -1)))
	d.Keep(bot.Handoff{Ref: "C-AAAA-AA4", Status: bot.HandoffWaiting, Asked: now})
	notice(d, "N-0000-001")
	s, err := d.Store.Schedule.Load(t.Context())
	if err == nil { // closed by hand now, which changes nothing of what was
		err = errors.Join(s.Close("sup", now, time.Time{}, ""), d.Store.Schedule.Save(t.Context(), &s))
	}
	if err != nil {
		t.Fatal(err)
	}

	p := d.As("sup").Get("/agentes/exportar.csv?desde=2026-03-02&hasta=2026-03-02")
	rows := file(t, p)
	want := [][]string{
		{"caso", "canal", "estado", "tema", "paso", "pedido", "tomado", "primera respuesta", "cerrado", "espera en segundos", "pasó la meta", "atención en segundos", "agente", "usuario", "motivo", "calificación"},
		{"C-AAAA-AA4", "Telegram", "en espera", "", "", "2026-03-02 10:00:00", "", "", "", "", "no", "", "", "", "", ""},
		{"C-AAAA-AA1", "Telegram", "cerrado", "No le llega", "LinkSent", "2026-03-02 09:00:00", "2026-03-02 09:02:00", "2026-03-02 09:03:00", "2026-03-02 09:10:00", "180", "sí", "480", "Persona de Prueba", "ana", "Resuelto", "4"},
		{"C-AAAA-AA2", "Telegram", "cerrado", "", "", "2026-03-02 07:00:00", "2026-03-02 08:00:00", "2026-03-02 08:00:30", "2026-03-02 07:10:00", "30", "no", "0", "'=HYPERLINK(\"http://mal.example\")", "ana", "Resuelto", "4"},
	}
	if len(rows) != len(want) {
		t.Fatalf("got %d lines, want %d:\n%s", len(rows), len(want), p.Body)
	}
	for i := range want {
		if strings.Join(rows[i], "|") != strings.Join(want[i], "|") {
			t.Errorf("line %d: got %q, want %q", i, rows[i], want[i])
		}
	}
	if got := p.Header.Get("Content-Disposition"); got != `attachment; filename="casos_2026-03-02_2026-03-02.csv"` {
		t.Errorf("name: %q", got)
	}
	for _, bad := range []string{"telegram:", "9C-AAAA"} {
		if strings.Contains(p.Body, bad) {
			t.Errorf("the file names a chat: %s", p.Body)
		}
	}
	if got := d.Told(handoff.AuditExport); len(got) != 1 || got[0] != "sup: 2026-03-02 2026-03-02" {
		t.Errorf("audit: got %q", got)
	}
}

// The figures as a file: in all, by agent, day, meaning, step and channel, in words.
func TestExport_figures(t *testing.T) {
	d := consoletest.NewDesk(t)
	h := closedCase("C-AAAA-AA1", d.Clock.Now().Add(-time.Hour))
	h.Meaning = "not_arrived"
	d.Keep(h)
	sup := d.As("sup")
	rows := file(t, sup.Get("/agentes/cifras.csv?dias=7&agente=ana"))
	var got []string
	for _, r := range rows[1:] {
		got = append(got, strings.Join(r, "|"))
	}
	const figures = "|1|1|1|0|0|0|1|180|180|480|4,0|1"
	want := []string{
		"todo|2026-02-24 a 2026-03-02" + figures, "agente|Persona de Prueba" + figures, "día|2026-03-02" + figures, "tema|No le llega" + figures, "paso|Otro" + figures, "canal|Telegram" + figures,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := d.Told(handoff.AuditExport); len(got) != 1 || got[0] != "sup: 2026-02-24 2026-03-02" {
		t.Errorf("audit: got %q", got)
	}
	if rows := file(t, sup.Get("/agentes/exportar.csv?dias=7&agente=nadie")); len(rows) != 1 {
		t.Errorf("of nobody's cases: got %d lines, want the first alone", len(rows))
	}
}

// Days that are none are refused in the page, which keeps them; nothing is written down.
func TestExport_badDays(t *testing.T) {
	d := consoletest.NewDesk(t)
	sup := d.As("sup")
	for query, says := range map[string]string{
		"desde=hoy&hasta=2026-03-02":        "No es una fecha",
		"desde=2026-03-02&hasta=2026-03-01": "posterior al último",
		"desde=2020-03-02&hasta=2026-03-01": "demasiados días",
	} {
		p := sup.Get("/agentes/exportar.csv?"+query).Want(t, http.StatusUnprocessableEntity, says, "Elegir días")
		if from, _, _ := strings.Cut(strings.TrimPrefix(query, "desde="), "&"); !strings.Contains(p.Body, `value="`+from+`"`) {
			t.Errorf("%s: what was typed is gone", query)
		}
	}
	if got := d.Told(handoff.AuditExport); len(got) != 0 {
		t.Errorf("audit: got %q", got)
	}
}

func TestExport_manyCases(t *testing.T) {
	d := consoletest.NewDesk(t)
	for i := range 700 {
		h := closedCase("", d.Clock.Now().Add(-time.Duration(i)*time.Second))
		h.Ref = bot.Ref("C", time.Duration(i).String())
		d.Keep(h)
	}
	if rows := file(t, d.As("sup").Get("/agentes/exportar.csv")); len(rows) != 701 {
		t.Errorf("got %d lines, want 701", len(rows))
	}
}

func TestExport_lines(t *testing.T) {
	d := consoletest.NewDesk(t)
	asked := d.Ask("1")
	d.Write("1", "=1+1")
	d.Write("1", "primera\n-5 dólares")
	d.Claim("ana", asked)
	p := d.As("sup").Get("/agentes/casos/" + asked.Ref + "/transcripcion.csv")
	rows := file(t, p)
	if strings.Join(rows[0], "|") != "línea|hora|quién|nombre|texto" || len(rows) < 5 {
		t.Errorf("got %q", rows)
	}
	var texts []string
	for _, r := range rows[1:] {
		texts = append(texts, r[4])
	}
	all := strings.Join(texts, "\n")
	for _, want := range []string{"'=1+1", "primera\n'-5 dólares", "Pidió hablar con una persona", "Persona de Prueba tomó el caso"} {
		if !strings.Contains(all, want) {
			t.Errorf("the file lacks %q:\n%s", want, all)
		}
	}
	for _, code := range []string{flows.NoteAsked, flows.NoteTaken} {
		if slices.Contains(texts, code) {
			t.Errorf("the file holds the code %q", code)
		}
	}
	d.As("sup").Get("/agentes/casos/C-0000-000/transcripcion.csv").Want(t, http.StatusNotFound)
	d.As("ana").Get("/agentes/casos/"+asked.Ref+"/transcripcion.csv").Want(t, http.StatusForbidden)
	if got := d.Told(handoff.AuditExport); len(got) != 1 || got[0] != "sup: "+asked.Ref {
		t.Errorf("audit: got %q", got)
	}
}

// An agent may have themself called what a spreadsheet would run.
func TestExport_agentName(t *testing.T) {
	d := consoletest.NewDesk(t)
	if _, err := d.Agents.Add(t.Context(), agent.CommandLine, agent.Newcomer{Login: "-mal", Name: "+1 Nombre", Role: agent.Member}, consoletest.Password); err != nil {
		t.Fatal(err)
	}
	h := closedCase("C-AAAA-AA1", d.Clock.Now())
	h.Agent, h.AgentName = "-mal", "+1 Nombre"
	d.Keep(h)
	rows := file(t, d.As("sup").Get("/agentes/exportar.csv"))
	if got := rows[1][12] + " " + rows[1][13]; got != "'+1 Nombre '-mal" {
		t.Errorf("got %q", got)
	}
}
