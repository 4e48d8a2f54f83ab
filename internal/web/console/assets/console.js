// Keeps a page of the desk up to date: listens to its stream, puts what comes into the page, and tells the agent of what
// arrives. Everything that comes is a piece of HTML that the server drew; it is put in by a template element, where no script
// in it runs. Words are the page's own (#palabras).
"use strict";

const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const words = one("#palabras").dataset;
const board = one(".desk");

/** piece is HTML of ours as elements that are not in the page yet. */
function piece(html) {
  const t = document.createElement("template");
  t.innerHTML = html;
  return t.content;
}

/** post sends a form by the script. What the server did not answer rejects. */
function post(address, fields = {}) {
  return fetch(address, { method: "POST", headers: { Accept: "application/json" }, body: new URLSearchParams(fields) });
}

/** newOnce names a press, so that sending it again is no other one. */
const newOnce = () => [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");

// A form on its way leads on by itself, and its answer may bring the session that takes the place of the one that just ended:
// a new password does. Nothing leads away before that answer has had its time.
let sent = -Infinity;
addEventListener("submit", (e) => { if (!e.defaultPrevented) sent = performance.now(); });

/** leave goes to the door, from where the agent comes back here. */
function leave(to = "/agentes/entrar") {
  setTimeout(() => location.assign(to + "?" + new URLSearchParams({ volver: location.pathname + location.search })),
    Math.max(0, sent + 10000 - performance.now()));
}

// What a browser remembers of how the agent works.
const remembered = {
  is: (name) => { try { return localStorage.getItem(name); } catch { return null; } },
  set: (name, value) => { try { localStorage.setItem(name, value); } catch { /* it asks again next time */ } },
};

// ---- the list

const list = one("#lista");

function tidyList() {
  if (list) one("#nadie").hidden = list.children.length > 0;
}

/** keepPlace runs change and gives the focus back to the row that had it. */
function keepPlace(change) {
  const focused = document.activeElement?.closest?.("#lista > li")?.id;
  change();
  if (focused && document.activeElement === document.body) one("#" + CSS.escape(focused) + " a")?.focus({ preventScroll: true });
  tidyList();
  tickWaits();
}

function putRow(row) {
  const old = document.getElementById(row.id);
  if (old && old.dataset.order === row.dataset.order) {
    old.replaceWith(row);
    return;
  }
  old?.remove();
  const after = [...list.children].find((li) => li.dataset.order > row.dataset.order);
  list.insertBefore(row, after ?? null);
}

// ---- time

const target = Number(board?.dataset.target) || Infinity;
const clockOff = board ? Number(board.dataset.now) - Date.now() : 0;

function tickWaits() {
  for (const w of all(".wait[data-since]")) {
    const minutes = Math.floor((Date.now() + clockOff - Number(w.dataset.since)) / 60000);
    const text = minutes < 1 ? words.now
      : minutes < 60 ? `${minutes} ${words.minutes}`
      : minutes < 48 * 60 ? `${Math.floor(minutes / 60)} ${words.hours}`
      : `${Math.floor(minutes / 1440)} ${words.days}`;
    if (w.textContent !== text) w.textContent = text;
    const part = (Date.now() + clockOff - Number(w.dataset.since)) / target;
    const pace = part >= 1 ? "late" : part >= 0.5 ? "near" : "calm";
    if (w.dataset.pace !== pace) w.dataset.pace = pace;
  }
}
setInterval(tickWaits, 10000);

// ---- what the stream says

const title = document.title.replace(/^\(\d+\) /, "");

const hear = {
  ping() {
    // Answered from here and not by a timer: those of a page in the background are slowed down.
    post("/agentes/latido").then((r) => { if (r.status === 401) leave(); }, () => {});
  },
  out(e) { leave(e.to); },
  list(e) {
    keepPlace(() => {
      const fresh = [...piece(e.html).children];
      const names = new Set(fresh.map((row) => row.id));
      for (const row of [...list.children]) if (!names.has(row.id)) row.remove();
      for (const row of fresh) {
        const old = document.getElementById(row.id);
        if (!old || old.dataset.mark !== row.dataset.mark) putRow(row);
      }
    });
  },
  row(e) { keepPlace(() => putRow(piece(e.html).firstElementChild)); },
  gone(e) { keepPlace(() => document.getElementById("caso-" + e.ref)?.remove()); },
  notices(e) { one("#avisos-titular")?.replaceChildren(piece(e.html)); },
  counts(n) {
    n.queue = n.waiting + n.later;
    const calls = n.waiting + n.unanswered;
    document.title = (calls ? `(${calls}) ` : "") + title;
    badge(calls);
    for (const badge of all("[data-count]")) {
      const of = n[badge.dataset.count];
      badge.textContent = of;
      if (badge.classList.contains("badge")) badge.hidden = !of;
    }
    const next = one("#siguiente");
    if (next) next.hidden = !n.waiting;
  },
  shut(e) {
    const closed = one("#cerrado"), fresh = piece(e.html);
    if (closed && closed.textContent !== fresh.textContent) closed.replaceChildren(fresh);
  },
};

// ---- the stream

const offline = one("#sin-conexion");
let source = null, failures = 0, retry = 0;

function connect() {
  clearTimeout(retry);
  const address = new URL(document.body.dataset.stream, location.href);
  if (failures || source) { // the page has moved on since it was drawn
    address.searchParams.delete("sello");
    address.searchParams.delete("v");
    if (told) address.searchParams.set("avisado", told);
    if (address.searchParams.has("desde")) address.searchParams.set("desde", talk.last());
  }
  source?.close();
  source = new EventSource(address);
  source.onopen = () => { failures = 0; offline.hidden = true; };
  source.onerror = () => {
    offline.hidden = false;
    failures++;
    // The browser comes back by itself at first, also in the background, where our timers are slow.
    if (source.readyState === EventSource.CONNECTING && failures < 5) return;
    source.close();
    clearTimeout(retry);
    retry = setTimeout(again, Math.min(15000, 500 * 2 ** failures) * (0.75 + Math.random() / 2));
  };
  for (const [name, f] of Object.entries(hear)) {
    source.addEventListener(name, (e) => f(JSON.parse(e.data)));
  }
}

/** again asks first whether the agent may come in: a stream does not say why it was refused. */
function again() {
  post("/agentes/latido").then((r) => { if (r.status === 401) leave(); else connect(); }, connect);
}

document.addEventListener("submit", (e) => { // what was being written is nobody else's to read
  if (e.target.getAttribute("action") === "/agentes/salir") try { sessionStorage.clear(); } catch { /* there is nothing */ }
});
addEventListener("online", again);
addEventListener("pagehide", () => source?.close());
addEventListener("pageshow", (e) => { if (e.persisted) connect(); });
document.addEventListener("DOMContentLoaded", () => { tickWaits(); tidyList(); connect(); });
