package handoff

import (
	"bytes"
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const holidayFile = "feriados_ec.csv"

// TestHolidays_file: the years of the file, as the law has them. What was decreed beside the law cannot be computed.
func TestHolidays_file(t *testing.T) {
	f, err := os.Open(filepath.Join("testdata", holidayFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	weekdays := []string{"dom", "lun", "mar", "mié", "jue", "vie", "sáb"}
	var want, got []Holiday
	for _, row := range rows[1:] {
		if row[5] != "ley" {
			continue
		}
		h := Holiday{Date: Date(row[0]), Name: row[2], Civic: Date(row[3])}
		if day, moved := weekdays[h.Date.Weekday()], h.Date != h.Civic; day != row[1] || moved != (row[4] == "1") {
			t.Errorf("%v: read as %s, moved %v", row, day, moved)
		}
		want = append(want, h)
	}
	for year := 2024; year <= 2027; year++ {
		got = append(got, Holidays(year)...)
	}
	if len(want) != 45 {
		t.Fatalf("rows: got %d, want 45", len(want))
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("row %d:\ngot  %v\nwant %v", i+1, got[min(i, len(got)):], want[min(i, len(want)):])
		}
	}
}

// TestFile_same: where the data lies beside the checkout, as it does in CI, the copy in ours is the same. A clone by itself
// has nothing to compare it with.
func TestFile_same(t *testing.T) {
	want, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", holidayFile))
	if err != nil {
		t.Skip("SKIP: no data lies beside this checkout to compare the copy with")
	}
	got, err := os.ReadFile(filepath.Join("testdata", holidayFile))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from the one beside the checkout", holidayFile)
	}
}

// TestHolidays_weekdays: where the rest of each day goes, on every day of the week it can fall on.
func TestHolidays_weekdays(t *testing.T) {
	// By how many days the rest moves, from Sunday to Saturday.
	bridge := [7]int{1, 0, -1, 2, 1, 0, -1}
	weekend := [7]int{1, 0, 0, 0, 0, 0, -1}
	moves := map[string][7]int{
		"Año Nuevo":                     weekend,
		"Navidad":                       weekend,
		"Día del Trabajo":               bridge,
		"Batalla de Pichincha":          bridge,
		"Primer Grito de Independencia": bridge,
		"Independencia de Guayaquil":    bridge,
		"Carnaval (lunes)":              {},
		"Carnaval (martes)":             {},
		"Viernes Santo":                 {},
		"Día de los Difuntos":           {2, 0, 0, 2, 0, 0, -1},
		"Independencia de Cuenca":       {1, 0, 0, -2, 0, 0, -2},
	}
	type remembered struct {
		name string
		year int
	}
	seen := map[remembered]int{}
	for year := 2017; year <= 2100; year++ {
		for _, h := range Holidays(year) {
			seen[remembered{h.Name, h.Civic.Year()}]++
			if h.Date.Year() != year {
				t.Errorf("%d holds %v", year, h)
			}
			if d := h.Date.Weekday(); d == time.Saturday || d == time.Sunday {
				t.Errorf("%v: a rest on a %v", h, d)
			}
			if got, want := days(h.Civic, h.Date), moves[h.Name][h.Civic.Weekday()]; got != want {
				t.Errorf("%v, a %v: moves by %d, want %d", h, h.Civic.Weekday(), got, want)
			}
			if name, ok := holidayOn(h.Date.midnight()); !ok || name != h.Name {
				t.Errorf("%v: looked up by its date: got %q, %v", h, name, ok)
			}
			if h.Date != h.Civic {
				if name, ok := holidayOn(h.Civic.midnight()); ok {
					t.Errorf("%v: its civic date is the rest of %s", h, name)
				}
			}
		}
	}
	for name := range moves {
		for year := 2017; year <= 2100; year++ {
			if got := seen[remembered{name, year}]; got != 1 {
				t.Errorf("%s of %d: there are %d", name, year, got)
			}
		}
	}
}

// TestHolidays_november: the two days together, on each of the seven weekdays, by a table made by hand.
func TestHolidays_november(t *testing.T) {
	for _, tc := range []struct {
		year           int
		weekday        time.Weekday // of the second
		second, cuenca Date
	}{
		{2020, time.Monday, "2020-11-02", "2020-11-03"},
		{2021, time.Tuesday, "2021-11-02", "2021-11-01"},
		{2022, time.Wednesday, "2022-11-04", "2022-11-03"},
		{2023, time.Thursday, "2023-11-02", "2023-11-03"},
		{2018, time.Friday, "2018-11-02", "2018-11-01"},
		{2019, time.Saturday, "2019-11-01", "2019-11-04"},
		{2031, time.Sunday, "2031-11-04", "2031-11-03"},
	} {
		got := map[string]Date{}
		for _, h := range Holidays(tc.year) {
			got[h.Name] = h.Date
			if h.Name == "Día de los Difuntos" && h.Civic.Weekday() != tc.weekday {
				t.Errorf("%d: the second was a %v", tc.year, h.Civic.Weekday())
			}
		}
		if got["Día de los Difuntos"] != tc.second || got["Independencia de Cuenca"] != tc.cuenca {
			t.Errorf("%d: got %s and %s, want %s and %s", tc.year, got["Día de los Difuntos"], got["Independencia de Cuenca"], tc.second, tc.cuenca)
		}
	}
}

// TestHolidays_newYear: on a Saturday it is rested on the last day of the year before.
func TestHolidays_newYear(t *testing.T) {
	for _, tc := range []struct {
		year        int
		first, last Holiday
		n           int
	}{
		{2021, Holiday{"2021-01-01", "Año Nuevo", "2021-01-01"}, Holiday{"2021-12-31", "Año Nuevo", "2022-01-01"}, 12},
		{2022, Holiday{"2022-02-28", "Carnaval (lunes)", "2022-02-28"}, Holiday{"2022-12-26", "Navidad", "2022-12-25"}, 10},
		{2023, Holiday{"2023-01-02", "Año Nuevo", "2023-01-01"}, Holiday{"2023-12-25", "Navidad", "2023-12-25"}, 11},
	} {
		got := Holidays(tc.year)
		if len(got) != tc.n || got[0] != tc.first || got[len(got)-1] != tc.last {
			t.Errorf("%d:\ngot  %v\nwant %d from %v to %v", tc.year, got, tc.n, tc.first, tc.last)
		}
		if !slices.IsSortedFunc(got, func(a, b Holiday) int { return strings.Compare(string(a.Date), string(b.Date)) }) {
			t.Errorf("%d: not in order: %v", tc.year, got)
		}
	}
}

func TestEaster(t *testing.T) {
	for _, want := range []Date{
		"1818-03-22", "1943-04-25", "1954-04-18", "1961-04-02", "1981-04-19", "2000-04-23", "2008-03-23", "2011-04-24",
		"2016-03-27", "2017-04-16", "2018-04-01", "2019-04-21", "2020-04-12", "2021-04-04", "2022-04-17", "2023-04-09",
		"2024-03-31", "2025-04-20", "2026-04-05", "2027-03-28", "2028-04-16", "2029-04-01", "2030-04-21", "2031-04-13",
		"2035-03-25", "2038-04-25", "2049-04-18", "2076-04-19", "2100-03-28", "2285-03-22",
	} {
		if got := DateOf(easter(want.Year())); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func days(from, to Date) int { return int(to.midnight().Sub(from.midnight()) / (24 * time.Hour)) }
