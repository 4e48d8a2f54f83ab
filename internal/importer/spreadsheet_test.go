package importer_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"llave/internal/affiliate"
	"llave/internal/importer"
)

// latin is a text as a Spanish Excel saves it: each letter is one byte.
func latin(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteByte(byte(r))
	}
	return b.String()
}

// wide is a text in UTF-16.
func wide(s string, big bool) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		if big {
			b.WriteByte(byte(u >> 8))
		}
		b.WriteByte(byte(u))
		if !big {
			b.WriteByte(byte(u >> 8))
		}
	}
	return b.String()
}

func TestRun_spreadsheets(t *testing.T) {
	semicolons := strings.ReplaceAll(header+row(1)+strings.Replace(row(2), "Persona 2 Ficticia", "María Ñandú Güell", 1), ",", ";")
	padded := strings.ReplaceAll(strings.TrimSpace(semicolons), "\n", ";;\n") + ";;\n"
	for _, tc := range []struct {
		name, content string
		windows       int64
		utf16         bool
	}{
		{"as it is", semicolons, 0, false},
		{"Windows-1252", latin(semicolons), 1, false},
		{"Windows-1252 in quotes", latin(strings.ReplaceAll(semicolons, "María Ñandú Güell", `"María Ñandú Güell"`)), 1, false},
		{"UTF-16, little end first", "\xff\xfe" + wide(semicolons, false), 0, true},
		{"UTF-16, big end first", "\xfe\xff" + wide(semicolons, true), 0, true},
		{"UTF-16 without a mark", wide(semicolons, false), 0, true},
		{"UTF-16 without a mark, big end first", wide(semicolons, true), 0, true},
		{"UTF-16 with tabs, as Excel's Unicode text", "\xff\xfe" + wide(strings.ReplaceAll(semicolons, ";", "\t"), false), 0, true},
		{"sep=", "sep=;\n" + semicolons, 0, false},
		{"sep= in quotes, mark, CRLF", "\ufeff\"sep=;\"\r\n" + strings.ReplaceAll(semicolons, "\n", "\r\n"), 0, false},
		{"sep= another than the header has most of", "sep=~\n" + strings.ReplaceAll(semicolons, ";", "~"), 0, false},
		{"sep= and a tab", "SEP=\t\n" + strings.ReplaceAll(semicolons, ";", "\t"), 0, false},
		{"sep= in UTF-16", wide("sep=;\r\n"+semicolons, false), 0, true},
		{"empty rows", ";;;;;;\n" + strings.ReplaceAll(semicolons, "\n", "\n;;;;;;\n; \u00a0;\"\";;;;\n  \n"), 0, false},
		{"two empty columns", padded, 0, false},
		{"empty columns in the rows alone", strings.Replace(padded, ";;\n", "\n", 1), 0, false},
		{"empty columns in the header alone", strings.Replace(semicolons, "\n", ";;\n", 1), 0, false},
		{"an empty column in front", ";" + strings.ReplaceAll(strings.TrimSpace(semicolons), "\n", "\n;"), 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := open(t)
			o := options(t, s, "a.csv", tc.content)
			sum, err := importer.Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if sum.Rows != 2 || sum.Imported != 2 || sum.Windows1252 != tc.windows || sum.UTF16 != tc.utf16 {
				t.Errorf("got %+v; rejects: %s", sum, rejected(t, o.Name+".rejects.csv"))
			}
			for i, want := range []string{"Persona 1 Ficticia", "María Ñandú Güell"} {
				if r, _, err := s.Affiliates.Find(t.Context(), number(i+1)); err != nil || r.FullName != want || r.Outcome() != affiliate.CanUnlock {
					t.Errorf("got %q (%s, %v), want %q", r.FullName, r.Outcome(), err, want)
				}
			}
		})
	}
}

// What can be read in two ways is not guessed at.
func TestRun_letters(t *testing.T) {
	const neither = "is neither UTF-8 nor Windows-1252, or some of both; save the file as UTF-8"
	for _, tc := range []struct{ name, mark, reason string }{
		{"Jos\xe9 Nu\xf1ez", "", ""},
		{"Mar\xeda D\x92Angelo 1\xba", "", ""},
		{"Jos\xc3\xa9", "", ""},
		{"Mu\x96oz", "", neither},             // an old Mac's ñ
		{"Mu\xa4oz", "", neither},             // DOS's ñ
		{"Jos\x82", "", neither},              // DOS's é
		{"Jos\xc3\xa9 Nu\xf1ez", "", neither}, // some of both
		{"Jos\x81", "", neither},              // nothing in Windows-1252
		{"Jos\xe9", "\ufeff", "is not UTF-8"}, // the file says that it is
		{"Jos\xe9 \xe2\x82", "\ufeff", "is not UTF-8"},
	} {
		s := open(t)
		o := options(t, s, "a.csv", tc.mark+header+row(1)+strings.Replace(row(2), "Persona 2 Ficticia", tc.name, 1))
		sum, err := importer.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		got := rejected(t, o.Name+".rejects.csv")
		if tc.reason == "" && (sum.Imported != 2 || got != "") || tc.reason != "" && (sum.Imported != 1 || !strings.Contains(got, "3,\""+tc.reason+`",rejected,`)) {
			t.Errorf("%q: %+v, rejects %q, want %q", tc.name, sum, got, tc.reason)
		}
	}
	s := open(t)
	o := options(t, s, "a.csv", "\xff\xfe"+wide(header+row(1), false)+"M\x00\x00\xd8x\x00\n\x00"+wide(row(2), false))
	sum, err := importer.Run(t.Context(), o)
	if err != nil || sum.Imported != 2 || !strings.Contains(rejected(t, sum.Rejects), `"is damaged UTF-16"`) {
		t.Errorf("half a character: %+v, %v, %q", sum, err, rejected(t, o.Name+".rejects.csv"))
	}
}

// The file of rejects is UTF-8 whatever the input was, and what is mended there is imported.
func TestRun_rejectsOfSpreadsheets(t *testing.T) {
	bad := strings.Replace(strings.Replace(row(2), "Persona 2 Ficticia", "José Ñandú", 1), "affiliate", "socio", 1)
	for name, content := range map[string]string{
		"Windows-1252": latin(header + row(1) + bad),
		"UTF-16":       "\xff\xfe" + wide(header+row(1)+bad, false),
		"mark":         "\ufeff" + header + row(1) + bad,
	} {
		s := open(t)
		sum, err := importer.Run(t.Context(), options(t, s, "a.csv", content))
		if err != nil || sum.Rejected != 1 {
			t.Fatalf("%s: %+v, %v", name, sum, err)
		}
		got := rejected(t, sum.Rejects)
		if !strings.Contains(got, ",José Ñandú,") || strings.HasPrefix(got, "\ufeff") != (name != "Windows-1252") {
			t.Errorf("%s: rejects: %q", name, got)
		}
		mended := options(t, s, "b.csv", strings.Replace(got, "socio", "pensioner", 1))
		if sum, err = importer.Run(t.Context(), mended); err != nil || sum.Imported != 1 || sum.Rejected != 0 {
			t.Errorf("%s mended: %+v, %v", name, sum, err)
		}
		if r, _, _ := s.Affiliates.Find(t.Context(), number(2)); r.FullName != "José Ñandú" {
			t.Errorf("%s mended: got %q", name, r.FullName)
		}
		// A second run writes the same file anew, mark and all.
		if sum, err = importer.Run(t.Context(), again(t, mended)); err != nil || sum.Unchanged != 1 {
			t.Errorf("%s again: %+v, %v", name, sum, err)
		}
	}
}

func TestRun_namelessColumns(t *testing.T) {
	s := open(t)
	o := options(t, s, "a.csv", strings.TrimSpace(header)+",,\n"+strings.TrimSpace(row(1))+",,\n"+strings.TrimSpace(row(2))+",,x\n"+strings.TrimSpace(row(3))+",,,x\n")
	sum, err := importer.Run(t.Context(), o)
	got := rejected(t, o.Name+".rejects.csv")
	if err != nil || sum.Imported != 1 || !strings.Contains(got, `3,"column 9 has no name, and is not empty",`) || !strings.Contains(got, `4,"has 10 columns, 7 expected",`) {
		t.Errorf("%+v, %v, %s", sum, err, got)
	}
}

func TestRun_dates(t *testing.T) {
	day := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	clock := time.Date(2025, 3, 1, 10, 30, 0, 0, time.UTC)
	const noDate = "is no date; write 2025-03-01 or 2025-03-01T10:30:00Z"
	for _, tc := range []struct {
		written string
		want    time.Time
		reason  string
	}{
		{"", time.Time{}, ""},
		{"  ", time.Time{}, ""},
		{"2025-03-01", day, ""},
		{"2025-03-01 00:00:00", day, ""},
		{"2025-03-01 00:00:00.000", day, ""},
		{"2025-03-01T10:30:00", clock, ""},
		{"2025-03-01 10:30", clock, ""},
		{"2025-03-01T10:30:00Z", clock, ""},
		{"2025-03-01T05:30:00-05:00", clock, ""},
		{"2025-03-01 05:30:00-05", clock, ""},
		{"2025-03-01 05:30:00 -0500", clock, ""},
		{"2025-03-01 10:30:00 UTC", clock, ""},
		{"2025-03-01 10:30:00.123456", clock.Add(123 * time.Millisecond), ""},
		{"2025/03/01", day, ""},
		{"2025/3/1 10:30:00", clock, ""},
		{"2025.03.01", day, ""},
		{"20250301", day, ""},
		{"25/03/2025", day.AddDate(0, 0, 24), ""},
		{"03/25/2025 00:00", day.AddDate(0, 0, 24), ""},
		{"31-12-2025", time.Date(2025, 12, 31, 0, 0, 0, 0, time.UTC), ""},
		{"03/03/2025", day.AddDate(0, 0, 2), ""},
		{"1-mar-2025", day, ""},
		{"01 Mar. 2025", day, ""},
		{"1 de marzo de 2025", day, ""},
		{"1 de enero del 2025", day.AddDate(0, -2, 0), ""},
		{"1-Aug-2025", day.AddDate(0, 5, 0), ""},

		{"01/03/2025", time.Time{}, "reads two ways (1 March 2025 or 3 January 2025); write 2025-03-01"},
		{"1-3-2025 10:30:00", time.Time{}, "reads two ways (1 March 2025 or 3 January 2025); write 2025-03-01"},
		{"25/03/25", time.Time{}, "has a year of two digits, which reads several ways; write 2025-03-01"},
		{"1-mar-25", time.Time{}, "has a year of two digits, which reads several ways; write 2025-03-01"},
		{"45717", time.Time{}, "is a number, as a spreadsheet counts days; write 2025-03-01"},
		{"45717.4375", time.Time{}, "is a number, as a spreadsheet counts days; write 2025-03-01"},
		{"2025-02-30", time.Time{}, noDate},
		{"30/02/2025", time.Time{}, noDate},
		{"13/13/2025", time.Time{}, noDate},
		{"2025-03/01", time.Time{}, noDate},
		{"0000-00-00", time.Time{}, noDate},
		{"1-abc-2025", time.Time{}, noDate},
		{"2025-03-01 25:00", time.Time{}, noDate},
		{"2025-03-01 10:30 mañana", time.Time{}, noDate},
		{"ayer", time.Time{}, noDate},
		{"1741000000000", time.Time{}, noDate},
	} {
		s := open(t)
		o := options(t, s, "a.csv", header+row(1)+fmt.Sprintf("%s,cedula,affiliate,N,p@example.com,%s,locked\n", number(2), tc.written))
		sum, err := importer.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		r, found, _ := s.Affiliates.Find(t.Context(), number(2))
		got := rejected(t, o.Name+".rejects.csv")
		if tc.reason == "" && (!found || !r.DataUpdatedAt.Equal(tc.want) || got != "") || tc.reason != "" && (found || !strings.Contains(got, `3,"data_updated_at `+tc.reason+`",rejected,`)) {
			t.Errorf("%q: %+v, got %v, rejects %q; want %v %s", tc.written, sum, r.DataUpdatedAt, got, tc.want, tc.reason)
		}
	}
}

// updated_at names a moment, in the zone of the service where it names none.
func TestRun_updatedAt(t *testing.T) {
	zone := time.FixedZone("Guayaquil", -5*3600)
	now := time.Date(2025, 9, 1, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		written string
		want    time.Time
		reason  string
	}{
		{"", time.Time{}, ""},
		{"2025-08-31 22:00", time.Date(2025, 9, 1, 3, 0, 0, 0, time.UTC), ""},
		{"2025-08-31T22:00:00Z", time.Date(2025, 8, 31, 22, 0, 0, 0, time.UTC), ""},
		{"2025-08-31", time.Date(2025, 8, 31, 5, 0, 0, 0, time.UTC), ""},
		{"2025-09-02 01:00", time.Date(2025, 9, 2, 6, 0, 0, 0, time.UTC), ""}, // a clock that is ahead
		{"2025-09-03", time.Time{}, ""},                                       // nothing could be newer: as without one
		{"08/09/2025", time.Time{}, "updated_at reads two ways"},
	} {
		for _, name := range []string{"a.csv", "a.ndjson"} {
			content := strings.TrimSpace(header) + ",updated_at\n" + strings.TrimSpace(row(1)) + "," + tc.written + "\n" + strings.TrimSpace(row(2)) + ",2025-01-01\n"
			if name == "a.ndjson" {
				content = ""
				for i, at := range []string{tc.written, "2025-01-01"} {
					content += fmt.Sprintf(`{"_id":%q,"id_type":"cedula","category":"affiliate","full_name":"N","email":"","status":"locked","updated_at":%q}`+"\n", number(i+1), at)
				}
			}
			s := open(t)
			o := options(t, s, name, content)
			o.Zone, o.Now = zone, func() time.Time { return now }
			sum, err := importer.Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			r, found, _ := s.Affiliates.Find(t.Context(), number(1))
			got := rejected(t, o.Name+".rejects.csv")
			if sum.Future > 0 != (tc.written == "2025-09-03") || found != (tc.reason == "") || !r.UpdatedAt.Equal(tc.want) || !strings.Contains(got, tc.reason) {
				t.Errorf("%s %q: %+v, got %v (found %v), rejects %q", name, tc.written, sum, r.UpdatedAt, found, got)
			}
		}
	}
}
