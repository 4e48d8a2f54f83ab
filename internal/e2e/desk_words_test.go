package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"llave/internal/agent"
	"llave/internal/bottest"
	"llave/internal/handoff"
	"llave/internal/unheard"
)

// scripts are texts that want to be more than text: whatever runs of them sets window.ran.
var scripts = []string{
	`<script>ran=1</script>`,
	`<SCRIPT SRC=//malo.example/x.js></SCRIPT>`,
	`<script type=module>window.ran=1</script>`,
	`</script><script>ran=1</script>`,
	`<scr<script>ipt>ran=1</scr</script>ipt>`,
	`<img src=x onerror=ran=1>`,
	`<img src="x" onerror="window.ran=1">`,
	`<IMG """><SCRIPT>ran=1</SCRIPT>">`,
	`<img/src/onerror=ran=1>`,
	`<image href=x onerror=ran=1>`,
	`<svg onload=ran=1>`,
	`<svg><script>ran=1</script></svg>`,
	`<svg><animate onbegin=ran=1 attributeName=x dur=1s>`,
	`<svg><a xlink:href="javascript:ran=1"><text y=20>ver</text></a></svg>`,
	`<svg><foreignObject><iframe srcdoc="<script>parent.ran=1</script>">`,
	`<math><mtext><table><mglyph><style><img src onerror=ran=1>`,
	`<iframe src="javascript:parent.ran=1"></iframe>`,
	`<iframe srcdoc="<script>parent.ran=1</script>"></iframe>`,
	`<object data="data:text/html,<script>parent.ran=1</script>">`,
	`<embed src="javascript:ran=1">`,
	`<body onload=ran=1>`,
	`<video src=x onerror=ran=1></video>`,
	`<audio src onloadstart=ran=1>`,
	`<details open ontoggle=ran=1>ver</details>`,
	`<input autofocus onfocus=ran=1>`,
	`<select autofocus onfocus=ran=1>`,
	`<textarea autofocus onfocus=ran=1>`,
	`</textarea><script>ran=1</script>`,
	`</title><script>ran=1</script>`,
	`</style><script>ran=1</script>`,
	`</template><script>ran=1</script>`,
	`</li></ol></section><script>ran=1</script>`,
	`<a href="javascript:ran=1">ver</a>`,
	`<a href=" &#x6A;avascript:ran=1">ver</a>`,
	`<form action="javascript:ran=1"><button autofocus>ver</button></form>`,
	`<button formaction="javascript:ran=1">ver</button>`,
	`<base href="//malo.example/">`,
	`<link rel=stylesheet href=//malo.example/x.css>`,
	`<meta http-equiv=refresh content="0;url=javascript:ran=1">`,
	`<style>@import "//malo.example/x.css"; * { display: none }</style>`,
	`<div style="background:url(javascript:ran=1);position:fixed;inset:0">ver</div>`,
	`"><script>ran=1</script>`,
	`' onmouseover='ran=1`,
	`" autofocus onfocus="ran=1`,
	"`-alert(1)-`${ran=1}",
	`{{.Number}} {{printf "%s" .}} ${ran=1} #{ran=1}`,
	`javascript:/*--></title></style></textarea></script><svg/onload='+/"/+/onmouseover=1/+/[*/[]/+ran=1//'>`,
	`<!--<img src="--><img src=x onerror=ran=1//">`,
	`&lt;script&gt;ran=1&lt;/script&gt;`,
	`<x onclick=ran=1 tabindex=1 id=palabras data-came=ran>ver</x>`,
}

// harmless wants nothing on the page to have come alive: no script ran, and there is no element and no attribute that a page of
// ours has not.
func (v *visitor) harmless(where string) {
	v.t.Helper()
	for _, fault := range look[[]string](v, `(() => {
		const faults = "ran" in window ? ["a script ran"] : [];
		const ours = new Set("a aside br button code dd details div dl dt em fieldset form h1 h2 h3 header img input kbd label legend li main mark nav noscript ol option p section select small span strong summary table tbody td template textarea th thead time tr ul svg title desc rect line circle text q".split(" "));
		for (const e of document.querySelectorAll("main, main *, header *, dialog *")) {
			if (!ours.has(e.localName)) faults.push("an element: " + e.outerHTML.slice(0, 100));
			for (const a of e.attributes) if (a.name.startsWith("on") || /javascript:/i.test(a.name === "data-text" || a.name === "value" ? "" : a.value)) faults.push("an attribute: " + e.outerHTML.slice(0, 100));
		}
		if (document.scripts.length > [...document.scripts].filter((s) => s.src.startsWith(location.origin + "/")).length) faults.push("a script of another");
		if (document.querySelectorAll("base, iframe, object, embed, img:not([src^='/'])").length) faults.push("something that loads");
		return faults;
	})()`) {
		v.t.Errorf("%s: %s", where, fault)
	}
}

// Fifty texts that are scripts stay texts, wherever they come from and wherever they are shown.
func TestDesk_scripts(t *testing.T) {
	t.Parallel()
	if len(scripts) != 50 {
		t.Fatalf("there are %d texts, want 50", len(scripts))
	}
	o := newOffice(t)
	eva := o.sits("eva", agent.Supervisor)
	const name = `<img src=x onerror=ran=1> & "Eva"`
	if err := o.app.Agents.Rename(t.Context(), agent.CommandLine, "eva", name); err != nil {
		t.Fatal(err)
	}
	answers, err := o.app.Store.Desk.Answers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range scripts {
		answers.List = append(answers.List, handoff.Answer{Name: fmt.Sprintf("texto-%02d", i), Text: text})
	}
	if err := o.app.Store.Desk.SaveAnswers(t.Context(), &answers); err != nil {
		t.Fatal(err)
	}
	for i, text := range scripts {
		telling := unheard.Telling{Who: "one", Turn: fmt.Sprint(i), At: time.Now(), Place: "sent", Said: text, Meaning: text}
		if err := o.app.Store.Unheard.Tell(t.Context(), telling); err != nil {
			t.Fatal(err)
		}
	}
	p := o.person()
	ref := p.asks()
	eva.takes(ref)
	p.hears(name)

	for _, text := range scripts {
		p.last = p.api.Say(p.chat, text)
	}
	texts, err := json.Marshal(scripts)
	if err != nil {
		t.Fatal(err)
	}
	said := func(from string) string {
		return fmt.Sprintf(`(() => {
			const said = [...document.querySelectorAll("#lista-lineas .line.%s > .text")].map((p) => p.textContent).join("\n");
			return %s.every((text) => said.includes(text.trim()));
		})()`, from, texts)
	}
	eva.until("all that the person wrote is there, word for word", said("person"))
	for part := range slices.Chunk(scripts, 10) {
		text := strings.Join(part, "\n")
		eva.writes(text)
		do(eva.visitor, "write a note", chromedp.Steps(
			click("[data-mode=nota]"),
			chromedp.SetValue(chromedp.CSS("#nota"), text), click("#nota-caja form button"),
		))
		eva.until("the note is kept", fmt.Sprintf(`document.querySelector("#nota").value === "" && [...document.querySelectorAll("#lista-lineas .line.note")].some((l) => l.textContent.includes(%q))`, part[0]))
	}
	eva.until("all that the agent wrote is there", said("agent"))
	eva.until("all the notes are there", said("note"))
	eva.harmless("as it came")
	do(eva.visitor, "ask for ready answers", chromedp.Steps(chromedp.Focus(chromedp.CSS("#texto")), pressing("/texto-0")))
	eva.until("they are listed", `document.querySelectorAll("#respuestas [role=option]").length > 1`)
	eva.harmless("the ready answers")
	eva.keys(kb.Enter)
	eva.until("the text is in the field", fmt.Sprintf(`document.querySelector("#texto").value === %q`, scripts[0]))
	do(eva.visitor, "do not send it", chromedp.Evaluate[chromedp.Void](`document.querySelector("#texto").value = ""; sessionStorage.clear()`))

	for _, path := range []string{
		"/agentes/casos/" + ref, "/agentes?ver=mios", "/agentes?ver=todos", "/agentes/buscar?q=" + "onerror", "/agentes/cuenta",
		"/agentes/supervision", "/agentes/supervision/agentes", "/agentes/supervision/respuestas", "/agentes/supervision/no-entendido", "/agentes/supervision/auditoria",
	} {
		eva.at(path)
		eva.harmless(path)
	}
	eva.at("/agentes/casos/" + ref)
	eva.until("drawn by the server it is all there again", `["person", "agent", "note"].every((from) => document.querySelectorAll("#lista-lineas .line." + from).length > 4)`)
	eva.acts("resolver", handoff.Misuse)
	eva.shows("el caso quedó cerrado")
	for _, path := range []string{"/agentes?ver=cerrados", "/agentes/cerrados", "/agentes/casos/" + ref} {
		eva.at(path)
		eva.harmless(path)
	}
}

// Without a script: taking, answering, a note, resolving.
func TestDesk_withoutScript(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.hire("ana", "Ana", agent.Member)
	ana := bottest.NewAgent(o.base, "192.0.2.1")
	t.Cleanup(ana.Close)
	if err := ana.SignIn(t.Context(), "ana", deskPassword); err != nil {
		t.Fatal(err)
	}
	p := o.person()
	ref := p.asks()
	list, err := ana.Get(t.Context(), "/agentes")
	if err != nil || !slices.ContainsFunc(list.Rows, func(r bottest.DeskRow) bool { return r.Ref == ref }) {
		t.Fatalf("the list: got %+v, %v; want %s in it", list.Rows, err, ref)
	}
	page := "/agentes/casos/" + ref
	send := func(name string, fields ...string) bottest.DeskPage {
		t.Helper()
		read, err := ana.Get(t.Context(), page)
		if err != nil {
			t.Fatal(err)
		}
		form, found := read.Form(name)
		if !found {
			t.Fatalf("the page has no form %s", name)
		}
		for i := 0; i < len(fields); i += 2 {
			form = form.With(fields[i], fields[i+1])
		}
		answer, err := ana.Send(t.Context(), form)
		if err != nil || answer.Status != 303 || !strings.HasPrefix(answer.Location, page) {
			t.Fatalf("%s: got %d to %q, %v; want to be sent back to the page", name, answer.Status, answer.Location, err)
		}
		after, err := ana.Get(t.Context(), answer.Location)
		if err != nil {
			t.Fatal(err)
		}
		return after
	}
	send("tomar")
	p.hears("Hola, le atiende Ana")
	send("decir", "texto", "¿En qué paso se quedó?")
	p.hears("¿En qué paso se quedó?")
	p.last = p.api.Say(p.chat, "No me llega el correo")
	if !o.api.Wait(answerWithin, func() bool { return o.api.Pending() == 0 }) {
		t.Fatal("what the person wrote was not taken")
	}
	after := send("nota", "texto", "Usa otro correo.")
	for _, want := range []bottest.DeskLine{{From: "person", Text: "No me llega el correo"}, {From: "note", Text: "Usa otro correo."}} {
		if !slices.ContainsFunc(after.Lines, func(l bottest.DeskLine) bool { return l.From == want.From && l.Text == want.Text }) {
			t.Errorf("the page lacks what %s said: %s", want.From, want.Text)
		}
	}
	send("resolver", "motivo", handoff.Solved)
	p.hears("¿Cómo le atendieron?")
}
