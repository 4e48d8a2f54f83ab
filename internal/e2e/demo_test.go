package e2e

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// demoDesk is the desk's page in the frame of `llave demo`, as a script.
const demoDesk = `document.querySelector(".desk iframe").contentDocument`

// The whole of `llave demo` in one window: somebody asks for a person in the phone, the case appears at the desk beside it and
// is taken there, both write and see the other writing, and the bot goes on where the desk says. Nothing of it is reloaded.
func TestDemo_desk(t *testing.T) {
	t.Parallel()
	findBrowser(t)
	addr := freeAddr(t)
	demo := start(t, []string{"LLAVE_HTTP_ADDR=" + addr}, "demo")
	demo.waitOK(t, "http://"+addr+"/", 20*time.Second)
	v := newVisitor(t)
	do(v, "size the window", chromedp.EmulateViewport(1600, 900))
	v.open("http://" + addr + "/")
	script := func(what, js string) { t.Helper(); do(v, what, chromedp.Evaluate[chromedp.Void](js+"; undefined")) }
	until := func(what, js string) {
		t.Helper()
		if !look[bool](v, `(async () => {
			for (const end = Date.now() + 15000; Date.now() < end; await new Promise((done) => setTimeout(done, 50))) {
				try { if (`+js+`) return true; } catch { /* not yet */ }
			}
			return false;
		})()`) {
			t.Fatalf("%s: it does not come to that. The phone: %s\nThe desk: %s", what,
				look[string](v, `document.querySelector(".chat-log").innerText`), look[string](v, demoDesk+`.body.innerText`))
		}
	}
	// types puts a text into a field of the phone or the desk, as a person who has not sent it yet.
	types := func(document, field, text string) {
		t.Helper()
		script("type", `{ const f = `+document+`.querySelector("`+field+`"); f.value = "`+text+`"; f.dispatchEvent(new InputEvent("input", {bubbles: true})); }`)
	}
	say := func(text, answer string) {
		t.Helper()
		types("document", "#chat-texto", text)
		script("send", `document.getElementById("chat-texto").form.requestSubmit()`)
		until("the answer to "+text, `document.querySelector(".chat-log").lastElementChild.innerText.includes("`+answer+`")`)
	}

	until("the desk is there", demoDesk+`.querySelector("#lista") && `+demoDesk+`.readyState === "complete"`)
	if got := look[string](v, `document.activeElement.tagName + " " + scrollY`); got != "BODY 0" {
		t.Errorf("the frame moved focus or page: %s", got)
	}
	say("hola", "Continuar")
	say("Continuar", "Desbloquear clave")
	say("persona", "lugar en la fila")
	until("the case appears", demoDesk+`.querySelector("#lista li a")`)
	script("open it", demoDesk+`.querySelector("#lista li a").click()`)
	until("the case is open", demoDesk+`.querySelector("#tomar") && `+demoDesk+`.readyState === "complete"`)
	script("take it", demoDesk+`.querySelector("#tomar").click()`)
	until("the person hears who took over", `document.querySelector(".chat-log").lastElementChild.innerText.includes("le atiende Agente de prueba")`)

	until("the desk has the field", demoDesk+`.querySelector("#texto")`)
	types("document", "#chat-texto", "No me llega")
	until("the desk sees the person writing", demoDesk+`.querySelector("#escribe").hidden === false`)
	script("send", `document.getElementById("chat-texto").form.requestSubmit()`)
	until("the desk has the line", demoDesk+`.querySelector("#lista-lineas").innerText.includes("No me llega")`)
	height := look[int](v, `document.querySelector(".chat-log").clientHeight`)
	types(demoDesk, "#texto", "Mire en la carpeta de correo no deseado: https://www.iess.gob.ec")
	until("the phone sees the agent writing", `document.querySelector(".chat-typing").innerText.includes("está escribiendo")`)
	if got := look[int](v, `document.querySelector(".chat-log").clientHeight`); got != height {
		t.Errorf("the phone jumps from %d to %d pixels while somebody writes", height, got)
	}
	script("send it", demoDesk+`.querySelector("#texto").form.requestSubmit()`)
	until("the phone has it, and whose it is", `document.querySelector(".chat-line.agent .chat-by").innerText.startsWith("Agente de prueba")
		&& document.querySelector(".chat-line.agent .chat-text a").href === "https://www.iess.gob.ec/" && document.querySelector(".chat-typing").innerText === ""`)
	for _, view := range views {
		do(v, "size the window", chromedp.EmulateViewport(view.width, view.height))
		v.layout(t, view)
		v.axe(t, "frame-tested") // what stands in the frame is looked at as a page of its own
	}

	script("give it back to the bot", `{
		const step = `+demoDesk+`.querySelector("#paso");
		step.value = [...step.options].find((o) => o.text.startsWith("el número de cédula")).value;
		step.form.requestSubmit();
	}`)
	until("the bot goes on there", `document.querySelector(".chat-log").lastElementChild.innerText.includes("otra vez conmigo")
		&& document.querySelector(".chat-log").lastElementChild.innerText.includes("cédula")`)
	say("1790000002", "Sí, es correcto")
	demo.stop(t)
}
