// The open conversation: its lines as they come, the message being written, ready answers, and the forms around it. What was
// typed is never lost: it stays in its field while forms are drawn anew, is kept for this tab while one looks elsewhere, and a
// message waits on the page until the server has said that it has it.
"use strict";

const talk = (() => {
  const section = one("#caso-abierto");
  if (!section) return { last: () => 0 };

  const ref = board.dataset.ref;
  const place = `/agentes/casos/${encodeURIComponent(ref)}`;
  const lines = one("#lineas"), log = one("#lista-lineas"), waiting = one("#pendientes");
  const said = one("#dicho"), shown = one("#mostrado"), writing = one("#escribir"), acts = one("#acciones");
  let shape = new URL(document.body.dataset.stream, location.href).searchParams.get("forma");
  const box = () => one("#texto");

  // ---- lines

  const last = () => Number(log.lastElementChild?.dataset.seq ?? 0);
  // The lines scroll by themselves where there is room beside them; elsewhere they scroll with all that is around them.
  const scrolls = () => ["auto", "scroll"].includes(getComputedStyle(lines).overflowY);
  const atEnd = () => scrolls() ? lines.scrollHeight - lines.scrollTop - lines.clientHeight < 80
    : writing.getBoundingClientRect().top < innerHeight;
  const toEnd = () => { if (scrolls()) lines.scrollTop = lines.scrollHeight; else writing.scrollIntoView({ block: "end" }); };

  function addLines(html) {
    const follow = atEnd();
    for (const li of [...piece(html).children]) {
      if (document.getElementById(li.id)) continue;
      const seq = Number(li.dataset.seq);
      const later = seq && all("li[data-seq]", log).find((other) => Number(other.dataset.seq) > seq);
      log.insertBefore(li, later || null);
    }
    typingEnds();
    if (follow) toEnd();
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
    for (const field of all("textarea, select", into)) {
      const same = field.id && fresh.getElementById(field.id);
      if (!same || same.readOnly) continue;
      if (same.tagName === "TEXTAREA") same.value = field.value;
      else if ([...same.options].some((o) => o.value === field.value)) same.value = field.value;
    }
    for (const open of all("details[open]", into)) fresh.getElementById(open.id)?.setAttribute("open", "");
    const focused = into.contains(document.activeElement) ? document.activeElement : null;
    const at = focused?.selectionStart;
    into.replaceChildren(fresh);
    if (!focused?.id) return;
    const same = document.getElementById(focused.id);
    same?.focus({ preventScroll: true });
    if (at !== undefined && at !== null && same?.setSelectionRange) same.setSelectionRange(at, focused.selectionEnd);
  }

  hear.head = (e) => {
    one("#cabeza").replaceChildren(piece(e.head));
    if (e.shape === shape) return;
    shape = e.shape;
    redraw(acts, e.acts);
    const unsent = box()?.value || aside()?.value || "";
    redraw(writing, e.write);
    if (unsent.trim()) putBack(unsent);
    restore();
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
    const answer = await send(name, Object.fromEntries(new FormData(form)), () => show(said, ""));
    form.classList.remove("busy");
    if (!answer) return;
    if (answer.said !== null) show(said, answer.said);
    if (answer.once) form.elements.once.value = answer.once;
    if (answer.done) {
      form.reset();
      form.closest("details.act, details.note")?.removeAttribute("open");
    }
    take(answer);
    if (answer.done && name === "tomar") box()?.focus();
  });

  // ---- the message

  const draft = "borrador/" + ref, outgoing = "cola/" + ref;
  const kept = (name) => { try { return sessionStorage.getItem(name); } catch { return null; } };
  const keep = (name, value) => { try { value ? sessionStorage.setItem(name, value) : sessionStorage.removeItem(name); } catch { /* this page has it */ } };
  let queue = [], pumping = false;

  function sendBox() {
    const b = box(), text = b.value.trim();
    if (!text) return;
    b.value = "";
    keep(draft, "");
    closeAnswers();
    one(".bad", said)?.remove();
    queue.push({ once: newOnce(), text });
    pump();
  }

  function drawQueue() {
    keep(outgoing, queue.length ? JSON.stringify(queue) : "");
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
      const answer = await send("decir", { once: m.once, texto: m.text }, () => { offline.hidden = false; });
      if (!answer) break; // signed out: the message is kept for this tab
      queue.shift();
      drawQueue();
      if (answer.done) offline.hidden = true;
      else putBack(m.text);
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
    keep(draft, into.value);
  }

  function restore() {
    const b = box();
    if (b && !b.value) b.value = kept(draft) ?? "";
  }

  let typed = 0;
  section.addEventListener("input", (e) => {
    if (e.target.id !== "texto") return;
    keep(draft, e.target.value);
    offerAnswers();
    if (e.target.value.trim() && !e.target.value.startsWith("/") && Date.now() - typed > 4000) {
      typed = Date.now();
      post(`${place}/escribiendo`).catch(() => {});
    }
  });

  // ---- ready answers: a list under the field, steered from it. The field stays a field of several lines, so it has the
  // attributes of the combobox pattern that such a one may have: the active option is told as it moves.

  let options = [], active = -1;
  const answers = () => one("#respuestas");
  const isOpen = () => answers() && !answers().hidden;

  function offerAnswers() {
    const asked = /^\/(\S*)$/.exec(box().value);
    if (!asked) { closeAnswers(); return; }
    const fold = (s) => s.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
    const wanted = fold(asked[1]);
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
    const b = box();
    b.value = /^\/\S*$/.test(b.value) || !b.value.trim() ? text : `${b.value.trimEnd()}\n${text}`;
    keep(draft, b.value);
    closeAnswers();
    b.focus();
    b.setSelectionRange(b.value.length, b.value.length);
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
    if (e.target.id === "nota" && e.key === "Enter" && (e.ctrlKey || e.metaKey)) {
      e.preventDefault();
      e.target.form.requestSubmit();
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

  document.body.classList.add("scripted");
  try { queue = JSON.parse(kept(outgoing) ?? "[]"); } catch { queue = []; }
  restore();
  if (!box() && kept(draft)?.trim()) putBack(kept(draft));
  toEnd();
  if (queue.length) {
    if (box()) pump();
    else {
      putBack(queue.map((m) => m.text).join("\n"));
      queue = [];
      drawQueue();
    }
  }
  return { last };
})();
