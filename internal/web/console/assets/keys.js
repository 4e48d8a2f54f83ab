// The keyboard: one key each for what is done all day. None of them works while something is being typed, and they can be
// switched off, for those whose voice or hand presses keys by itself.
"use strict";

const help = one("#ayuda");
const useKeys = one("#usar-atajos");

one("#atajos").hidden = false;
one("#atajos").addEventListener("click", () => help.showModal());
useKeys.checked = remembered.is("atajos") !== "no";
useKeys.addEventListener("change", () => remembered.set("atajos", useKeys.checked ? "si" : "no"));

const isTyping = (target) => target.closest("textarea, input, select, [contenteditable]") !== null;

function move(by) {
  const rows = all(".list .rows a");
  if (rows.length === 0) return;
  const now = rows.findIndex((a) => a === document.activeElement);
  const from = now >= 0 ? now : rows.findIndex((a) => a.hasAttribute("aria-current"));
  const to = from < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, from + by));
  rows[to].focus();
  rows[to].scrollIntoView({ block: "nearest" });
}

/** claim takes the case of the row that has the focus, or the one that is open. */
async function claim() {
  const row = document.activeElement?.closest?.("#lista > li");
  if (!row || row.dataset.ref === board?.dataset.ref) {
    one("#tomar")?.click();
    return;
  }
  if (row.dataset.status === "held" || row.dataset.status === "closed") return;
  const address = `/agentes/casos/${encodeURIComponent(row.dataset.ref)}`;
  const answer = await post(`${address}/tomar`, { once: newOnce(), ver: "mios" }).catch(() => null);
  if (answer?.status === 401) leave();
  else goWriting(`${address}?ver=mios`);
}

function write() { if (one("#texto")) talk.mode("texto"); }

function writeNote() { if (one("#nota")) talk.note(); }

/** resolve opens the form that closes the case. */
function resolve() {
  const form = one("#d-resolver");
  if (!form) return;
  if (getComputedStyle(one("#acciones")).display === "none") location.hash = "acciones";
  form.open = true;
  one("#motivo").focus();
}

function next() { one("[data-next]:not([hidden]) button")?.click(); }

// While something is written and not sent no key does anything but lead back to it: what was meant for the field, and came a moment
// after it went, claims nothing.
const isDrafting = () => all(".talk textarea").some((f) => f.value.trim());
let typedAt = -Infinity;
document.addEventListener("input", () => { typedAt = performance.now(); });

function stepBack() {
  if (document.activeElement?.closest?.(".talk") && document.activeElement !== document.body) {
    const row = one(".list .rows a[aria-current]") ?? one(".list .rows a");
    if (row && row.offsetParent) { row.focus(); return; }
  }
  const back = one(".desk.open .back a");
  if (back) location.assign(back.href);
}

const keys = {
  j: () => move(1), k: () => move(-1), ArrowDown: () => move(1), ArrowUp: () => move(-1),
  c: claim, r: write, n: writeNote, s: resolve, t: next, Escape: stepBack, "?": () => help.showModal(),
};

document.addEventListener("keydown", (e) => {
  if (help.open || e.ctrlKey || e.metaKey || e.altKey || e.isComposing || e.defaultPrevented) return;
  if (e.key === "Escape" && isTyping(e.target)) { e.target.blur(); typedAt = -Infinity; return; }
  if (isTyping(e.target)) return;
  const arrow = e.key.startsWith("Arrow");
  if (arrow && !e.target.closest(".list")) return; // elsewhere they scroll
  if (!arrow && e.key !== "Escape" && !useKeys.checked) return;
  if (!["Escape", "r"].includes(e.key) && (isDrafting() || performance.now() - typedAt < 1000)) return;
  const f = keys[e.key];
  if (!f) return;
  e.preventDefault();
  f();
});
