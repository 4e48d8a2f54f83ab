// Shows and hides what is typed. Without this script the page works as it is; the box is not there then.
"use strict";
const box = document.getElementById("mostrar");
const fields = document.querySelectorAll("input[type=password]");
if (box && fields.length > 0) {
  box.closest("label").hidden = false;
  box.addEventListener("change", () => {
    for (const field of fields) field.type = box.checked ? "text" : "password";
  });
  // What was shown goes out hidden, so that the browser offers to remember it as a key and not as a word.
  fields[0].form.addEventListener("submit", () => {
    for (const field of fields) field.type = "password";
  });
}
