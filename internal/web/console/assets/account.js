// Recovery codes can be copied or printed: they are shown this once.
"use strict";

for (const button of document.querySelectorAll("[data-codes]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    if (button.dataset.codes === "imprimir") { print(); return; }
    const codes = [...document.querySelectorAll(".codes code")].map((c) => c.textContent).join("\n");
    const done = await navigator.clipboard.writeText(codes).then(() => true, () => false);
    document.querySelector("#copiado").textContent = done ? button.dataset.done : button.dataset.failed;
  });
}
