package report

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Row is a month of the procedure's sheet.
type Row struct {
	Month   Month
	Volumes *Volumes // nil: the month is taken off again
}

// Columns are the sheet's, in its order.
var Columns = []string{"Año", "Mes", "Volumen de Quejas", "Volumen de Atenciones"}

const (
	mostLoaded = 1 << 20 // bytes of a file: eighty thousand years
	mostVolume = 1e9
)

// ReadSheet reads months as the sheet has them: its four columns under their names, with a comma, a semicolon or a tab between. Where
// anything cannot be read, nothing is returned but the errors, each with its line.
func ReadSheet(r io.Reader) ([]Row, error) {
	text, err := io.ReadAll(io.LimitReader(r, mostLoaded+1))
	if err != nil {
		return nil, err
	}
	if len(text) > mostLoaded {
		return nil, fmt.Errorf("the file is larger than %d KB: it is no table of months", mostLoaded>>10)
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if bytes.IndexByte(text, 0) >= 0 {
		return nil, errors.New("the file is UTF-16, or no text: save it as CSV in UTF-8")
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, mostLoaded+1)
	t := table{seen: map[Month]int{}}
	for lines.Scan() {
		t.line++
		t.read(lines.Text())
	}
	switch {
	case t.comma == 0:
		t.wrong("there is no line with the columns " + strings.Join(Columns, ", "))
	case len(t.rows) == 0 && len(t.problems) == 0:
		t.wrong("no month stands below the columns")
	}
	if err := errors.Join(t.problems...); err != nil {
		return nil, err
	}
	return t.rows, nil
}

// table is a sheet that is being read.
type table struct {
	line     int
	comma    rune // between columns, once their names were read
	rows     []Row
	seen     map[Month]int // the line of each
	problems []error
}

func (t *table) wrong(why string) {
	t.problems = append(t.problems, fmt.Errorf("line %d: %s", t.line, why))
}

func (t *table) read(line string) {
	if strings.Trim(line, ",;\t \r") == "" || t.comma == 0 && strings.HasPrefix(line, "sep=") {
		return
	}
	if t.comma == 0 {
		t.header(line)
		return
	}
	if headed(line) != 0 { // the sheet has two tables
		return
	}
	cells, err := cellsOf(line, t.comma)
	if err == nil && len(cells) > len(Columns) && strings.Join(cells[len(Columns):], "") == "" {
		cells = cells[:len(Columns)]
	}
	if err != nil || len(cells) != len(Columns) {
		t.wrong("does not have the four columns")
		return
	}
	row, err := rowOf(cells)
	if err != nil {
		t.wrong(err.Error())
		return
	}
	if before := t.seen[row.Month]; before > 0 {
		t.wrong(fmt.Sprintf("has the month %s, as line %d does", row.Month, before))
		return
	}
	t.seen[row.Month] = t.line
	t.rows = append(t.rows, row)
}

// header finds out what stands between columns.
func (t *table) header(line string) {
	if t.comma = headed(line); t.comma == 0 {
		t.comma = ',' // what follows is judged no further
		t.wrong("the columns are not " + strings.Join(Columns, ", "))
	}
}

// headed is what stands between the columns' names, or 0 where the line has others. The ñ may be written in any way.
func headed(line string) rune {
	for _, comma := range ",;\t" {
		cells, err := cellsOf(line, comma)
		if err != nil || len(cells) < len(Columns) {
			continue
		}
		year := strings.ToLower(cells[0])
		if strings.HasPrefix(year, "a") && strings.HasSuffix(year, "o") && slices.EqualFunc(cells[1:len(Columns)], Columns[1:], strings.EqualFold) {
			return comma
		}
	}
	return 0
}

func cellsOf(line string, comma rune) ([]string, error) {
	r := csv.NewReader(strings.NewReader(line))
	r.Comma = comma
	cells, err := r.Read()
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells, err
}

func rowOf(cells []string) (row Row, err error) {
	if len(cells[1]) == 1 {
		cells[1] = "0" + cells[1] // spreadsheets drop it
	}
	if row.Month, err = ParseMonth(cells[0] + "-" + cells[1]); err != nil {
		return row, err
	}
	if cells[2] == "" && cells[3] == "" {
		return row, nil
	}
	var v Volumes
	for i, n := range []*int{&v.Complaints, &v.Attentions} {
		name, cell := Columns[2+i], cells[2+i]
		if *n, err = strconv.Atoi(cell); err != nil || *n < 0 || *n > mostVolume || strconv.Itoa(*n) != cell {
			return row, fmt.Errorf("%s is %q: write a number without points or commas", name, cell)
		}
	}
	row.Volumes = &v
	return row, nil
}

// cells are a month as the sheet has it.
func (f Figures) cells() []string {
	v, _ := f.Volumes()
	return []string{f.ID.Year(), f.ID.Number(), strconv.Itoa(v.Complaints), strconv.Itoa(v.Attentions)}
}

// WriteCSV writes the sheet's table, the latest month first, so that it can be loaded again.
func (s Span) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	_ = c.Write(Columns) // Flush says what failed
	for _, f := range slices.Backward(s.Months) {
		_ = c.Write(f.cells())
	}
	c.Flush()
	return c.Error()
}
