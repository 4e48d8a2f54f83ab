// The end of a session: who is on a break is asked before they are signed out for doing nothing, and everybody is told before the
// twelve hours are over. Waiting for cases on duty is the work, and no reason to ask.
"use strict";

const ask = one("#sigue");
const end = one("#termina");
let idleAt = Infinity, longest = 0;

/** lasts takes what the server says: in how many seconds the session ends, without an action and in any case. */
function lasts({ idle, whole }) {
  idleAt = Date.now() + idle * 1000;
  longest = Math.max(longest, idle);
  end.hidden = whole > 15 * 60;
  if (!end.hidden) end.textContent = `${end.dataset.words} ${new Date(Date.now() + whole * 1000).toTimeString().slice(0, 5)}.`;
  if (idle > askFor() && ask.open) ask.close("elsewhere"); // another page of theirs was told yes
}

/** askFor is how many seconds before the end the agent is asked: two minutes, or less of a short time. */
const askFor = () => Math.min(120, longest / 3);

function tickIdle() {
  const left = Math.round((idleAt - Date.now()) / 1000);
  if (left > askFor() || left <= 0) return;
  one("#sigue-en").textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  if (ask.open) return;
  ask.returnValue = "";
  ask.showModal();
}
setInterval(tickIdle, 1000);

ask.addEventListener("close", () => { if (ask.returnValue !== "elsewhere") beat({ sigo: "si" }); });
