// The page of alerts: the volume of this device, and whether it is told with no page open.
"use strict";

(() => {
  document.body.classList.add("scripted");
  const slider = one("#volumen");
  slider.value = volume() * 100;
  slider.addEventListener("input", () => remembered.set("volumen", slider.value));
  one("#probar").addEventListener("click", () => { unlockSound(); beep(); });

  const box = one("#empuje"), said = one("#empuje-dicho"), on = one("#suscribir"), off = one("#cancelar");
  if (!("serviceWorker" in navigator) || !("PushManager" in window)) {
    said.textContent = said.dataset.none;
    return;
  }
  const worker = navigator.serviceWorker.register("/agentes/avisador.js", { scope: "/agentes/" });

  async function draw() {
    const sub = await (await worker).pushManager.getSubscription();
    on.hidden = sub !== null;
    off.hidden = sub === null;
  }

  /** ready is the worker once it runs: a subscription needs one. */
  async function ready() {
    const registration = await worker;
    const starting = registration.installing ?? registration.waiting;
    if (registration.active || !starting) return registration;
    await new Promise((go) => starting.addEventListener("statechange", () => { if (starting.state === "activated") go(); }));
    return registration;
  }

  on.addEventListener("click", async () => {
    said.textContent = "";
    if (await Notification.requestPermission() !== "granted") {
      said.textContent = said.dataset.denied;
      return;
    }
    try {
      const key = Uint8Array.from(atob(box.dataset.key.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
      const sub = await (await ready()).pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
      const answer = await post("/agentes/alertas/suscribir", { suscripcion: JSON.stringify(sub) });
      if (answer.status === 401) { leave(); return; }
      if (!answer.ok) {
        await sub.unsubscribe();
        throw new Error("refused");
      }
      said.textContent = said.dataset.done;
    } catch {
      said.textContent = said.dataset.failed;
    }
    draw();
  });

  off.addEventListener("click", async () => {
    const sub = await (await worker).pushManager.getSubscription();
    if (sub) {
      await post("/agentes/alertas/cancelar", { direccion: sub.endpoint }).catch(() => {});
      await sub.unsubscribe();
    }
    location.reload();
  });

  draw().catch(() => { said.textContent = said.dataset.none; });
})();
