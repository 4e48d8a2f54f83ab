// Shows and hides what is typed, and says how strong the key is while it is being typed. Without this script the page
// works as it is: the box is not there then, and the button alone judges.
"use strict";
const form = document.querySelector("main form");
if (form) {
  const [first, again] = form.querySelectorAll("input[type=password]");
  const box = document.getElementById("mostrar");
  box.checked = false; // browsers remember it over a reload, and the fields are hidden then
  box.closest("label").hidden = false;
  const show = (visible) => { for (const field of [first, again]) field.type = visible ? "text" : "password"; };
  box.addEventListener("change", () => show(box.checked));
  // What was shown goes out hidden, so that the browser offers to remember it as a key and not as a word.
  form.addEventListener("submit", () => show(false));

  // The words come from the server, which judges by the same rules as the button does. It is asked once the typing
  // pauses, so that a screen reader is not interrupted letter by letter.
  const words = document.getElementById("fuerza");
  let timer, asking;
  // What was wrong with the last key does not stand beside what is said of this one.
  const forget = () => {
    document.getElementById("clave-falta")?.remove();
    first.removeAttribute("aria-invalid");
    first.setAttribute("aria-describedby", "reglas");
  };
  const judge = async () => {
    asking = new AbortController();
    try {
      const answer = await fetch(words.dataset.ask, {
        method: "POST", body: new URLSearchParams({ clave: first.value }), signal: asking.signal,
      });
      if (answer.ok) {
        forget();
        words.innerHTML = await answer.text();
        words.hidden = false;
      }
    } catch { /* the network, or more was typed: the button judges in any case */ }
  };
  first.addEventListener("input", () => {
    clearTimeout(timer);
    asking?.abort();
    if (first.value === "") words.replaceChildren();
    else timer = setTimeout(judge, 700);
  });
}
