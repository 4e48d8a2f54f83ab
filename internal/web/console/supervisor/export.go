package supervisor

import (
	"encoding/csv"
	"errors"
	"html"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"llave/bot"
	"llave/internal/handoff"
	"llave/internal/web"
	"llave/internal/web/console"
)

const exportTime = 5 * time.Minute // to send one file

// exportCases sends the cases that were chosen as CSV. The file holds no numbers and nothing that
// names a chat. It is written down before the first line goes out.
func (c *Room) exportCases(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	now, err := c.now(r)
	if err != nil {
		return err
	}
	ch := c.choose(r, now)
	if ch.Problem != "" {
		return c.supervision(w, r, v)
	}
	if err := c.audit(r, v, handoff.AuditExport, string(ch.Range.From)+" "+string(ch.Range.To)); err != nil {
		return err
	}
	f := newFile(w, "casos_"+string(ch.Range.From)+"_"+string(ch.Range.To)+".csv", []string{
		"caso", "canal", "estado", "tema", "paso", "pedido", "tomado", "primera respuesta", "cerrado", "espera en segundos", "pasó la meta",
		"atención en segundos", "agente", "usuario", "motivo", "calificación",
	})
	word := c.words()
	err = c.Desk.EachCounted(r.Context(), ch.Sieve, func(k handoff.Counted) bool {
		h := k.Handoff
		waited, late, meaning := "", "no", ""
		if k.Answered || k.Left {
			waited = strconv.FormatInt(int64(k.Waited/time.Second), 10)
		}
		if k.Breached {
			late = "sí"
		}
		if h.Meaning != "" {
			meaning = c.meaningTitle(h.Meaning)
		}
		return f.row(
			h.Ref, word("channel", k.Channel), word("status", h.Status), meaning, c.StateName(h.From), c.cell(h.Asked), c.cell(h.Taken), c.cell(h.Answered), c.cell(h.Ended),
			waited, late, secondsBetween(h.Taken, h.Ended), h.AgentName, h.Agent, word("reason", h.Reason), starsCell(h.Rating),
		)
	})
	return f.end(err)
}

// exportLines sends the transcript of a case as CSV, numbers masked as they are kept.
func (c *Room) exportLines(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	found, err := c.Desk.Find(r.Context(), r.PathValue("ref"))
	if errors.Is(err, handoff.ErrNoCase) {
		return &web.Error{Status: http.StatusNotFound}
	}
	if err != nil {
		return console.Unavailable(err)
	}
	if err := c.audit(r, v, handoff.AuditExport, found.Ref); err != nil {
		return err
	}
	f := newFile(w, found.Ref+".csv", []string{"línea", "hora", "quién", "nombre", "texto"})
	word := c.words()
	for after := int64(-1); ; { // from before the first line on: after 0 the desk returns the last ones
		lines, err := c.Desk.Lines(r.Context(), found.Ref, after)
		for _, l := range lines {
			if !f.row(strconv.FormatInt(l.Seq, 10), c.cell(l.At), word("line-from", l.From), l.By, c.said(l)) {
				break
			}
			after = l.Seq
		}
		if err != nil || f.err != nil || len(lines) < handoff.LinesAtOnce {
			return f.end(err)
		}
	}
}

// said is what a line says: of something that happened, its words.
func (c *Room) said(l bot.Line) string {
	if l.From != bot.FromEvent {
		return l.Text
	}
	var b strings.Builder
	if err := c.pages.Draw(&b, "closed", "event", l); err != nil {
		return l.Text
	}
	return html.UnescapeString(strings.TrimSpace(b.String()))
}

// csvFile is a file on its way to a browser. Nothing is sent before the first row, so that what fails earlier has a page.
type csvFile struct {
	w      http.ResponseWriter
	name   string
	header []string
	csv    *csv.Writer
	err    error // of sending
}

func newFile(w http.ResponseWriter, name string, header []string) *csvFile {
	return &csvFile{w: w, name: name, header: header}
}

// begin sends the headers and the first line. The mark in front tells a spreadsheet that the text is UTF-8.
func (f *csvFile) begin() {
	if f.csv != nil {
		return
	}
	h := f.w.Header()
	web.Secure(h, "", false)
	h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	h.Set("Content-Disposition", `attachment; filename="`+f.name+`"`)
	_ = http.NewResponseController(f.w).SetWriteDeadline(time.Now().Add(exportTime)) // where there is none, none is moved
	f.csv = csv.NewWriter(f.w)
	f.csv.UseCRLF, f.csv.Comma = true, ';' // as a spreadsheet in Spanish reads it
	if _, f.err = io.WriteString(f.w, "\uFEFF"); f.err == nil {
		f.err = f.csv.Write(f.header)
	}
}

// row sends a line and says whether to go on. Every cell is made harmless.
func (f *csvFile) row(cells ...string) bool {
	f.begin()
	for i := range cells {
		cells[i] = harmless(cells[i])
	}
	if f.err == nil {
		f.err = f.csv.Write(cells)
	}
	return f.err == nil
}

// end sends what is left. A file that broke off ends the connection, so that it is not taken for a whole one.
func (f *csvFile) end(err error) error {
	if err != nil && f.csv == nil {
		return console.Unavailable(err)
	}
	f.begin()
	f.csv.Flush()
	if err != nil || f.err != nil || f.csv.Error() != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// harmless returns a cell that no spreadsheet takes for a formula: an apostrophe goes before whatever would begin one, at
// the start of the cell, behind spaces and quotation marks too, and where a program that splits at semicolons, tabs or ends
// of lines would begin another cell. What begins with a tab or an end of line gets one as well.
func harmless(cell string) string {
	var b strings.Builder
	first := true // of a cell
	from := 0     // where the cell begins in b
	if cell != "" && strings.ContainsRune("\t\r\n", rune(cell[0])) {
		b.WriteByte('\'')
	}
	for _, r := range cell {
		switch {
		case strings.ContainsRune(";\t\r\n", r):
			b.WriteRune(r)
			first, from = true, b.Len()
			continue
		case first && (unicode.IsSpace(r) || unicode.Is(unicode.Quotation_Mark, r) || bot.Clean(string(r)) == ""):
			b.WriteRune(r)
			continue
		case first && beginsFormula(r):
			rest := b.String()[from:]
			head := b.String()[:from]
			b.Reset()
			b.WriteString(head + "'" + rest)
		}
		first = false
		b.WriteRune(r)
	}
	return b.String()
}

// beginsFormula says whether a spreadsheet might take a rune for the beginning of a formula, also in its wide and small
// forms.
func beginsFormula(r rune) bool {
	return r == '\u2212' || strings.ContainsAny(bot.Fold(string(r)), "=+-@")
}

// secondsBetween is empty when either moment is missing.
func secondsBetween(from, to time.Time) string {
	if from.IsZero() || to.IsZero() {
		return ""
	}
	return strconv.FormatInt(int64(max(to.Sub(from), 0)/time.Second), 10)
}

// starsCell is empty when nobody rated.
func starsCell(stars int) string {
	if stars == 0 {
		return ""
	}
	return strconv.Itoa(stars)
}
