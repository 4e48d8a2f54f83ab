// Shows what an agent is told while no page of the desk is open. What came holds words and the number of a case, and no person.
"use strict";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (e) => e.waitUntil(self.clients.claim()));

async function show(data) {
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  if (pages.some((page) => page.focused && new URL(page.url).pathname.startsWith("/agentes"))) return; // it tells by itself
  await self.registration.showNotification(data.text, {
    body: data.ref ?? "", tag: data.ref || "llave", renotify: true, lang: "es", data: { ref: data.ref ?? "" },
  });
}

self.addEventListener("push", (e) => {
  let data;
  try { data = e.data.json(); } catch { return; }
  e.waitUntil(show(data));
});

self.addEventListener("notificationclick", (e) => {
  e.notification.close();
  const ref = e.notification.data?.ref;
  const address = new URL(ref ? "/agentes/casos/" + encodeURIComponent(ref) : "/agentes", self.location.origin).href;
  e.waitUntil((async () => {
    const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    const desk = pages.find((page) => new URL(page.url).pathname.startsWith("/agentes"));
    if (!desk) return self.clients.openWindow(address);
    await desk.focus();
    return desk.navigate(address).catch(() => self.clients.openWindow(address)); // a page that the worker does not control
  })());
});
