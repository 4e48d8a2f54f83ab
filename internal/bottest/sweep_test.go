package bottest

import (
	"testing"
	"time"
)

func TestSweep(t *testing.T) {
	day := time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)
	taken := map[int]int{}
	for d := range 7 {
		s, err := readSweep("", day.AddDate(0, 0, d))
		if err != nil || s.Whole || s.Of(1000, 10) != 10 {
			t.Fatalf("by the day: got %+v, %v", s, err)
		}
		for i := range 20 {
			if s.Takes(i, 7) {
				taken[i]++
			}
		}
	}
	for i := range 20 {
		if taken[i] != 1 {
			t.Errorf("case %d was tried %d times in a week, want once", i, taken[i])
		}
	}
	if s, err := readSweep("20426", day); err != nil || s.Whole || s.Seed != 20426 {
		t.Errorf("by a seed: got %+v, %v", s, err)
	}
	if s, err := readSweep("whole", day); err != nil || s.Of(1000, 10) != 1000 || !s.Takes(3, 7) || !s.Takes(4, 7) {
		t.Errorf("whole: got %+v, %v", s, err)
	}
	if _, err := readSweep("all", day); err == nil {
		t.Error("a setting that is none was taken")
	}
}
