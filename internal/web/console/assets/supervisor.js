// Keeps the figures of this moment up to date. Without it the page has a link that does so.
"use strict";
const box = document.getElementById("ahora");
const link = document.getElementById("al-dia");

async function look() {
  try {
    const answer = await fetch(box.dataset.src);
    if (answer.status === 401 || answer.status === 403) return location.reload(); // says why, and where to go
    if (answer.status !== 200) return;
    const part = document.createElement("template");
    part.innerHTML = await answer.text();
    box.replaceChildren(part.content);
  } catch { /* the server is away; again in a moment */ }
}

async function watch() {
  for (;;) {
    await new Promise((done) => setTimeout(done, 10_000));
    if (!document.hidden) await look();
  }
}

if (box) {
  link.hidden = true;
  watch();
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
}
