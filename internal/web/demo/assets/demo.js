// Fetches new letters, and writes a person's number into the chat's field. Letters are read without it.
"use strict";
const list = document.getElementById("cartas");
const empty = document.querySelector(".empty");

async function look() {
  const newest = list.querySelector("[data-letter]")?.dataset.letter ?? "";
  try {
    const answer = await fetch("/buzon?desde=" + encodeURIComponent(newest));
    if (answer.status !== 200) return;
    const part = document.createElement("template");
    part.innerHTML = await answer.text();
    for (const letter of [...part.content.querySelectorAll("[data-letter]")].reverse()) {
      if (document.getElementById(letter.id)) continue;
      letter.classList.add("new");
      list.prepend(letter);
      empty.hidden = true;
    }
  } catch { /* the server is away; again in a moment */ }
}

async function watch() {
  for (;;) {
    if (!document.hidden) await look();
    await new Promise((done) => setTimeout(done, 1000));
  }
}
watch();
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });

for (const button of document.querySelectorAll(".use")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const field = document.getElementById("chat-texto");
    field.value = button.dataset.number;
    field.focus();
  });
}
