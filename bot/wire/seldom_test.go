package wire

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// What strangers can cause a thousand times a second is one line a minute, which says how many it stands for.
func TestSeldom(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	var s Seldom
	at := time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)
	for range 1000 {
		s.warn(at, log, "knock")
		at = at.Add(seldomEvery / 999)
	}
	s.warn(at, log, "knock")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || strings.Contains(lines[0], "more") || !strings.Contains(lines[1], "more_since_the_last=998") && !strings.Contains(lines[1], "more_since_the_last=999") {
		t.Errorf("two minutes of knocks are %d lines:\n%s", len(lines), out.String())
	}
}
