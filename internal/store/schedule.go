package store

import (
	"context"
	"fmt"

	"llave/internal/handoff"
)

const scheduleID = "schedule"

// ScheduleTable keeps what supervisors have set about the desk's hours: one document, for every process.
type ScheduleTable struct{ documents *Documents[handoff.Schedule] }

func newSchedule(engine Engine) *ScheduleTable {
	return &ScheduleTable{NewDocuments(engine, Settings, func(s *handoff.Schedule) (*string, *int64) { return &s.ID, &s.Version })}
}

// Load returns what is set, as it is at this moment. Until somebody has set something it sets nothing, and has version 0.
func (t *ScheduleTable) Load(ctx context.Context) (handoff.Schedule, error) {
	s, err := t.documents.Load(ctx, scheduleID)
	if err != nil {
		return s, fmt.Errorf("load schedule: %w", err)
	}
	return s, nil
}

// Save stores it where nobody else has saved since it was loaded, as Documents.Save does: ErrConflict means that somebody
// has.
func (t *ScheduleTable) Save(ctx context.Context, s *handoff.Schedule) error {
	s.ID = scheduleID
	if err := t.documents.Save(ctx, s); err != nil {
		return fmt.Errorf("save schedule: %w", err)
	}
	return nil
}
