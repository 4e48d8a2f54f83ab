package world

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/bottest"
	"llave/internal/mail/letter"
)

// A dialogue is a file that anybody can read. -- world -- says what there is before it begins; -- chat -- is played. Where
// there is one, -- chat whatsapp -- is played on that channel.
//
//	> text              the person writes
//	> [Label]           presses a button
//	! photo | voice | edit TEXT | block | unblock | repeat | contact DIGITS | location LAT LON | old [Label]
//	! change TEXT       the person changes what they wrote last; "! change" leaves it as it is
//	! sticker | video WORDS | poll | album 3 WORDS …    what else a phone sends: bottest.Send
//	>> text             the person writes, and goes on at once with the next line: a piece of a sentence. Likewise "!! photo"
//	! mailserver refuse ADDRESS | busy ADDRESS | heal | down | up
//	+ 40s               time passes
//	@ press the link    opens the newest letter's link and presses its button
//	@ press no fui yo   the same with the letter's other link
//	@ make the key K    on the page that the link led to
//	! 3 others ask for a person | 2 older people ask for a person
//	* ana takes the case          an agent of the desk: "takes the next" is who stands first in the queue
//	* ana: Buenos días            says that to the person
//	* ana notes: TEXT | passes it to luis: TEXT | releases it | gives it back at KeyStep3 | resolves it: solved
//	* ana postpones it until 2026-03-02 16:00 | an answer | the opening; * ana goes on
//	* ana says at 2026-03-02 16:00: TEXT | postpones and says at …: TEXT | takes back what is said later
//	* ana sends the link | tells the offices | reveals the number | asks why
//	* ana is here | signs out | is gone    whose console is there, as it is from an agent's first line on
//	* desk closes now | desk opens again   a supervisor, by hand
//	# comment
//
// In -- world --, "begin 2026-04-02 19:30" is what time it is at the desk when the dialogue begins, and "supervisor eva"
// says who is one. While time passes, the consoles that are there send their heartbeats and the queue moves as in
// production.
//
// All other lines are what came. "< " lines are the bot's bubbles and their buttons, "@ mail …" letters, "@ page …" what a
// page said. "@ desk …" is what an agent sees of the case that was taken, but for those bubbles, or is refused.

// OwnChat is the name of a file's section for one channel alone.
func OwnChat(on Channel) string { return "chat " + on.Name }

// Ending is where a dialogue left things.
type Ending struct {
	Conv   bot.Conversation // as it is kept
	Been   []bot.State      // where the conversation stood after each line, one after the other
	Active bool             // a record of the world has a key that is not locked
}

// Play runs a dialogue on a channel and returns it as it came.
func Play(t testing.TB, on Channel, file []byte) []byte {
	t.Helper()
	played, _ := PlayToEnd(t, on, file)
	return played
}

// PlayToEnd is Play, and says how the dialogue ended.
func PlayToEnd(t testing.TB, on Channel, file []byte) ([]byte, Ending) {
	t.Helper()
	a := txtar.Parse(file)
	var settings, rows []string
	begin, supervisors := usual, map[string]bool{}
	var chat, own string
	for _, f := range a.Files {
		switch f.Name {
		case "world":
			for _, line := range strings.Split(string(f.Data), "\n") {
				kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
				switch kind {
				case "":
				case "set":
					settings = append(settings, rest)
				case "begin":
					begin = beginning(t, rest)
				case "supervisor":
					supervisors[rest] = true
				case "affiliate", "pensioner", "beneficiary":
					rows = append(rows, row(t, kind, rest))
				default:
					t.Fatalf("world: unknown line %q", line)
				}
			}
		case "chat":
			if own == "" {
				chat = string(f.Data)
			}
		case OwnChat(on):
			chat, own = string(f.Data), f.Name
		case "offices.csv":
			path := filepath.Join(t.TempDir(), f.Name)
			writeFile(t, path, string(f.Data))
			settings = append(settings, "LLAVE_OFFICES_FILE="+path)
		}
	}
	csv := ""
	if len(rows) > 0 {
		csv = "_id,id_type,category,full_name,email,data_updated_at,status\n" + strings.Join(rows, "\n") + "\n"
	}
	p := &player{t: t, w: newFrom(t, on, before{at: begin, importCSV: csv}, settings...), supervisors: supervisors, lines: map[string]int64{}}
	played := false
	defer func() {
		if !played {
			t.Logf("played this far:\n%s", p.out.String())
		}
	}()
	for _, line := range strings.Split(strings.TrimRight(chat, "\n"), "\n") {
		p.line(line)
	}
	played = true
	for i, f := range a.Files {
		if f.Name == "chat" && own == "" || f.Name == own {
			a.Files[i].Data = []byte(p.out.String())
		}
	}
	end := p.w.ending(rows)
	end.Been = p.been
	return txtar.Format(a), end
}

// ending reads the store of the world.
func (w *World) ending(rows []string) Ending {
	w.t.Helper()
	conv, found := w.kept(Chat)
	if !found {
		w.t.Fatal("ending: the conversation is not kept")
	}
	end := Ending{Conv: conv}
	for _, r := range rows {
		number, _, _ := strings.Cut(r, ",")
		record, _, err := w.App.Store.Affiliates.Find(w.t.Context(), number)
		if err != nil {
			w.t.Fatalf("ending: %v", err)
		}
		end.Active = end.Active || record.Status == affiliate.Active
	}
	return end
}

// row turns "NUMBER mail status data_updated_at=2025-03-01" into a line of the import.
func row(t testing.TB, category, rest string) string {
	t.Helper()
	f := strings.Fields(rest)
	if len(f) < 3 {
		t.Fatalf("world: %q wants number, mail and status", rest)
	}
	kind, updated := "cedula", ""
	if strings.ContainsAny(f[0], "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		kind = "foreign_code"
	}
	for _, extra := range f[3:] {
		updated = strings.TrimPrefix(extra, "data_updated_at=")
	}
	email := f[1]
	if email == "-" {
		email = ""
	}
	return strings.Join([]string{f[0], kind, category, "Persona de Prueba", email, updated, f[2]}, ",")
}

// beginning reads the time at the desk at which a dialogue begins.
func beginning(t testing.TB, at string) time.Time {
	t.Helper()
	zone, err := time.LoadLocation("America/Guayaquil")
	if err != nil {
		t.Fatal(err)
	}
	begin, err := time.ParseInLocation("2006-01-02 15:04", at, zone)
	if err != nil {
		t.Fatalf("world: begin: %v", err)
	}
	return begin.UTC()
}

type player struct {
	t       testing.TB
	w       *World
	out     strings.Builder
	seen    int // bubbles written
	mails   int
	deleted int
	been    []bot.State // after each line

	others      int // people who asked for a person
	deeds       int // of the desk
	supervisors map[string]bool
	watched     string           // the case that an agent took
	lines       map[string]int64 // of each case, how many were written
}

func (p *player) line(line string) {
	mark, rest, _ := strings.Cut(line, " ")
	switch {
	case line == "" || mark == "#":
		p.print(line)
		return
	case mark == ">", mark == ">>":
		p.print(line)
		p.do(mark == ">>", func() error {
			if label, ok := strings.CutPrefix(rest, "["); ok {
				_, err := p.w.Phone.Press(Chat, strings.TrimSuffix(label, "]"))
				return err
			}
			text, err := strconv.Unquote(`"` + rest + `"`)
			if err != nil {
				text = rest
			}
			p.w.Phone.Say(Chat, text)
			return nil
		})
	case mark == "!" && strings.HasSuffix(rest, " ask for a person"):
		p.print(line)
		n, who, _ := strings.Cut(rest, " ")
		many, err := strconv.Atoi(n)
		if err != nil {
			p.t.Fatalf("%q: %v", line, err)
		}
		p.othersAsk(many, strings.HasPrefix(who, "older"))
	case mark == "!", mark == "!!":
		p.print(line)
		p.do(mark == "!!", func() error { return p.act(rest) })
	case mark == "+":
		p.print(line)
		d, err := time.ParseDuration(rest)
		if err != nil {
			p.t.Fatalf("%q: %v", line, err)
		}
		p.w.Later(d)
	case mark == "*":
		p.print(line)
		p.desk(line)
	case line == "@ press the link" || line == "@ press no fui yo":
		p.print(line)
		p.press(line == "@ press no fui yo")
	case strings.HasPrefix(line, "@ make the key "):
		p.print(line)
		p.makeKey(strings.TrimPrefix(line, "@ make the key "))
	case mark == "<" || mark == "@":
		return // what came last time
	default:
		p.t.Fatalf("dialogue: unknown line %q", line)
	}
	p.came()
}

// do lets the person act, and go on at once or not.
func (p *player) do(goesOn bool, act func() error) {
	if goesOn {
		p.w.GoOn(act)
		return
	}
	p.w.Do(act)
}

func (p *player) print(line string) { p.out.WriteString(line + "\n") }

// edit changes what the person wrote: the first message, the last one ("change"), or one of so many before the last ("earlier 2 words").
func (p *player) edit(which, words string) error {
	back := 0
	if which == "earlier" {
		many, rest, _ := strings.Cut(words, " ")
		n, err := strconv.Atoi(many)
		if err != nil {
			return fmt.Errorf("earlier %q: %w", words, err)
		}
		back, words = n, rest
	}
	own := slices.DeleteFunc(p.w.Phone.History(Chat), func(m bottest.ChatMessage) bool { return m.Bot || m.Deleted })
	if len(own) <= back {
		return errors.New("nothing to " + which)
	}
	m := own[len(own)-1-back]
	if which == "edit" {
		m = own[0]
	}
	p.w.Phone.Edit(Chat, m.ID, cmp.Or(words, m.Text))
	return nil
}

func (p *player) act(what string) error {
	kind, rest, _ := strings.Cut(what, " ")
	phone := p.w.Phone
	switch kind {
	case "photo":
		phone.Photo(Chat, rest)
	case "voice":
		phone.Voice(Chat)
	case "edit", "change", "earlier":
		return p.edit(kind, rest)
	case "album":
		many, words, _ := strings.Cut(rest, " ")
		return phone.Send(Chat, "album "+many, words)
	case "block":
		phone.Block(Chat)
	case "unblock":
		phone.Unblock(Chat)
	case "repeat":
		phone.Repeat(Chat)
	case "mailserver":
		switch how, to, _ := strings.Cut(rest, " "); how {
		case "refuse":
			p.w.SMTP.RefuseRcpt(to, bottest.SMTPFault{Code: 550, Enhanced: "5.1.1", Text: "no such user"})
		case "busy": // for now, as one that greylists
			p.w.SMTP.RefuseRcpt(to, bottest.SMTPFault{Code: 450, Enhanced: "4.2.0"})
		case "heal":
			p.w.SMTP.Heal()
		case "down":
			p.w.SMTP.Down()
		case "up":
			return p.w.SMTP.Up()
		}
	case "location":
		var lat, lon float64
		if _, err := fmt.Sscan(rest, &lat, &lon); err != nil {
			return fmt.Errorf("location %q: %w", rest, err)
		}
		phone.Location(Chat, lat, lon)
	case "contact":
		phone.Contact(Chat, rest, true)
	case "old":
		label := strings.Trim(rest, "[]")
		for _, m := range phone.Messages(Chat) {
			for _, l := range m.Labels() {
				if l == label {
					_, err := phone.PressOn(Chat, m.ID, label)
					return err
				}
			}
		}
		return fmt.Errorf("no button %q", label)
	default:
		return phone.Send(Chat, kind, rest)
	}
	return nil
}

// unfilled is a name that a text has, and nothing was said for.
var unfilled = regexp.MustCompile(`\{[a-z_]+\}`)

// came writes down what the bot said and which letters arrived.
func (p *player) came() {
	if c, found := p.w.kept(Chat); found {
		p.been = append(p.been, c.State)
	}
	ms := p.w.Phone.Messages(Chat)
	for _, m := range ms[p.seen:] {
		if name := unfilled.FindString(m.Text + strings.Join(m.Labels(), "")); name != "" {
			p.t.Errorf("%s is not filled in: no ear says it, and it is none of the Vars in flows/flow.go: %s", name, m.Text)
		}
		if m.Image != "" {
			p.print("< (dibujo " + m.Image + ")")
		}
		for _, line := range strings.Split(p.same(m.Text), "\n") {
			p.print(strings.TrimRight("< "+line, " "))
		}
		if labels := m.Labels(); len(labels) > 0 {
			p.print("< [" + strings.Join(labels, "] [") + "]")
		}
	}
	p.seen = len(ms)
	deleted := 0
	for _, m := range p.w.Phone.History(Chat) {
		if m.Deleted {
			deleted++
		}
	}
	for ; p.deleted < deleted; p.deleted++ {
		p.print("@ message deleted")
	}
	letters := p.w.SMTP.Letters()
	for _, l := range letters[p.mails:] {
		p.print("@ mail to " + l.To + ": " + l.Subject)
	}
	p.mails = len(letters)
	p.deskSaw()
}

var (
	caseNumber = regexp.MustCompile(`\b([CNQ])[2-9CFHJKMPRTWXY]{8}\b`)
	saidNumber = regexp.MustCompile(`\b([CNQ])[2-9CFHJKMPRTWXY]{2}\x{a0}[2-9CFHJKMPRTWXY]{3}\x{a0}[2-9CFHJKMPRTWXY]{3}\b`)
)

// same takes out what differs from run to run: the port, and what was derived from a random key.
func (p *player) same(text string) string {
	text = strings.ReplaceAll(text, p.w.URL(""), "https://llave.example")
	text = caseNumber.ReplaceAllString(text, "${1}00000000")
	return saidNumber.ReplaceAllString(text, "${1}00 000 000")
}

func (p *player) link(notMe bool) string {
	letters := p.w.SMTP.Letters()
	for i := len(letters) - 1; i >= 0; i-- {
		if link := find(letters[i], notMe); link != "" {
			return link
		}
	}
	p.t.Fatal("no letter with a link")
	return ""
}

func find(l letter.Letter, notMe bool) string {
	for _, k := range l.Links {
		if strings.Contains(k.URL, "/no-fui-yo/") == notMe && (notMe || strings.Contains(k.URL, "/desbloqueo/") || strings.Contains(k.URL, "/generar/")) {
			return k.URL
		}
	}
	return ""
}

// Link returns the newest letter's link, or its "No fui yo".
func (w *World) Link(notMe bool) string {
	w.t.Helper()
	return (&player{t: w.t, w: w}).link(notMe)
}

var heading = regexp.MustCompile(`(?s)<h1[^>]*>(.*?)</h1>`)

func (p *player) page(status int, body string) {
	title := "?"
	if m := heading.FindStringSubmatch(body); m != nil {
		title = strings.Join(strings.Fields(m[1]), " ")
	}
	p.print(fmt.Sprintf("@ page %d: %s", status, title))
}

func (p *player) press(notMe bool) {
	link := p.link(notMe)
	p.w.Get(p.w.Browser, link)
	status, body := p.w.Post(p.w.Browser, link, url.Values{})
	p.page(status, body)
	p.w.Settle()
}

func (p *player) makeKey(key string) {
	status, body := p.w.Post(p.w.Browser, p.w.URL("/clave"), url.Values{"clave": {key}, "clave2": {key}})
	p.page(status, body)
	p.w.Settle()
}
