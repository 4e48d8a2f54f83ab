package affiliate

import "time"

// MergeOptions say how the records of an import are laid over those that are stored.
type MergeOptions struct {
	AsOf   time.Time // what the records say was so at that time or before, where they have no time of their own; zero: nobody knows
	DryRun bool      // count, and write nothing
}

// Merged counts what became of the records of an import. The first four together are all of them.
type Merged struct {
	New       int64 `json:"new,omitempty"`
	Changed   int64 `json:"changed,omitempty"`
	Unchanged int64 `json:"unchanged,omitempty"`
	Older     int64 `json:"older,omitempty"`       // than what is stored: left as that is
	Kept      int64 `json:"kept_status,omitempty"` // of the changed and unchanged: Llave has unlocked or locked the record since
}

// Add adds what became of others.
func (m *Merged) Add(o Merged) {
	m.New += o.New
	m.Changed += o.Changed
	m.Unchanged += o.Unchanged
	m.Older += o.Older
	m.Kept += o.Kept
}
