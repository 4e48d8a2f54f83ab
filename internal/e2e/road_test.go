package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"llave/internal/affiliate"
	"llave/internal/bottest"
	"llave/internal/key"
	"llave/internal/mail/letter"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/bolt"
	"llave/internal/store/mongodb"
	"llave/internal/store/storetest"
)

// people is how many records are imported; walker is the one whose road is walked.
const (
	people = 500
	walker = 321
)

func address(i int) string { return fmt.Sprintf("persona%03d@correo.example", i) }

// writePeople writes an import file of n made-up people, all of whom may unlock.
func writePeople(t testing.TB, n int) string {
	t.Helper()
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return writeOrdered(t, order)
}

// writeOrdered is writePeople for the people of a list, in its order.
func writeOrdered(t testing.TB, order []int) string {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("_id,id_type,category,full_name,email,data_updated_at,status\n")
	for _, i := range order {
		fmt.Fprintf(&b, "%s,cedula,affiliate,Persona %03d,%s,2025-03-01,locked\n", bottest.Cedula(i), i, address(i))
	}
	path := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// environment is what one llave is run in: its settings, the platforms and the mail server that it talks to.
type environment struct {
	api   *bottest.BotAPI // nil without Telegram
	graph *bottest.Graph  // nil without WhatsApp
	smtp  *bottest.SMTP
	env   []string
	addr  string // of the public listener
	admin string
	base  string // LLAVE_PUBLIC_URL
}

// The ways in that an environment can have: Telegram in one of its modes, WhatsApp, or both at once, Telegram by webhook then.
const (
	byWebhook  = "webhook"
	byPolling  = "polling"
	byWhatsApp = "WhatsApp"
	byBoth     = "both"
	byNothing  = "nothing" // what it has is added
)

// newEnvironment starts the servers and makes the settings; nothing of llave runs yet. Later settings win.
func newEnvironment(t testing.TB, way string, settings ...string) *environment {
	t.Helper()
	e := &environment{addr: freeAddr(t), admin: freeAddr(t)}
	var err error
	if e.smtp, err = bottest.StartSMTP(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.smtp.Close() }) // nobody reads from it any more
	_, port, err := net.SplitHostPort(e.addr)
	if err != nil {
		t.Fatal(err)
	}
	e.base = "http://localhost:" + port
	e.env = []string{
		"LLAVE_HTTP_ADDR=" + e.addr, "LLAVE_ADMIN_ADDR=" + e.admin, "LLAVE_PUBLIC_URL=" + e.base,
		"LLAVE_DATA_DIR=" + t.TempDir(), "LLAVE_SECRET_KEY=" + secretKey, "LLAVE_SMTP_URL=" + e.smtp.URL(), "LLAVE_LOG_FORMAT=text",
	}
	switch way {
	case byNothing:
	case byWhatsApp:
		e.withWhatsApp(t, bottest.GraphOptions{})
	case byBoth:
		e.withTelegram(t, byWebhook)
		e.withWhatsApp(t, bottest.GraphOptions{})
	default:
		e.withTelegram(t, way)
	}
	e.env = append(e.env, settings...)
	return e
}

func (e *environment) withTelegram(t testing.TB, mode string) {
	t.Helper()
	e.api = bottest.NewBotAPI(token)
	if err := e.api.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.api.Close)
	e.env = append(e.env, "LLAVE_TELEGRAM_TOKEN="+token, "LLAVE_TELEGRAM_API_URL="+e.api.URL(), "LLAVE_TELEGRAM_MODE="+mode,
		"LLAVE_TELEGRAM_WEBHOOK_SECRET="+hookSecret)
}

// withWhatsApp starts the Graph API, which knows one of the two tokens that llave is given: the second.
func (e *environment) withWhatsApp(t testing.TB, o bottest.GraphOptions) {
	t.Helper()
	o.Tokens, o.PhoneNumberID, o.AppSecret, o.VerifyToken = []string{graphToken}, graphNumber, appSecret, verifyToken
	e.graph = bottest.NewGraph(o)
	if err := e.graph.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.graph.Close)
	e.env = append(e.env, "LLAVE_WHATSAPP_TOKEN="+oldGraphToken+","+graphToken, "LLAVE_WHATSAPP_PHONE_NUMBER_ID="+graphNumber,
		"LLAVE_WHATSAPP_APP_SECRET="+appSecret, "LLAVE_WHATSAPP_VERIFY_TOKEN="+verifyToken, "LLAVE_WHATSAPP_API_URL="+e.graph.URL())
}

// setting returns the value of one of the settings.
func (e *environment) setting(name string) string {
	value := ""
	for _, kv := range e.env {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			value = v
		}
	}
	return value
}

// serve starts `llave serve` and waits until it is ready and heard by its channels.
func (e *environment) serve(t testing.TB) *process {
	t.Helper()
	p := start(t, e.env, "serve")
	p.waitOK(t, "http://"+e.admin+"/readyz", 30*time.Second)
	if e.api != nil && !e.api.Wait(20*time.Second, func() bool { return e.api.WebhookURL() != "" || len(e.api.Calls("deleteWebhook")) > 0 }) {
		t.Fatal("llave has neither registered a webhook nor begun to poll")
	}
	if e.graph != nil { // the operator registers it
		if err := e.graph.SetWebhook(e.base + "/webhooks/whatsapp"); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// openStore opens the store after llave has let go of it.
func (e *environment) openStore(t testing.TB) (*store.Store, *secret.Vault) {
	t.Helper()
	var engine store.Engine
	var err error
	if uri := e.setting("LLAVE_MONGODB_URI"); uri != "" {
		engine, err = mongodb.Open(t.Context(), mongodb.Options{URI: uri, Database: e.setting("LLAVE_MONGODB_DATABASE")})
	} else {
		engine, err = bolt.Open(t.Context(), bolt.Options{Dir: e.setting("LLAVE_DATA_DIR")})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() }) // it was only read
	s := store.New(engine)
	keys, err := secret.ParseKeys(secretKey)
	if err != nil {
		t.Fatal(err)
	}
	vault, err := s.DataKey(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	s.Seal(vault)
	return s, vault
}

// chats is what people have of a channel.
type chats interface {
	Say(chat int64, text string) int
	Press(chat int64, label string) (int, error)
	Messages(chat int64) []bottest.ChatMessage
	WaitMessage(chat int64, after int, timeout time.Duration) (bottest.ChatMessage, error)
	Pending() int
	Wait(timeout time.Duration, cond func() bool) bool
}

// phone is a person's chat with the bot.
type phone struct {
	t    testing.TB
	api  chats
	chat int64
	last int // the newest message when the person last did something, or the newest they read
}

// onTelegram and onWhatsApp are the phone of the i-th person. On WhatsApp the chat is the telephone number.
func (e *environment) onTelegram(t testing.TB, i int) *phone {
	return &phone{t: t, api: e.api, chat: int64(5551230000 + i)}
}

func (e *environment) onWhatsApp(t testing.TB, i int) *phone {
	return &phone{t: t, api: e.graph, chat: int64(593990000000 + i)}
}

// phone is the i-th person's, on the only channel there is.
func (e *environment) phone(t testing.TB, i int) *phone {
	if e.graph != nil {
		return e.onWhatsApp(t, i)
	}
	return e.onTelegram(t, i)
}

// imports fills the store with so many people.
func (e *environment) imports(t testing.TB, people int) {
	t.Helper()
	if code, out, errs := outcome(t, e.env, "", "import", writePeople(t, people)); code != 0 {
		t.Fatalf("import: exit %d\n%s%s", code, out, errs)
	}
}

// answerWithin is how long an answer may take before the test gives up; a slow machine is not a failure.
const answerWithin = 30 * time.Second

// comesToSend leads a fresh chat to where the link to a number's record may be asked for.
func (p *phone) comesToSend(number string) {
	p.t.Helper()
	p.says("hola", "Hola. Soy Llave")
	p.presses("Continuar", "¿Qué necesita hoy?")
	p.presses("Desbloquear clave", "Escriba su número de cédula")
	p.says(number, "¿Es correcto?")
	p.presses("Sí, es correcto", "Enviar enlace")
}

// hears waits for the next bubble, without doing anything, and wants it to hold a text.
func (p *phone) hears(want string) string {
	p.t.Helper()
	m, err := p.api.WaitMessage(p.chat, p.last, answerWithin)
	if err != nil {
		p.t.Fatalf("waiting for %q: %v", want, err)
	}
	if !strings.Contains(m.Text, want) {
		p.t.Fatalf("the bot said:\n%s\nwant something with: %s", m.Text, want)
	}
	p.last = m.ID
	return m.Text
}

func (p *phone) says(text, want string) string {
	p.t.Helper()
	p.last = p.api.Say(p.chat, text)
	return p.hears(want)
}

func (p *phone) presses(label, want string) string {
	p.t.Helper()
	newest, err := p.api.Press(p.chat, label)
	if err != nil {
		p.t.Fatal(err)
	}
	p.last = newest
	return p.hears(want)
}

// silent wants the bot to have said nothing since.
func (p *phone) silent(when string) {
	p.t.Helper()
	for _, m := range p.api.Messages(p.chat) {
		if m.ID > p.last {
			p.t.Fatalf("%s, and the bot said:\n%s", when, m.Text)
		}
	}
}

// letter waits for the i-th person's next letter.
func (e *environment) letter(t testing.TB, i, after int) letter.Letter {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerWithin)
	defer cancel()
	l, err := e.smtp.WaitLetter(ctx, address(i), after)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func contains(t testing.TB, what, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Fatalf("%s: got:\n%s\nwant something with: %s", what, got, want)
	}
}

// onBothStores runs a test with the settings of the embedded store, and of a MongoDB server where there is one.
func onBothStores(t *testing.T, name string, do func(t *testing.T, store ...string)) {
	t.Helper()
	onBothStoresInTurn(t, name, func(t *testing.T, store ...string) {
		t.Parallel()
		do(t, store...)
	})
}

// onBothStoresInTurn is onBothStores, one after the other and beside nothing else.
func onBothStoresInTurn(t *testing.T, name string, do func(t *testing.T, store ...string)) {
	t.Helper()
	t.Run(name+" on bolt", func(t *testing.T) { do(t) })
	t.Run(name+" on MongoDB", func(t *testing.T) {
		uri := storetest.MongoURI(t)
		do(t, "LLAVE_MONGODB_URI="+uri, "LLAVE_MONGODB_DATABASE="+storetest.NewDatabase(t, uri))
	})
}

// From "hola" to a new key: the whole road, in both of Telegram's modes, on WhatsApp, and on both stores (P201).
func TestRoad(t *testing.T) {
	t.Parallel()
	for _, way := range []string{byWebhook, byPolling, byWhatsApp} {
		onBothStores(t, way, func(t *testing.T, store ...string) { walk(t, newEnvironment(t, way, store...)) })
	}
}

const (
	easyKey = "123456789"
	goodKey = "tres barcos azules duermen"
)

func walk(t *testing.T, e *environment) {
	findBrowser(t)
	file := writePeople(t, people)
	if code, out, errs := outcome(t, e.env, "", "import", file); code != 0 || !strings.Contains(out, "500 imported") {
		t.Fatalf("import: exit %d\n%s%s", code, out, errs)
	}
	llave := e.serve(t)

	p := e.phone(t, walker)
	p.comesToSend(bottest.Cedula(walker))
	if n := len(e.smtp.Letters()); n != 0 {
		t.Fatalf("%d letters were sent before anybody pressed Enviar enlace", n)
	}
	p.presses("Enviar enlace", "SOLICITUD DESBLOQUEO DE CLAVE")

	l := e.letter(t, walker, 0)
	if got, want := l.Subject, "SOLICITUD DESBLOQUEO DE CLAVE"; got != want {
		t.Errorf("subject: got %q, want %q", got, want)
	}
	link := l.Link("DESBLOQUEO DE CLAVE IESS")
	if !strings.HasPrefix(link, e.base+"/desbloqueo/") {
		t.Fatalf("link: got %q, want it to begin with %s/desbloqueo/", link, e.base)
	}

	scanner := newVisitor(t) // a mail scanner: a whole browser that opens every link and presses nothing
	contains(t, "the link's page", scanner.open(link), "Toque el botón")
	time.Sleep(300 * time.Millisecond) // what a script might do, it has done
	p.silent("the link was opened only")

	person := newVisitor(t)
	contains(t, "the link's page after a scanner", person.open(link), "Toque el botón")
	contains(t, "after Desbloquear", person.press("Desbloquear"),
		"Su clave de acceso a los Servicios del Portal del IESS ha sido desbloqueada")
	p.hears("Su clave ya está desbloqueada") // by itself
	contains(t, "the link's page in another browser", scanner.open(link), "ya se usó")

	contains(t, "after Generar / Recuperar Clave", person.press("Generar / Recuperar Clave"), "Haga su clave nueva")
	contains(t, "an easy key", person.choose(easyKey), "Es fácil de adivinar")
	p.silent("the key was refused")
	contains(t, "a good key", person.choose(goodKey), "Su clave nueva está lista")
	p.hears("Su clave nueva está lista") // by itself

	p.presses("Sí, pude entrar", "¿Cómo le fue")
	end := p.presses("5 · Muy bien", "número de caso")
	ref := caseIn(end)
	if ref == "" {
		t.Errorf("no case number in %q", end)
	}
	notice := e.letter(t, walker, l.Number)
	e.letter(t, walker, notice.Number)
	if e.graph != nil {
		checkSeen(t, e.graph, p.chat)
	}
	llave.stop(t)

	e.checkStore(t, ref)
	checkLog(t, llave.stdout.String()+llave.stderr.String(), l)
}

// checkSeen wants the person to have seen their messages read, and somebody typing, and nothing refused but the old
// token, nor too fast.
func checkSeen(t *testing.T, g *bottest.Graph, chat int64) {
	t.Helper()
	for _, m := range g.History(chat) {
		if id := g.WAMID(chat, m.ID); !m.Bot && !g.Wait(answerWithin, func() bool { return g.Read(id) }) {
			t.Errorf("%q was not marked as read", m.Text)
		}
	}
	typed := 0
	for _, c := range g.Calls("read") {
		if c.Params["typing_indicator"] != "" {
			typed++
		}
	}
	if typed == 0 {
		t.Error("nobody was seen typing")
	}
	for _, c := range g.Calls("") {
		if c.Status != http.StatusOK && c.Params["access_token"] != oldGraphToken {
			t.Errorf("%s was answered with %d", c.Method, c.Status)
		}
	}
}

// checkStore reads what is left of the road: an active record, a key that verifies, the case.
func (e *environment) checkStore(t *testing.T, ref string) {
	t.Helper()
	s, vault := e.openStore(t)
	record, found, err := s.Affiliates.Find(t.Context(), bottest.Cedula(walker))
	if err != nil || !found || record.Status != affiliate.Active {
		t.Errorf("record: got status %q, found %v, %v; want active", record.Status, found, err)
	}
	other, _, err := s.Affiliates.Find(t.Context(), bottest.Cedula(walker+1))
	if err != nil || other.Status != affiliate.Locked {
		t.Errorf("another's record: got status %q, %v; want locked", other.Status, err)
	}
	unlocked, err := s.Unlocks.Load(t.Context(), affiliate.Hash(vault, bottest.Cedula(walker)))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		key  string
		want bool
	}{{goodKey, true}, {easyKey, false}} {
		if got, err := key.Verify(t.Context(), unlocked.Key, c.key); err != nil || got != c.want {
			t.Errorf("verify %q: got %v, %v; want %v", c.key, got, err, c.want)
		}
	}
	if len(unlocked.Promises) > 0 {
		t.Errorf("the record still owes %d promises", len(unlocked.Promises))
	}
	if f, found, err := s.Cases.Find(t.Context(), ref); err != nil || !found || f.Status != "closed" {
		t.Errorf("case %s: got status %q, found %v, %v; want a closed one", ref, f.Status, found, err)
	}
}

var tenDigits = regexp.MustCompile(`\b\d{10}\b`)

// checkLog wants nothing in the log that belongs to a person or opens something.
func checkLog(t *testing.T, log string, l letter.Letter) {
	t.Helper()
	contains(t, "log", log, "msg=turn")
	if got := tenDigits.FindString(log); got != "" {
		t.Errorf("the log holds a number of ten digits: %s", got)
	}
	secrets := []string{
		token, hookSecret, secretKey, easyKey, goodKey, "correo.example", "Persona",
		graphToken, oldGraphToken, graphNumber, appSecret, verifyToken, "wamid.", strconv.Itoa(593990000000 + walker),
	}
	for _, link := range l.Links {
		if at := strings.LastIndex(link.URL, "/"); at > 0 && at < len(link.URL)-8 {
			secrets = append(secrets, link.URL[at+1:])
		}
	}
	for _, s := range secrets {
		if strings.Contains(log, s) {
			t.Errorf("the log holds %q", s)
		}
	}
}
