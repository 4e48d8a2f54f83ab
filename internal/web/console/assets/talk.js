// The open conversation: its lines as they come, the message being written, ready answers, and the forms around it. What was
// typed is never lost: it stays in its field while forms are drawn anew, is kept for this tab while one looks elsewhere, and a
// message waits on the page until the server has said that it has it.
"use strict";

const talk = (() => {
  const section = one("#caso-abierto");
  if (!section) return { last: () => 0, mode() {}, note() {} };

  const ref = board.dataset.ref;
  const place = `/agentes/casos/${encodeURIComponent(ref)}`;
  const lines = one("#lineas"), log = one("#lista-lineas"), waiting = one("#pendientes");
  const said = one("#dicho"), shown = one("#mostrado"), writing = one("#escribir"), acts = one("#acciones");
  let shape = new URL(document.body.dataset.stream, location.href).searchParams.get("forma");
  const box = () => one("#texto");

  // ---- lines

  const last = () => Number(log.lastElementChild?.dataset.seq ?? 0);
  // The lines scroll by themselves where there is room beside them; elsewhere they scroll with all that is around them.
  const below = one("#nuevos");
  let unseen = 0;
  function drawUnseen() {
    below.hidden = unseen === 0;
    below.textContent = `${unseen} ${unseen === 1 ? below.dataset.one : below.dataset.many} ↓`;
  }
  const scrolls = () => ["auto", "scroll"].includes(getComputedStyle(lines).overflowY);
  const atEnd = () => scrolls() ? lines.scrollHeight - lines.scrollTop - lines.clientHeight < 80
    : writing.getBoundingClientRect().top < innerHeight;
  const toEnd = () => { if (scrolls()) lines.scrollTop = lines.scrollHeight; else writing.scrollIntoView({ block: "end" }); unseen = 0; drawUnseen(); };
  below.addEventListener("click", () => { toEnd(); (box() ?? lines).focus({ preventScroll: true }); });
  for (const of of [lines, document]) of.addEventListener("scroll", () => { if (unseen && atEnd()) { unseen = 0; drawUnseen(); } }, { passive: true });

  function addLines(html) {
    const follow = atEnd();
    for (const li of [...piece(html).children]) {
      if (document.getElementById(li.id)) continue;
      const seq = Number(li.dataset.seq);
      const later = seq && all("li[data-seq]", log).find((other) => Number(other.dataset.seq) > seq);
      log.insertBefore(li, later || null);
      if (!later && li.matches(".line:not(.event, .agent)")) unseen++;
    }
    typingEnds();
    if (follow) toEnd();
    else drawUnseen();
  }

  section.addEventListener("click", async (e) => {
    const link = e.target.closest("[data-older]");
    if (!link) return;
    e.preventDefault();
    const answer = await fetch(link.dataset.older).catch(() => null);
    if (!answer?.ok) { location.assign(link.href); return; }
    const box = scrolls() ? lines : document.scrollingElement;
    const below = box.scrollHeight - box.scrollTop;
    const older = piece(await answer.text());
    const more = one("#anteriores", older);
    more?.remove();
    one("#anteriores").remove();
    for (const day of all(".day", older)) document.getElementById(day.id)?.remove();
    log.prepend(older);
    if (more) log.before(more);
    box.scrollTop = box.scrollHeight - below;
  });

  let typingTimer = 0;
  function typingEnds() { one("#escribe").hidden = true; }
  hear.typing = () => {
    const follow = atEnd();
    one("#escribe").hidden = false;
    if (follow) toEnd();
    clearTimeout(typingTimer);
    typingTimer = setTimeout(typingEnds, 5000);
  };
  hear.lines = (e) => addLines(e.html);
  hear.marks = (e) => {
    for (const [line, html] of Object.entries(e.marks)) one(`.mark[data-line="${line}"]`, log)?.replaceChildren(piece(html));
  };

  // ---- forms that are drawn anew

  /** redraw puts new forms in the place of old ones and carries over what was typed, what was open, and the focus. */
  function redraw(into, html) {
    const fresh = piece(html);
    for (const field of all("textarea, select, input[id]", into)) {
      const same = field.id && fresh.getElementById(field.id);
      if (!same || same.readOnly) continue;
      if (same.tagName !== "SELECT") same.value = field.value;
      else if ([...same.options].some((o) => o.value === field.value)) same.value = field.value;
    }
    for (const open of all("details[open]", into)) fresh.getElementById(open.id)?.setAttribute("open", "");
    const focused = into.contains(document.activeElement) ? document.activeElement : null;
    const at = focused?.selectionStart;
    into.replaceChildren(fresh);
    if (!focused) return;
    const same = focused.id && document.getElementById(focused.id);
    // The focus never falls to the page, where what is typed would be keys.
    (same || one("#tomar") || one("#d-resolver summary") || lines).focus({ preventScroll: true });
    if (at !== undefined && at !== null && same?.setSelectionRange) same.setSelectionRange(at, focused.selectionEnd);
  }

  hear.head = (e) => {
    one("#cabeza").replaceChildren(piece(e.head));
    tickSilence();
    if (e.shape === shape) return;
    shape = e.shape;
    redraw(acts, e.acts);
    const unsent = box()?.value || aside()?.value || "", wrote = box() && document.activeElement === box();
    redraw(writing, e.write);
    if (unsent.trim()) putBack(unsent);
    if (wrote && !box()) aside()?.focus({ preventScroll: true }); // what is typed on goes nowhere, and does nothing
    restore();
    if (counted) hear.counts(counted);
  };

  // ---- forms

  function show(into, html) { into.replaceChildren(piece(html ?? "")); }

  let hiding = 0;
  function showOnce(html) {
    if (!html) return;
    show(shown, html);
    clearTimeout(hiding);
    hiding = setTimeout(() => shown.replaceChildren(), 60000);
  }

  function take(answer) {
    for (const e of answer.news ?? []) hear[e.name]?.(e.data);
    showOnce(answer.shown);
  }

  // The time that is left to answer, as a ring that runs out.
  function tickSilence() {
    for (const s of all(".silence[data-until]")) {
      const whole = Number(s.dataset.whole), left = Math.max(0, Math.min(whole, Number(s.dataset.until) - Date.now() - clockOff));
      const minutes = Math.ceil(left / 60000), text = `${minutes} ${words.minutes} ${s.dataset.words}`;
      one(".left", s).setAttribute("stroke-dashoffset", String(100 - 100 * left / whole));
      s.classList.toggle("half", left <= whole / 2 && left > whole / 5);
      s.classList.toggle("soon", left <= whole / 5);
      if (one("span", s).textContent !== text) one("span", s).textContent = text;
    }
  }
  setInterval(tickSilence, 1000);

  hear.left = (e) => { if (e.ref === ref) show(said, `<p class="bad" role="alert">${e.html}</p>`); else toast(e.html); };

  /** send posts fields to one of the conversation's forms until there is an answer. */
  async function send(name, fields, retrying = () => {}) {
    for (let tries = 0; ; tries++) {
      const answer = await post(`${place}/${name}`, { ...fields, ver: board.dataset.filter, desde: last() }).catch(() => null);
      if (answer?.status === 401) { leave(); return null; }
      if (answer && answer.status < 500) return answer.ok ? answer.json() : { done: false, said: null };
      retrying();
      await new Promise((go) => setTimeout(go, Math.min(15000, 500 * 2 ** tries)));
    }
  }

  section.addEventListener("submit", async (e) => {
    const form = e.target.closest("form[data-form]");
    if (!form) return;
    const name = form.dataset.form;
    e.preventDefault();
    if (name === "decir") {
      if (!e.submitter?.name) sendBox();
      return;
    }
    if (form.classList.contains("busy")) return;
    form.classList.add("busy");
    const pressed = e.submitter?.name ? { [e.submitter.name]: e.submitter.value } : {};
    const answer = await send(name, { ...Object.fromEntries(new FormData(form)), ...pressed }, () => show(said, ""));
    form.classList.remove("busy");
    if (!answer) return;
    if (answer.said !== null) show(said, answer.said);
    if (answer.once) form.elements.once.value = answer.once;
    if (form.elements.visto) form.elements.visto.value = answer.as ?? ""; // what goes out when it is pressed again
    if (answer.to) { goWriting(answer.to); return; }
    if (answer.done) {
      if (name === "programar" && box()?.value.trim() === form.elements.texto.value.trim()) {
        box().value = "";
        drafts.texto.changed();
      }
      for (const f of all("textarea, select", form)) f.value = "";
      if (name === "nota") drafts.nota.changed();
      form.closest("details.act, details.note")?.removeAttribute("open");
      if (location.hash === "#acciones") location.replace("#caso-abierto");
    }
    take(answer);
    if (answer.done && name === "tomar") box()?.focus();
    if (answer.done && name === "nota") mode("texto");
    if (document.activeElement === document.body) (box() ?? one("[data-next]:not([hidden]) button", acts) ?? lines).focus({ preventScroll: true });
  });

  // ---- drafts: kept on the server as they are typed, for this agent on each of their devices; until it has said that it has one, in
  // this tab. It answers what would go out, where that is something else than what was typed.

  const outgoing = "cola/" + ref;
  const kept = (name) => { try { return sessionStorage.getItem(name); } catch { return null; } };
  const keep = (name, value) => { try { value === null ? sessionStorage.removeItem(name) : sessionStorage.setItem(name, value); } catch { /* this page has it */ } };
  const most = 4000, parts = 5;
  const grow = (field) => { // where the field does not do so by itself
    if (CSS.supports("field-sizing", "content")) return;
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight + 2}px`;
  };

  function draftOf(id, que) {
    const field = () => { const f = one("#" + id); return f && !f.readOnly ? f : null; };
    const name = `borrador/${ref}/${id}`;
    let timer = 0, busy = false, again = false;
    let seen = { of: "", as: "" }; // what would go out of which words, as the agent was shown

    function preview(of, as) {
      seen = { of: of.trim(), as };
      const p = one(`#${id}-vista`);
      if (!p) return;
      p.hidden = !as;
      p.textContent = as ? `${p.dataset.words} ${as}` : "";
    }
    function count() {
      const f = field(), p = one(`#${id}-cuenta`);
      if (!f || !p) return;
      grow(f);
      const letters = [...f.value.trim()].length;
      p.hidden = letters < most * 0.9;
      p.textContent = p.hidden ? "" : letters > most * parts ? p.dataset.much
        : `${letters.toLocaleString("es")} ${p.dataset.letters}.` + (letters > most ? ` ${p.dataset.parts} ${Math.ceil(letters / most)}.` : "");
    }
    async function save() {
      clearTimeout(timer);
      timer = 0;
      const f = field();
      if (!f) return;
      if (busy) { again = true; return; }
      busy = true;
      const text = f.value;
      const answer = await post(`${place}/borrador`, { que, texto: text }).catch(() => null);
      busy = false;
      if (answer?.status === 401) { leave(); return; }
      if (answer?.ok) {
        const { as } = await answer.json();
        if (field()?.value === text) {
          keep(name, null);
          if (as || seen.of !== text.trim()) preview(text, as ?? "");
        }
      } else if (!answer || answer.status >= 500) timer = setTimeout(save, 3000);
      if (again) { again = false; save(); }
    }
    function changed() {
      const f = field();
      if (!f) return;
      keep(name, JSON.stringify(f.value));
      if (f.value.trim() !== seen.of) preview("", "");
      count();
      clearTimeout(timer);
      timer = setTimeout(save, 600);
    }
    /** restore puts back what the server has not said it has. */
    function restore() {
      const f = field(), k = kept(name);
      if (f && k !== null && !f.value.trim()) f.value = JSON.parse(k);
      if (f && k !== null) changed();
      else if (f?.value) count();
      return k === null ? "" : JSON.parse(k);
    }
    addEventListener("pagehide", () => {
      const f = field();
      if (timer && f) fetch(`${place}/borrador`, { method: "POST", keepalive: true, body: new URLSearchParams({ que, texto: f.value }) }).catch(() => {});
    });
    return { changed, restore, preview, shown: (text) => text === seen.of ? seen.as : "" };
  }
  const drafts = { texto: draftOf("texto", "decir"), nota: draftOf("nota", "nota") };

  // What was begun as a message can be said later as it is.
  section.addEventListener("toggle", (e) => {
    const later = e.target.id === "d-programar" && e.target.open && one("#programar-texto");
    if (later && !later.value.trim()) later.value = box()?.value ?? "";
  }, true);

  // ---- message or note

  function mode(to) {
    const noting = to === "nota" && one("#nota") !== null;
    writing.classList.toggle("noting", noting);
    for (const b of all("[data-mode]", writing)) b.setAttribute("aria-pressed", String((b.dataset.mode === "nota") === noting));
    if (noting) one("#nota-caja").open = true;
    (noting ? one("#nota") : box())?.focus();
  }
  section.addEventListener("click", (e) => { const b = e.target.closest("[data-mode]"); if (b) mode(b.dataset.mode); });

  // ---- the message

  let queue = [], pumping = false;

  function sendBox() {
    const b = box(), text = b.value.trim();
    if (!text || [...text].length > most * parts) return; // beside the field it says why
    const visto = drafts.texto.shown(text);
    b.value = "";
    drafts.texto.changed();
    closeAnswers();
    one(".bad, .ask", said)?.remove();
    queue.push({ once: newOnce(), text, visto });
    pump();
  }

  function drawQueue() {
    keep(outgoing, queue.length ? JSON.stringify(queue) : null);
    waiting.replaceChildren(...queue.map((m) => {
      const li = one("#pendiente").content.cloneNode(true);
      one(".text", li).textContent = m.text;
      return li;
    }));
  }

  async function pump() {
    drawQueue();
    toEnd();
    if (pumping) return;
    pumping = true;
    while (queue.length) {
      const m = queue[0];
      const answer = await send("decir", { once: m.once, texto: m.text, ...(m.visto && { visto: m.visto }) }, () => { offline.hidden = false; });
      if (!answer) break; // signed out: the message is kept for this tab
      queue.shift();
      drawQueue();
      if (answer.done) { if (source?.readyState === EventSource.OPEN) offline.hidden = true; }
      else putBack(m.text);
      if (answer.as) drafts.texto.preview(box()?.value ?? "", answer.as);
      if (answer.said) show(said, answer.said);
      take(answer);
    }
    pumping = false;
  }

  const aside = () => one("#texto-guardado");

  /** putBack gives words that did not go out back to their writer: into the field, or beside where it was. */
  function putBack(text) {
    if (!box() && !aside()) writing.prepend(one("#detenido").content.cloneNode(true));
    const into = box() ?? aside();
    if (into.value.trim() !== text.trim()) into.value = into.value.trim() ? `${text}\n${into.value}` : text;
    if (!box()) post(`${place}/borrador`, { que: "decir", texto: into.value }).catch(() => {}); // it is theirs, also when the case is not
    drafts.texto.changed();
  }

  function restore() { for (const d of Object.values(drafts)) d.restore(); }

  let typed = 0;
  section.addEventListener("input", (e) => {
    const draft = drafts[e.target.id];
    if (!draft) return;
    draft.changed();
    const note = e.target.id === "nota";
    if (!note) offerAnswers();
    if (e.target.value.trim() && !(!note && isOpen()) && Date.now() - typed > 4000) {
      typed = Date.now();
      post(`${place}/escribiendo`, note ? { que: "nota" } : {}).catch(() => {});
    }
  });

  // ---- ready answers: a list under the field, steered from it. The field stays a field of several lines, so it has the
  // attributes of the combobox pattern that such a one may have: the active option is told as it moves.

  let options = [], active = -1;
  const answers = () => one("#respuestas");
  const isOpen = () => answers() && !answers().hidden;

  /** asked is the word with a slash before it at which the cursor stands. */
  function asked() {
    const b = box();
    if (b.selectionStart !== b.selectionEnd) return null;
    const word = /(?:^|\s)\/(\S*)$/.exec(b.value.slice(0, b.selectionStart))?.[1];
    return word === undefined ? null : { word, from: b.selectionStart - word.length - 1, to: b.selectionStart };
  }

  function offerAnswers() {
    const at = asked();
    if (!at) { closeAnswers(); return; }
    const fold = (s) => s.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
    const wanted = fold(at.word);
    const ranked = all("#listas .choice").map((c) => ({ name: c.value, text: c.dataset.text }))
      .map((c) => ({ ...c, rank: fold(c.name).startsWith(wanted) ? 0 : wanted.length > 1 && fold(c.name).includes(wanted) ? 1 : wanted.length > 2 && fold(c.text).includes(wanted) ? 2 : 3 }))
      .filter((c) => c.rank < 3).sort((a, b) => a.rank - b.rank);
    options = ranked;
    const told = one("#respuestas-cuantas");
    told.textContent = `${ranked.length} ${told.dataset.words}`;
    if (!ranked.length) { closeAnswers(); return; }
    answers().hidden = false;
    box().setAttribute("aria-autocomplete", "list");
    box().setAttribute("aria-controls", "respuestas");
    activate(0);
  }

  /** activate draws the options around the active one, as many as there is room for. */
  function activate(i) {
    active = (i + options.length) % options.length;
    const room = Math.max(3, Math.min(6, Math.floor(innerHeight / 110)));
    const from = Math.max(0, Math.min(active - Math.floor(room / 2), options.length - room));
    answers().replaceChildren(...options.slice(from, from + room).map((c, n) => {
      const li = document.createElement("li");
      li.id = "respuesta-" + (from + n);
      li.setAttribute("role", "option");
      li.setAttribute("aria-setsize", options.length);
      li.setAttribute("aria-posinset", from + n + 1);
      li.setAttribute("aria-selected", from + n === active);
      const name = document.createElement("strong"), text = document.createElement("span");
      name.textContent = "/" + c.name;
      text.textContent = " " + c.text;
      li.append(name, text);
      return li;
    }));
    box().setAttribute("aria-activedescendant", "respuesta-" + active);
  }

  function closeAnswers() {
    options = [];
    active = -1;
    if (!answers()) return;
    answers().hidden = true;
    one("#respuestas-cuantas").textContent = "";
    for (const a of ["aria-activedescendant", "aria-controls", "aria-autocomplete"]) box().removeAttribute(a);
  }

  function putAnswer(text) {
    const b = box(), at = asked();
    const before = at ? b.value.slice(0, at.from) : b.value.trim() ? `${b.value.trimEnd()}\n` : "";
    const after = at ? b.value.slice(at.to) : "";
    b.value = before + text + after;
    drafts.texto.changed();
    closeAnswers();
    b.focus();
    b.setSelectionRange(before.length + text.length, before.length + text.length);
  }

  section.addEventListener("mousedown", (e) => { if (e.target.closest("[role=option]")) e.preventDefault(); }); // the field keeps the focus
  section.addEventListener("click", (e) => {
    const option = e.target.closest("[role=option]");
    if (option) putAnswer(options[option.getAttribute("aria-posinset") - 1].text);
    const choice = e.target.closest(".choice");
    if (choice) {
      e.preventDefault();
      one("#listas").removeAttribute("open");
      putAnswer(choice.dataset.text);
    }
  });

  section.addEventListener("keydown", (e) => {
    if (e.isComposing) return;
    if (e.key === "Enter" && (e.ctrlKey || e.metaKey) && e.target.form && e.target.id !== "texto") {
      e.preventDefault();
      e.target.form.requestSubmit(one("[name=siguiente]", e.target.form));
      return;
    }
    if (e.target.id !== "texto") return;
    if (isOpen()) {
      const move = { ArrowDown: 1, ArrowUp: -1 }[e.key];
      if (move) { e.preventDefault(); activate(active + move); return; }
      if (e.key === "Enter" || e.key === "Tab") { e.preventDefault(); putAnswer(options[active].text); return; }
      if (e.key === "Escape") { e.preventDefault(); e.stopPropagation(); closeAnswers(); return; }
    }
    if (e.key === "Enter" && !e.shiftKey) {
      e.preventDefault();
      sendBox();
    }
  });

  // ---- begin

  try { queue = JSON.parse(kept(outgoing) ?? "[]"); } catch { queue = []; }
  const unsaved = drafts.texto.restore();
  drafts.nota.restore();
  if (!box() && unsaved.trim()) putBack(unsaved);
  if (board.dataset.line && document.getElementById(`l-${board.dataset.line}`)) document.getElementById(`l-${board.dataset.line}`).scrollIntoView({ block: "center" });
  else toEnd();
  tickSilence();
  if (writesNow()) box()?.focus({ preventScroll: true });
  if (queue.length) {
    if (box()) pump();
    else {
      putBack(queue.map((m) => m.text).join("\n"));
      queue = [];
      drawQueue();
    }
  }
  return { last, mode, note: () => mode("nota") };
})();
