package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"llave/internal/secret"
)

// besideGrace is for how long after the chain began lines may still come beside it: processes of the version before are being
// replaced.
const besideGrace = time.Hour

// faultsMost is how many faults are named; a chain that is broken at one place may be so at all that follow.
const faultsMost = 20

// AuditFault is a place at which the audit is not as it was written.
type AuditFault struct {
	Seq  int64  `json:"seq"` // the place in the chain; 0: beside it
	What string `json:"what"`
}

// AuditReport is what Verify found.
type AuditReport struct {
	First   int64        `json:"first"` // the first place that is kept
	Last    int64        `json:"last"`
	Lines   int64        `json:"lines"`             // of the chain
	Beside  int64        `json:"beside"`            // lines that versions before wrote
	Began   *time.Time   `json:"began"`             // when the chain did; null: it has not
	CutUpto *time.Time   `json:"cut_upto"`          // what was older has been removed; null: nothing was
	End     string       `json:"end"`               // as AuditEnd.String; "" while there is no line
	Faults  []AuditFault `json:"faults"`            // the first of them
	Noted   string       `json:"noted,omitempty"`   // what was compared with
	Skipped bool         `json:"skipped,omitempty"` // the noted end has been removed since, so that nothing was compared
}

// errMoved means that the chain was cut while it was read.
var errMoved = errors.New("the audit was cut meanwhile")

// Verify reads the chain from its anchor to its end. [noted] is an end that was noted down earlier, zero for none: the chain must still
// go through it. It may run while lines are appended and removed.
func (l *AuditLog) Verify(ctx context.Context, noted AuditEnd) (AuditReport, error) {
	for {
		r, err := l.verify(ctx, noted)
		if !errors.Is(err, errMoved) {
			if err != nil {
				err = fmt.Errorf("verify the audit: %w", err)
			}
			return r, err
		}
	}
}

func (l *AuditLog) verify(ctx context.Context, noted AuditEnd) (AuditReport, error) {
	l.mu.Lock()
	vault := l.vault
	l.mu.Unlock()
	if vault == nil {
		return AuditReport{}, errNoChain
	}
	h, err := l.settle(ctx)
	if err != nil {
		return AuditReport{}, err
	}
	w := &chainWalk{vault: vault, head: h, noted: noted, seq: h.Anchor.Seq, hash: h.Anchor.Hash}
	w.r = AuditReport{First: h.Anchor.Seq + 1, Last: h.Seq, Faults: []AuditFault{}}
	if h.Version > 0 {
		w.r.Began = &h.Began
		if h.Mark != h.mark(vault) {
			w.fault(0, "when the chain began was not written by us")
		}
	}
	if h.Anchor.Seq > 0 {
		w.r.CutUpto = &h.Anchor.Upto
	}
	if h.Seq > 0 {
		w.r.End = AuditEnd{h.Seq, h.Hash}.String()
	}
	if noted.Seq > 0 {
		w.r.Noted = noted.String()
		w.r.Skipped = noted.Seq < h.Anchor.Seq
	}
	if !h.Anchor.whole(vault) {
		w.fault(h.Anchor.Seq, "the anchor was not written by the retention")
	}
	w.meet(h.Anchor.Seq, h.Anchor.Hash)
	err = scan(ctx, l.engine, Query{Collection: Audit, Field: "seq", From: h.Anchor.Seq + 1, To: h.Seq + 1}, w.line)
	if err != nil {
		return w.r, err
	}
	w.end()
	if err := l.beyond(ctx, w); err != nil {
		return w.r, err
	}
	if len(w.r.Faults) > 0 { // it may be that the beginning was cut off under our eyes
		if now, err := l.head.Load(ctx, chainHeadID); err != nil || now.Anchor.Seq != h.Anchor.Seq {
			return w.r, errors.Join(err, errMoved)
		}
	}
	return w.r, nil
}

// chainWalk goes from line to line.
type chainWalk struct {
	vault *secret.Vault
	head  chainHead
	noted AuditEnd
	seq   int64 // of the line before
	hash  string
	r     AuditReport
}

func (w *chainWalk) fault(seq int64, what string) {
	if len(w.r.Faults) < faultsMost {
		w.r.Faults = append(w.r.Faults, AuditFault{seq, what})
	}
}

// meet compares with the noted end.
func (w *chainWalk) meet(seq int64, hash string) {
	if seq == w.noted.Seq && seq > 0 && hash != w.noted.Hash {
		w.fault(seq, "it is not the line that was noted down")
	}
}

func (w *chainWalk) line(c chained) bool {
	w.r.Lines++
	switch {
	case c.Seq == w.seq:
		w.fault(c.Seq, "there are two lines")
		return true
	case c.Seq != w.seq+1:
		w.fault(w.seq+1, fmt.Sprintf("%d lines are missing", c.Seq-w.seq-1))
	case link(w.vault, w.hash, c.Seq, c.AuditEntry) != c.Hash:
		w.fault(c.Seq, "it was changed")
	}
	w.meet(c.Seq, c.Hash)
	w.seq, w.hash = c.Seq, c.Hash // go on from what stands there, so that one fault is one
	return true
}

// end compares the last line with the head, and with the noted end.
func (w *chainWalk) end() {
	switch {
	case w.seq < w.head.Seq:
		w.fault(w.seq+1, fmt.Sprintf("%d lines are missing", w.head.Seq-w.seq))
	case w.hash != w.head.Hash:
		w.fault(w.seq, "it is not the line that the chain ended with")
	}
	if w.noted.Seq > w.head.Seq {
		w.fault(w.head.Seq+1, fmt.Sprintf("the chain ended at %d when that was noted down", w.noted.Seq))
	}
}

// beyond finds lines after the chain's end, before its beginning, and beside it.
func (l *AuditLog) beyond(ctx context.Context, w *chainWalk) error {
	after := int64(0)
	err := scan(ctx, l.engine, Query{Collection: Audit, Field: "seq", From: w.head.Seq + 1, Limit: 1, Descending: true}, func(c chained) bool {
		after = c.Seq
		return false
	})
	if err == nil && after > 0 {
		var now chainHead // somebody may have appended meanwhile
		if now, err = l.head.Load(ctx, chainHeadID); after > now.Seq {
			w.fault(after, "it stands after the end")
		}
	}
	if err != nil {
		return err
	}
	err = scan(ctx, l.engine, Query{Collection: Audit, Field: "at"}, func(c chained) bool {
		if c.Seq != 0 {
			cut := c.Seq > 0 && c.At.Before(w.head.Anchor.Upto) // and about to be removed
			if c.Seq <= w.head.Anchor.Seq && !cut {
				w.fault(c.Seq, "a line of "+c.At.UTC().Format(time.RFC3339)+" stands before the beginning")
			}
			return true
		}
		w.r.Beside++
		if w.head.Version != 0 && !w.head.beside(c.At) {
			w.fault(0, "a line of "+c.At.UTC().Format(time.RFC3339)+" stands beside the chain")
		}
		return true
	})
	if err == nil && w.head.Version == 0 && w.r.Beside > 0 {
		w.fault(0, "there are lines and no chain: it was taken away, or no process that chains has served from this store yet")
	}
	return err
}
