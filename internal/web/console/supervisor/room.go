// Package supervisor is the part of the console in which the desk is run: how it goes (supervisor.go, chart.go), what
// was counted of the procedure (procedures.go), the
// accounts (agents.go), the hours (hours.go), the ready answers (answers.go), what was not understood (unheard.go), the
// audit (audit.go), and files to take away
// (export.go). The search and the closed cases (search.go) are here too and open to every agent.
//
// A form that changes one document carries the version that it was drawn from: of two people who save at once one is told,
// and keeps what was typed.
package supervisor

import (
	"context"
	"embed"
	"net/http"
	"time"

	"llave/bot"
	"llave/internal/agent"
	"llave/internal/handoff"
	"llave/internal/report"
	"llave/internal/web"
	"llave/internal/web/console"
)

//go:embed templates
var files embed.FS

// AuditLog is what the page of the audit reads: the entries in from ≤ at < to, earliest first, until each returns false.
type AuditLog interface {
	Between(ctx context.Context, from, to time.Time, each func(agent.AuditEntry) bool) error
}

// Options are what the room needs beside the frame.
type Options struct {
	Audit     AuditLog
	StateName func(s bot.State) string // what agents call the place where the bot was
	BuiltIn   []handoff.Answer         // the ready answers that supervisors may replace
	Sentences Sentences                // what was not understood
	Meanings  []Meaning                // what it may mean, in the order of their titles
	PlaceName func(place string) string

	Procedures Procedures   // what was counted of the procedure
	Words      report.Names // of its stages, and of reasons of leaving
}

// Room serves the pages. It is safe for use by many goroutines.
type Room struct {
	*console.Frame
	Options
	pages web.Pages
}

// New makes the room within [frame].
func New(frame *console.Frame, o Options) (*Room, error) {
	pages, err := frame.Pages(files, "templates")
	if err != nil {
		return nil, err
	}
	return &Room{Frame: frame, Options: o, pages: pages}, nil
}

// Where the room's pages are.
const (
	supervisionPath = "/agentes/supervision"
	agentsPath      = supervisionPath + "/agentes"
	hoursPath       = supervisionPath + "/horario"
	auditPath       = supervisionPath + "/auditoria"
	answersPath     = supervisionPath + "/respuestas"
	proceduresPath  = supervisionPath + "/tramites"
	unheardPath     = supervisionPath + "/no-entendido"
	casesPath       = supervisionPath + "/casos"
	boardPath       = supervisionPath + "/tablero"
	exportPath      = "/agentes/exportar.csv"
	figuresPath     = "/agentes/cifras.csv"
	searchPath      = "/agentes/buscar"
	closedPath      = "/agentes/cerrados"
)

// Routes are the supervisor's pages, and the two lists of what is over that every agent may read.
func (c *Room) Routes(mux *http.ServeMux) {
	mux.Handle("GET "+supervisionPath, c.supervisors(func(w http.ResponseWriter, r *http.Request, v console.Visit) error {
		return c.supervision(w, r, v)
	}))
	mux.Handle("GET "+casesPath, c.supervisors(c.listCases))
	mux.Handle("GET "+proceduresPath, c.supervisors(c.showProcedures))
	mux.Handle("GET "+boardPath, c.supervisors(c.showBoard))
	mux.Handle("GET "+boardPath+"/ahora", c.Look(agent.Supervisor, c.boardPart))
	mux.Handle("GET "+supervisionPath+"/ahora", c.Look(agent.Supervisor, c.presentPart))
	mux.Handle("GET "+agentsPath, c.supervisors(c.Proven(c.showAgents)))
	mux.Handle("POST "+agentsPath, c.supervisors(c.Proven(c.changeAgent)))
	mux.Handle("GET "+hoursPath, c.supervisors(c.showHours))
	mux.Handle("POST "+hoursPath, c.supervisors(c.changeHours))
	mux.Handle("GET "+answersPath, c.supervisors(c.showAnswers))
	mux.Handle("POST "+answersPath, c.supervisors(c.changeAnswers))
	mux.Handle("GET "+unheardPath, c.supervisors(c.showUnheard))
	mux.Handle("POST "+unheardPath, c.supervisors(c.assignUnheard))
	mux.Handle("GET "+auditPath, c.supervisors(c.showAudit))
	mux.Handle("GET "+exportPath, c.supervisors(c.Proven(c.exportCases)))
	mux.Handle("GET "+figuresPath, c.supervisors(c.Proven(c.exportFigures)))
	mux.Handle("GET "+console.CasePath+"{ref}/transcripcion.csv", c.supervisors(c.Proven(c.exportLines)))
	mux.Handle("GET "+searchPath, c.Page(agent.Member, c.search))
	mux.Handle("GET "+closedPath, c.Page(agent.Member, c.closed))
}

// supervisors serves a page to supervisors; other agents are told that it is not theirs.
func (c *Room) supervisors(f console.Handler) http.Handler {
	return c.Page(agent.Member, func(w http.ResponseWriter, r *http.Request, v console.Visit) error {
		if !v.Supervisor() {
			return c.show(w, r, console.View{Visit: v, Name: "supervisors_only", Here: console.HereSupervisor, Status: http.StatusForbidden})
		}
		return f(w, r, v)
	})
}

func (c *Room) show(w http.ResponseWriter, r *http.Request, v console.View) error {
	return c.Show(w, r, c.pages, v)
}
