package storetest

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"llave/internal/agent"
	"llave/internal/store"
)

// agents are kept whole, one to a login, and listed in order.
func agents(t *testing.T, s *store.Store) {
	ctx := t.Context()
	at := time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)
	if _, found, err := s.Agents.Find(ctx, "sup"); err != nil || found {
		t.Errorf("nobody: found %v, %v", found, err)
	}
	a := agent.Agent{
		Login: "sup", Name: "Persona Íñigo", Role: agent.Supervisor, Hash: "h", PasswordAt: at, TOTP: "sealed", TOTPStep: 59000000,
		Epoch: 3, Made: at, LastIn: at.Add(time.Hour), Audited: []agent.AuditEntry{{ID: "d", At: at, Who: "sup", What: "agent_signed_in"}},
	}
	must(t, s.Agents.Save(ctx, &a))
	other := agent.Agent{Login: "ana", Name: "Persona Dos", Role: agent.Member, Disabled: true, Made: at}
	must(t, s.Agents.Save(ctx, &other))
	again := agent.Agent{Login: "ana"}
	wantErr(t, "the same login again", s.Agents.Save(ctx, &again), store.ErrConflict)
	rival := a
	a.Name = "Persona Uno"
	must(t, s.Agents.Save(ctx, &a))
	wantErr(t, "an agent whom another saved", s.Agents.Save(ctx, &rival), store.ErrConflict)

	got, found, err := s.Agents.Find(ctx, "sup")
	must(t, err)
	if !found || got.Version != 2 || got.Name != "Persona Uno" || got.Hash != "h" || got.TOTPStep != a.TOTPStep || !got.LastIn.Equal(a.LastIn) || !slices.Equal(got.Audited, a.Audited) {
		t.Errorf("got %+v, found %v", got, found)
	}
	all, err := s.Agents.All(ctx)
	must(t, err)
	if len(all) != 2 || all[0].Login != "ana" || !all[0].Disabled || !all[0].LastIn.IsZero() || all[1].Login != "sup" {
		t.Errorf("got %v", all)
	}
	d := agent.AuditEntry{ID: "agent/1", At: at, Who: "sup", What: "agent_disabled", Detail: "ana"}
	must(t, s.Audit.AppendAgent(ctx, d))
	must(t, s.Audit.AppendAgent(ctx, d))
	var told []store.AuditEntry
	must(t, s.Audit.Between(ctx, at, at.Add(time.Second), func(e store.AuditEntry) bool { told = append(told, e); return true }))
	if len(told) != 1 || told[0] != store.AuditEntry(d) {
		t.Errorf("audit: got %+v, want %+v once", told, d)
	}
}

// agentSessions end, and are forgotten; so are tries.
func agentSessions(t *testing.T, s *store.Store) {
	ctx := t.Context()
	at := time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)
	for i, id := range []string{"a", "b", "c"} {
		ends := at.Add(time.Duration(i) * time.Hour)
		must(t, s.Sessions.Save(ctx, &agent.Session{ID: id, Login: "ana", Epoch: 1, Made: at, Seen: at, Ends: ends}))
		must(t, s.Tries.Save(ctx, &agent.Tries{ID: id, Begun: int64(i), Ends: ends}))
	}
	if n, err := s.Sessions.Forget(ctx, at.Add(time.Hour), 100); err != nil || n != 1 {
		t.Errorf("forget sessions: got %d, %v, want 1", n, err)
	}
	if n, err := s.Tries.Forget(ctx, at.Add(2*time.Hour), 1); err != nil || n != 1 {
		t.Errorf("forget tries, one at a time: got %d, %v, want 1", n, err)
	}
	for id, want := range map[string]bool{"a": false, "b": true, "c": true} {
		if _, found, err := s.Sessions.Find(ctx, id); err != nil || found != want {
			t.Errorf("session %s: found %v, %v, want %v", id, found, err, want)
		}
	}
	must(t, s.Sessions.Delete(ctx, "b", -1))
	must(t, s.Sessions.Delete(ctx, "b", -1))
	tries, err := s.Tries.Load(ctx, "nobody's")
	if err != nil || tries.ID != "nobody's" || tries.Version != 0 || tries.Begun != 0 {
		t.Errorf("no tries yet: got %+v, %v", tries, err)
	}
}

// triesRace: tries that are counted at once are all counted.
func triesRace(t *testing.T, s *store.Store) {
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for {
				tries, err := s.Tries.Load(t.Context(), "race")
				if err != nil {
					t.Error(err)
					return
				}
				tries.Begun++
				tries.Row = append(tries.Row, tries.Begun)
				tries.Ends = time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)
				if err = s.Tries.Save(t.Context(), &tries); err == nil {
					return
				}
				if !errors.Is(err, store.ErrConflict) {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	tries, err := s.Tries.Load(t.Context(), "race")
	if err != nil || tries.Begun != writers || len(tries.Row) != writers {
		t.Errorf("got %d tries, %v, want %d", tries.Begun, err, writers)
	}
}
