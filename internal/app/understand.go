package app

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"llave/flows"
	"llave/internal/affiliate"
)

// understanding is one run of `llave understand`.
type understanding struct {
	trial    *flows.Trial
	language string
	state    string // of sentences that come without one
	json     bool
	out      io.Writer
}

func (p *program) understand() *cobra.Command {
	u := understanding{out: p.stdout}
	cmd := &cobra.Command{
		Use: "understand [FILE|-]", Short: "Say what sentences would be taken for and answered with", Args: cobra.MaximumNArgs(1),
		Long: `Says each sentence to the conversation as it is, in a given state, and prints what it was taken for, how sure that is, and
the answer. Nothing is kept or sent and no store is opened, so it works while the service runs.
Sentences come one a line on standard input, or in a CSV file with the columns state,said or state,said,meaning. With
meanings, a summary says how many were understood, what was taken for what, and how far confidences can be trusted.
States: ` + strings.Join(flows.TrialStates(), ", ") + ` (any is the menu).`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.prepare(&u); err != nil {
				return err
			}
			name := "-"
			if len(args) > 0 {
				name = args[0]
			}
			return p.runUnderstand(cmd.Context(), u, name)
		},
	}
	cmd.Flags().StringVar(&u.language, "lang", "es", "language of the conversation: "+strings.Join(flows.TrialLanguages(), " or "))
	cmd.Flags().StringVar(&u.state, "state", "any", "where the conversation stands, for sentences that come without a state")
	cmd.Flags().BoolVar(&u.json, "json", false, "print an object a line, and the summary as the last")
	return cmd
}

// prepare judges the flags and makes the trial.
func (p *program) prepare(u *understanding) error {
	if states := flows.TrialStates(); !slices.Contains(states, u.state) {
		return fmt.Errorf("%w: --state %s: there is no such state; expected one of %s", errUsage, u.state, strings.Join(states, ", "))
	}
	if languages := flows.TrialLanguages(); !slices.Contains(languages, u.language) {
		return fmt.Errorf("%w: --lang %s: there is no such language; expected %s", errUsage, u.language, strings.Join(languages, " or "))
	}
	c, _, err := p.load()
	if err != nil {
		return err
	}
	offices := affiliate.Offices{}
	if c.OfficesFile != "" {
		if offices, err = affiliate.LoadOffices(c.OfficesFile); err != nil {
			return fmt.Errorf("LLAVE_OFFICES_FILE: %w", err)
		}
	}
	o, err := flowOptions(c, FlowOptions{Offices: offices, PublicURL: c.PublicURL})
	if err != nil {
		return err
	}
	u.trial, err = flows.NewTrial(o)
	return err
}

// sentence is one to be tried, and where it came from.
type sentence struct {
	line                 int
	state, said, meaning string
}

func (p *program) runUnderstand(ctx context.Context, u understanding, name string) error {
	source := bufio.NewReader(p.stdin)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("open the file of sentences: %w (a sentence comes on standard input: echo '…' | llave understand)", err)
		}
		defer f.Close()
		source = bufio.NewReader(f)
	}
	if name == "-" && !startsTable(source) {
		return u.lines(ctx, source)
	}
	rows, err := u.rows(source)
	if err != nil {
		return fmt.Errorf("%s: %w", cmp.Or(strings.Trim(name, "-"), "standard input"), err)
	}
	return u.table(ctx, rows)
}

// startsTable says whether what comes on standard input has the header of a table. Only as much is read as it needs: somebody
// may be typing.
func startsTable(source *bufio.Reader) bool {
	for n := 1; n <= len(tableStart); n++ {
		if begin, err := source.Peek(n); err != nil || string(begin) != tableStart[:n] {
			return false
		}
	}
	return true
}

const tableStart = "state,said"

// byteOrderMark is what some spreadsheets begin a file with.
const byteOrderMark = "\ufeff"

// lines tries a sentence a line, each as soon as it is there.
func (u understanding) lines(ctx context.Context, source *bufio.Reader) error {
	some := false
	for n := 1; ctx.Err() == nil; n++ {
		line, err := source.ReadString('\n')
		line = strings.TrimPrefix(line, byteOrderMark)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read standard input: %w", err)
		}
		if said := strings.TrimSpace(line); !utf8.ValidString(said) {
			return fmt.Errorf("standard input: line %d is not UTF-8", n)
		} else if said != "" {
			some = true
			if _, err := u.try(sentence{n, u.state, said, ""}); err != nil {
				return err
			}
		}
		if err != nil {
			break
		}
	}
	if !some && ctx.Err() == nil {
		return errors.New("standard input: there is no sentence")
	}
	return ctx.Err()
}

// mistakesShown is how many mistakes in a file are told at once.
const mistakesShown = 10

// rows reads a table. It has a header; without one its first row must begin with a state.
func (u understanding) rows(source io.Reader) ([]sentence, error) {
	list, columns, err := readSaid(source, flows.TrialStates())
	if err != nil {
		return nil, err
	}
	for i, s := range list {
		list[i].state = cmp.Or(s.state, u.state)
	}
	return list, badRows(list, columns, flows.TrialStates(), u.trial.Meanings())
}

// badRows says what is wrong with the rows of a table: the first mistakes, how many more there are, and what would be right.
func badRows(rows []sentence, columns int, states, meanings []string) error {
	var mistakes []error
	hints := map[string]bool{}
	for _, s := range rows {
		bad := func(what, hint string) {
			mistakes = append(mistakes, fmt.Errorf("line %d: %s", s.line, what))
			hints[hint] = hint != ""
		}
		switch {
		case s.said == "":
			bad("nothing is said", "")
		case !slices.Contains(states, s.state):
			bad(fmt.Sprintf("there is no state %q", s.state), "the states are: "+strings.Join(states, ", "))
		case columns == 3 && s.meaning == "":
			bad("the meaning is missing", "")
		case columns == 3 && !slices.Contains(meanings, s.meaning):
			bad(fmt.Sprintf("there is no meaning %q", s.meaning), "the meanings are, explained in docs/meanings.md: "+strings.Join(meanings, ", "))
		}
	}
	if n := len(mistakes) - mistakesShown; n > 0 {
		mistakes = append(mistakes[:mistakesShown], fmt.Errorf("and %d more", n))
	}
	for _, hint := range slices.Sorted(maps.Keys(hints)) {
		if hints[hint] {
			mistakes = append(mistakes, errors.New(hint))
		}
	}
	return errors.Join(mistakes...)
}

// readSaid reads rows of state, said and perhaps meaning, with their lines. What they hold is for the caller to judge.
func readSaid(source io.Reader, states []string) (list []sentence, columns int, err error) {
	r := csv.NewReader(source)
	r.FieldsPerRecord = -1
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if errors.As(err, new(*csv.ParseError)) { // it names the line
				err = fmt.Errorf("a quotation mark is not closed, or stands inside a field: %w", err)
			}
			return nil, 0, err
		}
		line, _ := r.FieldPos(0)
		row[0] = strings.TrimPrefix(row[0], byteOrderMark)
		for i := range row {
			if row[i] = strings.TrimSpace(row[i]); !utf8.ValidString(row[i]) {
				return nil, 0, fmt.Errorf("line %d is not UTF-8 (a spreadsheet saves it so as \"CSV UTF-8\")", line)
			}
		}
		if columns == 0 {
			header := strings.Join(row, ",")
			isHeader := header == "state,said" || header == "state,said,meaning"
			if !isHeader && (len(row) < 2 || len(row) > 3 || !slices.Contains(states, row[0])) {
				return nil, 0, fmt.Errorf("line %d: %q is no header; expected state,said or state,said,meaning, separated by commas", line, header)
			}
			if columns = len(row); isHeader {
				continue
			}
		}
		if len(row) != columns {
			return nil, 0, fmt.Errorf("line %d: %d columns; expected %d (a sentence with a comma stands in quotes)", line, len(row), columns)
		}
		list = append(list, sentence{line, row[0], row[1], strings.Join(row[2:], "")})
	}
	if len(list) == 0 {
		return nil, 0, errors.New("there is no sentence in it")
	}
	return list, columns, nil
}

// table tries the sentences of a table, and sums up where they have meanings.
func (u understanding) table(ctx context.Context, rows []sentence) error {
	sum := newSummary()
	for _, row := range rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		tried, err := u.try(row)
		if err != nil {
			return err
		}
		if row.meaning == "" {
			continue
		}
		v, err := u.trial.Judge(tried, row.meaning)
		if err != nil {
			return fmt.Errorf("line %d: %w", row.line, err)
		}
		sum.add(tried, row.meaning, v)
	}
	switch {
	case sum.Total == 0:
		return nil
	case u.json:
		return u.encode(sum)
	}
	_, err := io.WriteString(u.out, sum.String())
	return err
}

// guessJSON and triedJSON are how results are printed for programs.
type guessJSON struct {
	Meaning    string  `json:"meaning"`
	Confidence float64 `json:"confidence"`
}

type triedJSON struct {
	State      string      `json:"state"`
	Said       string      `json:"said"`
	Meant      string      `json:"meant,omitempty"` // where the table says it
	Meaning    string      `json:"meaning"`
	Confidence float64     `json:"confidence"`
	Next       []guessJSON `json:"next"`
	Does       string      `json:"does"`
	Answer     string      `json:"answer"`
	Buttons    []string    `json:"buttons"`
}

// try tries one sentence and prints what came of it.
func (u understanding) try(s sentence) (flows.Tried, error) {
	tried, err := u.trial.Say(s.said, s.state, u.language)
	if err != nil {
		return tried, fmt.Errorf("line %d: %w", s.line, err)
	}
	if u.json {
		j := triedJSON{s.state, s.said, s.meaning, tried.Meaning, rounded(tried.Confidence), []guessJSON{}, tried.Does, tried.Answer, append([]string{}, tried.Buttons...)}
		for _, g := range tried.Next {
			j.Next = append(j.Next, guessJSON{g.Meaning, rounded(g.Confidence)})
		}
		return tried, u.encode(j)
	}
	var next []string
	for _, g := range tried.Next {
		next = append(next, fmt.Sprintf("%s %.2f", g.Meaning, g.Confidence))
	}
	wanted := ""
	if s.meaning != "" && s.meaning != tried.Meaning {
		wanted = " (meant: " + s.meaning + ")"
	}
	_, err = fmt.Fprintf(u.out, "%s: %s\n  %s %.2f%s, then %s; %s: %s%s\n", s.state, oneLine(s.said), cmp.Or(tried.Meaning, "(no meaning)"), tried.Confidence,
		wanted, strings.Join(next, ", "), tried.Does, oneLine(tried.Answer), buttons(tried.Buttons))
	return tried, err
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func buttons(titles []string) (text string) {
	for _, t := range titles {
		text += " [" + t + "]"
	}
	return text
}

func rounded(confidence float64) float64 { return math.Round(confidence*1e4) / 1e4 }

func (u understanding) encode(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := u.out.Write(b.Bytes())
	return err
}

// counts are what became of sentences whose meaning is known.
type counts struct {
	Total       int `json:"total"`
	Right       int `json:"right"`
	WithinThree int `json:"within_three"`
	Dangerous   int `json:"dangerous"`
	offered     int
}

func (c *counts) add(v flows.Verdict) {
	c.Total++
	for _, n := range []struct {
		is bool
		to *int
	}{{v.Right, &c.Right}, {v.WithinThree, &c.WithinThree}, {v.Dangerous, &c.Dangerous}, {v.Offered, &c.offered}} {
		if n.is {
			*n.to++
		}
	}
}

func (c *counts) String() string {
	return fmt.Sprintf("%5d %6.1f %6.1f %6.1f %5d", c.Total, c.part(c.Right), c.part(c.offered), c.part(c.WithinThree), c.Dangerous)
}

func (c *counts) part(n int) float64 { return 100 * float64(n) / float64(c.Total) }

// summary is what became of all of them.
type summary struct {
	counts
	ByMeaning map[string]*counts `json:"by_meaning"`
	ByState   map[string]*counts `json:"by_state"`

	does      map[string]int
	confused  map[[3]string]int // meant, taken for, what was done
	confident [10]struct {
		sum          float64
		total, right int
	}
}

func newSummary() *summary {
	return &summary{ByMeaning: map[string]*counts{}, ByState: map[string]*counts{}, does: map[string]int{}, confused: map[[3]string]int{}}
}

func (s *summary) add(tried flows.Tried, meant string, v flows.Verdict) {
	s.counts.add(v)
	for _, of := range []struct {
		parts map[string]*counts
		name  string
	}{{s.ByMeaning, meant}, {s.ByState, tried.State}} {
		if of.parts[of.name] == nil {
			of.parts[of.name] = &counts{}
		}
		of.parts[of.name].add(v)
	}
	s.does[tried.Does]++
	if !v.Right {
		s.confused[[3]string{meant, cmp.Or(tried.Meaning, "(no meaning)"), tried.Does}]++
	}
	tenth := &s.confident[min(9, int(10*tried.Confidence))]
	tenth.total++
	tenth.sum += tried.Confidence
	if v.First {
		tenth.right++
	}
}

// String is the summary for people.
func (s *summary) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%d sentences: %d answered, %d asked about, %d not understood\n", s.Total, s.does[flows.Acts], s.does[flows.Asks], s.does[flows.Missed])
	fmt.Fprintf(&b, "right %.1f %%; asked with the right one offered %.1f %%; within three %.1f %%; dangerous %d\n",
		s.part(s.Right), s.part(s.offered), s.part(s.WithinThree), s.Dangerous)
	for _, of := range []struct {
		title string
		parts map[string]*counts
	}{{"By state", s.ByState}, {"By meaning", s.ByMeaning}} {
		fmt.Fprintf(&b, "\n%-16s total  right  asked  three dangerous\n", of.title)
		for _, name := range slices.Sorted(maps.Keys(of.parts)) {
			fmt.Fprintf(&b, "%-16s %v\n", name, of.parts[name])
		}
	}
	b.WriteString("\nConfidence     total   said  first guess right\n")
	for i, c := range s.confident {
		if c.total > 0 {
			fmt.Fprintf(&b, "%.1f to %.1f     %5d %6.1f %6.1f\n", float64(i)/10, float64(i+1)/10, c.total, 100*c.sum/float64(c.total), 100*float64(c.right)/float64(c.total))
		}
	}
	if len(s.confused) > 0 {
		fmt.Fprintf(&b, "\n%-16s %-16s %-6s times\n", "Meant", "taken for", "what")
	}
	for _, k := range slices.SortedFunc(maps.Keys(s.confused), func(x, y [3]string) int {
		return cmp.Or(cmp.Compare(s.confused[y], s.confused[x]), slices.Compare(x[:], y[:]))
	}) {
		fmt.Fprintf(&b, "%-16s %-16s %-6s %5d\n", k[0], k[1], k[2], s.confused[k])
	}
	return b.String()
}
