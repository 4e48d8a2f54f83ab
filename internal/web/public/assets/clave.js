// Shows and hides what is typed, says how strong the key is while it is being typed, and does not send two that differ. Without
// this script the page works as it is: the box is not there then, and the button alone judges.
"use strict";
const form = document.querySelector("main form");
if (form) {
  const [first, again] = form.querySelectorAll("input[type=password]");
  const box = document.getElementById("mostrar");
  box.checked = false; // browsers remember it over a reload, and the fields are hidden then
  box.closest("label").hidden = false;
  const show = (visible) => { for (const field of [first, again]) field.type = visible ? "text" : "password"; };
  box.addEventListener("change", () => show(box.checked));

  // Only the second time has to be typed anew when the two differ. The server cannot do that: it never sends a key back, so
  // without this script both are empty then.
  const differs = document.getElementById("clave2-distinta");
  const tell = (different) => {
    document.getElementById("clave2-falta")?.remove(); // what the server said of the last two
    differs.hidden = !different;
    if (different) again.setAttribute("aria-invalid", "true");
    else again.removeAttribute("aria-invalid");
    if (different) again.setAttribute("aria-describedby", differs.id);
    else again.removeAttribute("aria-describedby");
  };
  again.addEventListener("input", () => tell(false));
  form.addEventListener("submit", (event) => {
    if (first.value !== again.value) {
      event.preventDefault();
      again.value = "";
      tell(true);
      again.focus();
      return;
    }
    // What was shown goes out hidden, so that the browser offers to remember it as a key and not as a word.
    show(false);
  });

  // The words come from the server, which judges by the same rules as the button does. It is asked once the typing
  // pauses, so that a screen reader is not interrupted letter by letter. They go with the first letter that changes: nothing is
  // said of a key that is being changed.
  const words = document.getElementById("fuerza");
  for (const e of words.parentElement.children) e.hidden = false;
  let timer, asking;
  // Before there is a verdict its place says what it is for.
  const before = document.getElementById("fuerza-antes");
  const wait = (empty) => before.classList.toggle("room", !empty);
  wait(!document.getElementById("clave-falta"));
  // What was wrong with the last key does not stand beside what is said of this one.
  const forget = () => {
    document.getElementById("clave-falta")?.remove();
    first.removeAttribute("aria-invalid");
    first.setAttribute("aria-describedby", "reglas");
  };
  const judge = async () => {
    asking = new AbortController();
    const { signal } = asking;
    try {
      const answer = await fetch(words.dataset.ask, {
        method: "POST", body: new URLSearchParams({ clave: first.value }), signal,
      });
      const said = await answer.text();
      if (answer.ok && !signal.aborted) {
        wait(false);
        words.innerHTML = said;
      }
    } catch { /* the network, or more was typed: the button judges in any case */ }
  };
  first.addEventListener("input", () => {
    clearTimeout(timer);
    asking?.abort();
    words.replaceChildren();
    forget();
    wait(true);
    if (first.value !== "") timer = setTimeout(judge, 700);
  });
}
