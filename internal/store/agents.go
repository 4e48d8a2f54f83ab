package store

import (
	"context"
	"time"

	"llave/internal/agent"
)

// AgentTable keeps the accounts of the desk.
type AgentTable struct{ documents *Documents[agent.Agent] }

func newAgents(engine Engine) *AgentTable {
	return &AgentTable{NewDocuments(engine, Agents, func(a *agent.Agent) (*string, *int64) { return &a.Login, &a.Version })}
}

// Find returns the agent with that login, and whether there is one.
func (t *AgentTable) Find(ctx context.Context, login string) (agent.Agent, bool, error) {
	return t.documents.Find(ctx, login)
}

// Save stores an agent as Documents.Save does.
func (t *AgentTable) Save(ctx context.Context, a *agent.Agent) error { return t.documents.Save(ctx, a) }

// All returns every agent in order of login.
func (t *AgentTable) All(ctx context.Context) ([]agent.Agent, error) {
	return t.documents.Scan(ctx, Query{})
}

// SessionTable keeps the sessions of agents.
type SessionTable struct{ *Documents[agent.Session] }

func newSessions(engine Engine) *SessionTable {
	return &SessionTable{NewDocuments(engine, Sessions, func(s *agent.Session) (*string, *int64) { return &s.ID, &s.Version })}
}

// Of returns the sessions of a login.
func (t *SessionTable) Of(ctx context.Context, login string) ([]agent.Session, error) {
	return t.Scan(ctx, Query{Field: "login", From: login, To: login + "\x00"})
}

// Forget removes at most [limit] sessions that ended before a moment, and says how many.
func (t *SessionTable) Forget(ctx context.Context, before time.Time, limit int) (int64, error) {
	return t.engine.DeleteRange(ctx, Query{Collection: Sessions, Field: "ends", To: before, Limit: limit})
}

// TryTable keeps what was tried for each login.
type TryTable struct{ *Documents[agent.Tries] }

func newTries(engine Engine) *TryTable {
	return &TryTable{NewDocuments(engine, Tries, func(t *agent.Tries) (*string, *int64) { return &t.ID, &t.Version })}
}

// Forget removes at most [limit] of those that ended before a moment, and says how many.
func (t *TryTable) Forget(ctx context.Context, before time.Time, limit int) (int64, error) {
	return t.engine.DeleteRange(ctx, Query{Collection: Tries, Field: "ends", To: before, Limit: limit})
}
