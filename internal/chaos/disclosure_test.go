package chaos

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"llave/internal/bottest"
)

var disclosure = flag.Int("chaos.disclosure", 0, "how many chats of each sort of record, with each sort of mail server, TestDisclosure compares; 0: none")

// standing is one thing that a record may be.
type standing struct {
	name   string
	row    string // of the import, after the number: %s is the address; empty: nobody has such a record
	refuse bool   // its mailbox refuses for good
}

// standings are what nobody in a chat may tell apart in `uniform`. The last is who the others are compared with.
var standings = []standing{
	{name: "eligible", row: "cedula,affiliate,Persona,%s,2025-03-01,locked"},
	{name: "active", row: "cedula,affiliate,Persona,%s,2025-03-01,active"},
	{name: "no address", row: "cedula,affiliate,Persona,,2025-03-01,locked"},
	{name: "not updated", row: "cedula,affiliate,Persona,%s,,locked"},
	{name: "suspended", row: "cedula,affiliate,Persona,%s,2025-03-01,suspended"},
	{name: "deceased", row: "cedula,affiliate,Persona,%s,2025-03-01,deceased"},
	{name: "mailbox refuses", row: "cedula,affiliate,Persona,%s,2025-03-01,locked", refuse: true},
	{name: "unknown"},
}

// What is timed of each chat: from the person's message or press to the bubble; the end counts from the press that asked.
var timed = []string{"answer", "press", "late", "end", "re-send"}

// stranger is a chat about one number, and what it saw.
type stranger struct {
	standing int
	chat     int64
	number   string
	address  string
	took     map[string]time.Duration
	read     string // all of it, without digits
	late     bool   // the mail server is away for so long that it is told of
	failed   error
}

// unpaced is after how long without a bubble the next one to a chat is not held back (Telegram wants one a second).
const unpaced = 1200 * time.Millisecond

// linkLife is short, so that many chats see their link end.
const linkLife = 4 * time.Second

// longGone is the mail server that is away until the link ends, and longLife a life in which that is told of before.
const (
	longGone = "gone until people are told"
	longLife = 24 * time.Second
)

// TestDisclosure measures whether a chat in `uniform` tells what a record is: every word and button, their order, and the time
// of the answer to the number, of the answer to "Enviar enlace", of the notice of its end, and of the answer to "Reenviar
// enlace"; with a mail server that is fast, slow, greylists, or is gone. Chats of all sorts come at random. It is the one test
// here whose times may fail it, and so it runs when it is asked for alone (make disclosure).
func TestDisclosure(t *testing.T) {
	if *disclosure <= 0 { // its times may fail it, and other tests run beside it in make test and make chaos
		t.Skip("SKIP: nothing is measured without -chaos.disclosure (make disclosure)")
	}
	all := map[string][]area{} // of all servers, by standing and what was timed
	for _, server := range []struct {
		name  string
		spoil func(s *bottest.SMTP)
	}{
		{"fast", func(*bottest.SMTP) {}},
		{"slow by 300 ms", func(s *bottest.SMTP) { s.Slow(bottest.SMTPData, 300*time.Millisecond) }},
		{"greylisting", func(s *bottest.SMTP) { s.Greylist(1500 * time.Millisecond) }},
		{"gone", func(s *bottest.SMTP) { s.Down() }},
		{longGone, func(s *bottest.SMTP) { s.Down() }},
	} {
		t.Run(server.name, func(t *testing.T) {
			life := linkLife
			if server.name == longGone {
				life = longLife
			}
			dep := newDeployment(t, onBolt, "LLAVE_DISCLOSURE=uniform", "LLAVE_LINK_TTL="+life.String())
			people := dep.strangers()
			for _, p := range people {
				p.late = life == longLife
			}
			server.spoil(dep.smtp)
			dep.start()
			began := time.Now()
			dep.ask(t, people)
			t.Logf("%d chats in %v", len(people), time.Since(began).Round(time.Second))
			wordForWord(t, people)
			for of, a := range compare(t, people) {
				all[of] = append(all[of], a)
			}
		})
	}
	for _, of := range slices.Sorted(maps.Keys(all)) {
		var mean area
		for _, a := range all[of] {
			mean.under += a.under / float64(len(all[of]))
			mean.deviation += a.deviation * a.deviation
		}
		mean.deviation = math.Sqrt(mean.deviation) / float64(len(all[of]))
		mean.judge(t, "all servers: "+of)
	}
}

// strangers makes up the chats, and imports the records that there are.
func (dep *deployment) strangers() (people []*stranger) {
	dep.t.Helper()
	var b bytes.Buffer
	b.WriteString("_id,id_type,category,full_name,email,data_updated_at,status\n")
	for i := range *disclosure * len(standings) {
		p := &stranger{standing: i % len(standings), chat: 5557000000 + int64(i), number: bottest.Cedula(i), address: fmt.Sprintf("persona%06d@correo.example", i), took: map[string]time.Duration{}}
		people = append(people, p)
		s := standings[p.standing]
		if s.refuse {
			dep.smtp.RefuseRcpt(p.address, bottest.SMTPFault{Code: 550, Enhanced: "5.1.1", Text: "no such user"})
		}
		if row := s.row; row != "" {
			if strings.Contains(row, "%s") {
				row = fmt.Sprintf(row, p.address)
			}
			fmt.Fprintf(&b, "%s,%s\n", p.number, row)
		}
	}
	file := filepath.Join(dep.t.TempDir(), "records.csv")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		dep.t.Fatal(err)
	}
	dep.imports(file)
	rand.Shuffle(len(people), func(i, j int) { people[i], people[j] = people[j], people[i] })
	return people
}

// ask has everybody go through it, so many at once.
func (dep *deployment) ask(t *testing.T, people []*stranger) {
	t.Helper()
	next := make(chan *stranger)
	var walking sync.WaitGroup
	for range 200 {
		walking.Go(func() {
			for p := range next {
				p.failed = p.asks(t.Context(), dep.api)
			}
		})
	}
	for _, p := range people {
		next <- p
		time.Sleep(rand.N(20 * time.Millisecond)) // else all press at once
	}
	close(next)
	walking.Wait()
	for _, p := range people {
		if p.failed != nil {
			t.Fatalf("%s: %v", standings[p.standing].name, p.failed)
		}
	}
}

// asks goes as far as the link's end and asks for another.
func (p *stranger) asks(ctx context.Context, api *bottest.BotAPI) error {
	var asked time.Time
	end := linkEnded
	if p.late {
		end = mailUnsent
	}
	for _, step := range []struct{ do, want, time string }{
		{"hola", "Hola. Soy Llave", ""},
		{"[Continuar]", "¿Qué necesita hoy?", ""},
		{"[Desbloquear clave]", "Escriba su número de cédula", ""},
		{p.number, "¿Es correcto?", ""},
		{"[Sí, es correcto]", "Enviar enlace", "answer"},
		{"[Enviar enlace]", linkSubject, "press"},
		{"", mailLate, "late"},
		{"", end, "end"},
		{"[Reenviar enlace]", linkSubject, "re-send"},
	} {
		if step.time == "late" && !p.late {
			continue
		}
		last := 0
		if said := api.Messages(p.chat); len(said) > 0 {
			last = said[len(said)-1].ID
		}
		if step.time != "" && step.do != "" {
			time.Sleep(unpaced + rand.N(time.Second)) // else what is timed is the channel's own pace
		}
		began := time.Now()
		label, press := strings.CutPrefix(strings.TrimSuffix(step.do, "]"), "[")
		switch {
		case step.do == "":
			began = asked
		case press:
			if _, err := api.Press(p.chat, label); err != nil {
				return err
			}
		default:
			last = api.Say(p.chat, step.do)
		}
		if step.time == "press" {
			asked = began
		}
		m, err := api.WaitMessage(p.chat, last, 2*time.Minute)
		if err != nil {
			return fmt.Errorf("after %q: %w", step.do, err)
		}
		if !strings.Contains(m.Text, step.want) && !slices.Contains(m.Labels(), step.want) {
			return fmt.Errorf("after %q: got %q, want %q", step.do, m.Text, step.want)
		}
		if step.time != "" {
			p.took[step.time] = m.At.Sub(began)
		}
	}
	var b strings.Builder
	for _, m := range api.Messages(p.chat) {
		fmt.Fprintln(&b, m.Text, m.Labels())
	}
	p.read = strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return '0'
		}
		return r
	}, b.String())
	return ctx.Err()
}

// wordForWord wants all chats to be the same, in the same order.
func wordForWord(t *testing.T, people []*stranger) {
	t.Helper()
	different := 0
	for _, p := range people {
		if p.read != people[0].read {
			if different++; different < 4 {
				t.Errorf("%s reads\n%s\nand %s\n%s", standings[p.standing].name, p.read, standings[people[0].standing].name, people[0].read)
			}
		}
	}
	t.Logf("%d of %d chats differ in a word or a button", different, len(people))
}

// compare judges, for each standing and what is timed, whether its chats are told from those of an unknown number.
func compare(t *testing.T, people []*stranger) map[string]area {
	t.Helper()
	areas := map[string]area{}
	for _, what := range timed {
		took := make([][]time.Duration, len(standings))
		for _, p := range people {
			if d, timed := p.took[what]; timed {
				took[p.standing] = append(took[p.standing], d)
			}
		}
		if len(took[0]) == 0 {
			continue
		}
		last := len(standings) - 1
		for i, s := range standings[:last] {
			of := what + ", " + s.name
			areas[of] = auc(took[i], took[last])
			areas[of].judge(t, fmt.Sprintf("%s: medians %v and %v", of, middle(took[i]), middle(took[last])))
		}
	}
	return areas
}

// area is the area under a curve (AUC): how often a chat of the one sort took longer than one of the other, equals counting half.
// 0.5 tells nothing.
type area struct {
	under     float64
	deviation float64 // its standard error where both are alike (Mann and Whitney 1947)
}

// judge prints an area, and fails where it is outside 0.47 to 0.53 by more than chance: three of its standard errors.
func (a area) judge(t *testing.T, of string) {
	t.Helper()
	t.Logf("AUC %.3f ± %.3f  %s", a.under, a.deviation, of)
	if math.Abs(a.under-0.5) > 0.03+3*a.deviation {
		t.Errorf("%s: AUC %.3f, want 0.47 to 0.53", of, a.under)
	}
}

func auc(a, b []time.Duration) area {
	type one struct {
		took time.Duration
		mine bool
	}
	var all []one
	for _, d := range a {
		all = append(all, one{d, true})
	}
	for _, d := range b {
		all = append(all, one{d, false})
	}
	slices.SortFunc(all, func(x, y one) int { return cmp.Compare(x.took, y.took) })
	ranks := 0.0
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].took == all[i].took {
			j++
		}
		for _, o := range all[i:j] {
			if o.mine {
				ranks += float64(i+j+1) / 2
			}
		}
		i = j
	}
	n, m := float64(len(a)), float64(len(b))
	return area{(ranks - n*(n+1)/2) / (n * m), math.Sqrt((n + m + 1) / (12 * n * m))}
}

func middle(d []time.Duration) time.Duration {
	var v []float64
	for _, d := range d {
		v = append(v, float64(d))
	}
	return time.Duration(median(v)).Round(10 * time.Microsecond)
}

// The measure itself: what is longer by nature is told apart, what is the same is not.
func TestAUC(t *testing.T) {
	var a, b, late []time.Duration
	for i := range 1000 {
		a, b, late = append(a, time.Duration(i)), append(b, time.Duration(i)), append(late, time.Duration(i+250))
	}
	if got := auc(a, b).under; got != 0.5 {
		t.Errorf("the same twice: got %.3f, want 0.5", got)
	}
	if got := auc(late, a).under; math.Abs(got-0.71875) > 0.001 { // 1 − 0.75²/2
		t.Errorf("a quarter later: got %.3f, want 0.719", got)
	}
}
