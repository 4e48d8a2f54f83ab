package chaos

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/bot"
	"llave/bot/whatsapp"
	"llave/internal/bottest"
	"llave/internal/mail/letter"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

const token = "7000000001:AAtesttesttesttesttesttesttesttest01"

var secretKey = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{42}, 32))

// kind is a sort of store and how many processes serve it.
type kind struct {
	name      string
	processes int
	settings  func(t *testing.T) []string // of a store that nobody else has
}

var (
	onBolt    = kind{"bolt", 1, func(*testing.T) []string { return nil }}
	onMongoDB = kind{"MongoDB", 2, func(t *testing.T) []string {
		uri := storetest.MongoURI(t)
		return []string{"LLAVE_MONGODB_URI=" + uri, "LLAVE_MONGODB_DATABASE=" + storetest.NewDatabase(t, uri)}
	}}
)

// needChaos skips a test that breaks things unless it was asked for.
func needChaos(t *testing.T) {
	t.Helper()
	if *duration <= 0 {
		t.Skip("SKIP: nothing is broken without -chaos.for (make chaos)")
	}
}

// alongside lets a test that mostly waits run beside others of its sort. At its full size it runs alone: its figures are
// kept.
func alongside(t *testing.T) {
	t.Helper()
	needChaos(t)
	if !*full {
		t.Parallel()
	}
}

// onBoth runs a test on each sort of store.
func onBoth(t *testing.T, test func(t *testing.T, k kind)) {
	t.Helper()
	needChaos(t)
	for _, k := range []kind{onBolt, onMongoDB} {
		t.Run(k.name, func(t *testing.T) { test(t, k) })
	}
}

// deployment is processes of the built binary behind a front, servers of Telegram, of mail and, where a test wants it, of
// WhatsApp, and people who go through the conversation.
type deployment struct {
	t       *testing.T
	api     *bottest.BotAPI
	graph   *bottest.Graph // nil unless byWhatsApp
	ways    []way          // how people come, in turn
	smtp    *bottest.SMTP
	fleet   *fleet
	front   *front
	post    *postman
	people  []*person   // everybody who has a record
	lost    []time.Time // when a test had an answer lost
	back    time.Time   // when an API that was down came back
	public  string      // the front
	logPath string      // what all processes have written
	store   *store.Store
	vault   *secret.Vault
}

// newDeployment builds a deployment whose processes do not run yet. Everything in it ends with the test. Later settings win.
func newDeployment(t *testing.T, k kind, settings ...string) *deployment {
	t.Helper()
	dep := &deployment{t: t, ways: []way{byTelegram}, api: bottest.NewBotAPI(token), post: &postman{boxes: map[string]chan letter.Letter{}}, logPath: filepath.Join(t.TempDir(), "log")}
	if err := dep.api.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dep.api.Close)
	var err error
	if dep.smtp, err = bottest.StartSMTP(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dep.smtp.Close() })
	log, err := os.Create(dep.logPath)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	dep.fleet = &fleet{t: t, dir: t.TempDir(), log: log}
	t.Cleanup(dep.fleet.end)
	dep.front = newFront(dep.fleet)
	server := httptest.NewServer(dep.front)
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	dep.public = "http://localhost:" + port
	dep.fleet.env = append([]string{
		"LLAVE_PUBLIC_URL=" + dep.public, "LLAVE_DATA_DIR=" + t.TempDir(), "LLAVE_SECRET_KEY=" + secretKey,
		"LLAVE_SMTP_URL=" + dep.smtp.URL(), "LLAVE_TRUSTED_PROXIES=127.0.0.0/8", "LLAVE_LINK_TTL=9m",
		"LLAVE_INTRODUCE=off", // what goes wrong is for messages
		"LLAVE_TELEGRAM_TOKEN=" + token, "LLAVE_TELEGRAM_API_URL=" + dep.api.URL(), "LLAVE_TELEGRAM_MODE=webhook",
		"LLAVE_TELEGRAM_RATE=1000", "LLAVE_LOG_FORMAT=text",
	}, k.settings(t)...)
	dep.fleet.env = append(dep.fleet.env, settings...)
	for range k.processes {
		dep.fleet.instances = append(dep.fleet.instances, &instance{addr: freeAddr(t), admin: freeAddr(t)})
	}
	t.Cleanup(func() {
		wantNoLeak(t, dep.logPath)
		if t.Failed() {
			t.Logf("what the processes complained of:\n%s", complaints(dep.logPath))
		}
	})
	return dep
}

// byWhatsApp opens the deployment to WhatsApp: people who are made up from now on come in these ways, in turn. Everything to be
// told to the webhook comes up to six in a body, and reports come out of order. WhatsApp's own limit of a pair is kept,
// the one of the whole number is not.
func (dep *deployment) byWhatsApp(ways ...way) {
	dep.t.Helper()
	dep.ways = ways
	dep.graph = bottest.NewGraph(bottest.GraphOptions{
		Tokens: graphTokens, PhoneNumberID: "106540352242922", AppSecret: "app-secret-of-the-deployment", VerifyToken: "verify-token-of-the-deployment", PerSecond: -1,
		Parallel: 4, // what comes meanwhile waits and shares a body
	})
	if err := dep.graph.Start(); err != nil {
		dep.t.Fatal(err)
	}
	dep.t.Cleanup(dep.graph.Close)
	dep.graph.Batch(6)
	dep.graph.Statuses("delivered", "sent", "read")
	dep.fleet.env = append(dep.fleet.env,
		"LLAVE_WHATSAPP_TOKEN="+strings.Join(graphTokens, ","), "LLAVE_WHATSAPP_PHONE_NUMBER_ID=106540352242922", "LLAVE_WHATSAPP_APP_SECRET=app-secret-of-the-deployment",
		"LLAVE_WHATSAPP_VERIFY_TOKEN=verify-token-of-the-deployment", "LLAVE_WHATSAPP_API_URL="+dep.graph.URL(), "LLAVE_WHATSAPP_RATE=1000")
}

// graphTokens are the access tokens of the deployment's bot.
var graphTokens = []string{"EAAfirst", "EAAsecond"}

// hide keeps the number of every fourth person on WhatsApp from the bot; half of those let it be known on the way.
func (dep *deployment) hide(p *person, nth int) {
	if nth%4 != 3 {
		return
	}
	p.conv = bot.ConversationID(whatsapp.Name, dep.graph.HidePhone(p.chat))
	if nth%8 == 7 {
		p.alias = conversation(p.by, p.chat)
		p.before = func(step int) {
			if step == len(road)/2 {
				dep.graph.ShowPhone(p.chat)
			}
		}
	}
}

// populate makes up n further people, each with a chat and a record of their own, and imports their records as an
// operator does.
func (dep *deployment) populate(n int) []*person {
	dep.t.Helper()
	first := len(dep.people)
	var b bytes.Buffer
	b.WriteString("_id,id_type,category,full_name,email,data_updated_at,status\n")
	for i := first; i < first+n; i++ {
		p := &person{index: i, by: dep.ways[i%len(dep.ways)], chat: 5551000000 + int64(i), number: bottest.Cedula(i), address: fmt.Sprintf("persona%05d@correo.example", i)}
		p.conv = conversation(p.by, p.chat)
		if p.by == byWhatsApp {
			dep.hide(p, i/len(dep.ways))
		}
		dep.people = append(dep.people, p)
		fmt.Fprintf(&b, "%s,cedula,affiliate,Persona %05d,%s,2025-03-01,locked\n", p.number, p.index, p.address)
	}
	file := filepath.Join(dep.t.TempDir(), "people.csv")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		dep.t.Fatal(err)
	}
	dep.imports(file)
	return dep.people[first:]
}

// imports loads records as an operator does.
func (dep *deployment) imports(file string) {
	dep.t.Helper()
	llave, err := binary()
	if err != nil {
		dep.t.Fatal(err)
	}
	p, err := dep.fleet.run(llave, dep.fleet.env, "import", file)
	if err != nil {
		dep.t.Fatal(err)
	}
	<-p.Done()
	if code := p.ExitCode(); code != 0 {
		dep.t.Fatalf("import: exit %d", code)
	}
}

// start starts every process and waits until updates come in.
func (dep *deployment) start() {
	dep.t.Helper()
	for _, p := range dep.fleet.instances {
		if err := dep.fleet.start(p); err != nil {
			dep.t.Fatal(err)
		}
	}
	if !dep.api.Wait(time.Minute, func() bool { return dep.api.WebhookURL() != "" }) {
		dep.t.Fatal("no webhook was registered")
	}
	if dep.graph == nil {
		return
	}
	if err := dep.graph.SetWebhook(dep.public + whatsapp.WebhookPath); err != nil {
		dep.t.Fatal(err)
	}
}

// phone is the stub that a person holds.
func (dep *deployment) phone(p *person) phone { return dep.way(p.by) }

// mainWay is the first of the ways in which people come.
func (dep *deployment) mainWay() phone { return dep.way(dep.ways[0]) }

func (dep *deployment) way(by way) phone {
	if by == byWhatsApp {
		return dep.graph
	}
	return dep.api
}

// walk has people walk the road, one beginning every so often as long as begin lives and not more than together at once.
// It returns when the last has come to the end, or given up because waiting ended.
func (dep *deployment) walk(begin, waiting context.Context, people []*person, every time.Duration, together int) {
	var helpers, walkers sync.WaitGroup
	carry, stop := context.WithCancel(waiting)
	helpers.Go(func() { dep.post.work(carry, dep.smtp) })
	next := make(chan *person)
	for range together {
		walkers.Go(func() {
			for p := range next {
				p.began = time.Now()
				p.failed = p.walk(waiting, dep.phone(p), dep.post)
			}
		})
	}
	tick := time.NewTicker(max(every, time.Millisecond))
	defer tick.Stop()
	for _, p := range people {
		select {
		case <-tick.C:
		case <-begin.Done():
		}
		if begin.Err() != nil {
			break
		}
		select {
		case next <- p:
		case <-begin.Done():
		}
	}
	close(next)
	walkers.Wait()
	stop()
	helpers.Wait()
}

// settle waits until nothing was sent for a while.
func (dep *deployment) settle(ctx context.Context) {
	last, since := -1, time.Now()
	for ctx.Err() == nil {
		calls, pending := len(dep.api.Calls("")), dep.api.Pending()
		if dep.graph != nil {
			calls, pending = calls+len(dep.graph.Calls("")), pending+dep.graph.Pending()
		}
		n := calls + len(dep.smtp.Letters()) + pending
		if n != last {
			last, since = n, time.Now()
		}
		if time.Since(since) > stillness && pending == 0 {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// end ends every process as an operator does, so that the store can be read.
func (dep *deployment) end() {
	dep.t.Helper()
	dep.front.close()
	for _, p := range dep.fleet.instances {
		if err := dep.fleet.terminate(p); err != nil {
			dep.t.Error(err)
		}
	}
	dep.fleet.end()
}

// begun are those who have set out.
func (dep *deployment) begun() (out []*person) {
	for _, p := range dep.people {
		if !p.began.IsZero() {
			out = append(out, p)
		}
	}
	return out
}

// wantNoLeak looks for people and secrets in all that the processes wrote.
func wantNoLeak(t *testing.T, path string) {
	t.Helper()
	log, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	const atOnce = 1 << 20
	var some strings.Builder
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, atOnce)
	for more := true; more && !t.Failed(); {
		more = lines.Scan()
		some.WriteString(lines.Text() + "\n")
		if more && some.Len() < atOnce {
			continue
		}
		for _, leak := range bottest.Leaks(some.String(), token, secretKey, "app-secret-of-the-deployment", "verify-token-of-the-deployment") {
			t.Errorf("the log holds %s", leak)
		}
		some.Reset()
	}
	if err := lines.Err(); err != nil {
		t.Errorf("read the log: %v", err)
	}
}

// complaints returns the last warnings and errors of a log. Of those that say the same only the first few are among them.
func complaints(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	const same, most = 5, 60
	var lines []string
	said := map[string]int{}
	for line := range strings.Lines(string(raw)) {
		_, says, _ := strings.Cut(line, "level=") // behind the time
		if said[says]++; said[says] <= same && !strings.HasPrefix(says, "INFO") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-most):], "")
}
