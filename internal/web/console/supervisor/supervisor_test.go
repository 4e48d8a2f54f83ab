package supervisor_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"llave/bot"
	"llave/internal/agent"
	"llave/internal/handoff"
	"llave/internal/web/console/consoletest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// otherPassword is one that nobody has yet.
const otherPassword = "tambor lento bajo la nube gris"

// allPages are the supervisor's, then those of every agent.
var (
	supervisorPages = []string{
		"/agentes/supervision", "/agentes/supervision?dias=7", "/agentes/supervision?dias=30", "/agentes/supervision/agentes",
		"/agentes/supervision/horario", "/agentes/supervision/auditoria", "/agentes/supervision/respuestas", unheardPage, "/agentes/exportar.csv", "/agentes/cifras.csv", "/agentes/supervision/casos", "/agentes/supervision/tablero", proceduresPage, "/agentes/supervision?dias=7&agente=ana&tema=-&canal=telegram",
	}
	agentPages = []string{"/agentes/buscar", "/agentes/buscar?q=C7KH4M9TX", "/agentes/cerrados", "/agentes/cerrados?dia=2026-02-27"}
)

func TestSupervisor_whoMayRead(t *testing.T) {
	d := consoletest.NewDesk(t)
	ana, sup, nobody := d.As("ana"), d.As("sup"), d.Browser()
	for _, path := range supervisorPages {
		sup.Get(path).Want(t, http.StatusOK)
		if p := ana.Get(path).Want(t, http.StatusForbidden, "Esta página es para supervisores"); strings.Contains(p.Body, "<th") {
			t.Errorf("%s: an agent sees a table", path)
		}
		if p := nobody.Get(path); p.Status != http.StatusSeeOther || !strings.HasPrefix(p.Location, "/agentes/entrar") {
			t.Errorf("%s: nobody got %d to %q", path, p.Status, p.Location)
		}
	}
	for _, path := range agentPages {
		sup.Get(path).Want(t, http.StatusOK)
		ana.Get(path).Want(t, http.StatusOK)
	}
	ana.Get("/agentes/supervision/ahora").Want(t, http.StatusForbidden)
	for _, path := range []string{"/agentes/supervision/agentes", "/agentes/supervision/horario", "/agentes/supervision/respuestas"} {
		ana.Post(path, "hacer", "cerrar", "version", "0").Want(t, http.StatusForbidden)
		sup.Post(path, "hacer", "otra-cosa", "version", "0").Want(t, http.StatusBadRequest)
		sup.Do(http.MethodPost, path, nil, "Origin", "https://otro.example", "Sec-Fetch-Site", "cross-site").Want(t, http.StatusForbidden)
	}
	if s, err := d.Store.Schedule.Load(t.Context()); err != nil || s.Version != 0 {
		t.Errorf("the hours changed: %+v, %v", s, err)
	}
}

// Pages carry nothing inline, one heading of the first rank, a label for every field, and what they are is said.
func TestSupervisor_pagesAreSound(t *testing.T) {
	d := consoletest.NewDesk(t)
	d.Keep(closedCase("C-AAAA-AAA", d.Clock.Now()))
	sup := d.As("sup")
	for _, path := range slices.Concat(supervisorPages, agentPages) {
		p := sup.Get(path)
		if strings.HasSuffix(path, ".csv") {
			continue
		}
		for _, bad := range []string{" style=", "<style", " onclick", "javascript:", "ZgotmplZ", "<no value>", "%!"} {
			if strings.Contains(p.Body, bad) {
				t.Errorf("%s holds %q", path, bad)
			}
		}
		if n := strings.Count(p.Body, "<h1"); n != 1 {
			t.Errorf("%s has %d headings of the first rank", path, n)
		}
		for rest := p.Main(); ; {
			_, after, more := strings.Cut(rest, " id=\"")
			if !more {
				break
			}
			id, _, _ := strings.Cut(after, `"`)
			if n := strings.Count(p.Body, ` id="`+id+`"`); n != 1 {
				t.Errorf("%s: id %q stands there %d times", path, id, n)
			}
			rest = after
		}
		for _, field := range fields(p.Main()) {
			if !strings.Contains(p.Body, `for="`+field+`"`) {
				t.Errorf("%s: the field %q has no label", path, field)
			}
		}
		if policy := p.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "style-src 'self'") || !strings.Contains(policy, "script-src 'self'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", path, policy)
		}
	}
}

// fields are the ids of what is typed into or chosen from.
func fields(html string) []string {
	var ids []string
	for _, tag := range strings.Split(html, "<")[1:] {
		name, _, _ := strings.Cut(tag, " ")
		if !slices.Contains([]string{"input", "select", "textarea"}, name) || strings.Contains(tag, `type="hidden"`) || strings.Contains(tag, `type="radio"`) {
			continue
		}
		_, rest, _ := strings.Cut(tag, ` id="`)
		id, _, _ := strings.Cut(rest, `"`)
		ids = append(ids, id)
	}
	return ids
}

// closedCase is one that was asked for, taken after two minutes, answered after three, and resolved after ten.
func closedCase(ref string, asked time.Time) bot.Handoff {
	h := bot.Handoff{
		Ref: ref, Status: bot.HandoffClosed, Rank: handoff.RankUsual, Agent: "ana", AgentName: "Persona de Prueba", Reason: handoff.Solved, Rating: 4,
		Asked: asked, Taken: asked.Add(2 * time.Minute), Answered: asked.Add(3 * time.Minute), Ended: asked.Add(10 * time.Minute),
	}
	return h
}

func TestSupervision_figures(t *testing.T) {
	d := consoletest.NewDesk(t)
	now := d.Clock.Now()
	d.Keep(closedCase("C-AAAA-AA1", now.Add(-time.Hour)))
	left := bot.Handoff{Ref: "C-AAAA-AA2", Status: bot.HandoffClosed, Reason: handoff.Left, Asked: now.Add(-2 * time.Hour), Ended: now.Add(-time.Hour)}
	d.Keep(left)
	old := closedCase("C-AAAA-AA3", now.AddDate(0, 0, -3))
	old.Answered, old.Rating = old.Asked.Add(2*time.Hour+5*time.Minute), 5
	d.Keep(old)
	sup := d.As("sup")

	today := sup.Get("/agentes/supervision").Want(t, http.StatusOK, "Persona de Prueba", "3 min", "4,0", "La persona no esperó", "Resuelto", "<svg", "<desc", "Datos de las")
	if strings.Contains(today.Body, "2 h 5 min") {
		t.Error("today's figures hold a case of three days ago")
	}
	sup.Get("/agentes/supervision?dias=7").Want(t, http.StatusOK, "2 h 5 min", "4,5", "Últimos 7 días")
	sup.Get("/agentes/supervision?desde=2026-02-27&hasta=2026-02-28").Want(t, http.StatusOK, "Del 27/02/2026 al 28/02/2026", "2 h 5 min", "viernes 27 de febrero de 2026", `value="2026-02-27"`)
	sup.Get("/agentes/supervision?desde=2026-02-27&hasta=2026-02-01").Want(t, http.StatusUnprocessableEntity, "posterior", `value="2026-02-01"`)
	sup.Get("/agentes/supervision?dias=-1").Want(t, http.StatusOK, `?dias=1" aria-current="true"`)
}

// A figure leads to the cases that it counts: as many as it says, with what was chosen, and no others.
func TestSupervision_figuresOpenTheirCases(t *testing.T) {
	d := consoletest.NewDesk(t)
	now := d.Clock.Now()
	late := closedCase("C-AAAA-AA1", now.Add(-time.Hour)) // three minutes
	late.Meaning, late.From = "not_arrived", "LinkSent"
	d.Keep(late)
	soon := closedCase("C-AAAA-AA2", now.Add(-30*time.Minute))
	soon.Answered, soon.Agent, soon.AgentName = soon.Asked.Add(time.Minute), "luz", "Luz <b>"
	d.Keep(soon)
	d.Keep(bot.Handoff{Ref: "C-AAAA-AA3", Status: bot.HandoffClosed, Reason: handoff.Left, Asked: now.Add(-time.Hour), Ended: now.Add(-55 * time.Minute)})
	d.Keep(closedCase("C-AAAA-AA4", now.AddDate(0, 0, -1)))
	sup := d.As("sup")
	today := sup.Get("/agentes/supervision").Want(t, http.StatusOK, "Pasaron la meta de 2 min", "No esperaron: la mitad se fue a los", "5 min", "1 sin atención", "No le llega", "LinkSent", "Luz &lt;b&gt;")
	links := regexp.MustCompile(`href="(/agentes/supervision/casos\?[^"]*)">(\d+)<span`).FindAllStringSubmatch(today.Body, -1)
	if len(links) < 8 {
		t.Fatalf("%d figures lead to their cases", len(links))
	}
	refs := regexp.MustCompile(`scope="row"><a href="/agentes/casos/`)
	for _, l := range links {
		page := sup.Get(html.UnescapeString(l[1])).Want(t, http.StatusOK)
		if n := strconv.Itoa(len(refs.FindAllString(page.Body, -1))); n != l[2] {
			t.Errorf("%s: the figure is %s and opens %s cases", l[1], l[2], n)
		}
	}
	for query, want := range map[string]string{
		"cuales=breached": "AA1 AA3", "agente=luz": "AA2", "tema=not_arrived": "AA1", "tema=-": "AA2 AA3", "paso=LinkSent": "AA1", "canal=telegram": "AA1 AA2 AA3", "canal=whatsapp": "",
		"hora=09": "AA1 AA2 AA3", "hora=10": "", "motivo=left": "AA3", "cuales=abandoned": "AA3", "cuales=otra": "", "desde=2026-03-01&hasta=2026-03-01": "AA4",
	} {
		page := sup.Get("/agentes/supervision/casos?"+query).Want(t, http.StatusOK)
		var got []string
		for _, of := range regexp.MustCompile(`casos/C-AAAA-(AA\d)`).FindAllStringSubmatch(page.Body, -1) {
			got = append(got, of[1])
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %v, want %s", query, got, want)
		}
	}
	sup.Get("/agentes/supervision/casos?cuales=breached&tema=not_arrived").Want(t, http.StatusOK, "pasaron la meta de la primera respuesta, tema: No le llega", "<strong>1 caso</strong>", `data-pace="late"`)
	sup.Get("/agentes/supervision/casos?desde=ayer").Want(t, http.StatusUnprocessableEntity, "No es una fecha")
}

// The board shows who waits by the target, and how long those who are with an agent wait for a word.
func TestBoard(t *testing.T) {
	d := consoletest.NewDesk(t)
	if err := d.Desk.Beat(t.Context(), handoff.Actor{Login: "ana", Name: "Persona de Prueba"}, false); err != nil {
		t.Fatal(err)
	}
	first := d.Ask("1")
	d.Clock.Advance(70 * time.Second)
	second := d.Ask("2")
	d.Clock.Advance(65 * time.Second)
	d.Ask("3")
	sup := d.As("sup")
	const path = "/agentes/supervision/tablero"
	part := sup.Get(path+"/ahora").Want(t, http.StatusOK, `data-pace="late">2 min 15 s <small>pasó la meta</small>`, `data-pace="near">1 min 5 s</td>`, `data-pace="calm">0 s</td>`, "Ningún agente tiene un caso")
	if strings.Contains(part.Body, "<html") || strings.Index(part.Body, first.Ref) > strings.Index(part.Body, second.Ref) {
		t.Errorf("the piece is a whole page, or not in the order of the queue:\n%s", part.Body)
	}
	d.Claim("ana", first)
	sup.Get(path).Want(t, http.StatusOK, "<h1>En vivo</h1>", "Persona de Prueba", `data-every="5"`, `id="sin-datos"`)
	d.As("ana").Get(path+"/ahora").Want(t, http.StatusForbidden)
}

// The audit is looked through by name, deed, case and days together.
func TestAudit_search(t *testing.T) {
	d := consoletest.NewDesk(t)
	if _, err := d.Agents.Add(t.Context(), agent.CommandLine, agent.Newcomer{Login: "rperez", Name: "Rosa Pérez", Role: agent.Member}, consoletest.Password); err != nil {
		t.Fatal(err)
	}
	refs := []string{bot.Ref("C", "1"), bot.Ref("C", "2")}
	for i, e := range [][3]string{
		{"rperez", "case_claim", refs[0]}, {"rperez", "case_resolve", refs[0] + " solved"}, {"ana", "case_claim", refs[1]}, {"ana", "desk_search", "1 abc " + refs[0] + " " + refs[1]},
	} {
		if err := d.Desk.Audit(t.Context(), "z"+strconv.Itoa(i), e[0], e[1], e[2]); err != nil {
			t.Fatal(err)
		}
	}
	sup := d.As("sup")
	for query, want := range map[string]string{
		"quien=rosa": "Tomó un caso|Cerró un caso", "quien=perez+ROSA": "Tomó un caso|Cerró un caso", "quien=rperez&que=case_claim": "Tomó un caso", "quien=nadie": "",
		"que=case_claim": "Tomó un caso|Tomó un caso", "caso=" + refs[1]: "Tomó un caso|Buscó en lo que se dijo", "caso=" + strings.ToLower(refs[0]) + "&que=desk_search": "Buscó en lo que se dijo",
		"caso=" + refs[0] + "&desde=2026-03-01&hasta=2026-03-01": "",
	} {
		page := sup.Get("/agentes/supervision/auditoria?"+query).Want(t, http.StatusOK)
		var got []string
		for _, of := range regexp.MustCompile(`data-of="Qué">([^<]*)<`).FindAllStringSubmatch(page.Body, -1) {
			got = append(got, of[1])
		}
		slices.Reverse(got) // the latest is first
		if strings.Join(got, "|") != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	sup.Get("/agentes/supervision/auditoria?quien=rosa").Want(t, http.StatusOK, "Rosa Pérez <small>rperez</small>", `value="rosa"`)
	sup.Get("/agentes/supervision/auditoria?caso=x").Want(t, http.StatusUnprocessableEntity, "no es el número de un caso", `value="x"`)
}

func TestSupervision_now(t *testing.T) {
	d := consoletest.NewDesk(t)
	if err := d.Desk.Beat(t.Context(), handoff.Actor{Login: "ana", Name: "Ana <b>"}, true); err != nil {
		t.Fatal(err)
	}
	d.Ask("1")
	d.Clock.Advance(20 * time.Second)
	second := d.Ask("2")
	d.Clock.Advance(25 * time.Second)
	d.Claim("ana", second)

	sup := d.As("sup")
	sup.Get("/agentes/supervision").Want(t, http.StatusOK, "<dt>En espera</dt><dd>1</dd>", "<dd>45 s</dd>", "<dt>En atención</dt><dd>1</dd>", "1 chat")
	part := sup.Get("/agentes/supervision/ahora").Want(t, http.StatusOK, "<dt>En espera</dt><dd>1</dd>", "abierta")
	if strings.Contains(part.Body, "<html") {
		t.Error("the piece is a whole page")
	}
}

// Who only has the page open is signed out for doing nothing.
func TestSupervision_lookingIsNoAction(t *testing.T) {
	d := consoletest.NewDesk(t)
	sup := d.As("sup")
	for range 3 {
		d.Clock.Advance(9 * time.Minute)
		sup.Get("/agentes/supervision/ahora").Want(t, http.StatusOK)
	}
	d.Clock.Advance(9 * time.Minute)
	if p := sup.Do(http.MethodGet, "/agentes/supervision/ahora", nil, "Sec-Fetch-Dest", "empty"); p.Status != http.StatusUnauthorized {
		t.Errorf("got %d, want 401", p.Status)
	}
}

const agentsPage = "/agentes/supervision/agentes"

func TestAgents_add(t *testing.T) {
	d := consoletest.NewDesk(t)
	sup := d.As("sup")
	sup.Post(agentsPage, "hacer", "agregar", "usuario", "Luz", "nombre", "Luz <i>Prueba</i>", "rol", "agent", "contrasena", consoletest.Password).
		To(t, agentsPage+"?de=luz&hecho=agregar")
	sup.Get(agentsPage+"?de=luz&hecho=agregar").Want(t, http.StatusOK, "Luz &lt;i&gt;Prueba&lt;/i&gt; ya puede entrar")
	luz := d.As("luz")
	luz.Get("/agentes/buscar").To(t, "/agentes/cuenta")
	luz.Get("/agentes/cuenta").Want(t, http.StatusOK, "elija su propia contraseña")
	luz.Post("/agentes/cuenta", "hacer", "contrasena", "actual", consoletest.Password, "nueva", consoletest.Password, "nueva2", consoletest.Password).
		Want(t, http.StatusUnprocessableEntity, "Es la que ya tiene")
	luz.Post("/agentes/cuenta", "hacer", "contrasena", "actual", consoletest.Password, "nueva", otherPassword, "nueva2", otherPassword).
		To(t, "/agentes/cuenta?hecho=contrasena")
	luz.Get("/agentes/buscar").Want(t, http.StatusOK)
	sup.Get(agentsPage+"?de=%3Cscript%3E&hecho=agregar").Want(t, http.StatusOK)

	tests := []struct {
		name, login, who, role, password string
		says                             []string
	}{
		{"login with a space", "mal usuario", "Eva Prueba", "agent", consoletest.Password, []string{"Ese usuario no sirve", `value="mal usuario"`, `value="Eva Prueba"`}},
		{"login is taken", "ana", "Eva Prueba", "supervisor", consoletest.Password, []string{"Ese usuario ya existe", `value="supervisor" selected`}},
		{"no name", "eva", " ", "agent", consoletest.Password, []string{"Ponga un nombre"}},
		{"no role", "eva", "Eva Prueba", "jefe", consoletest.Password, []string{"Elija un rol"}},
		{"short password", "eva", "Eva Prueba", "agent", "sol y mar", []string{"Es muy corta", `value="eva"`}},
		{"easy password", "eva", "Eva Prueba", "agent", "123456789012345", []string{"Es fácil de adivinar"}},
		{"password is the name", "eva", "Eva Prueba", "agent", "Eva Prueba nube tambor sopa", []string{"Tiene el nombre o el usuario"}},
		{"script as a name", "eva", `"><script>x</script>`, "agent", "xq7", []string{"&lt;script&gt;"}},
	}
	for _, tt := range tests {
		p := sup.Post(agentsPage, "hacer", "agregar", "usuario", tt.login, "nombre", tt.who, "rol", tt.role, "contrasena", tt.password).
			Want(t, http.StatusUnprocessableEntity, append(tt.says, `aria-invalid="true"`, "No se guardó nada")...)
		if strings.Contains(p.Body, tt.password) {
			t.Errorf("%s: the password stands in the page", tt.name)
		}
	}
	if _, err := d.Agents.Find(t.Context(), "eva"); err == nil {
		t.Error("eva was added")
	}
}

func TestAgents_change(t *testing.T) {
	d := consoletest.NewDesk(t)
	sup := d.As("sup")
	sup.Post(agentsPage, "hacer", "nombre", "usuario", "ana", "nombre", "Ana María").To(t, agentsPage+"?de=ana&hecho=nombre")
	sup.Get(agentsPage).Want(t, http.StatusOK, "Ana María")
	sup.Post(agentsPage, "hacer", "nombre", "usuario", "ana", "nombre", "x").Want(t, http.StatusUnprocessableEntity, "Ponga un nombre", `value="x"`, "<details open>")
	sup.Post(agentsPage, "hacer", "rol", "usuario", "ana", "rol", "supervisor").To(t, agentsPage+"?de=ana&hecho=rol")
	sup.Post(agentsPage, "hacer", "rol", "usuario", "ana", "rol", "agent").To(t, agentsPage+"?de=ana&hecho=rol")
	sup.Post(agentsPage, "hacer", "rol", "usuario", "ana", "rol", "jefe").Want(t, http.StatusUnprocessableEntity, "Elija un rol")
	sup.Post(agentsPage, "hacer", "rol", "usuario", "sup", "rol", "agent").Want(t, http.StatusUnprocessableEntity, "No queda otro supervisor")
	sup.Post(agentsPage, "hacer", "desactivar", "usuario", "sup").Want(t, http.StatusUnprocessableEntity, "No queda otro supervisor")
	sup.Post(agentsPage, "hacer", "nombre", "usuario", "nadie", "nombre", "Nadie").Want(t, http.StatusUnprocessableEntity, "Esa cuenta no existe")
	sup.Post(agentsPage, "hacer", "contrasena", "usuario", "ana", "contrasena", "corta").Want(t, http.StatusUnprocessableEntity, "Es muy corta")
	sup.Post(agentsPage, "hacer", "contrasena", "usuario", "ana", "contrasena", otherPassword).To(t, agentsPage+"?de=ana&hecho=contrasena")
	ana := d.Browser()
	ana.SignIn("ana", otherPassword).To(t, "/agentes")
	ana.Get("/agentes").To(t, "/agentes/cuenta") // a password that another chose is changed first
	ana.Post("/agentes/cuenta", "hacer", "empezar", "actual", otherPassword).To(t, "/agentes/cuenta")
	sup.Post(agentsPage, "hacer", "sesiones", "usuario", "ana").To(t, agentsPage+"?de=ana&hecho=sesiones")
	ana.Get("/agentes").To(t, "/agentes/entrar")
	for _, do := range []string{"contrasena", "sin-codigo"} { // one's own take the password, and the code
		sup.Post(agentsPage, "hacer", do, "usuario", " Sup", "contrasena", otherPassword).Want(t, http.StatusForbidden)
	}
	sup.Post(agentsPage, "hacer", "sin-codigo", "usuario", "ana").To(t, agentsPage+"?de=ana&hecho=sin-codigo")
	for _, what := range []string{"agent_renamed", "agent_role", "agent_password", "agent_totp_off", "agent_sessions_ended"} {
		if got := d.Told(what); len(got) == 0 || !strings.HasPrefix(got[0], "sup: ana") {
			t.Errorf("the audit says of %s: %q", what, got)
		}
	}
}

// A disabled agent is thrown out at the next request, and who they were talking to waits again.
func TestAgents_disable(t *testing.T) {
	d := consoletest.NewDesk(t)
	ana, sup := d.As("ana"), d.As("sup")
	ana.Get("/agentes/buscar").Want(t, http.StatusOK)
	asked := d.Ask("1")
	d.Claim("ana", asked)
	sup.Post(agentsPage, "hacer", "desactivar", "usuario", "ana").To(t, agentsPage+"?de=ana&hecho=desactivar")
	sup.Get(agentsPage+"?de=ana&hecho=desactivar").Want(t, http.StatusOK, "ya no puede entrar", "desactivada", "Activar la cuenta")
	if p := ana.Get("/agentes/buscar"); p.Status != http.StatusSeeOther {
		t.Errorf("the disabled agent got %d", p.Status)
	}
	if c := d.CaseOf("1"); !c.Waiting() || c.Agent != "" {
		t.Errorf("the case is %s with %q, want it in the queue", c.Status, c.Agent)
	}
	sup.Post(agentsPage, "hacer", "activar", "usuario", "ana").To(t, agentsPage+"?de=ana&hecho=activar")
	d.As("ana")
}

func TestAudit(t *testing.T) {
	d := consoletest.NewDesk(t)
	for i := range 120 {
		who := []string{"ana", "sup"}[i%2]
		err := d.Store.Audit.AppendAgent(t.Context(), agent.AuditEntry{
			ID: "x" + string(rune('A'+i/26)) + string(rune('a'+i%26)), At: d.Clock.Now().Add(time.Duration(i) * time.Second), Who: who, What: "case_reveal", Detail: "C-0000-" + string(rune('A'+i/26)) + string(rune('a'+i%26)),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	d.Clock.Advance(3 * time.Minute)
	sup := d.As("sup")
	for i, entry := range [][2]string{
		{"case_resolve", "C-AAAA-AA1 solved"}, {"case_pass", "C-AAAA-AA2 luz"}, {"case_return", "C-AAAA-AA3 PressedLink"}, {"otra_cosa", "<b>detalle</b>"},
	} {
		if err := d.Desk.Audit(t.Context(), "y"+string(rune('a'+i)), "eva", entry[0], entry[1]); err != nil {
			t.Fatal(err)
		}
	}
	sup.Get("/agentes/supervision/auditoria?quien=eva").Want(t, http.StatusOK,
		`<a href="/agentes/casos/C-AAAA-AA1">C-AAAA-AA1</a>: Resuelto`, "C-AAAA-AA2</a>: a luz", "C-AAAA-AA3</a>: PressedLink", "otra_cosa", "&lt;b&gt;detalle&lt;/b&gt;")
	sup.Get("/agentes/supervision/auditoria?pagina=3").Want(t, http.StatusOK, "Creó una cuenta", "sup, supervisor", "ana, agente")
	const path = "/agentes/supervision/auditoria"
	first := sup.Get(path).Want(t, http.StatusOK, "Vio un número completo", "C-0000-Ep", "Siguientes", "Entró")
	if strings.Contains(first.Body, "C-0000-Aa") || strings.Index(first.Body, "C-0000-Ep") > strings.Index(first.Body, "C-0000-Eo") {
		t.Error("the latest entries do not come first")
	}
	last := sup.Get(path+"?pagina=3").Want(t, http.StatusOK, "C-0000-Aa", "Anteriores")
	if strings.Contains(last.Body, "Siguientes") {
		t.Error("there is a page after the last")
	}
	sup.Get(path+"?pagina=99").Want(t, http.StatusOK, "No hay nada escrito")
	if p := sup.Get(path+"?quien=ANA").Want(t, http.StatusOK, "C-0000-Eo"); strings.Contains(p.Body, "C-0000-Ep") {
		t.Error("somebody else's entry is in ana's list")
	}
	sup.Get(path+"?desde=2026-02-01&hasta=2026-02-02").Want(t, http.StatusOK, "No hay nada escrito")
	sup.Get(path+"?desde=2026-03-02&hasta=2026-03-01").Want(t, http.StatusUnprocessableEntity, "posterior", `value="2026-03-02"`)
	sup.Get(path+"?desde=ayer").Want(t, http.StatusUnprocessableEntity, "No es una fecha")
	sup.Get(path+"?desde=2020-01-01&hasta=2026-03-02").Want(t, http.StatusUnprocessableEntity, "demasiados días")
}

const answersPage = "/agentes/supervision/respuestas"

func TestAnswers(t *testing.T) {
	d := consoletest.NewDesk(t)
	sup := d.As("sup")
	sup.Post(answersPage, "hacer", "agregar", "version", "0", "nombre", "/Abrir Correo", "texto", "Abra su correo, {persona}.\r\n<b>Ahora</b>").To(t, answersPage+"?hecho=agregar")
	sup.Get(answersPage).Want(t, http.StatusOK, "/abrir-correo", "Abra su correo, {persona}.\n&lt;b&gt;Ahora&lt;/b&gt;")

	long := strings.Repeat("ñ", 1001)
	for _, tt := range []struct {
		name, text string
		says       []string
	}{
		{"", "texto", []string{"Ese nombre no sirve", ">texto</textarea>"}},
		{"con/barra", "texto", []string{"Ese nombre no sirve", `value="con/barra"`}},
		{`"><script>`, "</textarea><script>x</script>", []string{"Ese nombre no sirve", "&lt;/textarea&gt;&lt;script&gt;"}},
		{"abrir-correo", "texto", []string{"Ya hay una respuesta"}},
		{"vacia", " \n", []string{"Falta el texto"}},
		{"larga", long, []string{"Es muy largo", long}},
	} {
		sup.Post(answersPage, "hacer", "agregar", "version", "1", "nombre", tt.name, "texto", tt.text).Want(t, http.StatusUnprocessableEntity, tt.says...)
	}
	sup.Post(answersPage, "hacer", "agregar", "version", "1", "nombre", "larga", "texto", long[2:]).To(t, answersPage+"?hecho=agregar")

	sup.Post(answersPage, "hacer", "cambiar", "version", "1", "era", "larga", "nombre", "corta", "texto", "Lo mío").
		Want(t, http.StatusConflict, "Otra persona guardó un cambio", ">Lo mío</textarea>", "<details open>")
	sup.Post(answersPage, "hacer", "cambiar", "version", "2", "era", "larga", "nombre", "abrir-correo", "texto", "Lo mío").
		Want(t, http.StatusUnprocessableEntity, "Ya hay una respuesta", ">Lo mío</textarea>")
	sup.Post(answersPage, "hacer", "cambiar", "version", "2", "era", "larga", "nombre", "corta", "texto", "Lo mío").To(t, answersPage+"?hecho=cambiar")
	sup.Post(answersPage, "hacer", "borrar", "version", "3", "era", "abrir-correo").To(t, answersPage+"?hecho=borrar")
	a, err := d.Store.Desk.Answers(t.Context())
	if err != nil || len(a.List) != 1 || a.List[0] != (handoff.Answer{Name: "corta", Text: "Lo mío"}) {
		t.Errorf("answers: got %+v, %v", a, err)
	}
	// A change of what a colleague has deleted is offered as a new one.
	sup.Post(answersPage, "hacer", "cambiar", "version", "3", "era", "abrir-correo", "nombre", "abrir-correo", "texto", "Sigue aquí").
		Want(t, http.StatusConflict, ">Sigue aquí</textarea>")
	if got := d.Told("desk_answers"); len(got) != 4 {
		t.Errorf("the audit has %d edits of the answers, want 4: %q", len(got), got)
	}
}

// What gives rights, or takes much away at once, wants the password again; of a form that was sent nothing is done.
func TestProven(t *testing.T) {
	d := consoletest.NewDesk(t)
	d.Keep(closedCase("C-AAAA-AA1", d.Clock.Now()))
	sup := d.As("sup")
	const file, cases = "/agentes/casos/C-AAAA-AA1/transcripcion.csv", "/agentes/exportar.csv?desde=2026-03-01&hasta=2026-03-02"
	for _, page := range []string{agentsPage, cases, file} {
		sup.Get(page).Want(t, http.StatusOK)
	}
	d.Clock.Advance(agent.ProofLife)
	exported := len(d.Told("case_export"))
	for _, page := range []string{agentsPage, cases, file} {
		sup.Get(page).To(t, "/agentes/confirmar?"+url.Values{"volver": {page}}.Encode())
	}
	for _, form := range [][]string{
		{"hacer", "rol", "usuario", "ana", "rol", "supervisor"}, {"hacer", "contrasena", "usuario", "ana", "contrasena", otherPassword}, {"hacer", "sin-codigo", "usuario", "ana"},
		{"hacer", "agregar", "usuario", "eva", "nombre", "Eva", "rol", "supervisor", "contrasena", otherPassword},
	} {
		fields := url.Values{}
		for i := 0; i < len(form); i += 2 {
			fields.Set(form[i], form[i+1])
		}
		sup.Do(http.MethodPost, agentsPage, fields, "Referer", "http://localhost"+agentsPage+"?de=ana").To(t, "/agentes/confirmar?"+url.Values{"volver": {agentsPage + "?de=ana"}}.Encode())
	}
	if all, err := d.Agents.List(t.Context()); err != nil || len(all) != 2 || all[0].Role != agent.Member || len(d.Told("case_export")) != exported {
		t.Errorf("something was done without the password: %v, %v", all, err)
	}
	sup.Post("/agentes/confirmar", "actual", consoletest.Password, "volver", cases).To(t, cases)
	sup.Get(cases).Want(t, http.StatusOK)
	sup.Post(agentsPage, "hacer", "rol", "usuario", "ana", "rol", "supervisor").To(t, agentsPage+"?de=ana&hecho=rol")
}
