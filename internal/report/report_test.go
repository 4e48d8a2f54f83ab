package report

import (
	"strings"
	"testing"
	"time"
)

const header = "Año,Mes,Volumen de Quejas,Volumen de Atenciones\n"

// What a spreadsheet makes of the table is read; what is not the table is refused whole, with the line.
func TestReadSheet(t *testing.T) {
	for name, text := range map[string]string{
		"commas": header + "2025,09,0,80009\n", "semicolons": "\xef\xbb\xbfsep=;\r\n" + strings.ReplaceAll(header, ",", ";") + "2025;9;0;80009\r\n;;;\r\n",
		"tabs, twice": strings.Repeat(strings.ReplaceAll(header, ",", "\t"), 2) + "2025\t09\t0\t80009", "Windows-1252": strings.Replace(header, "ñ", "\xf1", 1) + "2025,09,0,80009\n",
		"quotes and a column that is empty": "\"Año\",Mes,Volumen de Quejas,Volumen de Atenciones,\n2025,\"09\",0,\"80009\",\n",
	} {
		rows, err := ReadSheet(strings.NewReader(text))
		if err != nil || len(rows) != 1 || rows[0].Month != "2025-09" || *rows[0].Volumes != (Volumes{0, 80009}) {
			t.Errorf("%s: got %+v, %v", name, rows, err)
		}
	}
	for text, want := range map[string]string{
		"": "no line with the columns", header: "no month stands", "a,b,c,d\n2025,09,0,1\n": "line 1: the columns are not",
		header + "2025,13,0,1\n": "line 2", header + "2025,09,0,60.833\n": "without points", header + "2025,09,-1,1\n": "line 2", header + "2025,09,0\n": "four columns",
		header + "2025,09,0,1\n2025,9,0,2\n": "as line 2 does", header + "2025,09,,1\n": "Volumen de Quejas", "A\x00ñ": "UTF-16", header + "2025,09,0,1e3\n": "line 2",
		header + "2025,09,0,99999999999999999999\n": "line 2", "x" + strings.Repeat("\n", mostLoaded): "larger",
	} {
		if rows, err := ReadSheet(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) || rows != nil {
			t.Errorf("%.60q: got %v, %v, want %q", text, rows, err, want)
		}
	}
}

// FuzzReadSheet wants that whatever is read is printed and read again as the same.
func FuzzReadSheet(f *testing.F) {
	f.Add(header + "2025,09,0,80009\n2025,08,1,69859\n")
	f.Add("Año;Mes;Volumen de Quejas;Volumen de Atenciones\n2025;1;;\n")
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := ReadSheet(strings.NewReader(text))
		if err != nil {
			return
		}
		var s Span
		for _, r := range rows {
			if r.Volumes != nil {
				s.Months = append(s.Months, Figures{ID: r.Month, Sheet: r.Volumes})
			}
		}
		if len(s.Months) == 0 {
			return
		}
		var out strings.Builder
		if err := s.WriteCSV(&out); err != nil {
			t.Fatal(err)
		}
		again, err := ReadSheet(strings.NewReader(out.String()))
		if err != nil || len(again) != len(s.Months) {
			t.Fatalf("%q is read as %v, %v", out.String(), again, err)
		}
		for i, r := range again {
			if was := s.Months[len(s.Months)-1-i]; r.Month != was.ID || *r.Volumes != *was.Sheet {
				t.Fatalf("%q: row %d is %+v", out.String(), i, r)
			}
		}
	})
}

// Months follow each other over the end of a year, and begin where the zone has them.
func TestMonth(t *testing.T) {
	zone := time.FixedZone("", -5*60*60)
	m := MonthOf(time.Date(2025, 1, 1, 4, 59, 0, 0, time.UTC), zone)
	if m != "2024-12" || m.Plus(1) != "2025-01" || m.Plus(-12) != "2023-12" || m.Words() != "diciembre de 2024" {
		t.Errorf("got %s, %s, %s, %s", m, m.Plus(1), m.Plus(-12), m.Words())
	}
	if got := m.Plus(1).Begins(zone); !got.Equal(time.Date(2025, 1, 1, 5, 0, 0, 0, time.UTC)) {
		t.Errorf("January begins at %v", got)
	}
}

// What is typed is a month of this millennium: after 9999-12 none would come that orders behind it, and whoever counts up to it would never
// end.
func TestParseMonth(t *testing.T) {
	for _, typed := range []string{"2000-01", "2025-09", "2999-12"} {
		if m, err := ParseMonth(typed); err != nil || string(m) != typed || m.Plus(1) <= m {
			t.Errorf("%s is read as %q, %v, and %s follows", typed, m, err, m.Plus(1))
		}
	}
	for _, typed := range []string{"", "1999-12", "3000-01", "9999-12", "10000-01", "2025-13", "2025-9", "2025-00", " 2025-09"} {
		if m, err := ParseMonth(typed); err == nil {
			t.Errorf("%q is read as %s", typed, m)
		}
	}
}

// No promise that may still be kept is of a month that is closed: the latest that counts was made a month after it began, and is kept
// for sixty days.
func TestMonth_Closes(t *testing.T) {
	zone := time.UTC
	e := Entry{At: time.Date(2025, 9, 30, 23, 59, 59, 0, zone)}
	closes := Month("2025-09").Closes(zone)
	made := e.At.Add(lateness)
	if e.Late(made, made.Add(Until)) || !e.Late(made.Add(time.Second), made.Add(time.Second)) {
		t.Error("the latest that counts is not where it was meant")
	}
	for _, after := range []time.Duration{0, time.Hour, lateness} {
		if made := e.At.Add(after); !e.Late(made, closes) {
			t.Errorf("what was owed %v after it began counts when its month is closed", after)
		}
	}
}

// Bars stay within their chart, and its table has every one of them.
func TestChart(t *testing.T) {
	f := Figures{ID: "2025-09", Own: &Sum{Days: []Day{{1, 2, 0}, {80009, 0, 0}, {3, 1, 0}}}}
	charts := f.DayCharts()
	if len(charts) != 3 || charts[0].Top() != 100000 || charts[1].Top() != 2 || !charts[2].Empty() || charts[0].Empty() || len(charts[0].Axis()) != 3 {
		t.Fatalf("got %+v", charts)
	}
	svg := string(charts[0].SVG())
	if strings.Count(svg, "<rect") != 3 || !strings.Contains(svg, "2 de septiembre (80009)") || strings.Contains(svg, "-0") || !strings.Contains(svg, `height="128.01"`) {
		t.Errorf("drawn as %s", svg)
	}
	f.Running, f.Today = true, 2
	if n := len(f.DayCharts()[0].Points); n != 2 {
		t.Errorf("on its second day a month has %d days", n)
	}
}
