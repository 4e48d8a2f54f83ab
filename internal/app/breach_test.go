package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"llave/internal/config"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

// Deadlines are counted in working days: neither the day itself, a weekend nor a national day of rest counts (P754).
func TestDeadline(t *testing.T) {
	quito, err := time.LoadLocation("America/Guayaquil")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		known string
		days  int
		want  string // the last day
	}{
		{"2026-03-02 00:00", 5, "2026-03-09"}, // a Monday
		{"2026-03-02 23:59", 3, "2026-03-05"},
		{"2026-03-06 10:00", 3, "2026-03-11"}, // a Friday
		{"2026-03-07 10:00", 5, "2026-03-13"}, // a Saturday
		{"2026-05-20 15:00", 3, "2026-05-26"}, // Monday the 25th is a day of rest
		{"2026-05-20 15:00", 5, "2026-05-28"},
		{"2026-12-23 12:00", 5, "2026-12-31"}, // Christmas, on a Friday
	} {
		known, err := time.ParseInLocation("2006-01-02 15:04", tt.known, quito)
		if err != nil {
			t.Fatal(err)
		}
		if got := deadline(known.UTC(), tt.days, quito).Add(-time.Second).Format(time.DateOnly); got != tt.want {
			t.Errorf("%s and %d days: got %s, want %s", tt.known, tt.days, got, tt.want)
		}
	}
}

// An error line reminds of who has not been told, from two days before until they were, and of nobody who need not be.
func TestBreaches_remind(t *testing.T) {
	clock := storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC))
	var log bytes.Buffer
	a := &App{Store: store.New(storetest.Bolt(t, clock.Now)), options: Options{Config: config.Config{Timezone: time.UTC}, Log: slog.New(slog.NewTextHandler(&log, nil))}}
	b := store.Breaches{List: []store.Breach{{Number: 1, Known: clock.Now()}, {Number: 2, Known: clock.Now(), Harmless: "the disk was encrypted"}}}
	if err := a.Store.Breaches.Save(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		later time.Duration
		told  func(b *store.Breach)
		want  string // whom, and whether it is late
	}{
		{0, nil, ""},
		{48 * time.Hour, nil, "the people false"},
		{3 * 24 * time.Hour, nil, "the people true"},
		{24 * time.Hour, nil, "the authority false, the people true"},
		{0, func(b *store.Breach) { b.Persons = clock.Now() }, "the authority false"},
		{2 * 24 * time.Hour, nil, "the authority true"},
		{0, func(b *store.Breach) { b.Authority = clock.Now() }, ""},
	} {
		if clock.Advance(tt.later); tt.told != nil {
			tt.told(&b.List[0])
			if err := a.Store.Breaches.Save(t.Context(), &b); err != nil {
				t.Fatal(err)
			}
		}
		log.Reset()
		if err := a.remindOfBreaches(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, whom := range []string{"the authority", "the people"} {
			for _, late := range []bool{false, true} {
				if strings.Contains(log.String(), fmt.Sprintf("breach=1 whom=%q", whom)) && strings.Contains(log.String(), fmt.Sprintf("late=%t", late)) && lateOf(log.String(), whom) == late {
					got = append(got, fmt.Sprintf("%s %t", whom, late))
				}
			}
		}
		if strings.Join(got, ", ") != tt.want || strings.Contains(log.String(), "breach=2") {
			t.Errorf("%v later: got %q, want %q", tt.later, got, tt.want)
		}
	}
}

// lateOf says whether the line of somebody to be told says that it is late.
func lateOf(log, whom string) bool {
	for line := range strings.Lines(log) {
		if strings.Contains(line, fmt.Sprintf("whom=%q", whom)) {
			return strings.Contains(line, "late=true")
		}
	}
	return false
}

// What was noted is not lost by being noted again, nothing is noted that cannot have been, and what was found out since can be added.
func TestBreach_told(t *testing.T) {
	environ := []string{"LLAVE_DATA_DIR=" + t.TempDir()}
	call := func(want int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := Main(t.Context(), append([]string{"breach"}, args...), IO{Environ: environ, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}); code != want {
			t.Errorf("%q: exit %d, want %d: %s", args, code, want, errs.String())
		}
		return out.String() + errs.String()
	}
	day := func(ago int) string { return time.Now().AddDate(0, 0, -ago).Format("2006-01-02") + " 12:00" }
	if said := call(0, "add", "se perdió una laptop", "--known", day(30)); strings.Count(said, "LATE, until ") != 2 {
		t.Errorf("an incident that is overdue when it is noted: %s", said)
	}
	call(2, "told", "1", "--at", day(40))
	if said := call(0, "told", "1", "--at", day(29)); !strings.Contains(said, "told "+day(29)) {
		t.Errorf("what was noted is not said: %s", said)
	}
	if said := call(1, "told", "1"); !strings.Contains(said, day(29)) || !strings.Contains(said, "--again") {
		t.Errorf("told twice: %s", said)
	}
	if said := call(0, "told", "1", "--again", "--at", day(28)); !strings.Contains(said, "told "+day(28)) {
		t.Errorf("noted again: %s", said)
	}
	if said := call(0, "change", "1", "--people", "40", "--harmless", "estaba cifrada"); !strings.Contains(said, "40") || !strings.Contains(said, "told "+day(28)) || !strings.Contains(said, "need not") || !strings.Contains(said, "estaba cifrada") {
		t.Errorf("what was found out since: %s", said)
	}
	var done []string
	if code := Main(t.Context(), []string{"audit", "verify"}, IO{Environ: environ, Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard}); code != 0 {
		t.Error("the audit is not as it was written")
	}
	c, err := config.Load(environ, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := OpenStore(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Audit.Between(t.Context(), time.Now().Add(-time.Hour), time.Now().Add(time.Hour), func(e store.AuditEntry) bool {
		done = append(done, e.What+" "+e.Detail)
		return true
	})
	if err := errors.Join(err, s.Engine().Close()); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(done, ", "), "breach_noted 1, breach_told 1, breach_told 1, breach_changed 1"; got != want {
		t.Errorf("the audit has %s, want %s", got, want)
	}
	if said := call(0, "list"); strings.Contains(said, "LATE") || !strings.Contains(said, day(30)) || !strings.Contains(said, "se perdió una laptop") {
		t.Errorf("the register: %s", said)
	}
}

// The register by its command: what is noted is listed with its deadlines until it was told, and a number in it is masked.
func TestBreach_command(t *testing.T) {
	environ := []string{"LLAVE_DATA_DIR=" + t.TempDir()}
	call := func(stdin string, args ...string) (int, string) {
		var out, errs bytes.Buffer
		code := Main(t.Context(), append([]string{"breach"}, args...), IO{Environ: environ, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs})
		return code, out.String() + errs.String()
	}
	known := time.Now().AddDate(0, 0, -20).Format("2006-01-02 15:04")
	if code, said := call("", "add", "se perdió una laptop, de 1710034065 y otros", "--people", "40", "--known", known); code != 0 || !strings.Contains(said, "until ") || strings.Contains(said, "1710034065") {
		t.Fatalf("exit %d: %s", code, said)
	}
	if code, said := call("un respaldo cifrado se perdió\n", "add", "-", "--harmless", "estaba cifrado"); code != 0 || !strings.Contains(said, "need not") {
		t.Fatalf("exit %d: %s", code, said)
	}
	if code, said := call("", "list"); code != 0 || strings.Count(said, "LATE, until ") != 2 || strings.Count(said, "\n") != 3 {
		t.Errorf("exit %d: %s", code, said)
	}
	for _, told := range [][]string{{"told", "1"}, {"told", "1", "--people", "--at", time.Now().AddDate(0, 0, -19).Format(time.DateOnly)}} {
		if code, said := call("", told...); code != 0 {
			t.Errorf("%q: exit %d: %s", told, code, said)
		}
	}
	code, said := call("", "list", "--json")
	var list []struct {
		Number, People int
		What           string
		Late           bool
		Told           time.Time `json:"people_told"`
	}
	if err := json.Unmarshal([]byte(said), &list); code != 0 || err != nil || len(list) != 2 || list[0].Late || list[0].People != 40 || list[0].Told.IsZero() || strings.Contains(list[0].What, "1710034065") {
		t.Errorf("exit %d: %s", code, said)
	}
	for _, tt := range []struct {
		code int
		args []string
	}{
		{1, []string{"told", "7"}}, {2, []string{"told", "x"}}, {2, []string{"add", ""}}, {2, []string{"add", "x", "--people", "-1"}},
		{2, []string{"add", "x", "--known", "ayer"}}, {2, []string{"add", "x", "--known", "2999-01-01"}}, {2, []string{"told"}}, {2, nil},
		{2, []string{"add", "x", "--harmless", ""}}, {2, []string{"change", "1"}}, {2, []string{"change", "1", "--what", " "}}, {1, []string{"change", "7", "--people", "3"}},
	} {
		if code, said := call("", tt.args...); code != tt.code {
			t.Errorf("%q: exit %d, want %d: %s", tt.args, code, tt.code, said)
		}
	}
}
