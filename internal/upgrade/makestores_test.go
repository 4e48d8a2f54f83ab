package upgrade

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/bottest"
	"llave/internal/mail/letter"
	"llave/internal/store"
	"llave/internal/store/bolt"
	"llave/internal/store/storetest"
)

var (
	storesLlave = flag.String("stores.llave", "", "a built llave whose stores are to be kept")
	storesInto  = flag.String("stores.into", "", "the directory under testdata, named by the commit it was built from")
)

// What stores are written with.
const (
	token         = "7000000001:AAtesttesttesttesttesttesttesttest01"
	graphToken    = "EAAtest"
	phoneNumberID = "106540352242922"
	agentLogin    = "agente0"
	agentPassword = "sopa verde con nube y tambor"
	madeKey       = "cuatro caballos pintan la luna"
)

var secretKey = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))

// about is what a test must know of a store.
type about struct {
	Left       time.Time         `json:"left"`        // by the store's clock: when the process was killed, or a little later
	NextUpdate int               `json:"next_update"` // an update id that was not used
	Agent      string            `json:"agent"`
	Password   string            `json:"password"`
	People     []person          `json:"people"`
	Links      map[string]string `json:"links"` // by address: path of the newest link that was mailed
}

// TestMakeStores writes stores with an earlier llave and keeps them under testdata. It needs strace, which makes the disk of
// the embedded store slow at the end, and the MongoDB part TEST_MONGODB_URI.
//
//	go test ./internal/upgrade -run MakeStores -v -stores.llave /path/to/llave -stores.into 06ecc36
func TestMakeStores(t *testing.T) {
	if *storesLlave == "" {
		t.Skip("SKIP: it makes test data, from the llave that -stores.llave names")
	}
	for _, kind := range []string{"bolt", "mongodb"} {
		t.Run(kind, func(t *testing.T) {
			for try := range 8 {
				missing := makeStore(t, kind, 900*time.Millisecond+time.Duration(try)*100*time.Millisecond)
				if len(missing) == 0 {
					return
				}
				t.Logf("try %d: nobody owes %v", try, missing)
			}
			t.Error("no kill left every kind of promise")
		})
	}
}

// maker is a llave and what stands around it.
type maker struct {
	t       *testing.T
	api     *bottest.BotAPI
	graph   *bottest.Graph
	smtp    *bottest.SMTP
	env     []string
	dir     string
	base    string
	admin   string
	process *bottest.Process
	proxy   *proxy // between a process and MongoDB
	agent   *bottest.Agent
	people  []person
	browser map[int64]*http.Client // of each person, by chat
}

// makeStore writes one store and keeps it, unless it lacks promises of some kind: it says which.
func makeStore(t *testing.T, kind string, wait time.Duration) (missing []string) {
	m := newMaker(t, kind)
	m.start()
	m.walk(func(p person) []string { return p.settled }, 8)
	if kind == "mongodb" { // who waits has a case for the next opening there, and on the embedded store stands in the queue
		m.closeDesk()
	}
	m.breakWires()
	m.walk(func(p person) []string { return p.broken }, 1)
	look := m.slowDown(kind)
	var walking sync.WaitGroup
	walking.Go(func() { m.walk(func(p person) []string { return p.last }, len(m.people)) })
	look(wait)
	m.process.Kill()
	walking.Wait()
	return m.keep(kind)
}

func newMaker(t *testing.T, kind string) *maker {
	t.Helper()
	m := &maker{t: t, api: bottest.NewBotAPI(token), dir: t.TempDir(), browser: map[int64]*http.Client{}}
	must(t, m.api.Start())
	t.Cleanup(m.api.Close)
	m.graph = bottest.NewGraph(bottest.GraphOptions{
		Tokens: []string{graphToken}, PhoneNumberID: phoneNumberID, AppSecret: "app-secret-of-the-test", VerifyToken: "verify-token-of-the-test", PerSecond: -1, PairEvery: -1,
	})
	must(t, m.graph.Start())
	t.Cleanup(m.graph.Close)
	var err error
	m.smtp, err = bottest.StartSMTP()
	must(t, err)
	t.Cleanup(func() { _ = m.smtp.Close() })
	addr, err := bottest.FreeAddr()
	must(t, err)
	m.admin, err = bottest.FreeAddr()
	must(t, err)
	m.base = "http://" + strings.Replace(addr, "127.0.0.1", "localhost", 1)
	m.env = append(settings(m.api, m.graph, m.smtp),
		"LLAVE_HTTP_ADDR="+addr, "LLAVE_ADMIN_ADDR="+m.admin, "LLAVE_PUBLIC_URL="+m.base, "LLAVE_DATA_DIR="+m.dir, "LLAVE_LOG_FORMAT=text")
	if kind == "mongodb" {
		uri := storetest.MongoURI(t)
		m.proxy = newProxy(t, strings.TrimSuffix(strings.TrimPrefix(uri, "mongodb://"), "/"))
		m.env = append(m.env, "LLAVE_MONGODB_URI=mongodb://"+m.proxy.addr()+"/", "LLAVE_MONGODB_DATABASE="+storetest.NewDatabase(t, uri), "LLAVE_DISCLOSURE=uniform")
	} else {
		m.env = append(m.env, "LLAVE_TELEGRAM_MODE=polling")
	}
	m.cast()
	return m
}

// settings are what every process over such a store is started with.
func settings(api *bottest.BotAPI, graph *bottest.Graph, smtp *bottest.SMTP) []string {
	return []string{
		"LLAVE_SECRET_KEY=" + secretKey, "LLAVE_SMTP_URL=" + smtp.URL(), "LLAVE_LINK_TTL=9m", "LLAVE_OFFICE_HOURS=mon-sun 00:00-24:00", "LLAVE_AGENT_SILENCE=24h",
		"LLAVE_TELEGRAM_TOKEN=" + token, "LLAVE_TELEGRAM_API_URL=" + api.URL(), "LLAVE_TELEGRAM_MODE=webhook", "LLAVE_TELEGRAM_RATE=1000",
		"LLAVE_WHATSAPP_TOKEN=" + graphToken, "LLAVE_WHATSAPP_PHONE_NUMBER_ID=" + phoneNumberID, "LLAVE_WHATSAPP_APP_SECRET=app-secret-of-the-test",
		"LLAVE_WHATSAPP_VERIFY_TOKEN=verify-token-of-the-test", "LLAVE_WHATSAPP_API_URL=" + graph.URL(), "LLAVE_WHATSAPP_RATE=1000",
	}
}

// cast makes up everybody, and imports their records.
func (m *maker) cast() {
	var b bytes.Buffer
	b.WriteString("_id,id_type,category,full_name,email,data_updated_at,status\n")
	for i, p := range cast() {
		if p.On == "" {
			p.On = onTelegram
		}
		p.Chat, p.Number, p.Mail = 5551230001+int64(i), bottest.Nobodys(i), fmt.Sprintf("persona%02d@correo.example", i)
		if p.On == onWhatsApp {
			p.Chat = 593990000001 + int64(i)
		}
		p.Hidden = slices.Contains(p.settled, "@hide")
		switch p.Status {
		case "":
			p.Status = "locked"
		case "none":
			p.Status = ""
		}
		if p.Status != "" {
			fmt.Fprintf(&b, "%s,cedula,affiliate,Persona %02d,%s,2025-03-01,%s\n", p.Number, i, p.Mail, p.Status)
		}
		m.people = append(m.people, p)
		m.browser[p.Chat] = newBrowser(m.t)
	}
	file := filepath.Join(m.t.TempDir(), "people.csv")
	must(m.t, os.WriteFile(file, b.Bytes(), 0o600))
	m.command("", "import", file)
	m.command(agentPassword+"\n", "agents", "add", agentLogin, "--name", "Abril", "--role", "supervisor")
	m.command(agentPassword+"\n", "agents", "add", "agente1", "--name", "Bruno")
}

func (m *maker) command(stdin string, args ...string) {
	m.t.Helper()
	cmd := bottest.Command(m.t.Context(), *storesLlave, m.dir, m.env, args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		m.t.Fatalf("llave %s: %v: %s", args[0], err, out)
	}
}

func (m *maker) start() {
	m.t.Helper()
	cmd := bottest.Command(context.Background(), *storesLlave, m.dir, m.env, "serve")
	log, err := os.Create(filepath.Join(m.t.TempDir(), "log"))
	must(m.t, err)
	cmd.Stdout, cmd.Stderr = log, log
	m.process, err = bottest.StartProcess(cmd)
	must(m.t, err)
	m.t.Cleanup(func() {
		m.process.Kill()
		log.Close()
	})
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute)
	defer cancel()
	must(m.t, m.process.WaitReady(ctx, "http://"+m.admin+"/readyz"))
	must(m.t, m.graph.SetWebhook(m.base+"/webhooks/whatsapp"))
	m.agent = bottest.NewAgent(m.base, "192.0.2.1")
	must(m.t, m.agent.SignIn(ctx, agentLogin, agentPassword))
	must(m.t, m.agent.Beat(ctx))
}

// walk has everybody walk a part of their road, so many at once.
func (m *maker) walk(part func(person) []string, together int) {
	var walking sync.WaitGroup
	gate := make(chan struct{}, together)
	for _, p := range m.people {
		steps := part(p)
		if len(steps) == 0 {
			continue
		}
		gate <- struct{}{}
		walking.Go(func() {
			defer func() { <-gate }()
			w := walker{maker: m, person: p, last: len(p.last) > 0 && &steps[0] == &p.last[0], broken: len(p.broken) > 0 && &steps[0] == &p.broken[0]}
			for _, step := range steps {
				if err := w.do(step); err != nil && !w.last {
					m.t.Errorf("%s %d, %q: %v", p.On, p.Chat, step, err)
					return
				}
			}
		})
	}
	walking.Wait()
}

// closeDesk closes the desk by hand, and waits until those who waited were told.
func (m *maker) closeDesk() {
	p, err := m.agent.Send(m.t.Context(), bottest.DeskForm{Action: "/agentes/supervision/horario", Fields: url.Values{"hacer": {"cerrar"}, "version": {"0"}, "visto": {"closes"}}})
	must(m.t, err)
	if p.Status != http.StatusSeeOther {
		m.t.Fatalf("the desk cannot be closed: status %d", p.Status)
	}
	time.Sleep(8 * time.Second) // the queue is tended every five
}

// breakWires has neither bubbles nor letters arrive from now on, each chat's in its own way.
func (m *maker) breakWires() {
	sends := func(c bottest.BotCall) bool { return c.Method != "getUpdates" && c.Method != "setWebhook" }
	every := 1 << 20
	for i, p := range m.people {
		chat := fmt.Sprint(p.Chat)
		mine := func(c bottest.BotCall) bool { return sends(c) && c.Params["chat_id"] == chat }
		fault, wa := bottest.FaultServerError, bottest.GraphFaultServerError
		switch i % 4 {
		case 1:
			fault = bottest.FaultTooMany(20)
		case 2:
			fault = bottest.FaultTimeout(time.Minute)
		}
		if slices.Contains(p.broken, "@window") {
			wa = bottest.GraphFaultWindow
		}
		m.api.FailWhere(mine, every, fault)
		m.graph.FailWhere(mine, every, wa)
	}
	m.smtp.FailAlways(bottest.SMTPMail, bottest.SMTPFault{Code: 451, Enhanced: "4.3.0", Text: "Try again later"})
}

// slowDown has what a process owes to its own store wait, and returns what waits for the moment of the kill: on the
// embedded store, whose disk is slow now, so long; on MongoDB until there is a promise of every kind.
func (m *maker) slowDown(kind string) (look func(time.Duration)) {
	if kind == "mongodb" {
		m.proxy.hold(store.Complaints, store.Cases, store.Lines, store.Audit, store.Affiliates)
		s := m.open(kind)
		return func(time.Duration) {
			for range 200 {
				if len(lacks(dumped(m.t, s, store.Conversations, store.Unlocks))) == 0 {
					return
				}
			}
		}
	}
	trace := exec.Command("strace", "-f", "-q", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:delay_enter=250000", "-p", fmt.Sprint(m.process.Pid()))
	must(m.t, trace.Start())
	m.t.Cleanup(func() { _ = trace.Wait() }) // it ends with the process
	time.Sleep(500 * time.Millisecond)
	return time.Sleep
}

// open opens the store beside the process, or after it.
func (m *maker) open(kind string) store.Engine {
	m.t.Helper()
	if kind == "mongodb" {
		return storetest.MongoDatabase(m.t, storetest.MongoURI(m.t), setting(m.env, "LLAVE_MONGODB_DATABASE"))
	}
	e, err := bolt.Open(m.t.Context(), bolt.Options{Dir: m.dir})
	must(m.t, err)
	m.t.Cleanup(func() { _ = e.Close() })
	return e
}

func setting(env []string, name string) (value string) {
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			value = v
		}
	}
	return value
}

// keep writes the store down, unless it lacks something.
func (m *maker) keep(kind string) (missing []string) {
	file, _ := os.ReadFile(filepath.Join(m.dir, bolt.FileName)) // none with MongoDB
	e := m.open(kind)
	left, err := e.Now(m.t.Context())
	must(m.t, err)
	docs := dumped(m.t, e, collections...)
	if missing = lacks(docs); len(missing) > 0 {
		return missing
	}
	dir := filepath.Join("testdata", *storesInto, kind)
	must(m.t, os.MkdirAll(dir, 0o755))
	if len(file) > 0 {
		must(m.t, os.WriteFile(filepath.Join(dir, bolt.FileName+".gz"), zipped(m.t, file), 0o644))
	}
	must(m.t, os.WriteFile(filepath.Join(dir, "dump.jsonl.gz"), zipped(m.t, lines(m.t, docs)), 0o644))
	a := about{Left: left, NextUpdate: 700100001, Agent: agentLogin, Password: agentPassword, People: m.people, Links: map[string]string{}}
	for _, l := range m.smtp.Letters() {
		if link := linkOf(l, false); link != "" {
			u, err := url.Parse(link)
			must(m.t, err)
			a.Links[l.To] = u.Path
		}
	}
	text, err := json.MarshalIndent(a, "", "\t")
	must(m.t, err)
	must(m.t, os.WriteFile(filepath.Join(dir, "about.json"), append(text, '\n'), 0o644))
	return nil
}

// document is one document of a store.
type document struct {
	collection string
	doc        bson.Raw
}

// conversations is where earlier versions kept them.
const conversations = "conversations"

// collections are all that a store has that an earlier version wrote.
var collections = []string{
	store.Affiliates, conversations, store.Unlocks, store.Complaints, store.Cases, store.Audit, store.Leases, store.Counters, store.Settings, store.Imports,
	"names", "contacts", store.Deliveries, store.Lines, store.Presence, store.Agents, store.Sessions, store.Tries,
}

// dumped reads every document of these collections.
func dumped(t *testing.T, e store.Engine, from ...string) (all []document) {
	t.Helper()
	for _, c := range from {
		err := e.Scan(t.Context(), store.Query{Collection: c}, func(raw bson.Raw) bool {
			all = append(all, document{c, slices.Clone(raw)})
			return true
		})
		must(t, err)
	}
	return all
}

// lines writes documents as extended JSON, one a line behind its collection's name.
func lines(t *testing.T, docs []document) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, d := range docs {
		text, err := bson.MarshalExtJSON(d.doc, true, false)
		must(t, err)
		fmt.Fprintf(&b, "%s %s\n", d.collection, text)
	}
	return b.Bytes()
}

func zipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	must(t, err)
	_, err = z.Write(data)
	must(t, errors.Join(err, z.Close()))
	return b.Bytes()
}

// lacks are the kinds of promise that no document has.
func lacks(docs []document) (missing []string) {
	found := map[string]bool{}
	for _, p := range owedBy(docs) {
		found[p.Kind] = true
	}
	for _, kind := range kinds {
		if !found[kind] {
			missing = append(missing, kind)
		}
	}
	return missing
}

// walker is a person on the way.
type walker struct {
	*maker
	person
	last, broken bool
}

// phone is what a person holds.
type phone interface {
	Say(chat int64, text string) int
	Press(chat int64, label string) (int, error)
	WaitMessage(chat int64, after int, timeout time.Duration) (bottest.ChatMessage, error)
	Messages(chat int64) []bottest.ChatMessage
	Block(chat int64)
	Pending() int
}

func (w *walker) phone() phone {
	if w.On == onWhatsApp {
		return w.graph
	}
	return w.api
}

// do takes one step.
func (w *walker) do(step string) (err error) {
	after := 0
	label, presses := strings.CutPrefix(step, "[")
	switch {
	case step == "@link", step == "@not-me":
		return w.opens(step == "@not-me")
	case step == "@key":
		_, err = w.post(w.base+"/clave", url.Values{"clave": {madeKey}, "clave2": {madeKey}})
		return err
	case step == "@block":
		w.phone().Block(w.Chat)
		return w.taken()
	case step == "@hide":
		w.graph.HidePhone(w.Chat)
		return nil
	case step == "@window":
		return nil
	case strings.HasPrefix(step, "@desk "):
		return w.desk(strings.TrimPrefix(step, "@desk "))
	case presses && !w.broken && !w.last:
		if after, err = w.phone().Press(w.Chat, strings.TrimSuffix(label, "]")); err != nil {
			after = w.phone().Say(w.Chat, strings.TrimSuffix(label, "]"))
		}
	case presses:
		after = w.phone().Say(w.Chat, strings.TrimSuffix(label, "]"))
	case step == "#":
		after = w.phone().Say(w.Chat, w.Number)
	default:
		after = w.phone().Say(w.Chat, step)
	}
	if w.last || w.broken || strings.HasPrefix(step, "Gracias") {
		return w.taken()
	}
	_, err = w.phone().WaitMessage(w.Chat, after, 30*time.Second)
	return err
}

// taken waits until the process has taken what people did.
func (w *walker) taken() error {
	for range 3000 {
		if w.phone().Pending() == 0 {
			time.Sleep(50 * time.Millisecond)
			return nil
		}
		select {
		case <-w.process.Done():
			return errors.New("the process was killed")
		case <-time.After(10 * time.Millisecond):
		}
	}
	return errors.New("it was not taken")
}

// opens opens the newest letter's link and presses its button; the chat says so by itself where it can.
func (w *walker) opens(notMe bool) error {
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	first, err := w.smtp.WaitLetter(ctx, w.Mail, 0)
	if err != nil {
		return err
	}
	link := linkOf(first, notMe)
	for _, l := range w.smtp.LettersTo(w.Mail) {
		if newer := linkOf(l, notMe); newer != "" {
			link = newer
		}
	}
	said := len(w.phone().Messages(w.Chat))
	if _, err = w.post(link, url.Values{}); err != nil || notMe || w.broken || w.last { // with uniform disclosure the chat says nothing of the owner's word
		return err
	}
	for range 1500 {
		if len(w.phone().Messages(w.Chat)) > said {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return errors.New("the chat did not say so")
}

func (w *walker) post(address string, form url.Values) (string, error) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		req, err := http.NewRequestWithContext(w.t.Context(), method, address, strings.NewReader(form.Encode()))
		if err != nil {
			return "", err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := w.browser[w.Chat].Do(req)
		if err != nil {
			return "", err
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode >= 400 {
			return "", fmt.Errorf("%s: status %d, %w", method, res.StatusCode, err)
		}
		if method == http.MethodPost {
			return string(body), nil
		}
	}
	return "", nil
}

// desk has the agent do something with the person's case.
func (w *walker) desk(deed string) error {
	name, text, _ := strings.Cut(deed, " ")
	ref, err := w.caseOf()
	if err != nil {
		return err
	}
	said := len(w.phone().Messages(w.Chat))
	p, err := w.agent.Get(w.t.Context(), "/agentes/casos/"+ref)
	if err != nil {
		return err
	}
	form, ok := p.Form(name)
	if !ok {
		return fmt.Errorf("case %s has no form %s (status %d)", ref, name, p.Status)
	}
	switch name {
	case "decir", "nota":
		form = form.With("texto", text)
	case "devolver":
		form = form.With("paso", form.Choices["paso"][0])
	case "resolver":
		form = form.With("motivo", form.Choices["motivo"][0])
	}
	p, err = w.agent.Send(w.t.Context(), form)
	if err != nil || p.Status != http.StatusSeeOther || w.broken || w.last || name == "nota" {
		return err
	}
	for range 500 {
		if len(w.phone().Messages(w.Chat)) > said {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return errors.New("the person was not told")
}

// caseOf is the number of the person's case, as they were told it.
func (w *walker) caseOf() (string, error) {
	for _, m := range slices.Backward(w.phone().Messages(w.Chat)) {
		if ref := caseNumber.FindString(m.Text); ref != "" {
			return ref, nil
		}
	}
	return "", errors.New("nobody told them the number of their case")
}

func linkOf(l letter.Letter, notMe bool) string {
	for _, k := range l.Links {
		if strings.Contains(k.URL, "/no-fui-yo/") == notMe && (notMe || strings.Contains(k.URL, "/desbloqueo/") || strings.Contains(k.URL, "/generar/")) {
			return k.URL
		}
	}
	return ""
}

func newBrowser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	return &http.Client{Jar: jar, Timeout: 30 * time.Second}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// proxy stands between a process and MongoDB, and can hold writes up.
type proxy struct {
	listener net.Listener
	mu       sync.Mutex
	held     [][]byte // how such writes begin
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	p := &proxy{listener: l}
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				from.Close()
				continue
			}
			go p.carry(server, from)
			go p.carry(from, server)
		}
	}()
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

// hold has no write to these collections arrive from now on: it waits until whoever sent it gives up.
func (p *proxy) hold(collections ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range collections {
		for _, command := range []string{"insert", "update", "delete"} {
			name := binary.LittleEndian.AppendUint32([]byte("\x02"+command+"\x00"), uint32(len(c)+1))
			p.held = append(p.held, append(name, c+"\x00"...))
		}
	}
}

func (p *proxy) holds(sent []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.held, func(write []byte) bool { return bytes.Contains(sent, write) })
}

func (p *proxy) carry(to, from net.Conn) {
	defer to.Close()
	buf := make([]byte, 1<<16)
	for {
		n, err := from.Read(buf)
		for err == nil && p.holds(buf[:n]) {
			n, err = from.Read(buf) // until the other side hangs up
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}
