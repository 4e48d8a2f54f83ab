package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"llave/internal/bottest"
)

// A mail server that goes away while the program runs: who waits hears that the letter is late, and that it went out; readiness says
// why it is degraded, and the log has one line for the beginning and one for the end. In `uniform` a number that nobody has hears the
// same (P213).
func TestMail_away(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ disclosure, number, again string }{
		{"guided", bottest.Cedula(walker), "el correo ya salió"},
		{"uniform", bottest.Cedula(walker), "El correo ya funciona"},
		{"uniform", bottest.Cedula(people + 7), "El correo ya funciona"},
	} {
		t.Run(tt.disclosure+" "+tt.number[:2], func(t *testing.T) {
			t.Parallel()
			e := newEnvironment(t, byPolling, "LLAVE_DISCLOSURE="+tt.disclosure)
			e.imports(t, people)
			llave := e.serve(t)
			readyz := func(want string) {
				t.Helper()
				got := ""
				for end := time.Now().Add(answerWithin); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
					if got = body(t, "http://"+e.admin+"/readyz"); strings.HasPrefix(got, want) {
						return
					}
				}
				t.Fatalf("readyz says %q, want %q", got, want)
			}
			readyz("200 ready")
			e.probed(t)
			e.smtp.Down()
			readyz("200 degraded: the mail server takes no letters since")
			p := e.phone(t, walker)
			p.comesToSend(tt.number)
			p.presses("Enviar enlace", "SOLICITUD DESBLOQUEO DE CLAVE")
			p.hears("El correo demora en salir")
			if err := e.smtp.Up(); err != nil {
				t.Fatal(err)
			}
			p.hears(tt.again)
			readyz("200 ready")
			for end := time.Now().Add(answerWithin); !strings.Contains(llave.stderr.String(), "takes letters again") && time.Now().Before(end); {
				time.Sleep(100 * time.Millisecond)
			}
			llave.stop(t)
			log := llave.stderr.String()
			for line, n := range map[string]int{"level=ERROR": 1, `msg="the mail server takes no letters"`: 1, `msg="the mail server takes letters again"`: 1} {
				if got := strings.Count(log, line); got != n {
					t.Errorf("%d times %q in the log, want %d:\n%s", got, line, n, log)
				}
			}
		})
	}
}

// A mail server that is not there at the start delays nothing and ends nothing: there is a warning.
func TestMail_awayAtStart(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, byPolling)
	e.smtp.Down()
	llave := e.serve(t)
	for end := time.Now().Add(answerWithin); !strings.Contains(llave.stderr.String(), `level=WARN msg="the mail server takes no letters"`); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no warning:\n%s", llave.stderr)
		}
	}
	llave.stop(t)
}

// A process that dies while a letter waits, and once more after it was told of: the person hears that it is late, once, and that it went
// out, from whichever runs then; the link works (P213).
func TestMail_awayAndKilled(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, byWebhook)
	e.imports(t, people)
	llave := e.serve(t)
	e.smtp.Down()
	p := e.phone(t, walker)
	p.comesToSend(bottest.Cedula(walker))
	said := p.presses("Enviar enlace", "SOLICITUD DESBLOQUEO DE CLAVE")
	// What was accepted and the dead process had not yet noted may be said once more, in the same words.
	hears := func(want string) {
		t.Helper()
		for {
			m, err := p.api.WaitMessage(p.chat, p.last, answerWithin)
			if err != nil {
				t.Fatalf("waiting for %q: %v", want, err)
			}
			if p.last = m.ID; m.Text == said {
				said = "" // not twice
				continue
			}
			if said = m.Text; !strings.Contains(said, want) {
				t.Fatalf("the bot said:\n%s\nwant something with: %s", said, want)
			}
			return
		}
	}
	llave.Kill()
	llave = e.serve(t)
	hears("El correo demora en salir")
	llave.Kill()
	if err := e.smtp.Up(); err != nil {
		t.Fatal(err)
	}
	e.serve(t)
	hears("el correo ya salió")
	res, err := http.PostForm(e.letter(t, walker, 0).Link("DESBLOQUEO DE CLAVE IESS"), nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	hears("Su clave ya está desbloqueada")
	e.oneLink(t, walker)
}

// Who gave up before the letter went out is not made to wait for it again when it does, and their link works all the same.
func TestMail_awayAndGivenUp(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, byWebhook)
	e.imports(t, people)
	e.serve(t)
	e.smtp.Down()
	p := e.phone(t, walker)
	p.comesToSend(bottest.Cedula(walker))
	p.presses("Enviar enlace", "SOLICITUD DESBLOQUEO DE CLAVE")
	p.says("cancelar", "lo dejamos ahí")
	if err := e.smtp.Up(); err != nil {
		t.Fatal(err)
	}
	link := e.letter(t, walker, 0).Link("DESBLOQUEO DE CLAVE IESS")
	time.Sleep(300 * time.Millisecond) // what became of the letter is written after it went out
	p.says("estado", "no hay un trámite en marcha")
	res, err := http.PostForm(link, nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("the link answered %s", res.Status)
	}
}

// probed waits until a process has found the mail server well: what it then says of it is an error.
func (e *environment) probed(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(answerWithin); e.smtp.Count(bottest.SMTPMail) == 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the mail server was asked nothing")
		}
	}
	time.Sleep(time.Second) // the answer is on its way
}

// oneLink wants the i-th person to have one letter with a link.
func (e *environment) oneLink(t *testing.T, i int) {
	t.Helper()
	letters := 0
	for _, l := range e.smtp.LettersTo(address(i)) {
		if l.Subject == "SOLICITUD DESBLOQUEO DE CLAVE" {
			letters++
		}
	}
	if letters != 1 {
		t.Errorf("got %d letters with the link, want 1", letters)
	}
}

func body(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.Status[:3] + " " + string(text)
}
