// Sends what is typed or pressed without loading the page again, and shows what comes over the stream.
"use strict";
const pane = document.getElementById("chat");
const log = pane.querySelector(".chat-log");
const trouble = pane.querySelector(".chat-trouble");
const typing = pane.querySelector(".chat-typing");
const start = pane.querySelector(".chat-start");
const field = pane.querySelector("#chat-texto");

const bottom = () => { log.scrollTop = log.scrollHeight; };
const changed = () => { start.hidden = log.children.length > 0; bottom(); };

const stream = new EventSource("/chat/eventos?desde=" + pane.dataset.since);
stream.addEventListener("add", (e) => {
  log.insertAdjacentHTML("beforeend", e.data);
  if (log.lastElementChild.classList.contains("bot")) quiet();
  changed();
});
stream.addEventListener("delete", (e) => { document.getElementById(e.data)?.remove(); changed(); });
stream.addEventListener("reset", (e) => { log.innerHTML = e.data; changed(); });

// Somebody writes to the person: said until the next bubble, or until it was not said for a while. Saying it again changes
// nothing on the page, so that it is read aloud once.
let silence = 0;
let writing = "";
function says(what) {
  if (writing !== what) typing.innerHTML = writing = what;
}
function quiet() {
  clearTimeout(silence);
  says("");
}
stream.addEventListener("typing", (e) => {
  says(e.data);
  clearTimeout(silence);
  silence = setTimeout(quiet, 5000);
});

// The person writes: that they do is told now and then, what they write is not.
let told = 0;
field.addEventListener("input", () => {
  if (field.value.trim() === "" || Date.now() - told < 3000) return;
  told = Date.now();
  fetch("/chat/escribiendo", { method: "POST" }).catch(() => { /* nobody misses it */ });
});

// A name of its own for each thing that is sent: sent again under that name, it is taken once.
function name() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function send(body) {
  for (const wait of [300, 1000, 3000, 0]) {
    try {
      const answer = await fetch("/chat", { method: "POST", body, headers: { Accept: "application/json" } });
      if (answer.ok) return true;
      if (answer.status < 500) return false;
    } catch { /* the network; again in a moment */ }
    await pause(wait);
  }
  return false;
}

let sending = false;
pane.addEventListener("submit", async (e) => {
  e.preventDefault();
  if (sending) return;
  const form = new FormData(e.target, e.submitter);
  form.set("id", name());
  const typed = e.target.contains(field);
  sending = true;
  trouble.hidden = true;
  if (typed) {
    field.value = "";
    told = 0; // what is begun next is told at once
  }
  const ok = await send(new URLSearchParams(form));
  sending = false;
  trouble.hidden = ok;
  if (!ok && typed && field.value === "") field.value = form.get("texto");
  bottom();
  if (typed) field.focus();
});
bottom();
