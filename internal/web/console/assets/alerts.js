// Tells the agent what concerns them: with words, a sound, a notification, and a number on the page's title and on the application's
// icon. A sound needs that the agent has touched the page once; until then browsers keep it silent. What is told without a sound, on a
// break or in quiet hours, the server says.
"use strict";

let told = 0; // when the last came that the page was told of, by the store's clock
const soundButton = one("#sonido");
const wantsSound = () => remembered.is("sonido") !== "no";
const volume = () => Number(remembered.is("volumen") ?? 60) / 100;

let sound = null; // an AudioContext
function unlockSound() {
  if (!wantsSound()) return;
  sound ??= new AudioContext();
  sound.resume();
}
for (const touch of ["pointerdown", "keydown"]) addEventListener(touch, unlockSound, { capture: true });

function beep() {
  if (!wantsSound() || volume() === 0) return;
  unlockSound();
  if (sound.state !== "running" && !navigator.userActivation?.hasBeenActive) return; // it would sound late, at the first touch
  document.documentElement.dataset.sounded = Number(document.documentElement.dataset.sounded ?? 0) + 1;
  [660, 880].forEach((pitch, i) => {
    const from = sound.currentTime + i * 0.14;
    const tone = sound.createOscillator(), gain = sound.createGain();
    tone.frequency.value = pitch;
    gain.gain.setValueAtTime(0.0001, from);
    gain.gain.exponentialRampToValueAtTime(Math.max(0.0002, 0.4 * volume()), from + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.0001, from + 0.13);
    tone.connect(gain).connect(sound.destination);
    tone.start(from);
    tone.stop(from + 0.14);
  });
}

function drawSound() { soundButton.setAttribute("aria-pressed", wantsSound()); }
soundButton.hidden = false;
drawSound();
soundButton.addEventListener("click", () => {
  remembered.set("sonido", wantsSound() ? "no" : "si");
  drawSound();
  beep();
});

const mayNotify = () => "Notification" in window && Notification.permission === "granted";

function notify(text, ref) {
  if (!mayNotify() || document.hasFocus()) return;
  let note;
  try { note = new Notification(text, { body: ref, tag: ref, icon: words.icon }); } catch { return; } // telephones have none for pages
  note.onclick = () => { window.focus(); location.assign("/agentes/casos/" + encodeURIComponent(ref)); note.close(); };
}

/** badge puts what waits for the agent on the icon of an installed application. */
function badge(calls) {
  (calls ? navigator.setAppBadge?.(calls) : navigator.clearAppBadge?.())?.catch?.(() => {});
}

hear.alert = (e) => {
  told = Math.max(told, e.at);
  if (e.what === "wrote" && board?.dataset.ref === e.ref && document.hasFocus()) return; // it is being read
  one("#suceso").textContent = `${e.text}: ${e.ref}`;
  if (e.quiet) return;
  beep();
  notify(e.text, e.ref);
};
