// Keeps what is of this moment up to date. Without it the page has a link that does so.
"use strict";
const box = document.getElementById("ahora");
const link = document.getElementById("al-dia");
const stale = document.getElementById("sin-datos");
const every = 1000 * (box?.dataset.every || 10);

async function look() {
  let fresh = false;
  try {
    const answer = await fetch(box.dataset.src, { signal: AbortSignal.timeout(2 * every) });
    if (answer.status === 401 || answer.status === 403) return location.reload(); // says why, and where to go
    if (answer.status === 200) {
      const part = document.createElement("template");
      part.innerHTML = await answer.text();
      const at = box.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      box.replaceChildren(part.content);
      if (at) box.querySelector(`a[href="${CSS.escape(at)}"]`)?.focus({ preventScroll: true });
      fresh = true;
    }
  } catch { /* the server is away; again in a moment */ }
  if (stale) stale.hidden = fresh;
}

async function watch() {
  for (;;) {
    await new Promise((done) => setTimeout(done, every));
    if (!document.hidden) await look();
  }
}

if (box) {
  link.hidden = true;
  watch();
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
}
