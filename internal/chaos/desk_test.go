package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/bottest"
	"llave/internal/handoff"
)

// What people of the desk are called. Who begins the list is away most.
var agentNames = []string{"Abril", "Bruno", "Carla", "Darío", "Elena", "Fabio"}

const agentPassword = "sopa verde con nube y tambor"

// TestDesk has people ask for a person and write to them, agents at the console answer them through the front, and
// processes die meanwhile. People look where they stand, want to leave and stay, or leave; agents take cases from under
// each other's hands, press buttons twice and again when no answer came, pass, release, give back and close; some go away
// with what they hold, some sit there and say nothing. When all is quiet what people and agents were told must agree with
// the transcripts, and those with each other.
func TestDesk(t *testing.T) {
	alongside(t)
	onBoth(t, func(t *testing.T, k kind) {
		if !*full {
			t.Parallel()
		}
		dep := newDeployment(t, k, "LLAVE_OFFICE_HOURS=mon-sun 00:00-24:00", "LLAVE_AGENT_SILENCE=1m", "LLAVE_LIMIT_MESSAGES_MINUTE=1000")
		dep.byWhatsApp(byTelegram, byTelegram, byWhatsApp)
		dep.front.swapped = swapped
		d := dep.openDesk(t, sized(4, 6))
		lasts := sized(20*time.Second, 3*time.Minute)
		people := dep.populate(sized(60, 240))
		dep.start()
		took := d.open(t, people, lasts)
		dep.end()
		d.judge(t, took)
	})
}

// desk is the help desk of a deployment.
type desk struct {
	*deployment
	zone    *time.Location
	agents  []*clerk
	callers []*caller
	words   atomic.Int64 // that were made up
}

// openDesk makes accounts on the command line, and has the desk open whatever day it is.
func (dep *deployment) openDesk(t *testing.T, agents int) *desk {
	t.Helper()
	s, _ := dep.openStore(t)
	schedule, err := s.Schedule.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	zone, err := time.LoadLocation("America/Guayaquil")
	if err != nil {
		t.Fatal(err)
	}
	today := handoff.DateOf(time.Now().In(zone))
	for _, day := range []handoff.Date{today, handoff.DateOf(time.Now().In(zone).AddDate(0, 0, 1))} {
		if err := schedule.SetDay(handoff.Exception{Date: day, Open: true, Opens: "00:00", Closes: "24:00"}, nil, today); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Schedule.Save(t.Context(), &schedule); err != nil {
		t.Fatal(err)
	}
	dep.closeStore()
	d := &desk{deployment: dep, zone: zone}
	for i, name := range agentNames[:agents] {
		a := &clerk{desk: d, index: i, name: name, patient: time.Now(), login: fmt.Sprintf("agente%d", i), Agent: bottest.NewAgent(dep.public, fmt.Sprintf("192.0.2.%d", i+1))}
		d.agents = append(d.agents, a)
		t.Cleanup(a.Close)
		llave, err := binary()
		if err != nil {
			t.Fatal(err)
		}
		cmd := bottest.Command(t.Context(), llave, dep.fleet.dir, dep.fleet.env, "agents", "add", a.login, "--name", a.name)
		cmd.Stdin = strings.NewReader(agentPassword + "\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("agents add: %v: %s", err, out)
		}
	}
	return d
}

// open has agents and people at work while processes are killed, and returns when everybody was helped and it is quiet.
func (d *desk) open(t *testing.T, people []*person, lasts time.Duration) (took time.Duration) {
	t.Helper()
	for _, a := range d.agents {
		if err := a.SignIn(t.Context(), a.login, agentPassword); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	breaking, stop := context.WithTimeout(t.Context(), lasts)
	defer stop()
	waiting, giveUp := context.WithTimeout(t.Context(), lasts+patience)
	defer giveUp()
	helping, closeDesk := context.WithCancel(waiting)
	defer closeDesk()
	var agents, callers sync.WaitGroup
	for _, a := range d.agents {
		agents.Go(func() { a.work(helping, breaking) })
	}
	for _, p := range people {
		c := &caller{desk: d, person: p}
		d.callers = append(d.callers, c)
		callers.Go(func() {
			select {
			case <-time.After(rand.N(lasts * 9 / 10)):
			case <-waiting.Done():
			}
			c.failed = c.calls(waiting)
		})
	}
	if err := d.fleet.torment(breaking, false); err != nil {
		t.Errorf("a process could not go on: %v", err)
		giveUp()
	}
	callers.Wait()
	took = time.Since(began)
	d.settle(waiting) // an agent may still be about to read what was said last
	closeDesk()
	agents.Wait()
	return took
}

// word makes up a word that stands nowhere else, of letters alone: nothing in it looks like a number.
func (d *desk) word() string {
	const letters = "bcdfghjkmnpqrstvwxz"
	n := d.words.Add(1)
	b := []byte("qqqqq")
	for i := len(b) - 1; i > 0; i-- {
		b[i] = letters[n%int64(len(letters))]
		n /= int64(len(letters))
	}
	return string(b) + "ax"
}

var madeUp = regexp.MustCompile(`\bq[b-z]{4}ax\b`)

// What a caller's chat says when a case is over: closed by the agent, given back to the bot, or left.
const (
	readsClosed   = "está cerrado"
	readsReturned = "otra vez conmigo"
	readsLeft     = "ya no espera a nadie"
)

// The last thing that a caller tells an agent begins so.
const thatIsAll = "eso es todo"

// caller is a person who asks for a person.
type caller struct {
	*person
	desk *desk
	said []string // the words that are to be answered by a person, or else by the bot
}

// calls asks for a person, some twice.
func (c *caller) calls(ctx context.Context) error {
	api := c.desk.phone(c.person)
	last := api.Say(c.chat, "hola")
	if err := c.reads(ctx, api, last, road[0].want); err != nil {
		return err
	}
	if c.index%2 == 0 { // the case is about a number
		for _, step := range road[1:4] {
			if !think(ctx) {
				return ctx.Err()
			}
			var err error
			switch {
			case step.press:
				last, err = api.Press(c.chat, step.do)
			default:
				last = api.Say(c.chat, c.number)
			}
			if err != nil {
				return err
			}
			if err := c.reads(ctx, api, last, step.want); err != nil {
				return err
			}
		}
	}
	for range 1 + (c.index+1)%5/4 {
		if err := c.talks(ctx, api); err != nil {
			return err
		}
	}
	return nil
}

// readsSame is what somebody is asked who comes back after a case has ended.
const readsSame = "¿Seguimos con lo que habló"

// talks asks for a person and talks until the case is over. It may be asked whether it is about what was talked of before.
func (c *caller) talks(ctx context.Context, api phone) error {
	began := api.Say(c.chat, "persona")
	m, err := c.readsAny(ctx, api, began, "Su caso es", readsSame)
	if err != nil {
		return err
	}
	if strings.Contains(m.Text, readsSame) {
		began = m.ID
		press, want := "No, otra cosa", []string{"Su caso es"}
		if rand.IntN(2) == 0 {
			press, want = "Sí, lo mismo", []string{"Su caso es", "Le paso otra vez"}
		}
		if _, err := api.Press(c.chat, press); err != nil {
			return err
		}
		if _, err := c.readsAny(ctx, api, began, want...); err != nil {
			return err
		}
	}
	for range 2 + rand.IntN(3) {
		if !think(ctx) || !think(ctx) {
			return ctx.Err()
		}
		if c.over(api, began) != "" {
			break
		}
		switch p := rand.Float64(); {
		case p < 0.10:
			api.Say(c.chat, "estado")
		case p < 0.25:
			if err := c.wavers(ctx, api); err != nil {
				return err
			}
		}
		c.tells(api, "le cuento")
	}
	c.tells(api, thatIsAll)
	for {
		switch c.over(api, began) {
		case "":
			select {
			case <-ctx.Done():
				return fmt.Errorf("waiting for the end of the case: %w", ctx.Err())
			case <-time.After(200 * time.Millisecond):
			}
			continue
		case readsClosed:
			if rand.IntN(2) == 0 {
				_, _ = api.Press(c.chat, "5 · Muy bien") // another bubble may have come since
			}
			if c.index%3 == 0 {
				return c.comesBack(ctx, api)
			}
		}
		return nil
	}
}

// comesBack writes once more after the end of a case, and goes on with it where that is asked.
func (c *caller) comesBack(ctx context.Context, api phone) error {
	if !think(ctx) {
		return ctx.Err()
	}
	last := api.Say(c.chat, "otra vez no puedo entrar al portal")
	m, err := c.readsAny(ctx, api, last, "")
	if err != nil || !strings.Contains(m.Text, readsSame) { // after misuse, or words on how it went
		return err
	}
	if _, err := api.Press(c.chat, "Sí, lo mismo"); err != nil {
		return err
	}
	if _, err := c.readsAny(ctx, api, m.ID, "Su caso es", "Le paso otra vez"); err != nil {
		return err
	}
	c.tells(api, "falta algo")
	c.tells(api, thatIsAll)
	for c.over(api, m.ID) == "" {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the end of a case that was opened again: %w", ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
	return nil
}

// readsAny waits for a bubble that says one of some things, and is no news by the way.
func (c *caller) readsAny(ctx context.Context, api phone, after int, wants ...string) (bottest.ChatMessage, error) {
	for {
		deadline, _ := ctx.Deadline()
		m, err := api.WaitMessage(c.chat, after, time.Until(deadline))
		if err != nil {
			return m, fmt.Errorf("waiting for %q: %w", wants, err)
		}
		if !isBeside(m.Text) && !isOfMail(m.Text) && slices.ContainsFunc(wants, func(want string) bool { return strings.Contains(m.Text, want) }) {
			return m, nil
		}
		after = m.ID
	}
}

// tells writes something that stands nowhere else.
func (c *caller) tells(api phone, about string) {
	word := c.desk.word()
	c.said = append(c.said, word)
	api.Say(c.chat, about+" "+word)
}

// wavers wants to leave, and then does or does not.
func (c *caller) wavers(ctx context.Context, api phone) error {
	if err := c.reads(ctx, api, api.Say(c.chat, "menú"), ""); err != nil {
		return err
	}
	if !think(ctx) {
		return ctx.Err()
	}
	press, word := "No, sigo aquí", "no"
	if rand.IntN(3) == 0 {
		press, word = "Sí, volver al menú", "sí"
	}
	if _, err := api.Press(c.chat, press); err != nil {
		api.Say(c.chat, word)
	}
	return nil
}

// over says how the case that was asked for ended, or "".
func (c *caller) over(api phone, asked int) string {
	for _, m := range api.Messages(c.chat) {
		for _, end := range []string{readsClosed, readsReturned, readsLeft} {
			if m.ID > asked && strings.Contains(m.Text, end) {
				return end
			}
		}
	}
	return ""
}

// feat is one press of a button at the console, with what was answered.
type feat struct {
	kind, ref      string
	word, text     string // say and note
	sent, answered time.Time
	done           bool
	tries          int
}

// clerk is an agent of the desk, who works through the front.
type clerk struct {
	*bottest.Agent
	desk        *desk
	index       int
	login, name string
	feats       []feat
	refused     int // presses
	absences    int
	patient     time.Time // since when it waits for what is to be said later
	beats       atomic.Int64
}

const (
	twice = 0.15 // the share of buttons that are pressed twice at once
	holds = 5    // conversations that an agent has at once, at most
)

// work helps people until ctx ends. Two of three are away for more than a minute now and then, while processes are broken:
// one closes the console, one leaves it open.
func (a *clerk) work(ctx, breaking context.Context) {
	var listening sync.WaitGroup
	defer listening.Wait()
	woken := make(chan struct{}, 1)
	listen := func() (stop func()) {
		ctx, cancel := context.WithCancel(ctx)
		listening.Go(func() { a.listen(ctx, woken) })
		return cancel
	}
	hangUp := listen()
	defer func() { hangUp() }()
	away := time.Now().Add(4*time.Second + rand.N(4*time.Second))
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-woken:
		case <-time.After(200*time.Millisecond + rand.N(600*time.Millisecond)):
		}
		has := a.round(ctx, breaking)
		if a.index%3 == 2 || !has || time.Now().Before(away) || breaking.Err() != nil {
			continue
		}
		a.absences++
		if a.index%3 == 0 {
			hangUp()
		}
		select {
		case <-ctx.Done():
		case <-time.After(handoff.GoneAfter + 10*time.Second):
		}
		if a.index%3 == 0 {
			hangUp = listen()
		}
		away = time.Now().Add(10*time.Second + rand.N(10*time.Second))
	}
}

// listen keeps a stream open and says that the console is there when it asks.
func (a *clerk) listen(ctx context.Context, woken chan<- struct{}) {
	for ctx.Err() == nil {
		_ = a.Listen(ctx, "/agentes/flujo?ver=mios", "", func(e bottest.DeskEvent) {
			switch e.Name {
			case "ping":
				if a.Beat(ctx) == nil {
					a.beats.Add(1)
				}
			case "alert", "row":
				select {
				case woken <- struct{}{}:
				default:
				}
			}
		}) // it ends with its process
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// get reads a page, as often as it takes.
func (a *clerk) get(ctx context.Context, path string) bottest.DeskPage {
	for ctx.Err() == nil {
		if p, err := a.Get(ctx, path); err == nil && p.Status < 500 {
			return p
		}
		time.Sleep(100 * time.Millisecond)
	}
	return bottest.DeskPage{}
}

// round looks after every conversation once, and takes another where there is room. It says whether there is one.
func (a *clerk) round(ctx, breaking context.Context) bool {
	mine := a.get(ctx, "/agentes?ver=mios").Rows
	for _, row := range mine {
		a.attend(ctx, breaking, row.Ref)
	}
	if len(mine) < holds {
		a.takes(ctx)
	}
	return len(mine) > 0
}

// takes takes a case out of the queue: the next, or one of the first two as they were shown.
func (a *clerk) takes(ctx context.Context) {
	p := a.get(ctx, "/agentes?ver=espera")
	if len(p.Rows) == 0 {
		return
	}
	if next, ok := p.Form("siguiente"); ok && rand.IntN(2) == 0 {
		a.presses(ctx, next, feat{kind: "claim"})
		return
	}
	ref := p.Rows[rand.IntN(min(2, len(p.Rows)))].Ref
	if form, ok := a.get(ctx, talkPath(ref)).Form("tomar"); ok {
		a.presses(ctx, form, feat{kind: "claim", ref: ref})
	}
}

func talkPath(ref string) string { return "/agentes/casos/" + ref + "?ver=mios" }

// attend answers what was not answered, and does what comes to mind.
func (a *clerk) attend(ctx, breaking context.Context, ref string) {
	for ctx.Err() == nil {
		p := a.get(ctx, talkPath(ref))
		say, mine := p.Form("decir")
		if !mine {
			return
		}
		word, all := unanswered(p.Lines)
		if word != "" {
			own := a.desk.word()
			text := "Sobre " + word + ": " + own
			if !a.presses(ctx, say.With("texto", text), feat{kind: "say", ref: ref, word: own, text: text}) {
				return
			}
			continue
		}
		does := func(name, field string) {
			form, ok := p.Form(name)
			if choices := form.Choices[field]; ok && field != "" && len(choices) > 0 {
				form = form.With(field, choices[rand.IntN(len(choices))])
			} else if field != "" {
				return // nobody to pass it to
			}
			a.presses(ctx, form, feat{kind: name, ref: ref})
		}
		chance := rand.Float64()
		if _, waits := p.Form("quitar"); waits && time.Since(a.patient) < sized(90*time.Second, 3*time.Minute) && chance > 0.02 {
			return // something is to be said later
		}
		switch {
		case all && chance < 0.4:
			does("devolver", "paso")
		case all:
			does("resolver", "motivo")
		case chance < 0.08:
			note, _ := p.Form("nota")
			own := a.desk.word()
			a.presses(ctx, note.With("texto", "Nota "+own), feat{kind: "nota", ref: ref, word: own, text: "Nota " + own})
		case breaking.Err() != nil: // it is time to come to an end
		case chance < 0.12:
			a.drafts(ctx, p, ref)
		case chance < 0.16:
			a.postpones(ctx, p, ref)
		case chance < 0.20:
			a.saysLater(ctx, p, ref)
		case chance < 0.24:
			does("pasar", "a")
		case chance < 0.28:
			does("soltar", "")
		case chance < 0.30:
			does("devolver", "paso")
		case chance < 0.32:
			does("resolver", "motivo")
		}
		return
	}
}

// postpones puts a case off until the person writes, or goes on with one.
func (a *clerk) postpones(ctx context.Context, p bottest.DeskPage, ref string) {
	if form, off := p.Form("retomar"); off {
		a.presses(ctx, form, feat{kind: "retomar", ref: ref})
	} else if form, ok := p.Form("posponer"); ok {
		a.presses(ctx, form.With("hasta", bot.UntilAnswer), feat{kind: "posponer", ref: ref})
	}
}

// drafts begins a note and sends it never.
func (a *clerk) drafts(ctx context.Context, p bottest.DeskPage, ref string) {
	form, ok := p.Form("nota")
	if !ok {
		return
	}
	form.Action = "/agentes/casos/" + ref + "/borrador"
	own := "Borrador " + a.desk.word()
	a.presses(ctx, form.With("que", "nota").With("texto", own), feat{kind: "borrador", ref: ref, text: own})
}

// saysLater has something said in a minute or two: a form's clock has no seconds.
func (a *clerk) saysLater(ctx context.Context, p bottest.DeskPage, ref string) {
	form, ok := p.Form("programar")
	if !ok {
		return
	}
	at := time.Now().In(a.desk.zone).Add(70 * time.Second)
	own := a.desk.word()
	text := "Más tarde: " + own
	a.presses(ctx, form.With("texto", text).With("dia", at.Format(time.DateOnly)).With("hora", at.Format("15:04")), feat{kind: "programar", ref: ref, word: own, text: text})
}

// unanswered returns the first word since a person was asked for that no agent has answered, and whether the person has
// said all.
func unanswered(lines []bottest.DeskLine) (word string, all bool) {
	asked := 0
	for i, l := range lines {
		if l.From == bot.FromEvent && (strings.HasPrefix(l.Text, "Pidió hablar con una persona") || strings.HasPrefix(l.Text, "La persona dice que sigue con lo mismo")) {
			asked = i
		}
	}
	for i, l := range lines {
		said := madeUp.FindString(l.Text)
		if i < asked || l.From != bot.FromPerson || said == "" {
			continue
		}
		all = all || strings.HasPrefix(l.Text, thatIsAll)
		if word == "" && !slices.ContainsFunc(lines[i:], func(m bottest.DeskLine) bool { return m.From == bot.FromAgent && strings.Contains(m.Text, said) }) {
			word = said
		}
	}
	return word, all
}

// presses presses a button, sometimes twice at once, and again as long as there is no answer. It says whether the answer
// was that it is done.
func (a *clerk) presses(ctx context.Context, form bottest.DeskForm, f feat) bool {
	f.sent = time.Now()
	for ctx.Err() == nil && f.answered.IsZero() {
		at := 1
		if f.tries == 0 && rand.Float64() < twice {
			at = 2
		}
		var sending sync.WaitGroup
		pages := make([]bottest.DeskPage, at)
		for i := range at {
			f.tries++
			sending.Go(func() { pages[i], _ = a.Send(ctx, form) }) // no answer: its status is 0
		}
		sending.Wait()
		for _, p := range pages {
			if p.Status == 0 || p.Status >= 500 {
				continue
			}
			f.answered = time.Now()
			if ref, ok := strings.CutPrefix(p.Location, "/agentes/casos/"); ok && p.Status == 303 {
				f.ref, _, _ = strings.Cut(ref, "?")
				f.done = true
			}
			f.done = f.done || f.kind == "borrador" && p.Status == 200
		}
		if f.answered.IsZero() {
			time.Sleep(100 * time.Millisecond)
		}
	}
	if !f.done {
		a.refused++
	}
	a.feats = append(a.feats, f)
	return f.done
}
