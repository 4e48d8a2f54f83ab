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
  return fetch(address, { method: "POST", headers: { Accept: "application/json" }, body: new URLSearchParams(fields), signal: AbortSignal.timeout(10000) });
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

/** goWriting goes to a case that has just become the agent's, with the cursor where one writes. */
function goWriting(to) {
  try { sessionStorage.setItem("escribir", "si"); } catch { /* one more press of a key */ }
  location.assign(to);
}
function writesNow() {
  try {
    const now = sessionStorage.getItem("escribir") !== null;
    sessionStorage.removeItem("escribir");
    return now;
  } catch { return false; }
}
document.body.classList.add("scripted");
document.addEventListener("submit", (e) => {
  if (e.target.matches("[data-next]")) try { sessionStorage.setItem("escribir", "si"); } catch { /* the same */ }
});

// What a redirect had the page say is said once, and not again on the way back.
{
  const here = new URL(location.href);
  if (here.searchParams.has("dicho")) {
    here.searchParams.delete("dicho");
    history.replaceState(history.state, "", here);
  }
}

// ---- the list

const list = one("#lista");

// It stays where it was scrolled to, whatever is opened beside it.
{
  const pane = one(".list"), name = "lista/" + board?.dataset.filter;
  if (pane) {
    try { pane.scrollTop = Number(sessionStorage.getItem(name) ?? 0); } catch { /* at its top */ }
    const here = one(".rows a[aria-current]", pane), room = pane.getBoundingClientRect();
    if (here && room.height && (here.getBoundingClientRect().top < room.top || here.getBoundingClientRect().bottom > room.bottom)) here.scrollIntoView({ block: "nearest" });
    addEventListener("pagehide", () => { try { sessionStorage.setItem(name, String(pane.scrollTop)); } catch { /* the same */ } });
  }
}

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
    if (!w.dataset.paced) continue;
    const part = (Date.now() + clockOff - Number(w.dataset.paced)) / target;
    const pace = part >= 1 ? "late" : part >= 0.5 ? "near" : "calm";
    if (w.dataset.pace !== pace) w.dataset.pace = pace;
  }
}
setInterval(tickWaits, 10000);

// ---- what the stream says

const title = document.title.replace(/^\(\d+\) /, "");

let counted = null; // what the stream said last of how many there are

let beats = 0, heardOf = 0; // beats that were sent, and the last that was answered

/** beat says that the page is there, and hears how long the session lasts. */
function beat(fields = {}) {
  const n = ++beats;
  return post("/agentes/latido", fields).then(async (r) => {
    if (r.status === 401) leave();
    else if (r.ok) {
      const says = await r.json();
      if (n > heardOf) { heardOf = n; lasts(says); } // an answer that was overtaken says what was before
    }
  }, () => {});
}

/** toast tells the agent, wherever they look, until they say that they have read it. */
function toast(html) {
  const into = one("#salidas"), p = document.createElement("p"), words = document.createElement("span"), button = document.createElement("button");
  p.className = "toast";
  words.append(piece(html));
  button.type = "button";
  button.className = "second";
  button.textContent = into.dataset.close;
  button.addEventListener("click", () => p.remove());
  p.append(words, button);
  into.append(p);
}

const hear = {
  ping(e) {
    // Answered from here and not by a timer: those of a page in the background are slowed down.
    if (e.beat) beat();
  },
  left(e) { toast(e.html); },
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
    counted = n;
    n.queue = n.waiting + n.later;
    const calls = n.waiting + n.unanswered;
    document.title = (calls ? `(${calls}) ` : "") + title;
    badge(calls);
    for (const badge of all("[data-count]")) {
      const of = n[badge.dataset.count];
      badge.textContent = of;
      if (badge.classList.contains("badge")) badge.hidden = !of;
    }
    for (const next of all("[data-next]")) next.hidden = !n.waiting;
  },
  shut(e) {
    const closed = one("#cerrado"), fresh = piece(e.html);
    if (closed && closed.textContent !== fresh.textContent) closed.replaceChildren(fresh);
  },
};

// ---- the stream

const offline = one("#sin-conexion");
let source = null, failures = 0, retry = 0, heardAt = Date.now();

function connect() {
  clearTimeout(retry);
  const address = new URL(document.body.dataset.stream, location.href);
  if (failures || source) { // the page has moved on since it was drawn
    address.searchParams.delete("sello");
    address.searchParams.delete("v");
    if (told) address.searchParams.set("avisado", told);
    if (address.searchParams.has("desde")) address.searchParams.set("desde", talk.last());
    if (counted) address.searchParams.set("tenia", counted.held); // so that it is told where they went
  }
  heardAt = Date.now();
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
    source.addEventListener(name, (e) => { heardAt = Date.now(); f(JSON.parse(e.data)); });
  }
}

// A connection whose bytes are swallowed on the way says nothing, ever: neither side is told. The server sends a word every five
// seconds; where none comes for twelve the connection is taken for dead, whatever the browser thinks (P765).
const deafAfter = 12000;
let watched = Date.now();
setInterval(() => {
  const slept = Date.now() - watched > 5000; // the machine, or the browser on behalf of a page that nobody looks at
  watched = Date.now();
  if (slept) { heardAt = Math.max(heardAt, Date.now() - deafAfter + 2000); return; }
  if (!source || source.readyState === EventSource.CLOSED || Date.now() - heardAt < deafAfter) return;
  offline.hidden = false;
  failures++;
  connect();
}, 1000);

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
