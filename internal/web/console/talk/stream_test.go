package talk_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/agent"
	"llave/internal/handoff"
	"llave/internal/web/console/consoletest"
)

// soon is within which what one process did is seen in another.
const soon = time.Second

// What happens in one process is seen in the other within a second: a case that comes, its lines, that it is taken, and that
// it goes.
func TestStream_twoProcesses(t *testing.T) {
	d := consoletest.NewDesk(t)
	one, two := d.Process(), d.Process()
	ana, sup := one.As("ana"), two.As("sup")
	queue := listen(sup, "?ver=espera")
	queue.wait("counts", nil)

	began := time.Now()
	of := d.Ask("1")
	row := queue.wait("row", func(h heard) bool { return h.data["ref"] == of.Ref })
	came := row.at.Sub(began)
	if came > soon {
		t.Errorf("a case was seen after %v", came)
	}
	queue.wait("counts", func(h heard) bool { return h.data["waiting"] == 1.0 })
	queue.wait("alert", alerted(bot.AlertNew, of.Ref))

	p := ana.Get(casePath(of, ""))
	ana.Post(casePath(of, "tomar"), "once", nonce(t, p, casePath(of, "tomar"))).To(t, casePath(of, "")+"?ver=mios")
	queue.wait("gone", func(h heard) bool { return h.data["ref"] == of.Ref })

	watching := listen(sup, "?ver=todos&caso="+of.Ref+"&desde="+strconv.FormatInt(d.Find(of.Ref).Lines, 10))
	watching.wait("head", nil)
	mine := listen(ana, "?ver=mios&caso="+of.Ref+"&desde=0")
	mine.wait("head", func(h heard) bool { return h.data["mine"] == true })
	began = time.Now()
	ana.Post(casePath(of, "decir"), "once", strings.Repeat("a", 20), "texto", "Ya le ayudo").To(t, casePath(of, "")+"?ver=espera")
	seen := watching.wait("lines", saysHTML("Ya le ayudo"))
	if took := seen.at.Sub(began); took > soon {
		t.Errorf("a line was seen after %v", took)
	}
	t.Logf("a case was seen in the other process after %v, a line after %v", came, seen.at.Sub(began))
	d.Write("1", "gracias")
	watching.wait("lines", saysHTML("gracias"))
	mine.wait("alert", alerted(bot.AlertWrote, of.Ref))

	one.Talk.PersonTyping(of.Conv)
	mine.wait("typing", nil)
	ana.Post(casePath(of, "resolver"), "once", strings.Repeat("r", 20), "motivo", "solved").To(t, casePath(of, "")+"?ver=espera&dicho=resolver")
	watching.wait("head", func(h heard) bool { return strings.Contains(fmt.Sprint(h.data["head"]), "Resuelto") })
}

// alerted is an alert of a case.
func alerted(what, ref string) func(heard) bool {
	return func(h heard) bool { return h.data["what"] == what && h.data["ref"] == ref }
}

// A stream goes on where the page is: no line is lost and none comes twice, however it was cut.
func TestStream_resumes(t *testing.T) {
	d := consoletest.NewDesk(t)
	one, two := d.Process(), d.Process()
	of := d.Ask("1")
	d.Claim("ana", of)
	ana := one.As("ana")
	last := "0"
	var got []string
	said := 0
	for round := range 6 {
		for range 5 {
			d.Clock.Advance(5 * time.Second)
			d.Write("1", fmt.Sprintf("palabra %d", said))
			said++
		}
		e := listen(ana, "?ver=mios&caso="+of.Ref+"&desde=0", last)
		for want := strconv.FormatInt(d.Find(of.Ref).Lines, 10); last != want; {
			h := e.wait("lines", nil)
			last = h.id
			for _, s := range texts(h.html()) {
				if strings.HasPrefix(s, "palabra") {
					got = append(got, s)
				}
			}
		}
		e.close()
		if round == 2 { // the other process goes on serving the agent
			ana = two.As("ana")
		}
	}
	for i := range max(said, len(got)) {
		if i >= said || i >= len(got) || got[i] != fmt.Sprintf("palabra %d", i) {
			t.Fatalf("line %d of %d: got %q", i, said, got)
		}
	}
}

// A page that is up to date gets nothing; one that is not gets what changed while it was being opened.
func TestStream_sincePageWasDrawn(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := d.Ask("1")
	ana := d.As("ana")
	query := func() string {
		_, rest, _ := strings.Cut(ana.Get(casePath(of, "")).Want(t, http.StatusOK).Body, `data-stream="/agentes/flujo`)
		q, _, _ := strings.Cut(rest, `"`)
		return strings.ReplaceAll(q, "&amp;", "&")
	}
	e := listen(ana, query())
	e.wait("counts", nil)
	e.none(300*time.Millisecond, "list", "row", "gone", "lines", "head")

	drawn := query()
	d.Write("1", "¿hay alguien?")
	other := d.Ask("2")
	e = listen(ana, drawn)
	if got := texts(e.wait("lines", nil).html()); len(got) == 0 || got[0] != "¿hay alguien?" {
		t.Errorf("lines: got %q", got)
	}
	e.wait("", saysHTML(other.Ref))
}

// An account that is disabled is out at once, and what it had is free.
func TestStream_disabled(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := d.Ask("1")
	ana := d.As("ana")
	ana.Get("/agentes")
	d.Claim("ana", of)
	e := listen(ana, "?ver=mios")
	e.wait("counts", nil)
	if err := d.Agents.Disable(t.Context(), "sup", "ana"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	out := e.wait("out", nil)
	if took := out.at.Sub(began); took > 2*time.Second || out.data["to"] != "/agentes/entrar" {
		t.Errorf("got %v after %v", out.data, took)
	}
	<-e.ended
	if got := d.Find(of.Ref); got.Held() {
		t.Errorf("case: got %s by %s, want it free", got.Status, got.Agent)
	}
}

// A session that ends of itself leaves what the agent has to the minute of grace: they may be about to sign in again.
func TestStream_idle(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := d.Ask("1")
	ana := d.As("ana")
	d.Claim("ana", of)
	e := listen(ana, "")
	d.Clock.Advance(31 * time.Minute)
	e.wait("out", nil)
	if got := d.Find(of.Ref); !got.Held() {
		t.Error("the conversation was taken from an agent who may be back in a moment")
	}
}

func TestStream_askedByNobody(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	b := d.Browser()
	b.Do(http.MethodGet, "/agentes/flujo", nil, "Sec-Fetch-Dest", "empty").Want(t, http.StatusUnauthorized)
	b.Do(http.MethodPost, "/agentes/latido", nil, "Sec-Fetch-Dest", "empty").Want(t, http.StatusUnauthorized)
}

// watching says whether a goroutine of some console asks the store.
func watching() bool {
	var b bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&b, 2)
	return strings.Contains(b.String(), "talk.(*live).run")
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come to be", what)
		}
	}
}

// One goroutine watches the store while somebody listens, however many do, and none when nobody does.
func TestStream_watcherEndsWithTheLast(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	ana := d.As("ana")
	if watching() {
		t.Fatal("the store is watched before anybody listens")
	}
	for range 3 {
		var listeners []*listener
		for range 5 {
			e := listen(ana, "?ver=espera")
			e.wait("counts", nil)
			listeners = append(listeners, e)
		}
		var b bytes.Buffer
		_ = pprof.Lookup("goroutine").WriteTo(&b, 2)
		if n := strings.Count(b.String(), "talk.(*live).run("); n != 1 {
			t.Errorf("%d goroutines watch the store, want 1", n)
		}
		for _, e := range listeners {
			e.close()
		}
		eventually(t, "the end of watching", func() bool { return !watching() })
	}
}

// At the end of the process every stream ends, and none begins.
func TestStream_closed(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	ana := d.As("ana")
	e := listen(ana, "?ver=espera")
	e.wait("counts", nil)
	d.Talk.Close()
	d.Talk.Close()
	<-e.ended
	ana.Get("/agentes/flujo").Want(t, http.StatusServiceUnavailable)
	ana.Get("/agentes").Want(t, http.StatusOK)
	eventually(t, "the end of watching", func() bool { return !watching() })
}

// A browser that takes nothing is dropped, and holds up nobody.
func TestStream_slowClient(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := d.Ask("1")
	d.Claim("ana", of)
	ana := d.As("ana")
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", d.Server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /agentes/flujo?ver=mios&caso=%s&desde=0 HTTP/1.1\r\nHost: x\r\nCookie: agente=%s\r\n\r\n", of.Ref, ana.Cookie("agente"))
	if status, err := bufio.NewReaderSize(conn, 64).ReadString('\n'); err != nil || !strings.Contains(status, "200") {
		t.Fatalf("stream: got %q, %v", status, err)
	}
	brisk := listen(ana, "?ver=mios&caso="+of.Ref+"&desde=0")
	brisk.wait("head", nil)
	long := strings.Repeat("<", 3900) // each takes six bytes and more on its way
	who := handoff.Actor{Login: "ana", Name: "Persona de Prueba"}
	for i := range 40 { // more than all the buffers between hold
		if err := d.Desk.Desk.Note(t.Context(), handoff.Deed{Once: fmt.Sprint("n", i), Ref: of.Ref, Actor: who}, fmt.Sprint(i, " ", long)); err != nil {
			t.Fatal(err)
		}
	}
	brisk.wait("lines", saysHTML("39 <"))
	brisk.close()
	eventually(t, "the end of the slow stream", func() bool { return !watching() })
}

// The role of an agent decides what a stream may show.
func TestStream_filters(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := d.Ask("1")
	d.Claim("sup", of)
	e := listen(d.As("ana"), "?ver=todos")
	e.wait("counts", nil)
	e.none(300*time.Millisecond, "list", "row")
	listen(d.As("sup"), "?ver=todos").wait("list", saysHTML(of.Ref))
	d.Add("eva", agent.Supervisor)
	e = listen(d.As("eva"), "?ver=cerrados")
	e.wait("counts", nil)
	err := d.Desk.Desk.Resolve(context.Background(), handoff.Deed{Once: "z", Ref: of.Ref, Actor: handoff.Actor{Login: "sup"}}, handoff.Solved)
	if err != nil {
		t.Fatal(err)
	}
	e.wait("list", saysHTML(of.Ref))
}
