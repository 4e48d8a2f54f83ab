// The browser's own menu prints the sheet too: the button is there for those who do not know it.
"use strict";
const button = document.getElementById("imprimir");
button.hidden = false;
button.addEventListener("click", () => window.print());
